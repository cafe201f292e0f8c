//! Append, wait, read back, recycle, on a real folder.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;

use crate::message::Chunk;
use crate::store::io::{Disk, RealDisk};
use crate::store::log::{HEADER_LEN, PREFIX_LEN};
use crate::store::{Entry, Log, LogOptions, Position, StoreError, Wake};

const SEGMENT: u32 = 64 * 1024;

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: SEGMENT,
        buffer_bytes: 1024 * 1024,
        reserve_bytes: 0,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    position: Position,
    kind: u8,
    payload: Vec<u8>,
}

type Opened = Result<(Arc<Log>, Vec<Seen>), StoreError>;

fn open_from(folder: &TempDir, from: Position) -> Opened {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()));
    let mut seen = Vec::new();
    let mut last = (0, 0);
    let mut progress = |done, total| {
        assert!(last.0 <= done && done <= total);
        last = (done, total);
    };
    let log = Log::open(disk, options(), from, &mut progress, &mut |entry| {
        assert_eq!(entry.payload_offset, entry.position.offset + PREFIX_LEN);
        assert_eq!(entry.file.number, entry.position.file);
        seen.push(Seen {
            position: entry.position,
            kind: entry.kind,
            payload: entry.payload.to_vec(),
        });
        Ok(())
    })?;
    assert_eq!(last.0, last.1);
    Ok((log, seen))
}

fn open(folder: &TempDir) -> (Arc<Log>, Vec<Seen>) {
    open_from(folder, Position::ZERO).unwrap()
}

fn drain(log: &Log) {
    while log.step().unwrap() {}
    assert_eq!(log.durable(), log.last_ticket());
    assert_eq!(log.pending_bytes(), 0);
    assert_eq!(log.durable_position(), log.position());
}

/// Counts its wakes; a test waits for one.
#[derive(Default)]
struct Bell {
    count: Mutex<usize>,
    rung: Condvar,
}

impl Wake for Bell {
    fn wake(&self) {
        *self.count.lock() += 1;
        self.rung.notify_all();
    }
}

impl Bell {
    fn wait_for(&self, count: usize) {
        let mut now = self.count.lock();
        let late = self
            .rung
            .wait_while_for(&mut now, |n| *n < count, Duration::from_secs(60));
        assert!(!late.timed_out(), "{} of {count} wakes", *now);
    }
}

fn payload(i: u32) -> Vec<u8> {
    let len = (i * 37) as usize % 3_000;
    (0..len).map(|at| (i as usize + at) as u8).collect()
}

/// Every third entry is all head, every third all chunk, the others both.
fn entry(i: u32) -> Entry {
    let payload = payload(i);
    let (head, chunk) = match i % 3 {
        0 => (payload, None),
        1 => (Vec::new(), Some(payload)),
        _ => (
            payload[..payload.len() / 4].to_vec(),
            Some(payload[payload.len() / 4..].to_vec()),
        ),
    };
    Entry::local(
        (i % 200) as u8 + 1,
        head,
        chunk.map(|data| Chunk::copied(&data)),
    )
}

fn check(seen: &[Seen], count: u32) {
    assert_eq!(seen.len(), count as usize);
    for (i, seen) in (0..count).zip(seen) {
        assert_eq!(seen.kind, (i % 200) as u8 + 1);
        assert_eq!(seen.payload, payload(i), "entry {i}");
    }
}

#[test]
fn what_was_appended_is_found_again_in_order_over_many_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for round in 1..5 {
        let (log, seen) = open(&folder);
        check(&seen, count);
        for _ in 0..100 * round {
            log.append(entry(count));
            count += 1;
            if count % 7 == 0 {
                log.step().unwrap();
            }
        }
        drain(&log);
    }
    let (log, seen) = open(&folder);
    check(&seen, count);
    assert!(log.files().len() > 10);
    assert!(log.position().file as usize == log.files().len());
    // From any entry on, the rest is found and nothing else.
    for at in [0, 1, 50, 333, 999] {
        let (_, rest) = open_from(&folder, seen[at].position).unwrap();
        assert_eq!(rest, seen[at..]);
    }
    let (_, rest) = open_from(&folder, log.position()).unwrap();
    assert_eq!(rest, []);
}

#[test]
fn positions_are_known_when_appended() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(&folder);
    let mut before = Vec::new();
    for i in 0..200 {
        before.push(log.position());
        assert_eq!(log.append(entry(i)), u64::from(i) + 1);
    }
    let after = log.position();
    drain(&log);
    assert_eq!(log.position(), after);
    let (_, seen) = open(&folder);
    for (before, seen) in before.iter().zip(&seen) {
        assert!(*before <= seen.position);
    }
    for (next, seen) in before[1..].iter().zip(&seen) {
        assert!(seen.position < *next);
    }
}

#[test]
fn a_chunk_is_at_home_where_it_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(&folder);
    let chunks: Vec<_> = (0..150).map(|i| Chunk::copied(&payload(i))).collect();
    for chunk in &chunks {
        log.append(Entry::local(1, b"head".to_vec(), Some(Arc::clone(chunk))));
        assert!(chunk.home().is_none());
    }
    drain(&log);
    for chunk in &chunks {
        let home = chunk.home().unwrap();
        let found = log
            .read(&home.file, home.offset, chunk.bytes().len())
            .unwrap();
        assert_eq!(found, chunk.bytes());
    }
    let live: u64 = log.files().iter().map(|(file, _)| file.live_bytes()).sum();
    assert_eq!(
        live,
        chunks.iter().map(|c| c.bytes().len() as u64).sum::<u64>()
    );
    drop(chunks);
    assert!(log.files().iter().all(|(file, _)| file.live_bytes() == 0));
}

#[test]
fn an_entry_longer_than_a_file_has_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(&folder);
    let long: Vec<u8> = (0..SEGMENT * 3).map(|i| (i / 7) as u8).collect();
    log.append(entry(0));
    log.append(Entry::local(9, Vec::new(), Some(Chunk::copied(&long))));
    log.append(entry(2));
    drain(&log);
    let (log, seen) = open(&folder);
    let places: Vec<_> = seen
        .iter()
        .map(|s| (s.position.file, s.position.offset))
        .collect();
    assert_eq!(places, [(1, HEADER_LEN), (2, HEADER_LEN), (3, HEADER_LEN)]);
    assert_eq!(seen[1].payload, long);
    // It is not kept to be used again, the file before it is.
    log.recycle(log.position(), &BTreeSet::new()).unwrap();
    let mut names = RealDisk::new(folder.path()).list().unwrap();
    names.sort();
    assert_eq!(names, ["0000000001.spare", "0000000003.log"]);
}

#[test]
fn files_are_used_again_when_nobody_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(&folder);
    let mut i = 0;
    let mut fill = |log: &Log, files: usize| {
        let until = log.position().file as usize + files;
        while (log.position().file as usize) < until {
            log.append(entry(i));
            i += 1;
        }
        drain(log);
    };
    fill(&log, 6);
    let held = log.files()[1].0.clone();
    log.recycle(log.position(), &BTreeSet::new()).unwrap();
    let numbers = |log: &Log| -> Vec<u32> { log.files().iter().map(|(f, _)| f.number).collect() };
    assert_eq!(numbers(&log), [2, 7]);
    assert!(log.read(&held, HEADER_LEN, 8).is_ok());
    let disk = RealDisk::new(folder.path());
    let count = |ending: &str| {
        let names = disk.list().unwrap();
        names.iter().filter(|name| name.ends_with(ending)).count()
    };
    assert_eq!((count(".spare"), count(".log")), (3, 2));
    drop(held);
    fill(&log, 2);
    assert_eq!((count(".spare"), count(".log")), (1, 4));
    let from = log.position();
    log.recycle(from, &BTreeSet::new()).unwrap();
    assert_eq!(numbers(&log), [9]);
    fill(&log, 3);
    drop(log);

    // Nothing of an earlier life is found, with and without a checkpoint.
    let (log, seen) = open_from(&folder, from).unwrap();
    let first = seen.first().unwrap();
    assert!(seen.iter().all(|s| s.position >= from), "{first:?}");
    let (_, all) = open(&folder);
    assert!(all.len() > seen.len() && all.ends_with(&seen));
    assert_eq!(all.last().unwrap().payload, payload(i - 1));
    let gone = Position::new(8, HEADER_LEN);
    let refused = open_from(&folder, gone)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        refused.starts_with("0000000008.log is damaged at offset 0: it is missing"),
        "{refused}"
    );
    drop(log);
}

#[test]
fn the_thread_writes_for_those_who_wait_and_for_those_who_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(&folder);
    log.start().unwrap();
    let bell = Arc::new(Bell::default());
    for i in 0..50 {
        let ticket = log.append_and_wake(entry(i), bell.clone());
        bell.wait_for(i as usize + 1);
        assert!(log.durable() >= ticket);
        assert!(!log.wake_when(ticket, bell.clone()));
    }
    // Nobody waits: it is written all the same.
    let ticket = log.append(entry(50));
    let started = std::time::Instant::now();
    while log.durable() < ticket {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
    // Somebody comes later.
    let ticket = log.append(entry(51));
    if log.wake_when(ticket, bell.clone()) {
        bell.wait_for(51);
    }
    assert!(log.durable() >= ticket);
    log.append(entry(52));
    log.stop().unwrap();
    drop(log);
    let (_, seen) = open(&folder);
    check(&seen, 53);
}

#[test]
fn many_threads_share_syncs_and_none_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(&folder);
    log.start().unwrap();
    let total = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let (log, total) = (&log, &total);
            scope.spawn(move || {
                let bell = Arc::new(Bell::default());
                for i in 0..100u8 {
                    let ticket =
                        log.append_and_wake(Entry::local(1, vec![thread, i], None), bell.clone());
                    bell.wait_for(usize::from(i) + 1);
                    assert!(log.durable() >= ticket);
                    total.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(total.into_inner(), 400);
    log.stop().unwrap();
    let (_, seen) = open(&folder);
    for thread in 0..4 {
        let own = seen.iter().filter(|s| s.payload[0] == thread);
        assert!(own.map(|s| s.payload[1]).eq(0..100));
    }
}

#[test]
fn a_batch_wakes_each_waiter_once_and_congestion_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(&folder);
    let (bell, clear) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    assert!(!log.wake_when_clear(clear.clone()));
    let mut i = 0;
    while !log.is_congested() {
        log.append_and_wake(Entry::local(1, vec![0; 900], None), bell.clone());
        i += 1;
    }
    assert!(i > 1_000);
    assert!(log.wake_when_clear(clear.clone()));
    drain(&log);
    assert!(!log.is_congested());
    assert_eq!(*clear.count.lock(), 1);
    // A batch is a file at most; what waits for its end is told once.
    assert!(*bell.count.lock() <= log.files().len());
}

#[test]
fn a_clean_stop_tells_damage_to_the_last_batch_from_a_torn_one() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(&folder);
    for i in 0..3 {
        log.append(entry(i));
    }
    log.stop().unwrap();
    let (_, seen) = open(&folder);
    let at = seen[2].position;
    let path = folder.path().join("0000000001.log");
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let place = u64::from(at.offset + PREFIX_LEN);
    let mut octet = [0];
    file.read_exact_at(&mut octet, place).unwrap();
    file.write_all_at(&[octet[0] ^ 1], place).unwrap();
    let before = std::fs::read(&path).unwrap();
    match open_from(&folder, Position::ZERO) {
        Err(StoreError::Damaged { file, offset, .. }) => {
            assert_eq!(
                (file.as_str(), offset),
                ("0000000001.log", at.offset.into())
            );
        }
        other => panic!("{:?}", other.map(|(_, seen)| seen)),
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    file.write_all_at(&octet, place).unwrap();
    check(&open(&folder).1, 3);
}

#[test]
fn a_full_reserve_is_seen_and_seen_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()));
    let tight = LogOptions {
        reserve_bytes: u64::MAX,
        ..options()
    };
    let log = Log::open(disk, tight, Position::ZERO, &mut |_, _| {}, &mut |_| Ok(())).unwrap();
    assert!(log.space_low());
    assert!(!open(&folder).0.space_low());
}
