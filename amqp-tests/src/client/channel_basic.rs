//! A channel: publishing, consuming, acknowledging, confirms, transactions.

use super::{Channel, Consume, Msg, Publish};
use crate::suite::{Result, fail};
use crate::wire::{
    Content, FRAME_BODY, FRAME_HEADER, FRAME_METHOD, Frame, Method, Props, Writer, method,
};

/// A message from deliver or get-ok.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Delivery tag.
    pub tag: u64,
    /// Consumer tag; empty for get.
    pub consumer: String,
    /// The redelivered flag.
    pub redelivered: bool,
    /// Exchange it was published to.
    pub exchange: String,
    /// Routing key it was published with.
    pub key: String,
    /// Properties.
    pub props: Props,
    /// Body.
    pub body: Vec<u8>,
    /// Messages left, for get.
    pub left: u64,
    /// The content as received, with raw properties and frame sizes.
    pub content: Content,
}

impl Delivery {
    fn of(msg: Msg) -> Result<Self> {
        let m = &msg.method;
        let deliver = m.name() == "basic.deliver";
        let Some(content) = msg.content.clone() else {
            return fail(format!("{} is no delivery", m.name()));
        };
        Ok(Self {
            tag: m.num("delivery-tag"),
            consumer: if deliver {
                m.str("consumer-tag")
            } else {
                String::new()
            },
            redelivered: m.bit("redelivered"),
            exchange: m.str("exchange"),
            key: m.str("routing-key"),
            props: content.props.clone(),
            body: content.body.clone(),
            left: if deliver { 0 } else { m.num("message-count") },
            content,
        })
    }
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// basic.return.
#[derive(Clone, Debug)]
pub struct Returned {
    /// Reply code.
    pub code: u16,
    /// Reply text.
    pub text: String,
    /// Exchange it was published to.
    pub exchange: String,
    /// Routing key it was published with.
    pub key: String,
    /// Properties.
    pub props: Props,
    /// Body.
    pub body: Vec<u8>,
}

/// A publisher confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// ack, or nack when false.
    pub ack: bool,
    /// Sequence number.
    pub tag: u64,
    /// Whether it holds for all numbers up to this.
    pub multiple: bool,
}

impl Channel {
    /// Publishes text without properties.
    pub fn publish(&self, exchange: &str, key: &str, body: &str) -> Result<()> {
        self.publish_with(&Publish::new(exchange, key).body(body))
    }
    /// Publishes; the body is cut into frames of the agreed size.
    pub fn publish_with(&self, p: &Publish) -> Result<()> {
        self.conn.send_raw(&self.publish_bytes(p))
    }
    /// The bytes of a publish with its content.
    pub fn publish_bytes(&self, p: &Publish) -> Vec<u8> {
        let mut out = Frame::new(FRAME_METHOD, self.id, p.method().encode()).encode();
        out.extend(
            self.header_frame(p.body.len() as u64, &p.props.encode())
                .encode(),
        );
        for part in p.body.chunks(self.conn.frame_max() - 8) {
            out.extend(Frame::new(FRAME_BODY, self.id, part).encode());
        }
        out
    }
    /// A content header frame with any body size and any properties.
    pub fn header_frame(&self, size: u64, props: &[u8]) -> Frame {
        let mut w = Writer::new();
        w.u16(60).u16(0).u64(size).raw(props);
        Frame::new(FRAME_HEADER, self.id, w.0)
    }
    /// Starts a consumer with manual acknowledgements; returns its tag.
    pub fn consume(&self, queue: &str) -> Result<String> {
        self.consume_with(Consume::new(queue))
    }
    /// Starts a consumer; returns its tag.
    pub fn consume_with(&self, consume: Consume) -> Result<String> {
        Ok(self.call(&consume.method())?.method.str("consumer-tag"))
    }
    /// Cancels a consumer.
    pub fn cancel(&self, tag: &str) -> Result<()> {
        self.call(&method("basic.cancel").set("consumer-tag", tag))
            .map(drop)
    }
    /// The next delivery, leaving other messages for later.
    pub fn delivery(&self) -> Result<Delivery> {
        Delivery::of(
            self.conn
                .wait(self.id, "delivery", |m| m.method.name() == "basic.deliver")?,
        )
    }
    /// The next `count` deliveries.
    pub fn deliveries(&self, count: usize) -> Result<Vec<Delivery>> {
        (0..count).map(|_| self.delivery()).collect()
    }
    /// The next delivery, whose body must be `text`.
    pub fn expect_delivery(&self, text: &str) -> Result<Delivery> {
        let d = self.delivery()?;
        if d.body != text.as_bytes() {
            return fail(format!("delivered {:?}, expected {text:?}", d.text()));
        }
        Ok(d)
    }
    /// Gets with manual acknowledgement.
    pub fn get(&self, queue: &str) -> Result<Option<Delivery>> {
        self.get_mode(queue, false)
    }
    /// Gets without acknowledgement.
    pub fn get_no_ack(&self, queue: &str) -> Result<Option<Delivery>> {
        self.get_mode(queue, true)
    }
    fn get_mode(&self, queue: &str, no_ack: bool) -> Result<Option<Delivery>> {
        let reply = self.call(
            &method("basic.get")
                .set("queue", queue)
                .set("no-ack", no_ack),
        )?;
        match reply.method.name() {
            "basic.get-ok" => Delivery::of(reply).map(Some),
            _ => Ok(None),
        }
    }
    /// Gets until a message is there, with manual acknowledgement.
    pub fn wait_get(&self, queue: &str) -> Result<Delivery> {
        self.wait_depth(queue, |d| d.messages > 0)?;
        match self.get(queue)? {
            Some(d) => Ok(d),
            None => fail("get-empty although a message was ready"),
        }
    }
    /// Gets everything that is ready without acknowledgement, as texts.
    pub fn get_all(&self, queue: &str) -> Result<Vec<String>> {
        let mut all = Vec::new();
        while let Some(d) = self.get_no_ack(queue)? {
            all.push(d.text());
        }
        Ok(all)
    }
    /// Acknowledges one delivery.
    pub fn ack(&self, tag: u64) -> Result<()> {
        self.send(&method("basic.ack").set("delivery-tag", tag))
    }
    /// Acknowledges all deliveries up to `tag`; 0 is all.
    pub fn ack_multiple(&self, tag: u64) -> Result<()> {
        self.send(
            &method("basic.ack")
                .set("delivery-tag", tag)
                .set("multiple", true),
        )
    }
    /// Sends basic.nack.
    pub fn nack(&self, tag: u64, multiple: bool, requeue: bool) -> Result<()> {
        let nack = method("basic.nack").set("delivery-tag", tag);
        self.send(&nack.set("multiple", multiple).set("requeue", requeue))
    }
    /// Sends basic.reject.
    pub fn reject(&self, tag: u64, requeue: bool) -> Result<()> {
        self.send(
            &method("basic.reject")
                .set("delivery-tag", tag)
                .set("requeue", requeue),
        )
    }
    /// basic.recover and its answer.
    pub fn recover(&self, requeue: bool) -> Result<()> {
        self.call(&method("basic.recover").set("requeue", requeue))
            .map(drop)
    }
    /// basic.qos with global = false.
    pub fn qos(&self, count: u16) -> Result<()> {
        self.call(&qos(count)).map(drop)
    }
    /// basic.qos with global = true.
    pub fn qos_global(&self, count: u16) -> Result<()> {
        self.call(&qos(count).set("global", true)).map(drop)
    }
    /// Turns on publisher confirms.
    pub fn confirm_select(&self) -> Result<()> {
        self.call(&method("confirm.select")).map(drop)
    }
    /// The next confirm, leaving other messages for later.
    pub fn confirm(&self) -> Result<Confirm> {
        let m = self.conn.wait(self.id, "confirm", |m| {
            matches!(m.method.name(), "basic.ack" | "basic.nack")
        })?;
        Ok(Confirm {
            ack: m.method.name() == "basic.ack",
            tag: m.method.num("delivery-tag"),
            multiple: m.method.bit("multiple"),
        })
    }
    /// Reads confirms until the numbers `first..=last` all have one; the
    /// result is true for an ack and false for a nack, in order of numbers.
    pub fn confirms(&self, first: u64, last: u64) -> Result<Vec<bool>> {
        let mut got = vec![None; (last + 1 - first) as usize];
        while got.iter().any(Option::is_none) {
            let c = self.confirm()?;
            if c.tag < first || c.tag > last {
                return fail(format!("{c:?} is outside {first}..={last}"));
            }
            let top = (c.tag - first) as usize;
            let from = if c.multiple { 0 } else { top };
            let mut news = 0;
            for slot in &mut got[from..=top] {
                if slot.is_none() {
                    *slot = Some(c.ack);
                    news += 1;
                }
            }
            if news == 0 {
                return fail(format!("{c:?} confirms nothing that was open"));
            }
        }
        Ok(got.into_iter().flatten().collect())
    }
    /// The next basic.return, leaving other messages for later.
    pub fn returned(&self) -> Result<Returned> {
        let msg = self
            .conn
            .wait(self.id, "return", |m| m.method.name() == "basic.return")?;
        let m = &msg.method;
        let Some(content) = msg.content.clone() else {
            return fail("return without content");
        };
        Ok(Returned {
            code: m.num("reply-code") as u16,
            text: m.str("reply-text"),
            exchange: m.str("exchange"),
            key: m.str("routing-key"),
            props: content.props,
            body: content.body,
        })
    }
    /// tx.select and its answer.
    pub fn tx_select(&self) -> Result<()> {
        self.call(&method("tx.select")).map(drop)
    }
    /// tx.commit and its answer.
    pub fn tx_commit(&self) -> Result<()> {
        self.call(&method("tx.commit")).map(drop)
    }
    /// tx.rollback and its answer.
    pub fn tx_rollback(&self) -> Result<()> {
        self.call(&method("tx.rollback")).map(drop)
    }
}

fn qos(count: u16) -> Method {
    method("basic.qos").set("prefetch-count", count)
}
