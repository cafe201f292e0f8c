//! One priority's messages by themselves.

use std::sync::Arc;

use crate::message::{Chunk, Record};
use crate::queue::block::Arriving;
use crate::queue::level::Level;

fn plain(size: u32) -> Arriving {
    Arriving {
        offset: 0,
        size,
        expires_at: u64::MAX,
        logged: false,
    }
}

fn chunk_of(body: &[u8]) -> Arc<Chunk> {
    let mut data = Vec::new();
    Record {
        body,
        ..Record::default()
    }
    .write(&mut data);
    Chunk::new(data)
}

#[test]
fn one_held_message_pins_neither_bodies_nor_entries() {
    let mut level = Level::default();
    let before = crate::message::chunk::bytes_held();
    let body = [7u8; 1000];
    let mut held = None;
    for i in 0..100_000u64 {
        let number = level.push(&chunk_of(&body), plain(1000));
        assert_eq!(level.head(), Some(number));
        level.deliver(number);
        if i == 10 {
            held = Some(number);
        } else {
            level.settle(number);
        }
    }
    assert!(level.block_count() <= 2);
    // The other tests of the process hold chunks too; ten blocks' worth would be a leak.
    assert!(crate::message::chunk::bytes_held() < before + 20_000_000);
    let meta = level.get(held.unwrap()).unwrap();
    let chunk = level.chunk(held.unwrap()).unwrap();
    assert_eq!(chunk.record(meta.offset).body, &body);
}

#[test]
fn returned_messages_come_first_and_in_order() {
    let mut level = Level::default();
    let chunk = chunk_of(b"x");
    for _ in 0..10 {
        level.push(&chunk, plain(1));
    }
    for number in 0..5 {
        assert_eq!(level.head(), Some(number));
        level.deliver(number);
    }
    level.give_back(3, true, true);
    level.give_back(1, true, true);
    assert_eq!(level.head(), Some(1));
    level.deliver(1);
    assert_eq!(level.head(), Some(3));
    level.deliver(3);
    assert_eq!(level.head(), Some(5));
    assert_eq!(level.get(3).unwrap().count, 1);
    level.give_back_at_end(3, true, true);
    level.push(&chunk, plain(1));
    for number in 5..10 {
        assert_eq!(level.head(), Some(number));
        level.deliver(number);
    }
    let end = level.head().unwrap();
    assert_eq!(
        level.get(end).unwrap().count,
        2,
        "returned to the end of that moment"
    );
}
