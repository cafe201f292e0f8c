//! The target of operation sequences: two clients of one broker that use their channels in every
//! order, each method well formed.

use leveret::amqp::Table;
use leveret::broker::reply_to::REPLY_TO;

use crate::model::{Channel, Connection, Consumer, DIRECT, How, Messages, Published, Request};
use crate::ops::{self, Op};
use crate::peer::Peer;
use crate::server_frames::{DIRECT_TAG, Said};
use crate::wire::{self, Method};
use crate::world::{FRAME_MAX, World};

/// Steps of one input, repetitions included.
const STEPS: usize = 1_500;

/// Octets of bodies of one input; bodies beyond are short.
const BODIES: usize = 6 << 20;

/// Waits for the clock of one input, each of two milliseconds.
const WAITS: usize = 3;

/// Rounds in which two clients may keep each other busy.
const ROUNDS: usize = 10_000;

struct Client {
    peer: Option<Peer>,
    connection: Connection,
}

struct Play {
    world: World,
    clients: [Client; 2],
    messages: Messages,
    frame_max: u32,
    piece: usize,
    /// Numbers for messages and consumer tags.
    last: u64,
    bodies: usize,
    waits: usize,
    alarm: bool,
    /// Clients reject for good; see [`ops::queue_arguments`].
    rejects: bool,
    /// Something that makes or ends queues is on its way: their names may mean others by then.
    unsettled: bool,
    /// It is not known any more whose deliveries and consumers are whose.
    unnamed: bool,
}

/// The first octet chooses frame_max, the size of reads, whether messages are rejected for good or
/// dead-lettered by time and length, and how it ends; records of [`ops`] follow.
pub fn session_ops(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else {
        return;
    };
    let client = || Client {
        peer: None,
        connection: Connection::default(),
    };
    let mut play = Play {
        world: World::new(),
        clients: [client(), client()],
        messages: Messages::default(),
        frame_max: if how & 1 == 0 { FRAME_MAX } else { 4096 },
        piece: [0, 0, 0, 1, 9, 100, 4096, 0][usize::from(how >> 1) & 7],
        last: 0,
        bodies: 0,
        waits: 0,
        alarm: false,
        rejects: how & 0x20 == 0,
        unsettled: false,
        unnamed: false,
    };
    let mut steps = 0;
    let mut before = None;
    for op in ops::read(rest) {
        let (op, times) = match (op.kind & 0x7F, before) {
            (34, Some(before)) => (before, usize::from(op.a) % 64 + 1),
            _ => (op, 1),
        };
        for _ in 0..times {
            steps += 1;
            if steps <= STEPS {
                play.step(op);
            }
        }
        before = Some(op);
    }
    play.end(how);
}

impl Play {
    fn step(&mut self, op: Op) {
        self.connect(op.client);
        if matches!(op.kind & 0x7F, 0 | 2..=4 | 19 | 32 | 35 | 36) {
            self.settle_names(op.client);
        }
        match op.kind & 0x7F {
            32 => self.tick(op),
            33 => {
                if let Some(peer) = &mut self.clients[op.client].peer {
                    peer.reads = !peer.reads;
                    self.messages.unordered = true;
                }
            }
            35 => self.disconnect(op.client),
            36 => self.close_connection(op.client),
            37 => {
                self.alarm = !self.alarm;
                let used = if self.alarm { u64::MAX } else { 0 };
                self.world.broker.check_memory(used);
            }
            39 => {
                if let Some(peer) = &mut self.clients[op.client].peer {
                    wire::frame(&mut peer.input, 8, 0, &[]);
                    assert!(peer.session.on_time(), "a session that is in time");
                }
            }
            _ => self.on_channel(op),
        }
        // The top bit keeps what was sent for the next step's batch.
        if op.kind & 0x80 == 0 || matches!(op.kind & 0x7F, 0) {
            self.pump();
        }
    }

    /// A queue is about to be made or ended by `client`: what the other has sent about queues of
    /// its name goes first.
    fn settle_names(&mut self, client: usize) {
        for round in 0..2 {
            let other = self.clients[1 - client].peer.as_mut();
            if other.is_none_or(|peer| peer.is_quiet()) {
                break;
            }
            match round {
                0 => self.pump(),
                // It is blocked or does not read.
                _ => {
                    self.unnamed = true;
                    self.messages.unordered = true;
                }
            }
        }
        self.unsettled = true;
    }

    fn connect(&mut self, number: usize) {
        let client = &mut self.clients[number];
        if client.peer.is_some() {
            return;
        }
        let mut peer = Peer::new(&self.world, self.frame_max, self.piece);
        peer.input = wire::handshake(self.frame_max);
        let mut said = Vec::new();
        peer.pump(&mut said);
        let opened = matches!(said.last(), Some(Said::Method(0, (10, 41), _)));
        assert!(opened, "the handshake fails: {said:?}");
        client.peer = Some(peer);
        client.connection = Connection::default();
    }

    fn tick(&mut self, op: Op) {
        if op.a & 1 != 0 && self.waits < WAITS {
            self.waits += 1;
            // Expiries of one millisecond and queues that expire after two come due.
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
        self.world.tick();
    }

    /// Lets everything happen that can, then checks what must hold at rest.
    fn pump(&mut self) {
        for _ in 0..ROUNDS {
            let mut progress = false;
            for number in 0..self.clients.len() {
                progress |= self.pump_one(number);
            }
            if !progress {
                return self.check();
            }
        }
        panic!("two clients that never come to rest");
    }

    fn pump_one(&mut self, number: usize) -> bool {
        let client = &mut self.clients[number];
        let Some(peer) = &mut client.peer else {
            return false;
        };
        let mut said = Vec::new();
        let mut progress = peer.pump(&mut said);
        for said in said {
            client.connection.heard(said, &mut self.messages);
        }
        for channel in std::mem::take(&mut client.connection.to_answer) {
            let id = if channel == 0 { (10, 51) } else { (20, 41) };
            Method::new(id).send(&mut peer.input, channel);
            progress = true;
        }
        if peer.session.is_done() && peer.session.output().is_empty() {
            assert!(
                client.connection.ended,
                "a session that ends without a word"
            );
            self.end_client(number, false);
            progress = true;
        }
        progress
    }

    fn check(&mut self) {
        let mut quiet = true;
        let mut vague = false;
        for client in &mut self.clients {
            let Some(peer) = &mut client.peer else {
                continue;
            };
            if !peer.is_quiet() {
                quiet = false;
                continue;
            }
            peer.frames.assert_whole();
            for channel in client.connection.channels.values_mut() {
                channel.assert_at_rest();
                vague |= channel.is_vague();
            }
        }
        if !quiet {
            return;
        }
        self.unsettled = false;
        if vague || self.unnamed {
            return;
        }
        for queue in self.world.vhost.all_queues() {
            let channels = || {
                let clients = self.clients.iter();
                clients.flat_map(|client| client.connection.channels.values())
            };
            let status = queue.status();
            let outstanding: u64 = channels().map(|c| c.outstanding(queue.id)).sum();
            assert_eq!(status.unacked, outstanding, "unacked of {:?}", queue.name);
            let consumers = channels()
                .flat_map(|c| c.consumers.values())
                .filter(|consumer| consumer.queue == Some(queue.id));
            assert_eq!(status.consumers, consumers.count(), "of {:?}", queue.name);
        }
    }

    fn end_client(&mut self, number: usize, in_order: bool) {
        let client = &mut self.clients[number];
        if let Some(peer) = client.peer.take() {
            peer.end();
        }
        let connection = std::mem::take(&mut client.connection);
        connection.end(in_order, &mut self.messages);
    }

    fn disconnect(&mut self, number: usize) {
        let quiet = match &mut self.clients[number].peer {
            Some(peer) => peer.is_quiet(),
            None => true,
        };
        if !quiet {
            self.messages.unordered = true;
        }
        self.end_client(number, quiet);
    }

    fn close_connection(&mut self, number: usize) {
        let Some(peer) = &mut self.clients[number].peer else {
            return;
        };
        Method::new((10, 50))
            .number(200)
            .short(b"bye")
            .number(0)
            .number(0)
            .send(&mut peer.input, 0);
        self.pump();
        // An alarm, or output that is not read, keeps the session from seeing it.
        if self.clients[number].peer.is_some() {
            assert!(
                self.alarm || self.messages.unordered,
                "close is not answered"
            );
            self.disconnect(number);
        }
    }

    fn end(mut self, how: u8) {
        self.world.broker.check_memory(0);
        self.alarm = false;
        for client in &mut self.clients {
            if let Some(peer) = &mut client.peer {
                peer.reads = true;
            }
        }
        self.pump();
        for number in 0..self.clients.len() {
            if let Some(peer) = &mut self.clients[number].peer {
                assert!(peer.is_quiet(), "a session that does not come to rest");
            }
            if how & (0x40 << number) == 0 {
                self.close_connection(number);
            } else {
                self.disconnect(number);
            }
            self.pump();
        }
        self.world.tick();
        self.world.end();
    }

    /// A step on a channel, which is opened first if it is not.
    fn on_channel(&mut self, op: Op) {
        let exact = self.clients.iter_mut().all(|client| {
            let peer = client.peer.as_mut();
            peer.is_none_or(|peer| peer.reads && peer.is_quiet())
        });
        let client = &mut self.clients[op.client];
        let Some(peer) = &mut client.peer else { return };
        let channels = &mut client.connection.channels;
        let channel = channels.entry(op.channel).or_insert_with(|| {
            Method::new((20, 10))
                .short(b"")
                .send(&mut peer.input, op.channel);
            let mut channel = Channel::default();
            channel.request(Some((20, 10)), Request::Open, &mut self.messages);
            channel
        });
        if channel.closing {
            return;
        }
        let mut sender = Sender {
            out: &mut peer.input,
            number: op.channel,
            channel,
            world: &mut self.world,
            messages: &mut self.messages,
            last: &mut self.last,
            bodies: &mut self.bodies,
            rejects: self.rejects,
            short: self.piece != 0 && self.piece < 100,
            part: self.frame_max as usize - 8,
            named: exact || !self.unsettled,
            exact: exact && op.kind & 0x80 == 0,
        };
        sender.send(op);
    }
}

/// Writes one method and notes what it asks for.
struct Sender<'a> {
    out: &'a mut Vec<u8>,
    number: u16,
    channel: &'a mut Channel,
    world: &'a mut World,
    messages: &'a mut Messages,
    last: &'a mut u64,
    bodies: &'a mut usize,
    rejects: bool,
    /// Reads are tiny, so bodies should be.
    short: bool,
    /// The largest payload of a frame.
    part: usize,
    /// A queue's name means now what it will mean to the broker.
    named: bool,
    /// Nothing is on its way, and this goes out at once.
    exact: bool,
}

impl Sender<'_> {
    fn send(&mut self, op: Op) {
        match op.kind & 0x7F {
            0 => {
                self.channel.closing = true;
                let method = Method::new((20, 40)).number(200).short(b"");
                self.ask((20, 40), method.number(0).number(0), Request::Plain);
            }
            1 if op.d == 255 => self.ask((20, 10), Method::new((20, 10)).short(b""), Request::Open),
            1 => self.ask(
                (20, 20),
                Method::new((20, 20)).octet(op.a & 1),
                Request::Plain,
            ),
            2 | 3 => self.declare(op),
            4 => {
                let method = Method::new((50, 40)).number(0).short(ops::queue(op.a));
                self.maybe_ask(
                    (50, 40),
                    method.octet(op.b & 7),
                    op.b & 4 != 0,
                    Request::Plain,
                );
            }
            5 => {
                let method = Method::new((50, 30)).number(0).short(ops::queue(op.a));
                self.maybe_ask(
                    (50, 30),
                    method.octet(op.b & 1),
                    op.b & 1 != 0,
                    Request::Plain,
                );
            }
            6 | 7 | 10 | 11 => self.bind(op),
            8 => self.declare_exchange(op),
            9 => {
                let method = Method::new((40, 20)).number(0).short(ops::exchange(op.a));
                self.maybe_ask(
                    (40, 20),
                    method.octet(op.b & 3),
                    op.b & 2 != 0,
                    Request::Plain,
                );
            }
            12 | 13 => self.publish(op, ops::exchange(op.a), ops::key(op.b)),
            14..=16 => self.publish(op, b"", ops::queue(op.a)),
            17 | 18 => self.consume(op),
            19 => self.cancel(op),
            20 | 21 => {
                let queue = self.queue_id(ops::queue(op.a));
                let no_ack = op.b & 1 != 0;
                let method = Method::new((60, 70)).number(0).short(ops::queue(op.a));
                let request = Request::Get(queue, no_ack);
                self.ask((60, 70), method.octet(u8::from(no_ack)), request);
            }
            22..=25 => self.settle(op),
            26 => {
                // Without an answer nobody knows which deliveries it meant.
                let id = if op.a & 1 != 0 && self.exact {
                    (60, 100)
                } else {
                    (60, 110)
                };
                let method = Method::new(id).octet(u8::from(op.b != 255));
                match (id, op.b) {
                    ((60, 100), 255) => self.tell(method, Request::Plain),
                    ((60, 100), _) => self.tell(method, Request::Recover),
                    _ => self.ask(id, method, Request::Recover),
                }
            }
            27 => {
                let count = u16::from(op.a & 7) * u16::from(op.c | 1);
                let method = Method::new((60, 10)).long(0).number(count);
                self.ask((60, 10), method.octet(op.b & 1), Request::Plain);
            }
            28 => self.ask((90, 10), Method::new((90, 10)), Request::TxSelect),
            29 => self.ask((90, 20), Method::new((90, 20)), Request::Commit),
            30 => self.ask((90, 30), Method::new((90, 30)), Request::Rollback),
            31 => {
                self.channel.confirming = true;
                let method = Method::new((85, 10)).octet(op.a & 1);
                self.maybe_ask((85, 10), method, op.a & 1 != 0, Request::Plain);
            }
            38 if op.a & 1 == 0 => self.consume_replies(op),
            38 => {
                let addresses = &self.messages.reply_addresses;
                let at = usize::from(op.b).checked_rem(addresses.len());
                let address = at.map_or(REPLY_TO, |at| &addresses[at]).to_vec();
                self.publish(op, b"", &address);
            }
            _ => {}
        }
    }

    /// Sends a request that has an answer.
    fn ask(&mut self, id: (u16, u16), method: Method, request: Request) {
        method.send(self.out, self.number);
        self.channel.request(Some(id), request, self.messages);
    }

    /// Sends one that has none.
    fn tell(&mut self, method: Method, request: Request) {
        method.send(self.out, self.number);
        self.channel.request(None, request, self.messages);
    }

    fn maybe_ask(&mut self, id: (u16, u16), method: Method, nowait: bool, request: Request) {
        if nowait {
            self.tell(method, request);
        } else {
            self.ask(id, method, request);
        }
    }

    fn queue_id(&self, name: &[u8]) -> Option<u64> {
        let queue = self.world.vhost.queue(name).filter(|_| self.named);
        queue.map(|queue| queue.id)
    }

    fn declare(&mut self, op: Op) {
        let arguments = ops::queue_arguments(op.c, op.d, self.rejects);
        self.world.retries |= ops::retries(&arguments);
        let (mut flags, nowait) = (op.b & 0b11111, op.b & 16 != 0);
        if arguments.get(b"x-queue-type").is_some() && op.b & 0x80 == 0 {
            // Anything else is refused.
            flags = (flags & 0b10001) | 2;
        }
        let name: &[u8] = if op.b & 0xE0 == 0xE0 {
            b""
        } else {
            ops::queue(op.a)
        };
        let method = Method::new((50, 10)).number(0).short(name).octet(flags);
        let request = Request::Declare(name.to_vec());
        self.maybe_ask((50, 10), method.table(&arguments), nowait, request);
    }

    fn declare_exchange(&mut self, op: Op) {
        let (name, own) = ops::EXCHANGES[usize::from(op.a) & 7];
        let kind = match op.c {
            0xFF => ops::EXCHANGES[usize::from(op.d) & 7].1,
            0xFE => "none",
            _ => own,
        };
        let mut arguments = Table::default();
        if op.c & 0x10 != 0 {
            let alternate = leveret::amqp::Value::LongString(ops::exchange(op.d).to_vec());
            arguments.set(b"alternate-exchange", alternate);
        }
        let method = Method::new((40, 10))
            .number(0)
            .short(name.as_bytes())
            .short(kind.as_bytes())
            .octet(op.b & 0b11111)
            .table(&arguments);
        self.maybe_ask((40, 10), method, op.b & 16 != 0, Request::Plain);
    }

    fn bind(&mut self, op: Op) {
        let id = match op.kind & 0x7F {
            6 => (50, 20),
            7 => (50, 50),
            10 => (40, 30),
            _ => (40, 40),
        };
        let destination = if id.0 == 50 {
            ops::queue(op.a)
        } else {
            ops::exchange(op.a)
        };
        let method = Method::new(id)
            .number(0)
            .short(destination)
            .short(ops::exchange(op.b))
            .short(ops::key(op.c));
        let nowait = op.b & 0x80 != 0 && id != (50, 50);
        let method = if id == (50, 50) {
            method
        } else {
            method.octet(u8::from(nowait))
        };
        let method = method.table(&ops::binding_arguments(op.d));
        if id == (40, 40) && !nowait {
            // RabbitMQ's number for its answer is 51.
            method.send(self.out, self.number);
            let request = Request::Plain;
            self.channel.request(Some((40, 50)), request, self.messages);
            return;
        }
        self.maybe_ask(id, method, nowait, Request::Plain);
    }

    fn publish(&mut self, op: Op, exchange: &[u8], key: &[u8]) {
        let sizes = [8, 0, 9, 100, 4_000, 20_000, 70_000, 150_000];
        let mut size = sizes[usize::from(op.d) & 7];
        if self.short || *self.bodies + size > BODIES {
            size = size.min(300);
        }
        *self.bodies += size;
        *self.last += 1;
        let number = *self.last;
        let mut body = vec![number as u8; size];
        if let Some(start) = body.first_chunk_mut::<8>() {
            *start = number.to_be_bytes();
        } else {
            body.fill(0);
        }
        let mandatory = op.b & 0x80 != 0;
        let properties = ops::properties(op.c, op.d);
        Method::new((60, 40))
            .number(0)
            .short(exchange)
            .short(key)
            .octet(u8::from(mandatory))
            .send(self.out, self.number);
        let part = [self.part, self.part, 1_000, size / 2 + 1][usize::from(op.d >> 3) & 3];
        let part = part.min(self.part);
        wire::content(self.out, self.number, &properties, &body, part);
        let message = Published {
            exchange: exchange.to_vec(),
            key: key.to_vec(),
            properties,
            body,
            mandatory,
        };
        if size >= 8 {
            self.messages.published.insert(number, message);
        }
        self.channel.issue();
    }

    fn consume(&mut self, op: Op) {
        let queue = self.queue_id(ops::queue(op.a));
        let no_ack = op.b & 2 != 0;
        let known = self.channel.consumers.keys().next().cloned();
        *self.last += 1;
        let nowait = op.b & 8 != 0;
        // A tag that is in use closes the connection.
        let tag = known
            .filter(|_| op.c == 0xFF && !nowait)
            .unwrap_or_else(|| format!("t{}", *self.last).into_bytes());
        let mut arguments = Table::default();
        if op.c & 0x40 != 0 {
            arguments.set(b"x-priority", leveret::amqp::Value::I8(op.d as i8));
        }
        let method = Method::new((60, 20))
            .number(0)
            .short(ops::queue(op.a))
            .short(&tag)
            .octet(op.b & 0b1111)
            .table(&arguments);
        let request = Request::Consume(tag, Consumer { queue, no_ack });
        self.maybe_ask((60, 20), method, nowait, request);
    }

    fn consume_replies(&mut self, op: Op) {
        *self.last += 1;
        let tag = [DIRECT_TAG, self.last.to_string().as_bytes()].concat();
        let method = Method::new((60, 20))
            .number(0)
            .short(REPLY_TO)
            .short(&tag)
            .octet(if op.b == 255 { 0 } else { 2 })
            .table(&Table::default());
        let consumer = Consumer {
            queue: DIRECT,
            no_ack: true,
        };
        self.ask((60, 20), method, Request::Consume(tag, consumer));
    }

    fn cancel(&mut self, op: Op) {
        let tags = &self.channel.consumers;
        let at = usize::from(op.a).checked_rem(tags.len());
        let tag = at.and_then(|at| tags.keys().nth(at).cloned());
        let tag = tag.unwrap_or_else(|| b"nobody".to_vec());
        let nowait = op.b & 1 != 0;
        let method = Method::new((60, 30)).short(&tag).octet(u8::from(nowait));
        self.maybe_ask((60, 30), method, nowait, Request::Cancel(tag));
    }

    fn settle(&mut self, op: Op) {
        let tags = &self.channel.unacked;
        let at = usize::from(op.a).checked_rem(tags.len());
        let known = at.and_then(|at| tags.keys().nth(at).copied());
        let kind = op.kind & 0x7F;
        let multiple = op.b & 1 != 0 && kind != 25;
        let requeue = op.b & 2 != 0 || !self.rejects;
        let tag = match (known, op.c) {
            // All of them, where it is plain which these are.
            (_, 0xFE) if multiple && self.exact => 0,
            (Some(tag), 0..=0xFE) => tag,
            // An unknown one closes the channel; most inputs should not.
            (_, 0xFF) => u64::from(op.d),
            _ => return,
        };
        let (id, how) = match (kind, requeue) {
            (22 | 23, _) => ((60, 80), How::Ack),
            (24, true) => ((60, 120), How::Requeue),
            (24, false) => ((60, 120), How::Reject),
            (_, true) => ((60, 90), How::Requeue),
            (_, false) => ((60, 90), How::Reject),
        };
        let flags = match id {
            (60, 80) => u8::from(multiple),
            (60, 120) => u8::from(multiple) | u8::from(requeue) << 1,
            _ => u8::from(requeue),
        };
        let method = Method::new(id).longlong(tag).octet(flags);
        self.tell(method, Request::Settle(tag, multiple, how));
    }
}
