//! Any rows are read as they were written; any octets are read or refused.

use proptest::prelude::*;

use super::{read_all, write};
use crate::store::Position;
use crate::store::checkpoint::rows::{Last, Rows};
use crate::store::checkpoint::{AwayRow, MessageRow, Row};
use crate::store::io::SimDisk;

/// Numbers near both ends, small ones and any.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..3u64,
        (u64::MAX - 2)..=u64::MAX,
        0..100_000u64,
        any::<u64>(),
    ]
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..3u32,
        (u32::MAX - 2)..=u32::MAX,
        0..100_000u32,
        any::<u32>()
    ]
}

fn away() -> impl Strategy<Value = AwayRow> {
    (
        (number(), small(), small(), number(), number(), number()),
        (number(), small()),
        prop::collection::vec((small(), number()), 0..6),
    )
        .prop_map(|(numbers, page, files)| AwayRow {
            base: numbers.0,
            span: numbers.1,
            live: numbers.2,
            bytes: numbers.3,
            first: numbers.4,
            earliest_expiry: numbers.5,
            page,
            files,
        })
}

fn message() -> impl Strategy<Value = MessageRow> {
    let expiry = prop_oneof![Just(u64::MAX), number()];
    let count = prop_oneof![Just(0), small()];
    (
        (number(), small(), small(), small()),
        any::<bool>(),
        count,
        expiry,
    )
        .prop_map(|(numbers, redelivered, count, expires_at)| MessageRow {
            number: numbers.0,
            file: numbers.1,
            offset: numbers.2,
            size: numbers.3,
            redelivered,
            count,
            expires_at,
        })
}

fn row() -> impl Strategy<Value = Row> {
    prop_oneof![
        1 => number().prop_map(Row::Queue),
        1 => (any::<u8>(), number(), prop::option::of(number())).prop_map(
            |(priority, next, delivered)| Row::Level {
                priority,
                next,
                delivered
            }
        ),
        1 => away().prop_map(Row::Away),
        3 => message().prop_map(Row::Message),
    ]
}

/// Messages as they follow each other in a queue: each differs little from the one before.
fn run() -> impl Strategy<Value = Vec<Row>> {
    (
        message(),
        prop::collection::vec((0..4u64, 0..2u32, any::<u16>(), 0..3u8), 0..50),
    )
        .prop_map(|(first, steps)| {
            let mut row = first;
            let mut rows = vec![Row::Message(row)];
            for (number, file, offset, rare) in steps {
                row.number = row.number.wrapping_add(number);
                row.file = row.file.wrapping_add(file);
                row.offset = row.offset.wrapping_add(offset.into());
                row.redelivered = rare == 1;
                row.size = row.size.wrapping_add(u32::from(rare == 2));
                rows.push(Row::Message(row));
            }
            rows
        })
}

fn position() -> impl Strategy<Value = Position> {
    (any::<u32>(), any::<u32>()).prop_map(|(file, offset)| Position::new(file, offset))
}

proptest! {
    #[test]
    fn rows_are_read_as_they_were_written(
        position in position(),
        runs in prop::collection::vec(
            prop_oneof![prop::collection::vec(row(), 0..40), run()],
            0..5,
        ),
    ) {
        let rows = runs.concat();
        let disk = SimDisk::new(1);
        let octets = write(&disk, position, &rows).unwrap();
        prop_assert_eq!(octets, disk.content("checkpoint").len() as u64);
        let (found, answer) = read_all(&disk);
        prop_assert_eq!(answer.unwrap(), Some(position));
        prop_assert_eq!(found, rows);
    }

    #[test]
    fn any_octets_are_rows_or_refused(
        tag in prop_oneof![0..6u8, 128..200u8, any::<u8>()],
        octets in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let octets = [vec![tag], octets].concat();
        let mut rows = Rows { rest: &octets };
        let mut last = Last::default();
        while !rows.rest.is_empty() {
            let before = rows.rest.len();
            if rows.row(&mut last).is_none() {
                break;
            }
            prop_assert!(rows.rest.len() < before);
        }
    }
}
