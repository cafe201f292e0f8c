//! The simulated disk keeps what it must keep, and loses all that it may lose.

use std::collections::BTreeSet;
use std::io::IoSlice;

use super::{Fault, SimDisk};
use crate::store::io::Disk;

const SECTOR: usize = 512;

/// A disk with one file of `octets` that is safe.
fn disk_with(octets: &[u8]) -> SimDisk {
    let disk = SimDisk::new(1);
    let file = disk.create("a").unwrap();
    file.write_at(&[IoSlice::new(octets)], 0).unwrap();
    file.sync().unwrap();
    disk.sync_folder().unwrap();
    disk
}

#[test]
fn what_is_synced_stays_and_what_is_not_may_be_there_in_any_part() {
    let mut found = BTreeSet::new();
    for seed in 0..400 {
        let disk = disk_with(&[1; 4 * SECTOR]);
        let file = disk.open("a").unwrap();
        file.write_at(
            &[IoSlice::new(&[2; SECTOR]), IoSlice::new(&[2; SECTOR])],
            SECTOR as u64,
        )
        .unwrap();
        disk.crash(seed);
        assert!(file.len().is_err(), "a file of before is open");
        let now = disk.content("a");
        assert_eq!((now[0], now[3 * SECTOR]), (1, 1));
        for sector in now.chunks(SECTOR) {
            assert!(sector.iter().all(|octet| *octet == sector[0]));
        }
        found.insert((now[SECTOR], now[2 * SECTOR]));
    }
    assert_eq!(found, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

#[test]
fn names_are_safe_after_a_sync_of_the_folder() {
    let mut found = BTreeSet::new();
    for seed in 0..400 {
        let disk = disk_with(b"a");
        disk.create("b").unwrap();
        disk.sync_folder().unwrap();
        disk.rename("a", "c").unwrap();
        disk.rename("c", "d").unwrap();
        disk.remove("b").unwrap();
        disk.create("e").unwrap();
        disk.crash(seed);
        found.insert(disk.list().unwrap().concat());
    }
    let all = ["a", "c", "d"].into_iter().flat_map(|name| {
        ["", "b"].into_iter().flat_map(move |b| {
            ["", "e"].map(|e| {
                let mut names = [name, b, e];
                names.sort_unstable();
                names.concat()
            })
        })
    });
    assert_eq!(found, all.collect());
}

#[test]
fn faults_come_when_planned_and_are_counted() {
    let disk = disk_with(&[1; 100]);
    let file = disk.open("a").unwrap();
    let next = disk.operations() + 1;
    disk.plan(next, Fault::NoSpace);
    disk.plan(next + 1, Fault::Io);
    let write = |octet: u8| file.write_at(&[IoSlice::new(&[octet; 100])], 0);
    assert_eq!(
        write(2).unwrap_err().kind(),
        std::io::ErrorKind::StorageFull
    );
    assert!(file.sync().is_err());
    disk.plan(0, Fault::Flip);
    let mut octets = [0; 100];
    file.read_at(&mut octets, 0).unwrap();
    let seen = disk.content("a");
    let bits: u32 = octets
        .iter()
        .zip(&seen)
        .map(|(a, b)| (a ^ b).count_ones())
        .sum();
    assert_eq!(bits, 1);
    disk.plan(0, Fault::Crash);
    assert!(write(3).is_err() && file.sync().is_err() && disk.list().is_err());
    disk.crash(1);
    assert!(disk.list().is_ok());
    let met: Vec<_> = disk.met().into_iter().collect();
    let expected = [
        "Crash at write",
        "Flip at read",
        "Io at sync",
        "NoSpace at write",
    ];
    assert_eq!(met, expected.map(|what| (what.to_owned(), 1)));
}

#[test]
fn after_a_failed_sync_a_second_one_does_not_help() {
    let lost = (0..50).filter(|seed| {
        let disk = SimDisk::new(*seed);
        let file = disk.create("a").unwrap();
        disk.sync_folder().unwrap();
        file.write_at(&[IoSlice::new(&[7])], 0).unwrap();
        disk.plan(0, Fault::Io);
        assert!(file.sync().is_err());
        file.sync().unwrap();
        disk.crash(0);
        disk.content("a").is_empty()
    });
    // The system holds what it believes to be written: a sync of it changes nothing.
    assert!((1..50).contains(&lost.count()));
}

#[test]
fn a_full_disk_takes_nothing_more() {
    let disk = disk_with(&[1; 100]);
    disk.limit(Some(150));
    assert_eq!(disk.free_bytes().unwrap(), 50);
    let file = disk.open("a").unwrap();
    assert!(file.allocate(151).is_err());
    file.allocate(150).unwrap();
    assert!(file.write_at(&[IoSlice::new(&[1; 10])], 145).is_err());
    file.write_at(&[IoSlice::new(&[1; 10])], 140).unwrap();
    disk.remove("a").unwrap();
    assert_eq!(disk.free_bytes().unwrap(), 150);
}

#[test]
fn a_file_that_was_removed_may_come_back_after_a_restart_and_a_loss_of_power() {
    let back = (0..100).filter(|seed| {
        let disk = SimDisk::new(1);
        disk.create("a").unwrap();
        disk.remove("a").unwrap();
        disk.restart();
        disk.crash(*seed);
        disk.open("a").is_ok_and(|file| file.is_empty().unwrap())
    });
    assert!((1..100).contains(&back.count()));
}
