//! What happens to a broker: a thousand random operations over a mixed topology.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;

use super::world::{World, YOUNG};
use crate::amqp::Table;
use crate::amqp::hot::join_route;
use crate::broker::batch::{Batch, Refusals};
use crate::broker::cleaner::clean;
use crate::broker::exchange::ExchangeSpec;
use crate::broker::inbox::Inbox;
use crate::broker::journal::draft_ops;
use crate::broker::keeper::put_away;
use crate::broker::shared_queue::{QueueSpec, SharedQueue};
use crate::broker::tests::stage::{long, table};
use crate::exchange::{Binding, Destination, ExchangeType};
use crate::ids::Name;
use crate::message::{Record, record};
use crate::queue::settle::{SettleRun, Settlement};
use crate::queue::{Effects, Incoming, MessageId, QueueArguments, QueueKind};
use crate::store::batch::Draft;
use crate::store::bodies::{Progress, Step};

/// Queues that are always there; each that dead-letters has a queue for that of its own.
pub const QUEUES: [&str; 9] = [
    "plain",
    "fan.1",
    "fan.2",
    "priority",
    "ttl",
    "short",
    "quorum",
    "ttl.dead",
    "short.dead",
];

/// What is done wrong, to see whether the ledger finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    Nothing,
    /// What is in memory only counts as durable.
    EarlyConfirm,
    /// The log is not told that a message is gone.
    SilentSettle,
    /// The log is not told that a message came.
    SilentPublish,
    /// The log is not told that a message was given out.
    SilentDelivery,
    /// A dead letter leaves its source with one entry and reaches its target with another.
    SplitDeath,
    /// The log names a large body that is written and not synced.
    UnsyncedBody,
}

/// The one who does it.
pub struct Actor {
    pub rng: StdRng,
    pub planted: Planted,
    /// Far ahead, so that the clock of the machine never makes anything expire.
    now: u64,
    next_name: u64,
    extra: u32,
    unacked: Vec<(Arc<SharedQueue>, MessageId)>,
}

impl Actor {
    pub fn new(rng: StdRng, planted: Planted) -> Self {
        Self {
            rng,
            planted,
            now: 4_102_444_800_000,
            next_name: 0,
            extra: 0,
            unacked: Vec::new(),
        }
    }

    /// The broker is another now.
    pub fn begin(&mut self) {
        self.unacked.clear();
    }

    /// Makes what is not there.
    pub fn declare_all(&mut self, world: &World) {
        let fan = ExchangeSpec {
            name: Name::from("fan"),
            kind: ExchangeType::Fanout,
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: Table::default(),
            declared_by: Name::from("tester"),
        };
        world.vhost.declare_exchange(fan).unwrap();
        for name in QUEUES {
            let arguments = match name {
                "priority" => table(&[("x-max-priority", crate::amqp::Value::I32(4))]),
                "ttl" => dead("ttl.dead", &[]),
                "short" => dead("short.dead", &[("x-max-length", 5)]),
                "quorum" => table(&[("x-queue-type", long("quorum"))]),
                _ => Table::default(),
            };
            let queue = self.declare(world, name, arguments);
            if name.starts_with("fan.") {
                let binding = Binding {
                    destination: Destination::queue(queue.name.as_bytes()),
                    routing_key: Name::from(""),
                    arguments: Table::default(),
                };
                world.vhost.bind(b"fan", &binding).unwrap();
            }
        }
    }

    fn declare(&self, world: &World, name: &str, arguments: Table) -> Arc<SharedQueue> {
        let settings = QueueArguments::parse(&arguments, name, QueueKind::Classic).unwrap();
        let spec = QueueSpec {
            name: Name::from(name),
            durable: true,
            owner: None,
            auto_delete: false,
            arguments,
            settings,
            declared_by: Name::from("tester"),
        };
        let declared = world.vhost.declare_queue(&world.broker, spec, 1, self.now);
        declared.unwrap().0
    }

    /// Does something; what fails for want of power or room is seen by whoever looks at the disks.
    /// `seen` is called after each of several things; a checkpoint is written while others happen.
    pub fn act(&mut self, world: &World, seen: &mut dyn FnMut(&World)) {
        match self.rng.random_range(0..100) {
            79..82 => self.checkpoint(world, seen),
            82 => {
                let below = world.keeper.borrow().last();
                let mut idle = BTreeSet::new();
                drop(clean(&world.broker, &world.log, below, YOUNG, &mut idle));
            }
            83..86 => self.make_room(world),
            other => self.serve(world, other),
        }
    }

    fn checkpoint(&mut self, world: &World, seen: &mut dyn FnMut(&World)) {
        let mut between = || {
            if self.rng.random_bool(0.2) {
                let what = self.rng.random_range(0..100);
                self.serve(world, what);
                seen(world);
            }
        };
        let mut keeper = world.keeper.borrow_mut();
        drop(keeper.checkpoint(&world.broker, &world.log, &mut between));
    }

    /// Does something that is no business of the keeper's.
    fn serve(&mut self, world: &World, what: u32) {
        self.now += self.rng.random_range(0..20);
        match what {
            0..27 => self.publish(world),
            27 => self.publish_large(world),
            28..30 => self.burst(world),
            30..52 => self.take(world),
            52..66 => self.settle(world),
            66..70 => self.commit(world),
            70..75 => self.expire(world),
            75 => self.purge(world),
            76..79 => self.define(world),
            _ => drop(world.log.step()),
        }
        // A disk that fails once may have kept a dead letter from being read.
        world.broker.timer.bury_all_put_off(&world.broker);
        // Nobody reads for consumers here; what somebody gets is read at once.
        while world.requests.try_recv().is_ok() {}
    }

    fn some_queue(&mut self, world: &World) -> Arc<SharedQueue> {
        let all = world.queues();
        let at = self.rng.random_range(0..all.len());
        Arc::clone(&all[at])
    }

    /// Puts one message into `batch`, for all of `queues`.
    fn add(&mut self, batch: &mut Batch, queues: &[Arc<SharedQueue>], persistent: bool) {
        let mut body = self.next_name.to_le_bytes().to_vec();
        self.next_name += 1;
        body.resize(8 + self.rng.random_range(0..200), 7);
        batch.set_logged(persistent);
        let offset = batch.append_record(&Record {
            route: &join_route(b"", b"k"),
            // The delivery mode decides for its dead letter too.
            properties: if persistent { &[0x10, 0, 2] } else { &[0, 0] },
            body: &body,
            ..Record::default()
        });
        for queue in queues {
            let expires = queue.name.as_bytes() == b"ttl" && self.rng.random();
            let message = Incoming {
                offset,
                size: u32::try_from(body.len()).unwrap(),
                priority: self.rng.random_range(0..6),
                ttl_ms: if expires {
                    self.rng.random_range(1..2_000)
                } else {
                    u64::MAX
                },
                publish: 0,
                persistent,
                forced: false,
            };
            batch.push(queue, message);
        }
    }

    fn flush(&self, world: &World, mut batch: Batch) {
        if self.planted == Planted::SilentPublish && self.next_name.is_multiple_of(50) {
            let mut refusals = Refusals::default();
            batch.flush_drafting(self.now, &mut refusals, &mut Draft::default());
            return;
        }
        batch.flush(&world.broker, self.now, &mut Refusals::default(), None);
    }

    fn publish(&mut self, world: &World) {
        let queue = self.some_queue(world);
        // Each dead letter has come from its one source.
        if queue.name.as_bytes().ends_with(b".dead") {
            return;
        }
        let fan = ["fan.1", "fan.2"].map(|name| world.queue(name).unwrap());
        let targets = match queue.name.as_bytes().starts_with(b"fan.") {
            true => fan.to_vec(),
            false => vec![queue],
        };
        let persistent = self.rng.random_bool(0.95);
        let mut batch = Batch::default();
        for _ in 0..self.rng.random_range(1..5) {
            self.add(&mut batch, &targets, persistent);
        }
        self.flush(world, batch);
    }

    /// A body that goes to a file of its own, in pieces. Some publishers go away before its end.
    fn publish_large(&mut self, world: &World) {
        let bodies = world.broker.journal.bodies().unwrap();
        let fan = ["fan.1", "fan.2"].map(|name| world.queue(name).unwrap());
        let targets = match self.rng.random_range(0..4) {
            0 => fan.to_vec(),
            1 => vec![world.queue("quorum").unwrap()],
            2 => vec![world.queue("priority").unwrap()],
            _ => vec![world.queue("plain").unwrap()],
        };
        let mut body = self.next_name.to_le_bytes().to_vec();
        self.next_name += 1;
        body.resize(8 + self.rng.random_range(1_000..9_000), 7);
        let size = u32::try_from(body.len()).unwrap();
        let mut octets = Vec::new();
        let route = join_route(b"", b"k");
        record::start(&mut octets, &route, &[0x10, 0, 2], &[], body.len());
        record::mark_sealed(&mut octets, 0);
        octets.extend_from_slice(&body);
        let mut spool = bodies.begin(size, true, Arc::<Inbox>::default());
        for piece in octets.chunks(self.rng.random_range(200..3_000)) {
            spool.push(piece.to_vec());
            if self.rng.random_bool(0.1) {
                drop(world.log.step());
            }
            match self.rng.random_range(0..30) {
                0 => return,
                1..15 => drop(bodies.step()),
                _ => {}
            }
        }
        spool.finish(self.planted != Planted::UnsyncedBody);
        while bodies.step().is_ok_and(|step| step == Step::Done) {}
        // Of a body whose end the disk did not take nobody is told.
        if spool.progress() == Progress::Arriving {
            return;
        }
        let file = spool.home().file.number;
        world.large.borrow_mut().insert(file, self.next_name - 1);
        let mut batch = Batch::default();
        batch.set_logged(true);
        batch.adopt_away(spool.chunk());
        for queue in &targets {
            let message = Incoming {
                offset: 0,
                size,
                priority: self.rng.random_range(0..6),
                ttl_ms: u64::MAX,
                publish: 0,
                persistent: true,
                forced: false,
            };
            batch.push(queue, message);
        }
        self.flush(world, batch);
    }

    /// Enough for a block of the index that is worth a page.
    fn burst(&mut self, world: &World) {
        let plain = world.queue("plain").unwrap();
        if plain.status().ready > 400 {
            plain.purge(&world.broker);
            return;
        }
        let mut batch = Batch::default();
        for _ in 0..self.rng.random_range(60..200) {
            self.add(&mut batch, std::slice::from_ref(&plain), true);
        }
        self.flush(world, batch);
    }

    fn take(&mut self, world: &World) {
        let queue = self.some_queue(world);
        for _ in 0..self.rng.random_range(1..4) {
            let no_ack = self.rng.random_bool(0.3);
            if self.planted == Planted::SilentDelivery && queue.name.as_bytes() == b"plain" {
                queue.tend(|contents| contents.head().map(|id| contents.deliver(id)));
                return;
            }
            let taken = queue.get(&world.broker, no_ack, self.now);
            if let Some(Some(taken)) = taken
                && !no_ack
            {
                self.unacked.push((Arc::clone(&queue), taken.id));
            }
        }
    }

    fn settle(&mut self, world: &World) {
        for _ in 0..self.rng.random_range(1..4) {
            if self.unacked.is_empty() {
                return;
            }
            let at = self.rng.random_range(0..self.unacked.len());
            let (queue, id) = self.unacked.swap_remove(at);
            let how = match self.rng.random_range(0..4) {
                0 => Settlement::Reject,
                1 => Settlement::Requeue,
                _ => Settlement::Ack,
            };
            if self.planted == Planted::SilentSettle && how == Settlement::Ack {
                queue.settle_drafting(&[run(id, how)], self.now);
                continue;
            }
            if self.planted == Planted::SplitDeath && how == Settlement::Reject {
                let effects = queue.settle_drafting(&[run(id, how)], self.now);
                self.carry_out(world, &queue, effects);
                continue;
            }
            queue.settle(&world.broker, &[run(id, how)], self.now);
        }
    }

    /// Publishes to two queues and acknowledges at others, all or nothing.
    fn commit(&mut self, world: &World) {
        let broker = &world.broker;
        let targets = ["plain", "quorum"].map(|name| world.queue(name).unwrap());
        let mut batch = Batch::default();
        for _ in 0..self.rng.random_range(1..4) {
            self.add(&mut batch, &targets, true);
        }
        let settles = self.unacked.split_off(self.unacked.len().saturating_sub(3));
        let mut draft = Draft::default();
        let gate = broker.journal.enter();
        let mut refusals = Refusals::default();
        let mut asked = batch.flush_drafting(self.now, &mut refusals, &mut draft);
        for (queue, id) in settles {
            let mut effects = queue.settle_drafting(&[run(id, Settlement::Ack)], self.now);
            draft_ops(&mut draft, queue.id, &effects.journal);
            effects.journal.clear();
            asked.push((queue, effects));
        }
        broker.journal.append(draft, None);
        for (queue, effects) in asked {
            broker.carry_out(&queue, effects);
        }
        drop(gate);
    }

    fn expire(&mut self, world: &World) {
        self.now += self.rng.random_range(0..1_000);
        let Some(queue) = world.queue("ttl") else {
            return;
        };
        let gate = world.broker.journal.enter();
        let mut effects = Effects::default();
        queue.tick(self.now, &mut effects);
        self.carry_out(world, &queue, effects);
        drop(gate);
    }

    fn carry_out(&self, world: &World, queue: &Arc<SharedQueue>, effects: Effects) {
        if self.planted == Planted::SplitDeath && !effects.dead.is_empty() {
            let mut draft = Draft::default();
            for id in effects.dead.iter().filter_map(|dead| dead.logged) {
                draft.settled(queue.id, id.raw(), 1);
            }
            world.broker.journal.append(draft, None);
            drop(world.log.step());
        }
        world.broker.carry_out(queue, effects);
    }

    fn purge(&mut self, world: &World) {
        self.some_queue(world).purge(&world.broker);
    }

    /// Queues come and go.
    fn define(&mut self, world: &World) {
        let name = format!("extra.{}", self.extra);
        if self.rng.random() {
            self.extra = (self.extra + 1) % 5;
        }
        match world.queue(&name) {
            Some(queue) => {
                self.unacked.retain(|(of, _)| of.id != queue.id);
                world.vhost.delete_queue(&queue, false, false).unwrap();
            }
            None => drop(self.declare(world, &name, Table::default())),
        }
    }

    fn make_room(&mut self, world: &World) {
        let queue = self.some_queue(world);
        queue.shed(true);
        let bodies = world.broker.journal.bodies();
        drop(bodies.unwrap().sweep());
        drop(put_away(&world.broker, &queue, true));
    }
}

fn run(id: MessageId, how: Settlement) -> SettleRun {
    SettleRun {
        first: id,
        len: 1,
        consumer: None,
        how,
    }
}

/// Arguments of a queue whose dead letters go to `target`.
fn dead(target: &str, numbers: &[(&str, i32)]) -> Table {
    let mut all = table(&[
        ("x-dead-letter-exchange", long("")),
        ("x-dead-letter-routing-key", long(target)),
    ]);
    let each = numbers.iter();
    all.0.extend(
        each.map(|(name, value)| (name.as_bytes().to_vec(), crate::amqp::Value::I32(*value))),
    );
    all
}
