//! From the first piece to the removal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::BODIES_ARRIVING;
use crate::message::BODY_FILE;
use crate::message::record::{Record, mark_sealed, start};
use crate::store::bodies::{Bodies, Progress, Spool, Step, is_there, verify};
use crate::store::io::{Disk, Fault, SimDisk};
use crate::store::log::{Log, LogOptions, Position, Wake};

/// Counts how often it is woken.
#[derive(Default)]
pub(super) struct Bell(pub AtomicU64);

impl Wake for Bell {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A record with this body, up to its checksum.
pub(super) fn record(body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    start(&mut octets, &[0, 1, b'q'], &[0, 0], &[], body.len());
    mark_sealed(&mut octets, 0);
    octets.extend_from_slice(body);
    octets
}

pub(super) fn begin(bodies: &Arc<Bodies>, body: &[u8]) -> Spool {
    let size = u32::try_from(body.len()).unwrap();
    bodies.begin(size, true, Arc::new(Bell::default()))
}

pub(super) fn open(disk: &SimDisk) -> Arc<Bodies> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = LogOptions {
        segment_bytes: 4_096,
        buffer_bytes: 1024 * 1024,
        reserve_bytes: 0,
    };
    let log = Log::open(
        Arc::clone(&shared),
        options,
        Position::ZERO,
        &mut |_, _| {},
        &mut |_| Ok(()),
    );
    let bodies = Bodies::open(shared).unwrap();
    bodies.attach(&log.unwrap());
    bodies
}

fn work(bodies: &Bodies) {
    while bodies.step().unwrap() == Step::Done {}
}

/// A body in a file, synced.
pub(super) fn written(bodies: &Arc<Bodies>, body: &[u8]) -> Spool {
    let mut spool = begin(bodies, body);
    spool.push(record(body));
    spool.finish(true);
    work(bodies);
    assert_eq!(spool.progress(), Progress::Synced);
    spool
}

#[test]
fn pieces_of_several_bodies_come_in_turn_and_each_is_whole_in_the_end() {
    let bodies = open(&SimDisk::new(1));
    let all: Vec<Vec<u8>> = (0..4u8).map(|n| vec![n; 5_000 + usize::from(n)]).collect();
    let mut spools: Vec<Spool> = all.iter().map(|body| begin(&bodies, body)).collect();
    let octets: Vec<Vec<u8>> = all.iter().map(|body| record(body)).collect();
    for at in (0..6_000).step_by(700) {
        for (spool, octets) in spools.iter_mut().zip(&octets) {
            let end = (at + 700).min(octets.len());
            spool.push(octets.get(at..end).unwrap_or_default().to_vec());
        }
        bodies.step().unwrap();
    }
    assert!(spools.iter().all(|s| s.progress() == Progress::Arriving));
    spools.iter_mut().for_each(|spool| spool.finish(false));
    work(&bodies);
    assert!(spools.iter().all(|s| s.progress() == Progress::Written));
    spools.iter_mut().for_each(|spool| spool.finish(true));
    work(&bodies);
    for (spool, body) in spools.iter().zip(&all) {
        assert_eq!(spool.progress(), Progress::Synced);
        let home = spool.home();
        bodies.verify(home.file.number, spool.size()).unwrap();
        let octets = bodies.read(home.file.number, home.offset, 10_000).unwrap();
        assert_eq!(Record::length(&octets), octets.len());
        assert_eq!(Record::read(&octets).unwrap().body, body);
    }
}

#[test]
fn what_nobody_names_is_removed_and_what_the_log_named_waits_for_a_checkpoint() {
    let disk = SimDisk::new(2);
    let bodies = open(&disk);
    let kept = written(&bodies, b"kept").chunk();
    let named = written(&bodies, b"named").chunk();
    let dropped = written(&bodies, b"dropped");
    let mut begun = begin(&bodies, b"begun");
    begun.push(record(b"beg"));
    work(&bodies);
    named.home().unwrap().file.name_it();
    let number = |chunk: &Arc<crate::message::Chunk>| chunk.home().unwrap().file.number;
    let (kept_number, named_number) = (number(&kept), number(&named));
    bodies.sweep().unwrap();
    assert_eq!(bodies.files().len(), 4);
    drop((named, dropped, begun));
    bodies.sweep().unwrap();
    let left: Vec<u32> = bodies.files().iter().map(|(file, _)| file.number).collect();
    assert_eq!(left, [kept_number, named_number]);
    assert_eq!(bodies.unneeded(), [named_number]);
    bodies.remove(&bodies.unneeded()).unwrap();
    let names: Vec<String> = disk.list().unwrap();
    let bodies_there = names.iter().filter(|name| name.ends_with(".body"));
    assert_eq!(bodies_there.count(), 1);
    // A start takes all of them for named, and gives nobody a number again that it knows of.
    let again = open(&disk);
    again.start_above((kept_number | BODY_FILE) + 40);
    again.sweep().unwrap();
    assert_eq!(again.unneeded(), [kept_number]);
    let next = written(&again, b"next");
    assert_eq!(next.home().file.number, kept_number + 41);
}

#[test]
fn damage_is_found_wherever_it_is_and_named() {
    let disk = SimDisk::new(3);
    let bodies = open(&disk);
    let spool = written(&bodies, &[9; 300]);
    let (number, sum) = (
        spool.home().file.number,
        spool.chunk().is_away().unwrap().sum,
    );
    let name = spool.home().file.name();
    let len = disk.content(&name).len();
    assert!(is_there(&disk, number, sum).unwrap());
    assert!(!is_there(&disk, number, !sum).unwrap());
    assert!(!is_there(&disk, number + 1, sum).unwrap());
    verify(&disk, number, 300).unwrap();
    assert!(verify(&disk, number, 301).unwrap_err().is_damage());
    assert!(verify(&disk, number + 1, 300).unwrap_err().is_damage());
    for offset in 0..len {
        disk.flip(&name, offset, 3);
        let error = verify(&disk, number, 300).unwrap_err();
        assert!(error.is_damage(), "{offset}: {error}");
        assert!(error.to_string().contains(&name));
        disk.flip(&name, offset, 3);
    }
    disk.open(&name).unwrap().truncate(10).unwrap();
    assert!(verify(&disk, number, 300).unwrap_err().is_damage());
}

#[test]
fn a_full_disk_is_waited_for_and_a_failing_one_ends_the_log() {
    let disk = SimDisk::new(4);
    let bodies = open(&disk);
    written(&bodies, b"first");
    disk.limit(Some(100));
    let mut spool = begin(&bodies, &[1; 500]);
    spool.push(record(&[1; 500]));
    spool.finish(true);
    assert_eq!(bodies.step().unwrap(), Step::Full);
    assert_eq!(bodies.step().unwrap(), Step::Full);
    assert_eq!(spool.progress(), Progress::Arriving);
    disk.limit(None);
    work(&bodies);
    assert_eq!(spool.progress(), Progress::Synced);
    bodies.verify(spool.home().file.number, 500).unwrap();

    // What is given up waits for no room, and takes none, whatever stands before it.
    disk.limit(Some(100));
    let first = {
        let mut first = begin(&bodies, &[2; 500]);
        first.push(record(&[2; 500]));
        first
    };
    let mut second = begin(&bodies, &[3; 500]);
    second.push(record(&[3; 500]));
    second.finish(true);
    assert_eq!(bodies.step().unwrap(), Step::Full);
    drop(second);
    assert_eq!(bodies.step().unwrap(), Step::Full);
    assert_eq!(bodies.jobs_left(), 1);
    drop(first);
    assert_eq!(bodies.step().unwrap(), Step::Done);
    assert_eq!(bodies.jobs_left(), 0);
    disk.limit(None);

    let mut lost = begin(&bodies, b"lost");
    lost.push(record(b"lost"));
    lost.finish(true);
    while bodies.jobs_left() > 1 {
        bodies.step().unwrap();
    }
    disk.plan(disk.operations() + 1, Fault::Io);
    let error = bodies.step().unwrap_err();
    assert_eq!(bodies.step().unwrap_err().to_string(), error.to_string());
    assert_eq!(lost.progress(), Progress::Arriving);
}

#[test]
fn who_brings_more_than_the_disk_takes_waits_and_is_woken() {
    let bodies = open(&SimDisk::new(5));
    let bell = Arc::new(Bell::default());
    let waiter = Arc::clone(&bell) as Arc<dyn Wake>;
    assert!(!bodies.holds_up(&waiter));
    let mut spool = begin(&bodies, &[0; 1]);
    for _ in 0..8 {
        spool.push(vec![0; BODIES_ARRIVING / 8]);
    }
    assert!(bodies.holds_up(&waiter));
    assert!(bodies.holds_up(&waiter));
    let mut steps = 0;
    while bell.0.load(Ordering::Relaxed) == 0 {
        assert_eq!(bodies.step().unwrap(), Step::Done);
        steps += 1;
    }
    assert_eq!(steps, 4);
    assert!(!bodies.holds_up(&waiter));
    // What its publisher gave up is not written any more.
    drop(spool);
    work(&bodies);
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    bodies.sweep().unwrap();
    assert!(bodies.files().is_empty());
}
