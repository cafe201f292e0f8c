//! What the restart scenarios share: a broker of their own with a life before
//! and after, and publishes that count only when confirmed.

use std::time::Instant;

use crate::prelude::*;

/// The source of most rules here.
pub(super) const SOURCE: &str = "AMQP 0-9-1 durable, delivery-mode; RabbitMQ 3.10.8";

/// How long before a kill something without an answer must have been sent to
/// count as done, with other traffic in between.
const SETTLED: Duration = Duration::from_millis(1100);

/// A scenario's broker; it ends once or more and goes on with its data.
pub(super) struct Life<'a> {
    /// The context of the scenario.
    pub ctx: &'a Ctx,
    /// Its broker.
    pub broker: Broker,
    /// How it ends.
    pub how: Ending,
}

impl<'a> Life<'a> {
    /// Runs a scenario on a new broker that will end in this way.
    pub fn run(ctx: &'a Ctx, how: Ending, scenario: fn(&mut Life) -> Result) -> Result {
        Self::run_with(ctx, how, "", scenario)
    }
    /// Like [`Life::run`] with a definitions file for the first start.
    pub fn run_with(
        ctx: &'a Ctx,
        how: Ending,
        definitions: &str,
        scenario: fn(&mut Life) -> Result,
    ) -> Result {
        let mut life = Life {
            ctx,
            broker: ctx.private_own("", definitions)?,
            how,
        };
        scenario(&mut life)
    }
    /// A new connection's channel.
    pub fn channel(&self) -> Result<Channel> {
        self.broker.connect()?.channel(1)
    }
    /// Ends the broker in this life's way.
    pub fn end(&mut self) -> Result {
        if self.ctx.is_rabbit() && self.killed() {
            // Its declare-ok does not wait for the disk: without this, queues
            // declared shortly before a kill are missing now and then.
            self.broker.rabbitmqctl(&["eval", "mnesia:dump_log()."])?;
        }
        self.broker.end(self.how)
    }
    /// Starts the broker that was ended; a channel on its new life.
    pub fn start(&mut self) -> Result<Channel> {
        self.ctx.start_again(&mut self.broker)?;
        self.channel()
    }
    /// Ends the broker and starts it again; a channel on its new life.
    pub fn restart(&mut self) -> Result<Channel> {
        self.end()?;
        self.start()
    }
    /// What was sent without being answered (acknowledgements, rejects) holds
    /// after this: before a kill, other traffic goes on for a second.
    pub fn settle(&self, ch: &Channel) -> Result {
        ch.sync()?;
        if self.how == Ending::Clean {
            return Ok(());
        }
        let begun = Instant::now();
        let traffic = ch.conn.channel(1901)?;
        let q = traffic.declare_with(Queue::new("traffic").durable())?.queue;
        while begun.elapsed() < SETTLED {
            keep(&traffic, &[persistent(&q, "traffic")])?;
        }
        traffic.delete(&q)?;
        traffic.close()
    }
    /// Whether the broker is killed rather than stopped.
    pub fn killed(&self) -> bool {
        self.how == Ending::Kill
    }
}

/// A persistent message to a queue.
pub(super) fn persistent(queue: &str, body: impl AsRef<[u8]>) -> Publish {
    Publish::to_queue(queue)
        .body(body)
        .props(Props::persistent())
}

/// Publishes and waits until everything is confirmed, by ack.
pub(super) fn keep(ch: &Channel, messages: &[Publish]) -> Result {
    let publisher = ch.conn.channel(1900)?;
    publisher.confirm_select()?;
    for message in messages {
        publisher.publish_with(message)?;
    }
    let confirms = publisher.confirms(1, messages.len() as u64)?;
    check!(confirms.iter().all(|ack| *ack), "nacked: {confirms:?}");
    publisher.close()?;
    drop(publisher.conn.drain(1900));
    Ok(())
}

/// [`keep`] for persistent texts to one queue.
pub(super) fn keep_texts(ch: &Channel, queue: &str, bodies: &[&str]) -> Result {
    let of = |body: &&str| persistent(queue, body);
    keep(ch, &bodies.iter().map(of).collect::<Vec<_>>())
}

/// A durable queue.
pub(super) fn durable(ch: &Channel, queue: &str) -> Result {
    ch.declare_with(Queue::new(queue).durable()).map(drop)
}

/// Expects that a queue is not there.
pub(super) fn queue_is_gone(ch: &Channel, queue: &str) -> Result {
    let probe = ch.conn.channel(1902)?;
    let text = format!("no queue '{queue}' in vhost '/'");
    probe.refused(&Queue::new(queue).passive().method(), 404, text)
}

/// Expects that an exchange is not there.
pub(super) fn exchange_is_gone(ch: &Channel, exchange: &str) -> Result {
    let probe = ch.conn.channel(1902)?;
    let text = format!("no exchange '{exchange}' in vhost '/'");
    let passive = Exchange::new(exchange, "direct").passive().method();
    probe.refused(&passive, 404, text)
}

/// Waits until a moment: for what is defined by the clock, such as expiry.
pub(super) fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// Entries for a scenario that holds after a clean stop and after a kill.
macro_rules! lives {
    ($($id:literal, $rule:literal, $run:expr $(, $deviation:literal)?;)*) => {
        /// The scenarios of this area, each after a clean stop and a kill.
        pub const ALL: &[Scenario] = &[$(
            Scenario::new(
                concat!("restart.clean.", $id),
                $rule,
                $crate::scenarios::restart::SOURCE,
                |ctx| {
                    let run: fn(&mut $crate::scenarios::restart::Life) -> Result = $run;
                    $crate::scenarios::restart::Life::run(ctx, Ending::Clean, run)
                },
            )$(.deviation($deviation))?.seconds(180),
            Scenario::new(
                concat!("restart.kill.", $id),
                $rule,
                $crate::scenarios::restart::SOURCE,
                |ctx| {
                    let run: fn(&mut $crate::scenarios::restart::Life) -> Result = $run;
                    $crate::scenarios::restart::Life::run(ctx, Ending::Kill, run)
                },
            )$(.deviation($deviation))?.seconds(180),
        )*];
    };
}
pub(super) use lives;
