//! Every kind of damage: what a check says, and what is left after a repair.

use std::fs;
use std::io::Write;

use super::store::{QUEUE, Store, declare};
use crate::definitions::rows::QueueRow;
use crate::definitions::snapshot;
use crate::definitions::tables;
use crate::store::StoreError;
use crate::store::repair::Report;

fn but(messages: u64, lost: &[u64]) -> Vec<u64> {
    (0..messages).filter(|n| !lost.contains(n)).collect()
}

/// Repairs the store; it must be sound then, and take new messages.
fn repaired(store: &mut Store, expected: &[u64]) -> Report {
    let outcome = store.repair();
    assert!(outcome.repaired);
    for path in &outcome.moved {
        assert!(path.exists(), "{} was to be kept", path.display());
    }
    let again = store.check();
    assert!(again.is_sound(), "{again:?}");
    assert_eq!(again.messages, expected.len() as u64);
    assert_eq!(store.started(), expected);
    // What comes now stands behind everything, in a second start as well.
    let next = 1 << 40;
    store.publish(next..next + 3);
    let mut all = expected.to_vec();
    all.extend(next..next + 3);
    assert_eq!(store.started(), all);
    store.kill();
    assert!(store.check().is_sound());
    assert!(!store.repair().repaired);
    outcome.report
}

fn refuses(store: &mut Store) {
    match store.start() {
        Err(StoreError::Damaged { .. }) => {}
        other => panic!("the start should refuse, but: {other:?}"),
    }
}

#[test]
fn a_sound_store_is_told_so_and_left_alone() {
    let mut store = Store::filled(200);
    store.settle(0, 10);
    store.kill();
    let report = store.check();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.queues, report.messages), (1, 190));
    assert_eq!(report.entries, 201);
    assert!(report.files > 5);
    assert_eq!(report.torn, None);
    let before = store.files();
    assert!(!store.repair().repaired);
    assert!(before == store.files());
    assert_eq!(store.started(), (10..200).collect::<Vec<_>>());
}

#[test]
fn with_a_checkpoint_and_pages_too() {
    let mut store = Store::filled(200);
    store.checkpoint(0..200, 150);
    store.publish(200..250);
    store.settle(70, 3);
    store.kill();
    let report = store.check();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.messages, 247);
    assert_eq!(store.started(), but(250, &[70, 71, 72]));
}

#[test]
fn a_torn_tail_is_no_damage() {
    let mut store = Store::filled(30);
    store.kill();
    let last = store.homes[&29].clone();
    let path = store.log_file(last.file.number);
    // The last batch lost its first octets on the way to the disk, and nothing follows it.
    store.flip_record(29, 20);
    let report = store.check();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.messages, 29);
    assert!(!store.repair().repaired);
    assert_eq!(store.started(), but(30, &[29]));
    assert!(path.exists());
}

#[test]
fn an_octet_of_a_record() {
    let mut store = Store::filled(200);
    // Only the log knows of it.
    store.define(&declare(QUEUE + 1, "second"));
    store.kill();
    store.flip_record(100, 50);
    refuses(&mut store);
    let report = store.check();
    assert_eq!(report.damage.len(), 1, "{report:?}");
    let home = &store.homes[&100];
    let file = format!("log/{:010}.log", home.file.number);
    assert_eq!(report.damage[0].file, file);
    // The entry's head and the batch's stand before the record.
    let before = u64::from(home.offset) - report.damage[0].offset;
    assert!((40..80).contains(&before), "{report:?}");
    assert_eq!(report.messages, 199);
    assert_eq!(report.lost.len(), 1);
    assert!(report.lost[0].queue.contains("orders"));
    assert_eq!(report.lost[0].perhaps, 1);
    repaired(&mut store, &but(200, &[100]));
    let read = snapshot::load(store.folder.path()).unwrap().unwrap();
    assert_eq!(read.state.rows::<QueueRow>().count(), 2);
    // The log can be read from its start again.
    fs::remove_dir_all(store.folder.path().join("index")).unwrap();
    fs::create_dir(store.folder.path().join("index")).unwrap();
    let mut expected = but(200, &[100]);
    expected.extend((1 << 40)..(1 << 40) + 3);
    assert_eq!(store.started(), expected);
}

#[test]
fn an_octet_of_an_entrys_head() {
    let mut store = Store::filled(200);
    store.kill();
    // In the length, in the checksum and in the mark of entries in three files.
    for (number, by) in [(20, -45), (80, -50), (150, -18)] {
        store.flip_record(number, by);
    }
    refuses(&mut store);
    let report = store.check();
    assert_eq!(report.damage.len(), 3, "{report:?}");
    repaired(&mut store, &but(200, &[20, 80, 150]));
}

#[test]
fn entries_before_the_checkpoint_cost_their_records_only() {
    let mut store = Store::filled(200);
    store.settle(0, 10);
    store.checkpoint(10..200, 160);
    store.publish(200..220);
    store.kill();
    store.flip_record(5, 0);
    store.flip_record(50, 0);
    store.flip_record(51, 0);
    store.flip_record(190, 0);
    let report = store.check();
    assert_eq!(report.messages, 207);
    let lost = &report.lost[0];
    assert_eq!((lost.messages, lost.perhaps, lost.uncertain), (3, 0, 0));
    assert_eq!(lost.numbers, [(0, 50, 51), (0, 190, 190)]);
    let expected: Vec<u64> = (10..220).filter(|n| ![50, 51, 190].contains(n)).collect();
    repaired(&mut store, &expected);
}

#[test]
fn a_lost_acknowledgement_brings_messages_back_as_redelivered() {
    let mut store = Store::filled(60);
    store.checkpoint(0..60, 50);
    store.settle(10, 5);
    store.publish(60..80);
    store.kill();
    // The acknowledgement lies behind the record of message 59.
    store.flip_record(59, 112 + 48);
    let report = store.check();
    assert_eq!(report.messages, 80, "{report:?}");
    assert_eq!(report.lost[0].uncertain, 60);
    assert!(store.repair().repaired);
    let found = store.start().unwrap();
    assert_eq!(found.len(), 80);
    let flagged: Vec<u64> = found.iter().filter(|(_, d)| *d).map(|(n, _)| *n).collect();
    assert_eq!(flagged, (0..60).collect::<Vec<_>>());
}

#[test]
fn the_header_of_a_file() {
    for number in [1, 3] {
        let mut store = Store::filled(200);
        store.kill();
        store.flip(&format!("log/{number:010}.log"), 17);
        refuses(&mut store);
        let report = store.check();
        assert_eq!(report.damage.len(), 1, "{report:?}");
        assert_eq!(report.damage[0].offset, 0);
        assert_eq!(report.messages, 200);
        repaired(&mut store, &but(200, &[]));
    }
}

#[test]
fn a_file_that_is_missing() {
    let mut store = Store::filled(200);
    store.checkpoint(0..200, 150);
    store.publish(200..260);
    store.kill();
    let of = |file: u32| {
        let homes = store.homes.iter();
        let these = homes.filter(|(_, home)| home.file.number == file);
        these.map(|(number, _)| *number).collect::<Vec<_>>()
    };
    // One before the checkpoint, one behind it.
    let late = store.homes[&230].file.number;
    let (early, late) = ((3, of(3)), (late, of(late)));
    for (file, messages) in [&early, &late] {
        assert!(!messages.is_empty());
        fs::remove_file(store.log_file(*file)).unwrap();
    }
    refuses(&mut store);
    let report = store.check();
    assert_eq!(report.damage.len(), 2, "{report:?}");
    assert_eq!(report.lost[0].messages, early.1.len() as u64);
    assert_eq!(report.lost[0].perhaps, late.1.len() as u64);
    let lost: Vec<u64> = early.1.iter().chain(&late.1).copied().collect();
    repaired(&mut store, &but(260, &lost));
}

#[test]
fn the_last_file_that_is_missing() {
    let mut store = Store::filled(100);
    store.checkpoint(0..100, 50);
    store.kill();
    let last = store.homes[&99].file.number;
    fs::remove_file(store.log_file(last)).unwrap();
    refuses(&mut store);
    let homes = store.homes.iter();
    let kept = homes.filter(|(_, home)| home.file.number < last);
    let kept: Vec<u64> = kept.map(|(number, _)| *number).collect();
    repaired(&mut store, &kept);
}

#[test]
fn a_file_that_was_cut_short() {
    let mut store = Store::filled(200);
    store.kill();
    let home = store.homes[&60].clone();
    let path = store.log_file(home.file.number);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(u64::from(home.offset) + 10).unwrap();
    let homes = store.homes.iter();
    let lost = homes.filter(|(n, h)| **n >= 60 && h.file.number == home.file.number);
    let lost: Vec<u64> = lost.map(|(number, _)| *number).collect();
    refuses(&mut store);
    repaired(&mut store, &but(200, &lost));
}

#[test]
fn the_checkpoint() {
    let mut store = Store::filled(200);
    store.settle(0, 100);
    store.publish(200..210);
    store.checkpoint(100..210, 200);
    store.recycle();
    store.publish(210..230);
    store.kill();
    store.flip("index/checkpoint", 60);
    refuses(&mut store);
    let report = store.check();
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert_eq!(report.damage[0].file, "index/checkpoint");
    repaired(&mut store, &(100..230).collect::<Vec<_>>());
}

#[test]
fn a_checkpoint_that_is_gone_is_made_up_for_by_the_log() {
    let mut store = Store::filled(200);
    store.settle(20, 100);
    store.checkpoint(0..20, 0);
    store.kill();
    fs::remove_dir_all(store.folder.path().join("index")).unwrap();
    fs::create_dir(store.folder.path().join("index")).unwrap();
    assert!(store.check().is_sound());
    let expected: Vec<u64> = (0..20).chain(120..200).collect();
    assert_eq!(store.started(), expected);
}

#[test]
fn a_large_body() {
    let mut store = Store::filled(20);
    store.publish_large(20);
    store.publish_large(21);
    store.checkpoint(0..22, 0);
    store.publish_large(22);
    store.publish_large(23);
    store.publish(24..30);
    store.kill();
    assert!(store.check().is_sound());
    assert_eq!(store.started(), but(30, &[]));
    store.kill();
    // One that the checkpoint names, and one that the log tells of behind it.
    store.flip_record(21, 60);
    let name = store.homes[&23].file.name();
    fs::remove_file(store.folder.path().join("log").join(&name)).unwrap();
    let report = store.check();
    let damaged: Vec<&str> = report.damage.iter().map(|d| d.file.as_str()).collect();
    let other = format!("log/{}", store.homes[&21].file.name());
    assert_eq!(damaged, [other, format!("log/{name}")]);
    repaired(&mut store, &but(30, &[21, 23]));
}

#[test]
fn a_large_body_that_is_gone_was_acknowledged_where_the_checkpoint_is_gone_too() {
    let mut store = Store::filled(3);
    store.publish_large(3);
    store.publish(4..6);
    store.kill();
    let name = store.homes[&3].file.name();
    fs::remove_file(store.folder.path().join("log").join(&name)).unwrap();
    assert!(store.check().is_sound());
    assert_eq!(store.check().messages, 5);
}

#[test]
fn a_page() {
    let mut store = Store::filled(200);
    store.settle(0, 20);
    store.checkpoint(20..200, 170);
    store.settle(25, 1);
    store.publish(200..210);
    store.kill();
    // The first page, of messages 20 to 69.
    store.flip("index/index.pages", 4_096 + 100);
    let report = store.check();
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert_eq!(report.damage[0].offset, 4_096);
    // The log still tells of all of them, and of the acknowledgement.
    let expected: Vec<u64> = (20..210).filter(|n| *n != 25).collect();
    assert!(store.repair().repaired);
    let found = store.start().unwrap();
    let numbers: Vec<u64> = found.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, expected);
    let flagged: Vec<u64> = found.iter().filter(|(_, d)| *d).map(|(n, _)| *n).collect();
    let of_page: Vec<u64> = (20..70).filter(|n| *n != 25).collect();
    assert_eq!(flagged, of_page);
}

#[test]
fn the_file_of_pages_that_is_gone() {
    let mut store = Store::filled(200);
    store.checkpoint(0..200, 200);
    store.kill();
    fs::remove_file(store.folder.path().join("index/index.pages")).unwrap();
    refuses(&mut store);
    repaired(&mut store, &but(200, &[]));
}

#[test]
fn the_snapshot_of_definitions_with_good_tables() {
    let mut store = Store::filled(20);
    store.define(&declare(QUEUE + 1, "second"));
    assert_eq!(store.started(), but(20, &[]));
    store.kill();
    // The tables hold both queues now.
    assert!(store.folder.path().join(tables::FOLDER).exists());
    store.flip(snapshot::FILE, 80);
    let report = store.check();
    assert!(!report.is_sound());
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert_eq!(report.damage[0].file, snapshot::FILE);
    assert_eq!(report.queues, 2);
    repaired(&mut store, &but(20, &[]));
    let read = snapshot::load(store.folder.path()).unwrap().unwrap();
    assert_eq!(read.state.applied(), 2);
    assert_eq!(read.history, 1);
}

#[test]
fn the_snapshot_of_definitions_without_tables() {
    let mut store = Store::filled(20);
    store.define(&declare(QUEUE + 1, "second"));
    store.kill();
    // Its header: the rows are whole.
    store.flip(snapshot::FILE, 40);
    let report = store.check();
    assert!(!report.is_sound());
    assert_eq!(report.queues, 2, "{report:?}");
    assert!(store.repair().repaired);
    assert_eq!(store.started(), but(20, &[]));
    let read = snapshot::load(store.folder.path()).unwrap().unwrap();
    assert_eq!(read.state.rows::<QueueRow>().count(), 2);
}

#[test]
fn a_change_of_definitions_that_cannot_be_read_costs_itself_only() {
    let mut store = Store::filled(20);
    store.define(&declare(QUEUE + 1, "second"));
    store.publish(20..21);
    store.define(&declare(QUEUE + 2, "third"));
    store.publish(21..22);
    store.kill();
    // Before the entry of message 20 stands that of the second queue, whose name lies in it.
    store.flip_record(20, -72);
    refuses(&mut store);
    let report = store.check();
    assert_eq!((report.lost_commands, report.queues), (1, 2), "{report:?}");
    repaired(&mut store, &but(22, &[]));
}

#[test]
fn an_interrupted_repair_is_done_again() {
    let mut store = Store::filled(200);
    store.kill();
    store.flip_record(100, 50);
    // As if it had ended while it wrote.
    fs::create_dir(store.folder.path().join("index.repaired")).unwrap();
    let mut half = fs::File::create(store.folder.path().join("log/0000000003.repaired")).unwrap();
    half.write_all(b"half").unwrap();
    repaired(&mut store, &but(200, &[100]));
    assert!(!store.folder.path().join("log/0000000003.repaired").exists());
    assert!(!store.folder.path().join("index.repaired").exists());
}

#[test]
fn an_interrupted_exchange_of_files_is_ended() {
    let mut store = Store::filled(200);
    store.kill();
    let whole = store.log_file(3);
    let aside = store.folder.path().join("log/0000000003.repaired");
    fs::rename(&whole, &aside).unwrap();
    store.repair();
    assert!(whole.exists() && !aside.exists());
    assert_eq!(store.started(), but(200, &[]));
}
