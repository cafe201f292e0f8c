//! Checkpoints that are written while things go on, and the power lost right after them.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::seeds::world::{Rest, World};
use super::stage::{long, table};
use crate::amqp::hot::join_route;
use crate::amqp::{Table, Value};
use crate::broker::batch::{Batch, Refusals};
use crate::broker::journal::draft_ops;
use crate::broker::keeper::{put_away, wait_durable};
use crate::broker::shared_queue::{QueueSpec, SharedQueue};
use crate::ids::Name;
use crate::limits::DEAD_LETTER_BURST;
use crate::message::Record;
use crate::queue::settle::{SettleRun, Settlement};
use crate::queue::{Incoming, MessageId, QueueArguments, QueueKind};
use crate::store::batch::Draft;

const NOW: u64 = 4_102_444_800_000;

fn declare(world: &World, name: &str, arguments: Table) -> Arc<SharedQueue> {
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
    let declared = world.vhost.declare_queue(&world.broker, spec, 1, NOW);
    declared.unwrap().0
}

fn publish(world: &World, queue: &Arc<SharedQueue>, count: u64) {
    for first in (0..count).step_by(1000) {
        let mut batch = Batch::default();
        batch.set_logged(true);
        for name in first..count.min(first + 1000) {
            let body = name.to_le_bytes();
            let offset = batch.append_record(&Record {
                route: &join_route(b"", b"k"),
                properties: &[0x10, 0, 2],
                body: &body,
                ..Record::default()
            });
            batch.push(
                queue,
                Incoming {
                    offset,
                    size: 8,
                    priority: 0,
                    ttl_ms: u64::MAX,
                    publish: 0,
                    persistent: true,
                    forced: false,
                },
            );
        }
        batch.flush(&world.broker, NOW, &mut Refusals::default(), None);
        wait_durable(&world.log, world.log.last_ticket()).unwrap();
    }
}

fn run(first: u64, len: u32, how: Settlement) -> SettleRun {
    SettleRun {
        first: MessageId::new(0, first),
        len,
        consumer: None,
        how,
    }
}

fn take(world: &World, queue: &Arc<SharedQueue>, count: u64) {
    for _ in 0..count {
        queue.get(&world.broker, false, NOW).flatten().unwrap();
        while world.requests.try_recv().is_ok() {}
    }
}

/// Loses the power and starts anew.
fn restart(world: World, rest: &Rest) -> World {
    drop(world);
    rest.log.crash(7);
    rest.index.crash(7);
    World::open(rest).unwrap()
}

fn ready(world: &World, queue: &str) -> u64 {
    world.queue(queue).unwrap().status().ready
}

#[test]
fn files_that_the_checkpoint_names_stay_until_the_next() {
    let rest = Rest::new(1);
    let world = World::open(&rest).unwrap();
    let deep = declare(&world, "deep", Table::default());
    let other = declare(&world, "other", Table::default());
    let drain = |most: u64| {
        for _ in 0..most {
            let Some(Some(_)) = deep.get(&world.broker, true, NOW) else {
                return;
            };
        }
    };
    publish(&world, &deep, 3_000);
    // What is gone before is not told of behind the position.
    let gone = [MessageId::new(0, 1_500)];
    let deleted = world
        .broker
        .act_on(&deep, &gone, NOW, |queue, id, effects| {
            queue.delete_ready(id, effects)
        });
    assert_eq!(deleted.unwrap(), 1);
    deep.shed(true);
    put_away(&world.broker, &deep, true).unwrap();
    publish(&world, &other, 3_000);
    let mut looks = 0;
    let mut keeper = world.keeper.borrow_mut();
    let mut count = || looks += 1;
    keeper
        .checkpoint(&world.broker, &world.log, &mut count)
        .unwrap();
    let mut between = || {
        looks -= 1;
        if looks == 0 {
            // All of it is written down by now, and nothing of it is wanted any more.
            drain(3_000);
            wait_durable(&world.log, world.log.last_ticket()).unwrap();
        }
    };
    keeper
        .checkpoint(&world.broker, &world.log, &mut between)
        .unwrap();
    drop(keeper);
    assert_eq!(deep.status().ready, 0);
    drop((deep, other));
    let world = restart(world, &rest);
    assert_eq!((ready(&world, "deep"), ready(&world, "other")), (0, 3_000));
}

#[test]
fn what_goes_to_the_end_during_a_checkpoint_is_in_it() {
    let rest = Rest::new(2);
    let world = World::open(&rest).unwrap();
    let kind = table(&[("x-queue-type", long("quorum"))]);
    let queue = declare(&world, "q", kind);
    publish(&world, &queue, 3_000);
    take(&world, &queue, 2_500);
    let mut moved = false;
    let mut move_one = || {
        if !moved {
            moved = true;
            publish(&world, &queue, 3_000);
            queue.settle(&world.broker, &[run(2_400, 1, Settlement::Requeue)], NOW);
            wait_durable(&world.log, world.log.last_ticket()).unwrap();
        }
    };
    let mut keeper = world.keeper.borrow_mut();
    keeper
        .checkpoint(&world.broker, &world.log, &mut move_one)
        .unwrap();
    drop(keeper);
    let world = restart(world, &rest);
    assert_eq!(ready(&world, "q"), 6_000);
}

#[test]
fn a_change_under_way_is_waited_for() {
    let rest = Rest::new(3);
    let world = World::open(&rest).unwrap();
    let queue = declare(&world, "q", Table::default());
    let other = declare(&world, "other", Table::default());
    publish(&world, &queue, 10);
    take(&world, &queue, 10);
    let journal = &world.broker.journal;
    let (changed, has_changed) = channel();
    let (finished, has_finished) = channel();
    std::thread::scope(|scope| {
        let mut begin = Some(changed);
        let mut finished_by = Some(has_finished);
        let (queue, other) = (&queue, &other);
        let mut between = || {
            let (Some(changed), Some(finished)) = (begin.take(), finished_by.take()) else {
                return;
            };
            // Half of a transaction is done, the other half and the entry come later.
            scope.spawn(move || {
                let _gate = journal.enter();
                let mut draft = Draft::default();
                let effects = queue.settle_drafting(&[run(0, 10, Settlement::Ack)], NOW);
                draft_ops(&mut draft, queue.id, &effects.journal);
                changed.send(()).unwrap();
                // As long as a checkpoint needs that does not wait.
                let _ = finished.recv_timeout(Duration::from_millis(200));
                let mut batch = Batch::default();
                batch.set_logged(true);
                let offset = batch.append_record(&Record {
                    route: &join_route(b"", b"k"),
                    properties: &[0x10, 0, 2],
                    body: b"12345678",
                    ..Record::default()
                });
                let message = Incoming {
                    offset,
                    size: 8,
                    priority: 0,
                    ttl_ms: u64::MAX,
                    publish: 0,
                    persistent: true,
                    forced: false,
                };
                batch.push(other, message);
                batch.flush_drafting(NOW, &mut Refusals::default(), &mut draft);
                journal.append(draft, None);
            });
            has_changed.recv().unwrap();
        };
        let mut keeper = world.keeper.borrow_mut();
        keeper
            .checkpoint(&world.broker, &world.log, &mut between)
            .unwrap();
        let _ = finished.send(());
    });
    drop((queue, other));
    let world = restart(world, &rest);
    assert_eq!((ready(&world, "q"), ready(&world, "other")), (0, 1));
}

#[test]
fn dead_letters_that_were_put_off_are_in_one_of_their_queues() {
    let rest = Rest::new(4);
    let world = World::open(&rest).unwrap();
    let arguments = table(&[
        ("x-dead-letter-exchange", long("")),
        ("x-dead-letter-routing-key", long("dead")),
        ("x-max-priority", Value::I32(1)),
    ]);
    let queue = declare(&world, "q", arguments);
    declare(&world, "dead", Table::default());
    let count = DEAD_LETTER_BURST as u64 + 3_000;
    publish(&world, &queue, count);
    take(&world, &queue, count);
    let all = run(0, u32::try_from(count).unwrap(), Settlement::Reject);
    queue.settle(&world.broker, &[all], NOW);
    assert!(world.broker.timer.has_put_off());
    let mut keeper = world.keeper.borrow_mut();
    keeper
        .checkpoint(&world.broker, &world.log, &mut || {})
        .unwrap();
    drop(keeper);
    drop(queue);
    let world = restart(world, &rest);
    assert_eq!(ready(&world, "q") + ready(&world, "dead"), count);
}
