//! Written, read, given back, used again; and what is not as it was written is refused.

use std::io::IoSlice;
use std::sync::Arc;

use crate::message::StoredPage;
use crate::store::StoreError;
use crate::store::io::{Disk, Fault, RealDisk, SimDisk};
use crate::store::pages::{FILE, Pages};

const UNIT: u64 = 4_096;

type Opened = Result<(Arc<Pages>, Vec<Arc<StoredPage>>), StoreError>;

fn open(disk: &SimDisk, live: &[(u64, u32)]) -> Opened {
    Pages::open(Arc::new(disk.clone()), live)
}

/// Octets that differ by place and by `seed`.
fn octets(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|at| (at as u8).wrapping_mul(31).wrapping_add((at >> 8) as u8) ^ seed)
        .collect()
}

fn names(pages: &[Arc<StoredPage>]) -> Vec<(u64, u32)> {
    pages.iter().map(|page| (page.place, page.len)).collect()
}

/// Offset of the damage that this is about.
fn damage<T>(answer: Result<T, StoreError>) -> u64 {
    match answer.err() {
        Some(StoreError::Damaged { file, offset, .. }) => {
            assert_eq!(file, FILE);
            offset
        }
        other => panic!("not damage: {other:?}"),
    }
}

/// Lengths around every border.
const LENGTHS: [usize; 9] = [0, 1, 4_091, 4_092, 4_093, 8_188, 8_189, 65_536, 100_000];

#[test]
fn pages_are_read_back_also_from_a_real_file_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()));
    let (pages, none) = Pages::open(Arc::clone(&disk), &[]).unwrap();
    assert!(none.is_empty());
    assert_eq!(pages.bytes(), (UNIT, UNIT));
    let written: Vec<_> = LENGTHS
        .iter()
        .map(|len| pages.write(&octets(*len, 1)).unwrap())
        .collect();
    pages.sync().unwrap();
    let live = names(&written);
    let (again, found) = Pages::open(disk, &live).unwrap();
    assert_eq!(names(&found), live);
    for (pages, list) in [(&pages, &written), (&again, &found)] {
        for (page, len) in list.iter().zip(LENGTHS) {
            assert_eq!(pages.read(page).unwrap(), octets(len, 1));
        }
    }
    let units: u64 = LENGTHS
        .iter()
        .map(|len| (*len as u64 + 4).div_ceil(UNIT))
        .sum();
    assert_eq!(again.bytes(), ((units + 1) * UNIT, (units + 1) * UNIT));
}

#[test]
fn a_place_is_used_again_only_after_the_checkpoint() {
    let (pages, _) = open(&SimDisk::new(1), &[]).unwrap();
    let mut list: Vec<_> = (0..6)
        .map(|i| pages.write(&octets(5_000, i)).unwrap())
        .collect();
    let second = list.remove(1).place;
    let behind = pages.write(&octets(5_000, 6)).unwrap();
    assert!(behind.place > list[4].place, "not before it is said");

    let freed = pages.freed_so_far();
    let third = list.remove(1).place;
    let later = pages.write(&octets(5_000, 7)).unwrap();
    assert!(later.place > behind.place);
    pages.reuse(freed);
    let again = pages.write(&octets(5_000, 8)).unwrap();
    assert_eq!(again.place, second);
    let not_yet = pages.write(&octets(5_000, 9)).unwrap();
    assert!(not_yet.place > later.place, "given back after the question");

    // A checkpoint that failed: what it would have freed waits for the next.
    drop(pages.freed_so_far());
    let freed = pages.freed_so_far();
    pages.reuse(freed);
    assert_eq!(pages.write(&octets(8_000, 10)).unwrap().place, third);
    for (page, seed) in list.iter().zip([0, 3, 4, 5]) {
        assert_eq!(pages.read(page).unwrap(), octets(5_000, seed));
    }
}

#[test]
fn a_page_that_somebody_holds_keeps_its_place() {
    let (pages, _) = open(&SimDisk::new(1), &[]).unwrap();
    let page = pages.write(&octets(100, 1)).unwrap();
    let reader = Arc::clone(&page);
    drop(page);
    pages.reuse(pages.freed_so_far());
    let other = pages.write(&octets(100, 2)).unwrap();
    assert_ne!(other.place, reader.place);
    assert_eq!(pages.read(&reader).unwrap(), octets(100, 1));
}

#[test]
fn the_file_shrinks_when_its_end_is_free() {
    let disk = SimDisk::new(1);
    let (pages, _) = open(&disk, &[]).unwrap();
    let mut list: Vec<_> = (0..10)
        .map(|i| pages.write(&octets(4_000, i)).unwrap())
        .collect();
    list.drain(4..9);
    pages.reuse(pages.freed_so_far());
    assert_eq!(pages.bytes(), (6 * UNIT, 11 * UNIT));
    list.pop();
    pages.reuse(pages.freed_so_far());
    assert_eq!(pages.bytes(), (5 * UNIT, 5 * UNIT));
    assert_eq!(disk.content(FILE).len() as u64, 5 * UNIT);
    for (page, seed) in list.iter().zip(0..) {
        assert_eq!(pages.read(page).unwrap(), octets(4_000, seed));
    }

    // A device that refuses to shorten it is asked again.
    list.clear();
    disk.plan(0, Fault::Io);
    pages.reuse(pages.freed_so_far());
    assert_eq!(pages.bytes(), (UNIT, 5 * UNIT));
    pages.reuse(pages.freed_so_far());
    assert_eq!(pages.bytes(), (UNIT, UNIT));
    assert_eq!(disk.met()["Io at truncate"], 1);
}

#[test]
fn what_the_checkpoint_does_not_name_is_free() {
    let disk = SimDisk::new(1);
    let (pages, _) = open(&disk, &[]).unwrap();
    let list: Vec<_> = (0..8)
        .map(|i| pages.write(&octets(4_000, i)).unwrap())
        .collect();
    pages.sync().unwrap();
    let live = [names(&list)[5], names(&list)[1]];
    let (pages, found) = open(&disk, &live).unwrap();
    assert_eq!(names(&found), live);
    assert_eq!(pages.bytes(), (3 * UNIT, 7 * UNIT));
    // One, three, and the end.
    let places = [3 * UNIT, UNIT, 4 * UNIT, 5 * UNIT, 7 * UNIT];
    for (at, place) in places.into_iter().enumerate() {
        let len = if at == 0 { 5_000 } else { 10 };
        let page = pages.write(&octets(len, 50)).unwrap();
        if at == 0 {
            assert_eq!(page.place, place);
            drop(page);
            pages.reuse(pages.freed_so_far());
        }
    }
    for (page, seed) in found.iter().zip([5, 1]) {
        assert_eq!(pages.read(page).unwrap(), octets(4_000, seed));
    }
}

#[test]
fn every_flipped_bit_of_a_page_is_found() {
    let disk = SimDisk::new(1);
    let (pages, _) = open(&disk, &[]).unwrap();
    let first = pages.write(&octets(300, 1)).unwrap();
    let page = pages.write(&octets(300, 2)).unwrap();
    for at in 0..304 {
        for bit in 0..8 {
            let offset = page.place as usize + at;
            disk.flip(FILE, offset, bit);
            assert_eq!(damage(pages.read(&page)), page.place);
            assert_eq!(pages.read(&first).unwrap(), octets(300, 1));
            disk.flip(FILE, offset, bit);
        }
    }
    disk.plan(0, Fault::Flip);
    assert_eq!(damage(pages.read(&page)), page.place);
    assert_eq!(pages.read(&page).unwrap(), octets(300, 2));
}

#[test]
fn a_page_in_another_place_or_of_another_length_is_found() {
    let disk = SimDisk::new(1);
    let (pages, _) = open(&disk, &[]).unwrap();
    let page = pages.write(&[0; 300]).unwrap();
    let other = pages.write(&[1; 300]).unwrap();
    let copy = disk.content(FILE)[UNIT as usize..2 * UNIT as usize].to_vec();
    let file = disk.open(FILE).unwrap();
    file.write_at(&[IoSlice::new(&copy)], other.place).unwrap();
    assert_eq!(damage(pages.read(&other)), other.place);
    assert!(pages.read(&page).is_ok());

    let (again, found) = open(&disk, &[(page.place, 296), (other.place, 300)]).unwrap();
    assert_eq!(damage(again.read(&found[0])), page.place);

    // Nothing was ever written there.
    file.write_at(&[IoSlice::new(&[0; 8_192])], UNIT).unwrap();
    assert_eq!(damage(pages.read(&page)), page.place);
}

#[test]
fn a_file_cut_short_is_found() {
    let disk = SimDisk::new(1);
    let (pages, _) = open(&disk, &[]).unwrap();
    let page = pages.write(&octets(300, 1)).unwrap();
    let live = names(&[Arc::clone(&page)]);
    for len in (0..=page.place + 303).rev().step_by(7) {
        disk.open(FILE).unwrap().truncate(len).unwrap();
        assert_eq!(damage(pages.read(&page)), page.place);
        let found = damage(open(&disk, &live));
        assert_eq!(found, if len < 16 { 0 } else { len });
    }
}

#[test]
fn pages_that_cannot_be_are_refused() {
    let disk = SimDisk::new(1);
    let nowhere = [(UNIT, 1)];
    assert_eq!(damage(open(&disk, &nowhere)), 0);
    let (pages, _) = open(&disk, &[]).unwrap();
    let page = pages.write(&octets(9_000, 1)).unwrap();
    let last = pages.write(&octets(9_000, 1)).unwrap();
    for (live, offset) in [
        (vec![(0, 10)], 0),
        (vec![(page.place + 8, 10)], page.place + 8),
        (vec![(page.place, 9_000), (page.place, 9_000)], page.place),
        (
            vec![(page.place + UNIT, 10), (page.place, 4_093)],
            page.place + UNIT,
        ),
        (vec![(last.place, u32::MAX)], last.place + 9_004),
        (vec![(u64::MAX - UNIT + 1, 10)], last.place + 9_004),
    ] {
        assert_eq!(damage(open(&disk, &live)), offset, "{live:?}");
    }
    assert!(open(&disk, &[(page.place, 9_000), (last.place, 9_000)]).is_ok());
}

#[test]
fn a_header_that_is_not_ours_is_refused_unless_nothing_is_needed() {
    let disk = SimDisk::new(1);
    let (pages, _) = open(&disk, &[]).unwrap();
    let page = pages.write(&octets(10, 1)).unwrap();
    let live = names(&[page]);
    for at in 0..16 {
        disk.flip(FILE, at, 3);
        assert_eq!(damage(open(&disk, &live)), 0);
        disk.flip(FILE, at, 3);
    }
    assert!(open(&disk, &live).is_ok());

    let mut newer = disk.content(FILE)[..12].to_vec();
    newer[8] = 2;
    newer.extend_from_slice(&crc32c::crc32c(&newer).to_le_bytes());
    let file = disk.open(FILE).unwrap();
    file.write_at(&[IoSlice::new(&newer)], 0).unwrap();
    let refused = open(&disk, &live).err().unwrap();
    assert!(
        matches!(
            refused,
            StoreError::Version {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused}"
    );
    let (pages, _) = open(&disk, &[]).unwrap();
    assert_eq!(pages.bytes(), (UNIT, UNIT));
    let page = pages.write(&octets(10, 1)).unwrap();
    assert!(open(&disk, &names(&[page])).is_ok());
}

#[test]
fn a_file_whose_creation_was_interrupted_is_safe_with_its_first_page() {
    for kill_at in 1..6 {
        for seed in 0..40 {
            let disk = SimDisk::new(seed);
            disk.plan(kill_at, Fault::Crash);
            let _ = open(&disk, &[]);
            disk.restart();
            let (pages, _) = open(&disk, &[]).unwrap();
            let page = pages.write(&octets(5_000, 1)).unwrap();
            pages.sync().unwrap();
            let live = names(&[page]);
            disk.crash(seed);
            let (pages, found) = open(&disk, &live).unwrap();
            assert_eq!(pages.read(&found[0]).unwrap(), octets(5_000, 1));
        }
    }
}

/// Header, and a page at 4096, as version 1 wrote them first.
const VERSION_1: ([u8; 16], [u8; 7]) = (
    *b"LeveretP\x01\x00\x00\x00V\xf2\x89\x15",
    *b"abc\xd0\xc4\x0c\xef",
);

#[test]
fn what_the_first_version_wrote_is_read_and_written_alike() {
    let disk = SimDisk::new(1);
    let (header, octets) = VERSION_1;
    let file = disk.create(FILE).unwrap();
    file.write_at(&[IoSlice::new(&header)], 0).unwrap();
    file.write_at(&[IoSlice::new(&octets)], UNIT).unwrap();
    let (pages, found) = open(&disk, &[(UNIT, 3)]).unwrap();
    assert_eq!(pages.read(&found[0]).unwrap(), b"abc");

    let disk = SimDisk::new(1);
    let (pages, _) = open(&disk, &[]).unwrap();
    pages.write(b"abc").unwrap();
    let content = disk.content(FILE);
    assert_eq!(content[..16], header);
    assert_eq!(content[UNIT as usize..], octets);
}

#[test]
fn a_failed_write_changes_nothing() {
    for fault in [Fault::NoSpace, Fault::Io, Fault::Short] {
        let disk = SimDisk::new(1);
        let (pages, _) = open(&disk, &[]).unwrap();
        let page = pages.write(&octets(300, 1)).unwrap();
        let before = pages.bytes().0;
        disk.plan(0, fault);
        let error = pages.write(&octets(70_000, 2)).err().unwrap();
        assert_eq!(error.is_full(), fault == Fault::NoSpace);
        assert_eq!(pages.bytes().0, before);
        let next = pages.write(&octets(300, 3)).unwrap();
        assert_eq!(next.place, page.place + UNIT);
        assert_eq!(pages.read(&page).unwrap(), octets(300, 1));
        assert_eq!(pages.read(&next).unwrap(), octets(300, 3));
    }
}

#[test]
fn after_a_failed_sync_nothing_is_safe_any_more() {
    let disk = SimDisk::new(1);
    let (pages, _) = open(&disk, &[]).unwrap();
    let page = pages.write(&octets(300, 1)).unwrap();
    disk.plan(0, Fault::Io);
    let first = pages.sync().unwrap_err().to_string();
    assert!(first.contains(FILE), "{first}");
    assert_eq!(pages.sync().unwrap_err().to_string(), first);
    assert_eq!(pages.read(&page).unwrap(), octets(300, 1));
}

#[test]
fn threads_do_not_disturb_each_other() {
    let (pages, _) = open(&SimDisk::new(1), &[]).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let pages = &pages;
            scope.spawn(move || {
                let mut held = Vec::new();
                for round in 0..200usize {
                    let len = (round * 97 + usize::from(thread) * 1_000) % 10_000;
                    held.push((pages.write(&octets(len, thread)).unwrap(), len));
                    if round % 3 == 2 {
                        held.swap_remove(round % held.len());
                        pages.reuse(pages.freed_so_far());
                    }
                    for (page, len) in held.iter().step_by(7) {
                        assert_eq!(pages.read(page).unwrap(), octets(*len, thread));
                    }
                }
                for (page, len) in &held {
                    assert_eq!(pages.read(page).unwrap(), octets(*len, thread));
                }
            });
        }
    });
    pages.reuse(pages.freed_so_far());
    assert_eq!(pages.bytes(), (UNIT, UNIT));
}
