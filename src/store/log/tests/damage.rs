//! Damage to what was synced is told from a torn tail, with file and offset, and changes nothing.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::life::{SEGMENT, open, payload};
use crate::store::io::{Disk, SimDisk};
use crate::store::log::{HEADER_LEN, PREFIX_LEN};
use crate::store::{Entry, Position, StoreError};

/// A log of several files and batches; the position of each entry and the octets it means.
fn filled(seed: u64) -> (SimDisk, Vec<(Position, usize)>) {
    let disk = SimDisk::new(seed);
    let mut rng = StdRng::seed_from_u64(seed);
    let (log, _) = open(&disk, Position::ZERO).unwrap();
    let mut id = 0;
    while log.position().file < 5 || id < 60 {
        log.append(Entry::local(1, payload(seed, id), None));
        id += 1;
        if rng.random_bool(0.2) {
            while log.step().unwrap() {}
        }
    }
    while log.step().unwrap() {}
    let (_, seen) = open(&disk, Position::ZERO).unwrap();
    assert_eq!(seen.len() as u64, id);
    let places = seen.into_iter().map(|(at, payload)| (at, payload.len()));
    (disk, places.collect())
}

fn name(file: u32) -> String {
    format!("{file:010}.log")
}

/// The file and offset that opening from `from` refuses.
fn refused(disk: &SimDisk, from: Position) -> (String, u64) {
    let before: Vec<_> = disk
        .list()
        .unwrap()
        .iter()
        .map(|n| disk.content(n))
        .collect();
    let found = match open(disk, from) {
        Err(StoreError::Damaged { file, offset, .. }) => (file, offset),
        Err(other) => panic!("{other}"),
        Ok((_, seen)) => panic!("opened with {} entries", seen.len()),
    };
    let after: Vec<_> = disk
        .list()
        .unwrap()
        .iter()
        .map(|n| disk.content(n))
        .collect();
    assert_eq!(before, after);
    found
}

#[test]
fn one_bit_below_the_last_mark_is_refused_where_it_is() {
    for seed in 0..60 {
        let (disk, places) = filled(seed);
        let mut rng = StdRng::seed_from_u64(!seed);
        // One more batch: its mark covers everything before.
        let (log, _) = open(&disk, Position::ZERO).unwrap();
        log.append(Entry::local(1, b"last".to_vec(), None));
        log.step().unwrap();
        let (at, len) = places[rng.random_range(0..places.len())];
        let octet = rng.random_range(0..PREFIX_LEN as usize + len);
        let bit = rng.random_range(0..8);
        disk.flip(&name(at.file), at.offset as usize + octet, bit);
        let found = refused(&disk, Position::ZERO);
        assert_eq!(found, (name(at.file), at.offset.into()), "seed {seed}");
        // From behind it nothing is wrong.
        let next = places.iter().find(|(place, _)| *place > at);
        if let Some((next, _)) = next {
            assert!(open(&disk, *next).is_ok());
        }
    }
}

#[test]
fn a_damaged_header_is_refused_unless_nothing_was_synced_behind_it() {
    let (disk, places) = filled(7);
    let files = places.last().unwrap().0.file;
    for file in 1..files {
        for octet in [0, 8, 13, 20, 40, 63] {
            disk.flip(&name(file), octet, 3);
            assert_eq!(refused(&disk, Position::ZERO), (name(file), 0));
            disk.flip(&name(file), octet, 3);
        }
    }
    // The checkpoint says that it was synced, even if no entry does.
    let last = places
        .iter()
        .rfind(|(at, _)| at.offset == HEADER_LEN)
        .unwrap()
        .0;
    disk.flip(&name(last.file), 0, 0);
    assert_eq!(refused(&disk, last), (name(last.file), 0));
}

#[test]
fn the_end_of_a_file_that_is_missing_is_damage_though_no_entry_of_it_is_left() {
    let (disk, places) = filled(3);
    // The last entry of the second file is blotted out whole: the third says that it was there.
    let (at, len) = *places.iter().rfind(|(at, _)| at.file == 2).unwrap();
    let start = at.offset as usize;
    let octets = disk.content(&name(2));
    for (offset, octet) in octets
        .iter()
        .enumerate()
        .skip(start)
        .take(PREFIX_LEN as usize + len)
    {
        (0..8)
            .filter(|bit| octet >> bit & 1 == 1)
            .for_each(|bit| disk.flip(&name(2), offset, bit));
    }
    let found = refused(&disk, Position::ZERO);
    assert_eq!(found, (name(2), at.offset.into()));
}

#[test]
fn a_missing_file_is_refused_from_a_checkpoint_and_left_out_of_a_rebuild() {
    let (disk, places) = filled(5);
    disk.remove(&name(3)).unwrap();
    let from = Position::new(2, HEADER_LEN);
    assert_eq!(refused(&disk, from), (name(3), 0));
    assert_eq!(refused(&disk, Position::new(3, HEADER_LEN)), (name(3), 0));
    let (_, seen) = open(&disk, Position::ZERO).unwrap();
    let expected = places.iter().filter(|(at, _)| at.file != 3);
    assert!(seen.iter().map(|(at, _)| at).eq(expected.map(|(at, _)| at)));
}

#[test]
fn a_file_of_another_version_is_named_with_it() {
    let (disk, _) = filled(1);
    let mut header = disk.content(&name(1))[..60].to_vec();
    header[8] = 2;
    let crc = crc32c::crc32c(&header).to_le_bytes();
    let file = disk.open(&name(1)).unwrap();
    let parts = [&header, crc.as_slice()].map(std::io::IoSlice::new);
    file.write_at(&parts, 0).unwrap();
    let error = open(&disk, Position::ZERO).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "0000000001.log has format version 2; this program reads version 1. Start the version that wrote it"
    );
}

#[test]
fn a_tail_of_any_octets_is_cut() {
    for seed in 0..40 {
        let (disk, places) = filled(seed);
        let mut rng = StdRng::seed_from_u64(seed);
        let (at, len) = *places.last().unwrap();
        let end = at.offset as usize + (PREFIX_LEN as usize + len).next_multiple_of(8);
        let file = disk.open(&name(at.file)).unwrap();
        let garbage: Vec<u8> = match seed % 3 {
            0 => vec![0; SEGMENT as usize],
            1 => vec![0xff; SEGMENT as usize],
            _ => (0..SEGMENT).map(|_| rng.random()).collect(),
        };
        let room = (SEGMENT as usize).saturating_sub(end);
        file.write_at(&[std::io::IoSlice::new(&garbage[..room])], end as u64)
            .unwrap();
        let (log, seen) = open(&disk, Position::ZERO).unwrap();
        assert!(
            seen.iter()
                .map(|(at, _)| at)
                .eq(places.iter().map(|(at, _)| at))
        );
        assert!(
            disk.content(&name(at.file))[end..]
                .iter()
                .all(|octet| *octet == 0)
        );
        log.append(Entry::local(1, b"more".to_vec(), None));
        log.step().unwrap();
        let (_, seen) = open(&disk, Position::ZERO).unwrap();
        assert_eq!(seen.last().unwrap().1, b"more");
        assert_eq!(seen.len(), places.len() + 1);
    }
}

#[test]
fn what_is_left_of_a_torn_batch_does_not_come_back_behind_what_replaces_it() {
    let disk = SimDisk::new(1);
    let entry = |word: &[u8]| Entry::local(1, word.to_vec(), None);
    let (log, _) = open(&disk, Position::ZERO).unwrap();
    for word in [b"first", b"torn!", b"later"] {
        log.append(entry(word));
    }
    log.step().unwrap();
    // The second entry of the only batch did not arrive, the third did.
    let second = HEADER_LEN as usize + 48;
    disk.flip(&name(1), second, 0);
    let words = |seen: Vec<(Position, Vec<u8>)>| seen.into_iter().map(|s| s.1).collect::<Vec<_>>();
    let (log, seen) = open(&disk, Position::ZERO).unwrap();
    assert_eq!(words(seen), [b"first"]);
    log.append(entry(b"again"));
    log.step().unwrap();
    let (_, seen) = open(&disk, Position::ZERO).unwrap();
    assert_eq!(words(seen), [b"first", b"again"]);
}
