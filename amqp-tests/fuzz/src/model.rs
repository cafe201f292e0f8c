//! What a client knows of its channels, and what both clients together know of messages.
//!
//! The model predicts little and checks much: every request is answered once and in order, every
//! publish is confirmed once, a message is with one consumer of a queue at a time, is flagged when
//! it comes again, and never comes again once it was acknowledged.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use leveret::amqp::properties::Properties;
use leveret::amqp::table::Cursor;
use leveret::broker::reply_to::is_reply_name;

use crate::server_frames::{Content, Said};

/// A message as it was published.
#[derive(Debug, Clone)]
pub struct Published {
    pub exchange: Vec<u8>,
    pub key: Vec<u8>,
    pub properties: Vec<u8>,
    pub body: Vec<u8>,
    pub mandatory: bool,
}

/// Where a message stands in one queue; no entry: nobody has seen it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    WithConsumer,
    Returned,
    Gone,
}

/// A message in a queue: the queue's id and the message's.
type Instance = (u64, u64);

/// What the clients know of messages.
#[derive(Debug, Default)]
pub struct Messages {
    pub published: HashMap<u64, Published>,
    standing: HashMap<Instance, Standing>,
    /// Seen in a queue that the model could not name, or settled just before a close.
    somewhere: BTreeSet<u64>,
    /// Some output was not read as it was written, so the order of what two clients see is not
    /// the order in which it happened.
    pub unordered: bool,
    /// Addresses that requesters wait at, as their requests showed them.
    pub reply_addresses: Vec<Vec<u8>>,
}

/// A delivery without acknowledgement.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    pub queue: Option<u64>,
    instance: Option<Instance>,
}

/// How a delivery is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Ack,
    Reject,
    Requeue,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub enum Request {
    /// Nothing follows from it.
    Plain,
    Open,
    Declare(Vec<u8>),
    Consume(Vec<u8>, Consumer),
    Cancel(Vec<u8>),
    Get(Option<u64>, bool),
    Settle(u64, bool, How),
    Recover,
    TxSelect,
    Commit,
    Rollback,
}

/// No queue has this id.
pub const DIRECT: Option<u64> = Some(0);

/// One consumer.
#[derive(Debug, Clone, Copy)]
pub struct Consumer {
    /// `None`: not known; [`DIRECT`] for direct replies.
    pub queue: Option<u64>,
    pub no_ack: bool,
}

/// One channel.
#[derive(Debug, Default)]
pub struct Channel {
    /// Requests that the model has not gone through, with the answer that each waits for.
    pending: VecDeque<(Option<(u16, u16)>, Request)>,
    pub unacked: BTreeMap<u64, Delivery>,
    /// Settled in a transaction that is open.
    settling: Vec<(u64, Delivery, How)>,
    in_tx: bool,
    pub consumers: BTreeMap<Vec<u8>, Consumer>,
    /// Cancelled without an answer, so that deliveries may be on their way.
    leaving: BTreeMap<Vec<u8>, Consumer>,
    pub confirming: bool,
    /// The client has sent close.
    pub closing: bool,
    /// Publishes since confirm.select.
    pub issued: u64,
    undecided: BTreeSet<u64>,
    pub last_queue: Option<Vec<u8>>,
    /// Settled since the session was last at rest, which a close may have prevented.
    recent: Vec<Instance>,
}

/// One connection.
#[derive(Debug, Default)]
pub struct Connection {
    pub channels: BTreeMap<u16, Channel>,
    /// Closes that the server sent and that are to be answered.
    pub to_answer: Vec<u16>,
    pub ended: bool,
    /// Closes of ours that crossed the server's on the way and whose answers are due.
    crossed: BTreeSet<u16>,
}

/// The answer to a request of class and method `id`.
pub fn answer(id: (u16, u16)) -> (u16, u16) {
    (id.0, id.1 + 1)
}

impl Channel {
    pub fn request(&mut self, id: Option<(u16, u16)>, request: Request, messages: &mut Messages) {
        self.pending.push_back((id.map(answer), request));
        self.advance(messages);
    }

    /// A publish in confirm mode has a number.
    pub fn issue(&mut self) {
        if self.confirming {
            self.issued += 1;
            self.undecided.insert(self.issued);
        }
    }

    /// Goes through requests that wait for no answer.
    fn advance(&mut self, messages: &mut Messages) {
        while let Some((None, _)) = self.pending.front() {
            if let Some((_, request)) = self.pending.pop_front() {
                self.apply(request, messages);
            }
        }
    }

    fn answered(&mut self, id: (u16, u16), messages: &mut Messages) -> Request {
        let Some((Some(expected), request)) = self.pending.pop_front() else {
            panic!("{id:?} answers nothing");
        };
        let fits = expected == id || (expected == (60, 71) && id == (60, 72));
        assert!(fits, "{id:?} where {expected:?} was due");
        self.apply(request.clone(), messages);
        request
    }

    fn apply(&mut self, request: Request, messages: &mut Messages) {
        match request {
            Request::Plain | Request::Open | Request::Get(..) => {}
            Request::Declare(name) => self.last_queue = Some(name),
            Request::Consume(tag, consumer) => {
                self.consumers.insert(tag, consumer);
            }
            Request::Cancel(tag) => {
                if let Some(consumer) = self.consumers.remove(&tag) {
                    self.leaving.insert(tag, consumer);
                }
            }
            Request::Settle(tag, multiple, how) => self.settle(tag, multiple, how, messages),
            Request::Recover => {
                for (_, delivery, _) in std::mem::take(&mut self.settling) {
                    self.finish(delivery, How::Requeue, messages);
                }
                for (_, delivery) in std::mem::take(&mut self.unacked) {
                    self.finish(delivery, How::Requeue, messages);
                }
            }
            Request::TxSelect => self.in_tx = true,
            Request::Commit => {
                for (_, delivery, how) in std::mem::take(&mut self.settling) {
                    self.finish(delivery, how, messages);
                }
            }
            Request::Rollback => {
                for (tag, delivery, _) in std::mem::take(&mut self.settling) {
                    self.unacked.insert(tag, delivery);
                }
            }
        }
    }

    fn settle(&mut self, tag: u64, multiple: bool, how: How, messages: &mut Messages) {
        let tags: Vec<u64> = match (tag, multiple) {
            (0, true) => self.unacked.keys().copied().collect(),
            (_, true) => self.unacked.range(..=tag).map(|(tag, _)| *tag).collect(),
            _ => vec![tag],
        };
        for tag in tags {
            // An unknown one closes the channel.
            let Some(delivery) = self.unacked.remove(&tag) else {
                continue;
            };
            if self.in_tx {
                self.settling.push((tag, delivery, how));
            } else {
                self.finish(delivery, how, messages);
            }
        }
    }

    fn finish(&mut self, delivery: Delivery, how: How, messages: &mut Messages) {
        let Some(instance) = delivery.instance else {
            return;
        };
        let standing = match how {
            How::Requeue => Standing::Returned,
            How::Ack | How::Reject => Standing::Gone,
        };
        messages.standing.insert(instance, standing);
        self.recent.push(instance);
    }

    /// The channel has ended: by the client in order, or by the server at a point unknown.
    pub fn end(self, in_order: bool, messages: &mut Messages) {
        let settling = self.settling.iter().map(|(_, delivery, _)| delivery);
        for delivery in self.unacked.values().chain(settling) {
            if let Some(instance) = delivery.instance {
                messages.standing.insert(instance, Standing::Returned);
            }
        }
        if !in_order {
            for instance in self.recent {
                messages.standing.remove(&instance);
                messages.somewhere.insert(instance.1);
            }
        }
    }

    /// Everything sent was taken in and everything written was read.
    pub fn assert_at_rest(&mut self) {
        assert!(
            self.pending.is_empty(),
            "requests without an answer: {:?}",
            self.pending
        );
        assert!(
            self.undecided.is_empty(),
            "publishes without a confirm: {:?} of {}",
            self.undecided,
            self.issued
        );
        self.recent.clear();
        self.leaving.clear();
    }

    /// Deliveries of `queue` that are not settled for good.
    pub fn outstanding(&self, queue: u64) -> u64 {
        let settling = self.settling.iter().map(|(_, delivery, _)| delivery);
        let all = self.unacked.values().chain(settling);
        all.filter(|delivery| delivery.queue == Some(queue)).count() as u64
    }

    /// Some delivery or consumer is of a queue that the model could not name.
    pub fn is_vague(&self) -> bool {
        let settling = self.settling.iter().map(|(_, delivery, _)| delivery);
        let mut all = self.unacked.values().chain(settling);
        all.any(|delivery| delivery.queue.is_none())
            || self
                .consumers
                .values()
                .any(|consumer| consumer.queue.is_none())
    }

    fn confirmed(&mut self, tag: u64, multiple: bool) {
        assert!(
            self.confirming && tag <= self.issued && tag > 0,
            "a confirm of nothing"
        );
        if multiple {
            self.undecided = self.undecided.split_off(&(tag + 1));
        } else {
            assert!(self.undecided.remove(&tag), "{tag} is confirmed twice");
        }
    }
}

impl Connection {
    /// Takes in what the server said.
    pub fn heard(&mut self, said: Said, messages: &mut Messages) {
        match said {
            Said::Method(0, id, fields) => self.heard_connection(id, &fields, messages),
            Said::Method(channel, id, fields) => self.heard_method(channel, id, &fields, messages),
            Said::Content(channel, id, fields, content) => {
                self.heard_content(channel, id, &fields, &content, messages);
            }
        }
    }

    fn heard_connection(&mut self, id: (u16, u16), fields: &[u8], messages: &mut Messages) {
        match id {
            (10, 50) => {
                let mut cursor = Cursor::new(fields);
                let code = cursor.u16().unwrap();
                let text = String::from_utf8_lossy(cursor.short_string().unwrap()).into_owned();
                // These clients send whole and well-formed frames in their places.
                let allowed = [504, 503, 530, 540, 320];
                assert!(allowed.contains(&code), "connection closed: {text}");
                self.to_answer.push(0);
                self.ended = true;
                for channel in std::mem::take(&mut self.channels).into_values() {
                    channel.end(false, messages);
                }
            }
            (10, 51) => self.ended = true,
            _ => {}
        }
    }

    fn heard_method(
        &mut self,
        number: u16,
        id: (u16, u16),
        fields: &[u8],
        messages: &mut Messages,
    ) {
        if id == (20, 41) && self.crossed.remove(&number) {
            return;
        }
        let channel = self.channels.get_mut(&number).expect("a channel in use");
        let mut cursor = Cursor::new(fields);
        match id {
            (20, 40) => {
                let code = cursor.u16().unwrap();
                let text = String::from_utf8_lossy(cursor.short_string().unwrap()).into_owned();
                assert!([403, 404, 405, 406].contains(&code), "{text}");
                if let Some(channel) = self.channels.remove(&number) {
                    if channel.closing {
                        self.crossed.insert(number);
                    }
                    channel.end(false, messages);
                }
                self.to_answer.push(number);
            }
            (20, 41) => {
                channel.answered(id, messages);
                let channel = self.channels.remove(&number).expect("found before");
                assert!(channel.pending.is_empty() && channel.undecided.is_empty());
                channel.end(true, messages);
            }
            (60, 30) => {
                let tag = cursor.short_string().unwrap();
                let there = channel.consumers.remove(tag).is_some();
                assert!(
                    there || channel.leaving.contains_key(tag),
                    "cancel of no consumer"
                );
            }
            (60, 80 | 120) => {
                let tag = cursor.u64().unwrap();
                channel.confirmed(tag, cursor.u8().unwrap() != 0);
            }
            (50, 11) => {
                let name = cursor.short_string().unwrap().to_vec();
                let request = channel.answered(id, messages);
                let Request::Declare(asked) = request else {
                    panic!("{request:?} has declare-ok");
                };
                assert!(asked.is_empty() || asked == name);
                // The pseudo-queue of direct replies is not declared.
                if !is_reply_name(&name) {
                    channel.last_queue = Some(name);
                }
            }
            _ => {
                channel.answered(id, messages);
                if id == (60, 31) {
                    // Everything for it came before the answer.
                    channel.leaving.remove(cursor.short_string().unwrap());
                }
            }
        }
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.advance(messages);
        }
    }

    fn heard_content(
        &mut self,
        number: u16,
        id: (u16, u16),
        fields: &[u8],
        content: &Content,
        messages: &mut Messages,
    ) {
        let channel = self.channels.get_mut(&number).expect("a channel in use");
        let mut cursor = Cursor::new(fields);
        if id == (60, 50) {
            let message = messages.check(content, None);
            assert!(
                message.is_none_or(|message| message.mandatory),
                "a return nobody asked for"
            );
            return;
        }
        let consumer = match id {
            (60, 71) => match channel.answered(id, messages) {
                Request::Get(queue, no_ack) => Consumer { queue, no_ack },
                other => panic!("get-ok for {other:?}"),
            },
            _ => {
                let tag = cursor.short_string().unwrap();
                let consumer = channel.consumers.get(tag);
                let consumer = consumer.or_else(|| channel.leaving.get(tag));
                *consumer.expect("a delivery to a consumer that there is")
            }
        };
        let tag = cursor.u64().unwrap();
        let redelivered = cursor.u8().unwrap() != 0;
        let exchange = cursor.short_string().unwrap();
        let key = cursor.short_string().unwrap();
        messages.check(content, Some((exchange, key)));
        messages.note_address(content);
        let instance = messages.instance(consumer.queue, content);
        if let Some(instance) = instance {
            messages.delivered(instance, redelivered, consumer.no_ack);
        }
        if !consumer.no_ack {
            let delivery = Delivery {
                queue: consumer.queue,
                instance,
            };
            let before = channel.unacked.insert(tag, delivery);
            assert!(before.is_none(), "delivery tag {tag} twice");
        }
        channel.advance(messages);
    }

    /// The connection has ended, in order or not.
    pub fn end(self, in_order: bool, messages: &mut Messages) {
        for channel in self.channels.into_values() {
            channel.end(in_order, messages);
        }
    }
}

/// The message's number, which its first eight octets are.
fn number(content: &Content) -> Option<u64> {
    let (number, _) = content.body.split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(*number))
}

/// True when headers say that a message has been dead-lettered, or a client said so.
fn has_died(content: &Content) -> bool {
    let properties = Properties::read(&content.properties).expect("checked before");
    properties.headers_table().get(b"x-death").is_some()
}

impl Messages {
    /// The content is what was published under its number, save for what the broker may add.
    fn check(&self, content: &Content, route: Option<(&[u8], &[u8])>) -> Option<&Published> {
        let number = number(content)?;
        let message = self.published.get(&number).expect("a message of ours");
        assert!(message.body == content.body, "the body of {number} changed");
        if message.properties != content.properties {
            let given = Properties::read(&message.properties).expect("ours");
            let came = Properties::read(&content.properties).expect("checked before");
            let (before, after) = (given.headers_table(), came.headers_table());
            let explained = after.get(b"x-death").is_some()
                || after.get(b"x-delivery-count").is_some()
                || before.get(b"BCC").is_some()
                || given.reply_to.is_some();
            assert!(explained, "the properties of {number} changed");
            for (key, value) in before.iter() {
                // A client's own account of deaths is not kept as it came.
                let ours = [&b"BCC"[..], b"x-death", b"CC"].contains(&key);
                assert!(ours || after.get(key) == Some(value), "a header was lost");
            }
        }
        if let Some((exchange, key)) = route
            && !has_died(content)
        {
            assert_eq!(exchange, message.exchange);
            assert_eq!(key, message.key);
        }
        Some(message)
    }

    fn note_address(&mut self, content: &Content) {
        let properties = Properties::read(&content.properties).expect("checked before");
        if let Some(address) = properties.reply_to
            && is_reply_name(address)
            && !self.reply_addresses.iter().any(|known| known == address)
        {
            self.reply_addresses.push(address.to_vec());
        }
    }

    /// One queue holds a message once, until it is dead-lettered into it.
    fn instance(&mut self, queue: Option<u64>, content: &Content) -> Option<Instance> {
        let number = number(content)?;
        if queue.is_none() {
            self.somewhere.insert(number);
        }
        queue
            .filter(|_| queue != DIRECT && !has_died(content))
            .map(|id| (id, number))
    }

    fn delivered(&mut self, instance: Instance, redelivered: bool, no_ack: bool) {
        let before = self.standing.get(&instance).copied();
        if !self.unordered {
            match before {
                Some(Standing::Gone) => panic!("{instance:?} was settled and comes again"),
                Some(Standing::WithConsumer) => panic!("{instance:?} is with two consumers"),
                Some(Standing::Returned) => {
                    assert!(redelivered, "{instance:?} comes again and does not say so");
                }
                None if self.somewhere.contains(&instance.1) => {}
                None => assert!(!redelivered, "{instance:?} is new and called redelivered"),
            }
        }
        let standing = if no_ack {
            Standing::Gone
        } else {
            Standing::WithConsumer
        };
        self.standing.insert(instance, standing);
    }
}
