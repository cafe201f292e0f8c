//! Written and read; missing, damaged and of a later version told apart.

use std::io::IoSlice;

use super::{read_all, write};
use crate::store::checkpoint::write::BLOCK;
use crate::store::checkpoint::{AwayRow, FILE, MessageRow, Row, read};
use crate::store::io::{Disk, Fault, SimDisk};
use crate::store::{Position, StoreError};

const POSITION: Position = Position::new(3, 77);

/// One of everything.
fn some_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::Queue(7),
        Row::Level {
            priority: 0,
            next: 500,
            delivered: None,
        },
        Row::Away(AwayRow {
            base: 0,
            span: 400,
            live: 399,
            bytes: 40_000,
            first: 1,
            earliest_expiry: 1_800_000_000_000,
            page: (4_096, 9_000),
            files: vec![(1, 20_000), (2, 20_000)],
        }),
        Row::Level {
            priority: 9,
            next: 3,
            delivered: Some(1),
        },
    ];
    rows.extend((0..6u32).map(|i| {
        Row::Message(MessageRow {
            number: u64::from(i * i),
            file: 1 + i / 3,
            offset: 64 + i * 100,
            size: 60 + i / 2,
            redelivered: i < 2,
            count: i / 4,
            expires_at: if i % 2 == 0 {
                u64::MAX
            } else {
                1_700_000_000_000
            },
        })
    }));
    rows.push(Row::Queue(8));
    rows
}

/// A backlog of `count` messages as one queue has them.
fn backlog(count: u32) -> impl Iterator<Item = MessageRow> {
    (0..count).map(|i| MessageRow {
        number: u64::from(i) + 1,
        file: 1 + i / 500_000,
        offset: (i % 500_000) * 130 + i % 7,
        size: 100 + i % 30,
        redelivered: false,
        count: 0,
        expires_at: u64::MAX,
    })
}

fn is_damaged(answer: &Result<Option<Position>, StoreError>) -> bool {
    match answer {
        Err(StoreError::Damaged { file, .. }) => file == FILE,
        _ => false,
    }
}

#[test]
fn there_is_none_at_first() {
    let disk = SimDisk::new(1);
    let (rows, answer) = read_all(&disk);
    assert_eq!((rows, answer.unwrap()), (Vec::new(), None));
    write(&disk, Position::ZERO, &[]).unwrap();
    let (rows, answer) = read_all(&disk);
    assert_eq!((rows, answer.unwrap()), (Vec::new(), Some(Position::ZERO)));
    write(&disk, POSITION, &some_rows()).unwrap();
    let (rows, answer) = read_all(&disk);
    assert_eq!((rows, answer.unwrap()), (some_rows(), Some(POSITION)));
    assert_eq!(disk.list().unwrap(), [FILE]);
}

#[test]
fn every_flipped_bit_is_found_and_nothing_is_shown() {
    let disk = SimDisk::new(1);
    let len = write(&disk, POSITION, &some_rows()).unwrap();
    for at in 0..usize::try_from(len).unwrap() {
        for bit in 0..8 {
            disk.flip(FILE, at, bit);
            let (rows, answer) = read_all(&disk);
            assert!(is_damaged(&answer), "octet {at} bit {bit}: {answer:?}");
            assert_eq!(rows, []);
            disk.flip(FILE, at, bit);
        }
    }
    assert_eq!(read_all(&disk).0, some_rows());
}

#[test]
fn every_cut_and_anything_behind_the_end_is_found() {
    let disk = SimDisk::new(1);
    let len = write(&disk, POSITION, &some_rows()).unwrap();
    let whole = disk.content(FILE);
    let file = disk.open(FILE).unwrap();
    for cut in (0..len).rev() {
        file.truncate(cut).unwrap();
        let (rows, answer) = read_all(&disk);
        assert!(is_damaged(&answer), "{cut} octets: {answer:?}");
        assert_eq!(rows, []);
    }
    file.write_at(&[IoSlice::new(&whole)], 0).unwrap();
    assert_eq!(read_all(&disk).0, some_rows());
    for tail in [&[0][..], &[0; 8], &whole] {
        file.write_at(&[IoSlice::new(tail)], len).unwrap();
        let (rows, answer) = read_all(&disk);
        assert!(is_damaged(&answer), "{answer:?}");
        assert_eq!(rows, []);
        file.truncate(len).unwrap();
    }
}

#[test]
fn every_sector_of_zeros_is_found() {
    let disk = SimDisk::new(1);
    let rows: Vec<Row> = backlog(3_000).map(Row::Message).collect();
    let len = write(&disk, POSITION, &rows).unwrap();
    let whole = disk.content(FILE);
    let file = disk.open(FILE).unwrap();
    for at in (0..len).step_by(512) {
        let some = (len - at).min(512) as usize;
        file.write_at(&[IoSlice::new(&vec![0; some])], at).unwrap();
        let (rows, answer) = read_all(&disk);
        assert!(is_damaged(&answer), "zeros at {at}: {answer:?}");
        assert_eq!(rows, []);
        file.write_at(&[IoSlice::new(&whole)], 0).unwrap();
    }
    assert_eq!(read_all(&disk).0, rows);
}

#[test]
fn blocks_of_another_order_or_another_checkpoint_are_found() {
    let disk = SimDisk::new(1);
    let rows: Vec<Row> = backlog(400_000).map(Row::Message).collect();
    let len = write(&disk, POSITION, &rows).unwrap();
    let whole = disk.content(FILE);
    let length_at = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let first = 24;
    let second = first + 8 + length_at(first);
    let third = second + 8 + length_at(second);
    assert!(length_at(first) >= BLOCK && third < whole.len() - 8);

    let swapped = [&whole[second..third], &whole[first..second]].concat();
    let file = disk.open(FILE).unwrap();
    file.write_at(&[IoSlice::new(&swapped)], first as u64)
        .unwrap();
    assert!(is_damaged(&read_all(&disk).1));

    // The same rows at another position: every octet but those of the header and the checks agree.
    write(&disk, Position::new(4, 77), &rows).unwrap();
    let file = disk.open(FILE).unwrap();
    assert_eq!(file.len().unwrap(), len);
    file.write_at(&[IoSlice::new(&whole[second..third])], second as u64)
        .unwrap();
    let (shown, answer) = read_all(&disk);
    assert!(is_damaged(&answer), "{answer:?}");
    assert_eq!(shown, [], "the blocks before are whole");
}

/// [`some_rows`] at [`POSITION`] as version 1 wrote them first.
const VERSION_1: &str = "\
    4c65766572657443010000004d0000000300000042b9f59b4f000000767ab10301070200f403040090038f03\
    c0b8020181a0f1c2b1348020a8460202a09c0102a09c010309030188000280013cafc80180a0abfef9628206\
    c8013da40a02c80100920ec8013e01b612c8010100010800000000924a0783";

#[test]
fn what_the_first_version_wrote_is_read_and_written_alike() {
    let octets: Vec<u8> = (0..VERSION_1.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&VERSION_1[at..at + 2], 16).unwrap())
        .collect();
    let disk = SimDisk::new(1);
    let file = disk.create(FILE).unwrap();
    file.write_at(&[IoSlice::new(&octets)], 0).unwrap();
    let (rows, answer) = read_all(&disk);
    assert_eq!((rows, answer.unwrap()), (some_rows(), Some(POSITION)));
    write(&disk, POSITION, &some_rows()).unwrap();
    assert_eq!(disk.content(FILE), octets);
}

#[test]
fn a_later_version_is_named() {
    let disk = SimDisk::new(1);
    write(&disk, POSITION, &some_rows()).unwrap();
    let mut header = disk.content(FILE)[..20].to_vec();
    header[8] = 2;
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    let file = disk.open(FILE).unwrap();
    file.write_at(&[IoSlice::new(&header)], 0).unwrap();
    let (rows, answer) = read_all(&disk);
    assert_eq!(rows, []);
    assert!(
        matches!(
            answer,
            Err(StoreError::Version {
                found: 2,
                known: 1,
                ..
            })
        ),
        "{answer:?}"
    );
}

#[test]
fn rows_that_mean_nothing_are_refused_though_their_checksums_are_right() {
    let disk = SimDisk::new(1);
    let (header, check) = crate::store::checkpoint::format::encode_header(POSITION);
    for row in [
        &[0u8][..],
        &[5],
        &[1],
        &[1, 0x80],
        &[2, 0, 0x80],
        &[0xc0, 0],
        &[1; 3],
    ] {
        let mut octets = header.clone();
        let mut check = check;
        for block in [row, &[]] {
            let len = block.len() as u32;
            check = crate::store::checkpoint::format::check_of(check, len, block);
            octets.extend_from_slice(&len.to_le_bytes());
            octets.extend_from_slice(&check.to_le_bytes());
            octets.extend_from_slice(block);
        }
        let file = disk.create(FILE).unwrap();
        file.write_at(&[IoSlice::new(&octets)], 0).unwrap();
        let (_, answer) = read_all(&disk);
        assert!(is_damaged(&answer), "{row:?}: {answer:?}");
        disk.remove(FILE).unwrap();
    }
}

#[test]
fn a_long_backlog_takes_few_octets_and_bounded_room() {
    let disk = SimDisk::new(1);
    let count = 300_000;
    let rows: Vec<Row> = backlog(count).map(Row::Message).collect();
    let len = write(&disk, POSITION, &rows).unwrap();
    assert!(len > 2 * BLOCK as u64, "several blocks");
    assert!(len < 6 * u64::from(count), "{len} octets");
    assert_eq!(read_all(&disk).0, rows);
}

#[test]
fn a_disk_that_changes_its_answer_shows_no_wrong_row() {
    let disk = SimDisk::new(1);
    write(&disk, POSITION, &some_rows()).unwrap();
    let before = disk.operations();
    read_all(&disk).1.unwrap();
    let (mut refused, operations) = (0, disk.operations() - before);
    for at in 1..=operations {
        disk.plan(disk.operations() + at, Fault::Flip);
        let (rows, answer) = read_all(&disk);
        assert!(some_rows().starts_with(&rows), "{rows:?}");
        match answer {
            Ok(position) => assert_eq!((position, rows), (Some(POSITION), some_rows())),
            Err(_) => {
                assert!(is_damaged(&answer), "{answer:?}");
                refused += 1;
            }
        }
        disk.restart();
    }
    assert!(refused >= 6, "{refused} of {operations}");
}

#[test]
fn what_the_caller_refuses_ends_the_reading() {
    let disk = SimDisk::new(1);
    write(&disk, POSITION, &some_rows()).unwrap();
    let mut shown = 0;
    let answer = read(&disk, &mut |_| {
        shown += 1;
        match shown {
            3 => Err(StoreError::Refused("enough".into())),
            _ => Ok(()),
        }
    });
    assert_eq!(shown, 3);
    assert!(matches!(answer, Err(StoreError::Refused(_))));
}
