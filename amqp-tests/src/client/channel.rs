//! A channel: topology, and the round trips that other waits build on.

use std::time::{Duration, Instant};

use super::{Conn, Exchange, Msg, Queue, WAIT};
use crate::suite::{Result, fail};
use crate::wire::{Method, Table, method};

/// A channel of a connection. A handle: clones are the same channel.
#[derive(Clone)]
pub struct Channel {
    /// Its connection.
    pub conn: Conn,
    /// Its number.
    pub id: u16,
}

/// queue.declare-ok.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclareOk {
    /// The queue's name.
    pub queue: String,
    /// Ready messages.
    pub messages: u64,
    /// Consumers.
    pub consumers: u64,
}

impl Channel {
    pub(super) fn new(conn: &Conn, id: u16) -> Self {
        Self {
            conn: conn.clone(),
            id,
        }
    }
    /// Sends a method without waiting for anything.
    pub fn send(&self, m: &Method) -> Result<()> {
        self.conn.send(self.id, m)
    }
    /// Sends a method and waits for its `-ok` (`get` also for get-empty).
    /// Deliveries, returns and confirms on the way stay for later calls.
    pub fn call(&self, m: &Method) -> Result<Msg> {
        self.send(m)?;
        let ok = format!("{}-ok", m.name());
        self.conn.wait(self.id, &ok, |r| {
            r.method.name() == ok
                || (m.name() == "basic.get" && r.method.name() == "basic.get-empty")
        })
    }
    /// The next message on this channel, in order, whatever it is.
    pub fn recv(&self) -> Result<Msg> {
        self.conn.wait(self.id, "message", |_| true)
    }
    /// Waits for a method of this name, leaving others for later.
    pub fn wait_method(&self, name: &str) -> Result<Method> {
        self.conn.wait_method(self.id, name)
    }
    /// Closes the channel in order.
    pub fn close(&self) -> Result<()> {
        let close = method("channel.close")
            .set("reply-code", 200)
            .set("reply-text", "bye");
        self.call(&close).map(drop)
    }
    /// Opens this number again after it was closed.
    pub fn reopen(&self) -> Result<Channel> {
        self.conn.drain(self.id);
        self.conn.channel(self.id)
    }
    /// Declares a queue that is neither durable, exclusive nor auto-delete.
    pub fn declare(&self, queue: impl AsRef<str>) -> Result<DeclareOk> {
        self.declare_with(Queue::new(queue))
    }
    /// Declares a queue.
    pub fn declare_with(&self, queue: Queue) -> Result<DeclareOk> {
        let ok = self.call(&queue.method())?.method;
        Ok(DeclareOk {
            queue: ok.str("queue"),
            messages: ok.num("message-count"),
            consumers: ok.num("consumer-count"),
        })
    }
    /// Passive declare: how many messages are ready, how many consumers.
    pub fn depth(&self, queue: impl AsRef<str>) -> Result<DeclareOk> {
        self.declare_with(Queue::new(queue).passive())
    }
    /// Asks until `done` says yes to the queue's counts.
    pub fn wait_depth(&self, queue: &str, done: impl Fn(&DeclareOk) -> bool) -> Result<DeclareOk> {
        let deadline = Instant::now() + WAIT;
        loop {
            let now = self.depth(queue)?;
            if done(&now) {
                return Ok(now);
            }
            if Instant::now() > deadline {
                return fail(format!("after {WAIT:?} the queue is still {now:?}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    /// Asks until `count` messages are ready.
    pub fn wait_messages(&self, queue: &str, count: u64) -> Result<()> {
        self.wait_depth(queue, |d| d.messages == count).map(drop)
    }
    /// Asks until the queue is gone; leaves the channel open.
    pub fn wait_queue_gone(&self, queue: &str) -> Result<()> {
        self.wait_gone(&Queue::new(queue).passive().method())
    }
    /// Asks until the exchange is gone; leaves the channel open.
    pub fn wait_exchange_gone(&self, exchange: &str) -> Result<()> {
        self.wait_gone(&Exchange::new(exchange, "direct").passive().method())
    }
    fn wait_gone(&self, passive: &Method) -> Result<()> {
        let deadline = Instant::now() + WAIT;
        loop {
            let probe = self.conn.channel(61_000)?;
            match probe.call(passive) {
                Ok(_) => probe.close()?,
                Err(_) => return probe.expect_close(404, passive.ids(), super::Text::Any),
            }
            if Instant::now() > deadline {
                return fail(format!("still there after {WAIT:?}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    /// Declares an exchange that is neither durable nor auto-delete.
    pub fn exchange(&self, exchange: impl AsRef<str>, kind: &str) -> Result<()> {
        self.exchange_with(Exchange::new(exchange, kind))
    }
    /// Declares an exchange.
    pub fn exchange_with(&self, exchange: Exchange) -> Result<()> {
        self.call(&exchange.method()).map(drop)
    }
    /// Binds a queue to an exchange.
    pub fn bind(&self, queue: &str, exchange: &str, key: &str) -> Result<()> {
        self.bind_args(queue, exchange, key, Table::new())
    }
    /// Binds a queue to an exchange with arguments.
    pub fn bind_args(&self, queue: &str, exchange: &str, key: &str, args: Table) -> Result<()> {
        self.call(&bind("queue.bind", "queue", queue, exchange, key).set("arguments", args))
            .map(drop)
    }
    /// Removes a binding of a queue.
    pub fn unbind(&self, queue: &str, exchange: &str, key: &str) -> Result<()> {
        self.unbind_args(queue, exchange, key, Table::new())
    }
    /// Removes a binding of a queue with arguments.
    pub fn unbind_args(&self, queue: &str, exchange: &str, key: &str, args: Table) -> Result<()> {
        self.call(&bind("queue.unbind", "queue", queue, exchange, key).set("arguments", args))
            .map(drop)
    }
    /// Binds exchange `destination` to exchange `source`.
    pub fn exchange_bind(&self, destination: &str, source: &str, key: &str) -> Result<()> {
        self.exchange_bind_args(destination, source, key, Table::new())
    }
    /// Binds exchange `destination` to exchange `source` with arguments.
    pub fn exchange_bind_args(&self, dest: &str, source: &str, key: &str, a: Table) -> Result<()> {
        self.call(&e2e("exchange.bind", dest, source, key).set("arguments", a))
            .map(drop)
    }
    /// Removes a binding between exchanges.
    pub fn exchange_unbind(&self, destination: &str, source: &str, key: &str) -> Result<()> {
        self.call(&e2e("exchange.unbind", destination, source, key))
            .map(drop)
    }
    /// Purges; returns how many ready messages went.
    pub fn purge(&self, queue: &str) -> Result<u64> {
        let ok = self.call(&method("queue.purge").set("queue", queue))?;
        Ok(ok.method.num("message-count"))
    }
    /// Deletes a queue; returns how many ready messages went.
    pub fn delete(&self, queue: &str) -> Result<u64> {
        let ok = self.call(&method("queue.delete").set("queue", queue))?;
        Ok(ok.method.num("message-count"))
    }
    /// Deletes an exchange.
    pub fn exchange_delete(&self, exchange: &str) -> Result<()> {
        self.call(&method("exchange.delete").set("exchange", exchange))
            .map(drop)
    }
    /// A round trip: what the broker wrote to this channel before has arrived.
    pub fn sync(&self) -> Result<()> {
        self.exchange_with(Exchange::new("amq.direct", "direct").passive())
    }
    /// Nothing untaken stands on this channel after a round trip through the
    /// channel. It proves nothing about deliveries still on their way from a
    /// queue: for these see [`Channel::expect_silence_of`].
    pub fn expect_silence(&self) -> Result<()> {
        self.sync()?;
        self.nothing_waits()
    }
    /// Nothing untaken stands on this channel after a round trip through the
    /// queue: what the queue sent here before has arrived. Publishes must have
    /// come through this channel, or have been confirmed, to count as before.
    pub fn expect_silence_of(&self, queue: &str) -> Result<()> {
        self.depth(queue)?;
        self.sync()?;
        self.nothing_waits()
    }
    fn nothing_waits(&self) -> Result<()> {
        match self.conn.waiting(self.id) {
            names if names.is_empty() => Ok(()),
            names => fail(format!("nothing should have come, but: {names}")),
        }
    }
}

fn bind(name: &str, what: &str, queue: &str, exchange: &str, key: &str) -> Method {
    method(name)
        .set(what, queue)
        .set("exchange", exchange)
        .set("routing-key", key)
}
fn e2e(name: &str, destination: &str, source: &str, key: &str) -> Method {
    method(name)
        .set("destination", destination)
        .set("source", source)
        .set("routing-key", key)
}
