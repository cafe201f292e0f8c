//! A disk that fails ends the log, once and for good, and says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::life::{SEGMENT, open, options};
use crate::store::io::{Fault, SimDisk};
use crate::store::{Entry, Log, LogOptions, Position, StoreError, Wake};

struct Never;

impl Wake for Never {
    fn wake(&self) {
        panic!("woken by a log that has failed");
    }
}

fn word(word: &str) -> Entry {
    Entry::local(1, word.as_bytes().to_vec(), None)
}

fn words(disk: &SimDisk) -> (Arc<Log>, Vec<String>) {
    let (log, seen) = open(disk, Position::ZERO).unwrap();
    let words = seen
        .into_iter()
        .map(|(_, word)| String::from_utf8(word).unwrap());
    (log, words.collect())
}

/// Fails the `after`th operation of a step by `fault`; gives what the log says.
fn fail(after: u64, fault: Fault) -> (SimDisk, String) {
    let disk = SimDisk::new(after);
    let (log, _) = words(&disk);
    log.append(word("safe"));
    log.step().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    log.on_failure(move |failure| telling.lock().push(failure.to_string()));

    disk.plan(disk.operations() + after, fault);
    let ticket = log.append_and_wake(word("lost"), Arc::new(Never));
    let error = log.step().unwrap_err();
    assert_eq!(error.is_full(), fault == Fault::NoSpace);
    // The next try would succeed; there is none.
    assert_eq!(log.step().unwrap_err().to_string(), error.to_string());
    assert!(log.durable() < ticket);
    let later = log.append_and_wake(word("later"), Arc::new(Never));
    assert!(log.wake_when(later, Arc::new(Never)));
    assert!(log.step().is_err() && log.stop().is_err());
    assert_eq!(log.durable(), 1);
    assert_eq!(*told.lock(), [error.to_string()]);
    let telling = Arc::clone(&told);
    log.on_failure(move |failure| telling.lock().push(failure.to_string()));
    assert_eq!(told.lock().len(), 2);
    (disk, error.to_string())
}

#[test]
fn a_write_or_sync_that_fails_is_the_end() {
    let cases = [
        (
            1,
            Fault::Io,
            "cannot write 0000000001.log: input/output error",
        ),
        (
            1,
            Fault::NoSpace,
            "cannot write 0000000001.log: no storage space",
        ),
        (1, Fault::Short, "cannot write 0000000001.log: write zero"),
        (
            2,
            Fault::Io,
            "cannot sync 0000000001.log: input/output error",
        ),
    ];
    for (after, fault, expected) in cases {
        let (disk, message) = fail(after, fault);
        assert_eq!(message, expected);
        disk.crash(1);
        let (log, found) = words(&disk);
        assert!(
            ["safe", "safe lost"].contains(&found.join(" ").as_str()),
            "{found:?}"
        );
        log.append(word("again"));
        log.step().unwrap();
        disk.crash(2);
        assert_eq!(words(&disk).1.last().map(String::as_str), Some("again"));
    }
}

#[test]
fn what_a_failed_sync_left_in_the_system_is_written_again() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let (log, _) = words(&disk);
        log.append(word("safe"));
        log.step().unwrap();
        log.append(word("doubtful"));
        disk.plan(disk.operations() + 2, Fault::Io);
        assert!(log.step().is_err());
        // The program ends, the system goes on: the entry is read, though the device may not have
        // it. From here on it counts.
        disk.restart();
        assert_eq!(words(&disk).1, ["safe", "doubtful"]);
        disk.crash(seed);
        assert_eq!(words(&disk).1, ["safe", "doubtful"], "seed {seed}");
    }
}

#[test]
fn a_disk_that_fills_is_announced_before_it_fails() {
    let disk = SimDisk::new(1);
    let usual = u64::from(SEGMENT);
    disk.limit(Some(usual * 6));
    let tight = LogOptions {
        reserve_bytes: usual * 3,
        ..options()
    };
    let shared = Arc::new(disk.clone());
    let log = Log::open(shared, tight, Position::ZERO, &mut |_, _| {}, &mut |_| {
        Ok(())
    })
    .unwrap();
    assert!(!log.space_low());
    let mut announced = None;
    let failure = loop {
        log.append(Entry::local(1, vec![7; 1_000], None));
        match log.step() {
            Ok(_) if log.space_low() => announced = announced.or(Some(log.position().file)),
            Ok(_) => assert_eq!(announced, None),
            Err(failure) => break failure,
        }
        // At half the reserve everything is given up, and the word is taken back.
        if log.position().file == 5 && announced.is_some() {
            log.recycle(log.position(), &BTreeSet::new()).unwrap();
            log.check_space();
            assert!(!log.space_low());
            announced = None;
            disk.limit(Some(usual * 5));
        }
    };
    assert!(announced.is_some());
    assert!(failure.is_full(), "{failure}");
    assert!(
        matches!(
            failure,
            StoreError::Io {
                verb: "allocate",
                ..
            }
        ),
        "{failure}"
    );
}

#[test]
fn an_entry_that_no_file_can_hold_is_refused_for_good() {
    let disk = SimDisk::new(1);
    let (log, _) = words(&disk);
    log.append(Entry::local(1, vec![0; (1 << 30) + 1], None));
    let error = log.step().unwrap_err().to_string();
    assert!(
        error.starts_with("an entry of 1073741825 octets"),
        "{error}"
    );
}

#[test]
fn the_last_file_that_is_whole_outlives_a_checkpoint_that_came_too_early() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let (log, _) = words(&disk);
        log.append(word("safe"));
        log.step().unwrap();
        log.append(Entry::local(1, vec![b'x'; SEGMENT as usize], None));
        // Create, allocate, sync folder, free space, write.
        disk.plan(disk.operations() + 6, Fault::Io);
        let error = log.step().unwrap_err().to_string();
        assert!(error.starts_with("cannot sync 0000000002.log"), "{error}");
        log.recycle(log.position(), &BTreeSet::new()).unwrap();
        disk.crash(seed);
        assert_eq!(words(&disk).1.first().map(String::as_str), Some("safe"));
    }
}

#[test]
fn a_log_whose_first_write_was_lost_starts_again() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let (log, _) = words(&disk);
        let start = log.position();
        log.append(Entry::local(1, vec![b'x'; 2_000], None));
        disk.plan(disk.operations() + 6, Fault::Crash);
        assert!(log.step().is_err());
        disk.crash(seed);
        // Nothing was synced, so a checkpoint at the start demands nothing.
        let (log, seen) = open(&disk, start).unwrap();
        assert!(seen.len() <= 1);
        log.append(word("again"));
        log.step().unwrap();
        disk.crash(seed);
        assert_eq!(words(&disk).1.last().map(String::as_str), Some("again"));
    }
}
