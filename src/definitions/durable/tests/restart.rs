//! Restarts of folders that are as they should be, and of ones that nothing can mend.

use std::fs;

use super::stage::Stage;
use crate::amqp::Value;
use crate::definitions::command::Command;
use crate::definitions::durable::recovery::{Recovery, RecoveryError};
use crate::definitions::snapshot;
use crate::definitions::tables::{self, Tables};
use crate::definitions::tests::random::{Commands, for_seeds};
use crate::ids::Name;
use crate::limits::TABLES_PENDING_BYTES;

#[test]
fn a_new_folder_has_a_snapshot_from_the_start() {
    let stage = Stage::new();
    let (live, warnings) = stage.start();
    assert_eq!(warnings, [""; 0]);
    assert!(live.state().is_empty());
    drop(live);
    assert_eq!(
        snapshot::load(stage.path())
            .unwrap()
            .unwrap()
            .state
            .applied(),
        0
    );
    let (_, warnings) = stage.start();
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn what_was_proposed_is_there_after_a_restart() {
    for_seeds("durable::tests::what_was_proposed", 5, |commands| {
        let mut stage = Stage::new();
        for round in 0..4 {
            let (live, warnings) = stage.start();
            assert_eq!(warnings, [""; 0], "round {round}");
            stage.same(&live.state());
            stage.run(&live, commands.many(60));
            if round == 1 {
                assert_eq!(live.save_snapshot().unwrap(), stage.last());
                // The log's files up to it are recycled.
                stage.forget_until(live.snapshot_covers());
            }
            stage.same(&live.state());
            drop(live);
            stage.tables_hold_everything();
        }
    });
}

#[test]
fn only_what_is_durable_counts() {
    let mut stage = Stage::new();
    let (live, _) = stage.start();
    let mut tickets = Vec::new();
    for command in Commands::new(3).many(20) {
        tickets.push(stage.propose(&live, command));
    }
    assert_eq!(live.applied(), 0);
    live.durable_to(tickets[4]);
    live.durable_to(tickets[1]);
    assert_eq!(live.applied(), 5);
    assert_eq!(live.save_snapshot().unwrap(), 5);
    // The other records never reached the disk.
    drop(live);
    stage.cut_after(5);
    let (live, warnings) = stage.start();
    assert_eq!(warnings, [""; 0]);
    stage.same(&live.state());
    // Their indexes are given again.
    stage.run(&live, Commands::new(4).many(5));
    assert_eq!(live.applied(), 10);
    drop(live);
    stage.tables_hold_everything();
}

#[test]
fn a_kill_at_any_time_leaves_a_folder_that_starts() {
    for_seeds("durable::tests::a_kill", 5, |commands| {
        let mut stage = Stage::new();
        let (live, _) = stage.start();
        for _ in 0..4 {
            stage.run(&live, commands.many(40));
            // What lies on the disk at this moment, half written or not.
            let copy = stage.copy();
            let (after, _) = copy.start();
            copy.same(&after.state());
            drop(after);
            copy.tables_hold_everything();
            live.save_snapshot().unwrap();
        }
    });
}

/// Declarations of so many queues with arguments of about so many octets, in one batch.
fn many_queues(count: u64, octets: usize) -> Command {
    let mut source = Commands::new(5);
    let rows = (1..=count).map(|id| {
        let mut row = source.queue_row();
        row.id = id;
        row.name = Name::new(&id.to_be_bytes());
        let padding = Value::LongString(vec![b'x'; octets]);
        row.arguments.0.push((b"x".to_vec(), padding));
        Command::DeclareQueue(row)
    });
    Command::Batch(rows.collect())
}

#[test]
fn more_changes_than_may_wait_are_all_written() {
    let mut stage = Stage::new();
    let (live, _) = stage.start();
    let count = TABLES_PENDING_BYTES as u64 / 20_000;
    stage.run(&live, vec![many_queues(count, 30_000)]);
    drop(live);
    stage.tables_hold_everything();
}

#[test]
fn more_rows_than_one_transaction_takes_are_all_written() {
    let mut stage = Stage::new();
    let (live, _) = stage.start();
    stage.run(&live, vec![many_queues(10_000, 0)]);
    stage.run(&live, Commands::new(8).many(50));
    drop(live);
    stage.tables_hold_everything();
}

#[test]
fn tables_that_a_kill_interrupted_are_made_anew_without_a_warning() {
    let mut stage = Stage::new();
    let (live, _) = stage.start();
    stage.run(&live, Commands::new(8).many(50));
    drop(live);
    Tables::open(&stage.tables()).unwrap().interrupt();
    // And so are those that were not complete.
    fs::create_dir(stage.path().join(tables::NEXT)).unwrap();
    let (live, warnings) = stage.start();
    assert_eq!(warnings, [""; 0]);
    drop(live);
    stage.tables_hold_everything();
    assert_eq!(stage.names(), ["definitions", "definitions.snapshot"]);
}

#[test]
fn missing_records_are_refused() {
    let mut stage = Stage::new();
    let (live, _) = stage.start();
    stage.run(&live, Commands::new(6).many(30));
    drop(live);
    stage.forget_until(10);
    let error = stage.recover().unwrap_err();
    assert!(
        matches!(
            error,
            RecoveryError::Gap {
                applied: 0,
                found: 11,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_record_that_is_none_is_refused() {
    let stage = Stage::new();
    let mut recovery = Recovery::open(stage.path()).unwrap();
    assert_eq!(recovery.from(), 1);
    let error = recovery.replay(1, b"\x01\x63\x00").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the record of definitions with index 1 cannot be read: this broker does not know a \
         command 99; a newer one wrote it"
    );
}

#[test]
fn without_any_copy_it_does_not_start_empty() {
    let mut stage = Stage::new();
    let (live, _) = stage.start();
    stage.run(&live, Commands::new(6).many(30));
    live.save_snapshot().unwrap();
    drop(live);
    stage.forget_until(30);
    fs::write(stage.path().join(snapshot::FILE), b"nonsense").unwrap();
    fs::remove_dir_all(stage.path().join(tables::FOLDER)).unwrap();
    let error = stage.recover().unwrap_err().to_string();
    assert!(
        error.contains("definitions.snapshot: damaged at"),
        "{error}"
    );
    assert!(error.contains("they are gone"), "{error}");
    // Nothing was moved: whoever repairs it finds it as it was.
    assert_eq!(stage.names(), ["definitions.snapshot"]);
}
