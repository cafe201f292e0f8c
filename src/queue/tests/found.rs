//! What is found in a log whose end is lost, whose entries lie in another order than things
//! happened, or part of which has been copied.

use super::disk::{Disk, QUEUE};
use super::outlet::write_named;
use crate::message::{Body, Chunk, Home};
use crate::queue::{Contents, MessageId};
use crate::store::batch::Draft;
use crate::store::checkpoint::{MessageRow, Row};

/// Writes that messages came, from number `first` on.
fn place(disk: &mut Disk, first: u64, names: &[&str], expires_at: u64) {
    let mut data = Vec::new();
    let offsets: Vec<u32> = names
        .iter()
        .map(|name| write_named(&mut data, name, name.len()))
        .collect();
    let mut draft = Draft::default();
    draft.placed(QUEUE, first, expires_at, offsets.into_iter());
    draft.set_chunk(&Chunk::new(data));
    disk.append(draft);
    disk.tell();
}

fn note(disk: &mut Disk, fact: impl FnOnce(&mut Draft)) {
    let mut draft = Draft::default();
    fact(&mut draft);
    disk.append(draft);
}

/// Number, name, count and redelivered of each message of the lowest priority.
fn all(contents: &Contents, disk: &Disk) -> Vec<(u64, String, u32, bool)> {
    let (_, level) = contents.levels().next().unwrap();
    let live = (0..level.next()).filter_map(|number| Some((number, level.get(number)?)));
    live.map(|(number, meta)| {
        let body = contents.body(MessageId::new(0, number)).unwrap();
        let name = disk.name_of(&body);
        (number, name, meta.count, meta.redelivered)
    })
    .collect()
}

fn one(number: u64, name: &str, count: u32, redelivered: bool) -> (u64, String, u32, bool) {
    (number, name.to_owned(), count, redelivered)
}

fn home_of(contents: &Contents, number: u64) -> Home {
    match contents.body(MessageId::new(0, number)) {
        Some(Body::Stored(home)) => home,
        other => panic!("{other:?}"),
    }
}

/// What is told of a message whose arrival is lost never becomes true of the one that comes next.
#[test]
fn numbers_that_were_named_are_not_used_again() {
    let facts: [fn(&mut Draft); 4] = [
        |draft| draft.settled(QUEUE, 8, 2),
        |draft| draft.returned(QUEUE, 9, 1),
        |draft| draft.moved(QUEUE, 2, 9, 1),
        |draft| draft.delivered(QUEUE, 9),
    ];
    for fact in facts {
        let mut disk = Disk::default();
        place(&mut disk, 0, &["a", "b"], u64::MAX);
        note(&mut disk, fact);
        let mut contents = disk.recover(1, None);
        let level = contents.level_made(0);
        assert_eq!(level.next(), 10);
        let found: Vec<u64> = (0..level.next())
            .filter(|n| level.get(*n).is_some())
            .collect();
        assert_eq!(found, [0, 1]);
    }
}

#[test]
fn a_message_is_followed_however_often_it_moved() {
    for shuffle in (0..50).map(Some).chain([None]) {
        let mut disk = Disk::default();
        place(&mut disk, 0, &["a", "b", "c"], 77);
        note(&mut disk, |draft| draft.moved(QUEUE, 0, 3, 1));
        note(&mut disk, |draft| draft.moved(QUEUE, 1, 4, 1));
        note(&mut disk, |draft| draft.moved(QUEUE, 3, 5, 2));
        note(&mut disk, |draft| draft.moved(QUEUE, 4, 6, 2));
        note(&mut disk, |draft| draft.settled(QUEUE, 6, 1));
        for times in [1, 3] {
            let contents = disk.recover(times, shuffle);
            let expected = [one(2, "c", 0, false), one(5, "a", 2, true)];
            assert_eq!(all(&contents, &disk), expected, "{times} {shuffle:?}");
            assert_eq!(contents.earliest_expiry(), 77);
        }
    }
}

#[test]
fn returns_are_told_in_any_order() {
    let mut disk = Disk::default();
    note(&mut disk, |draft| draft.returned(QUEUE, 0, 2));
    note(&mut disk, |draft| draft.returned(QUEUE, 0, 1));
    place(&mut disk, 0, &["a"], u64::MAX);
    for times in [1, 2] {
        let contents = disk.recover(times, None);
        assert_eq!(all(&contents, &disk), [one(0, "a", 2, true)]);
    }
}

/// The index of a message may lie in a page when the log says something of it.
#[test]
fn pages_are_read_where_the_log_goes_on() {
    type Change = fn(&mut Draft);
    let changes: [(Change, u64, u64); 3] = [
        (|draft| draft.moved(QUEUE, 5, 1024, 1), 5, 1024),
        (|draft| draft.returned(QUEUE, 5, 1), 6000, 5),
        (|draft| draft.settled(QUEUE, 5, 1), 5, 6),
    ];
    for (change, gone, there) in changes {
        let mut disk = Disk::default();
        let names: Vec<String> = (0..1024).map(|number| format!("n{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        place(&mut disk, 0, &names, u64::MAX);
        let mut contents = disk.recover(1, None);
        for draft in contents.level_made(0).drafts(true, false, 9) {
            let page = disk.write_page(draft.octets.clone());
            contents.level_made(0).put_away(draft.at(page));
        }
        let away = contents.get(MessageId::new(0, 5)).is_none();
        assert!(away && contents.ready() == 1024, "the block is away");
        disk.begin_checkpoint();
        disk.end_checkpoint(&contents);
        drop(contents);
        note(&mut disk, change);
        let contents = disk.recover(2, None);
        let found = all(&contents, &disk);
        assert_eq!(found.len() as u64, contents.ready());
        assert!(found.iter().all(|(number, ..)| *number != gone));
        let message = found.iter().find(|(number, ..)| *number == there);
        let name = if there == 6 { "n6" } else { "n5" };
        let returns = u32::from(there != 6);
        assert_eq!(message, Some(&one(there, name, returns, returns > 0)));
        drop(contents);
        disk.assert_dead();
    }
}

/// The copy of a message may have been begun before it came back.
#[test]
fn a_copy_takes_no_returns_away() {
    let mut disk = Disk::default();
    place(&mut disk, 4, &["a"], u64::MAX);
    let first = disk.recover(1, None);
    let home = home_of(&first, 4);
    disk.put_checkpoint(vec![
        Row::Level {
            priority: 0,
            next: 5,
            delivered: None,
        },
        Row::Message(MessageRow {
            number: 4,
            file: home.file.number,
            offset: home.offset,
            size: 1,
            redelivered: true,
            count: 3,
            expires_at: u64::MAX,
        }),
    ]);
    place(&mut disk, 4, &["a"], u64::MAX);
    let contents = disk.recover(1, None);
    assert_eq!(all(&contents, &disk), [one(4, "a", 3, true)]);
    let copy = home_of(&contents, 4);
    let place = |home: &Home| (home.file.number, home.offset);
    assert!(place(&copy) > place(&home), "the older file may be gone");
}

/// Messages lie wherever their numbers say, with as many blocks and holes between them as may be.
#[test]
fn holes_between_numbers_stay_holes() {
    let mut disk = Disk::default();
    let numbers = [
        0, 1, 4095, 4096, 5000, 9095, 9096, 9100, 40_000, 40_001, 44_097,
    ];
    for number in numbers {
        place(&mut disk, number, &[&format!("n{number}")], u64::MAX);
    }
    note(&mut disk, |draft| draft.settled(QUEUE, 9095, 2));
    let mut contents = disk.recover(2, Some(1));
    let left: Vec<u64> = numbers
        .into_iter()
        .filter(|number| !(9095..=9096).contains(number))
        .collect();
    for number in &left {
        let id = contents.head().unwrap();
        assert_eq!(id.number(), *number);
        let name = disk.name_of(&contents.body(id).unwrap());
        assert_eq!(name, format!("n{number}"));
        contents.deliver(id);
    }
    assert_eq!(contents.head(), None);
    let totals = contents.totals();
    assert_eq!((totals.ready, totals.unacked), (0, left.len() as u64));
    for number in &left {
        let id = MessageId::new(0, *number);
        assert!(contents.settle(id).is_some());
        assert!(contents.settle(id).is_none());
    }
    assert_eq!(contents.totals(), Default::default());
    assert_eq!(contents.level_made(0).next(), 44_098);
    drop(contents);
    disk.assert_dead();
}
