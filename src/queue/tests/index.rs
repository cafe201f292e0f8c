//! What the index of a queue keeps when the queue is empty, or holds one old message.
//!
//! The count of its octets is the process's; other tests add some hundreds of kilobytes to it at
//! any moment, so that these use far more and allow for that.

use std::sync::{Mutex, PoisonError};

use super::outlet::{arriving, write_named};
use crate::message::Chunk;
use crate::queue::Contents;
use crate::queue::block::index_bytes;

const MESSAGES: usize = 1_000_000;

/// What other tests may hold at the same time.
const NOISE: u64 = 4_000_000;

/// These tests count what the other one holds.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn fill(contents: &mut Contents, expires_at: u64) {
    let mut data = Vec::new();
    let offset = write_named(&mut data, "m", 1);
    let chunk = Chunk::new(data);
    for _ in 0..MESSAGES {
        contents.push(0, &chunk, arriving(offset, 1, expires_at));
    }
}

#[test]
fn an_empty_queue_keeps_no_index() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = index_bytes();
    let mut contents = Contents::default();
    for expires_at in [u64::MAX, 1] {
        fill(&mut contents, expires_at);
        let full = index_bytes();
        let entries = MESSAGES as u64 * 12;
        assert!(full + NOISE > before + entries, "{full} octets are not all");
        assert!(full < before + entries * 3 + NOISE, "{full} octets");
        while let Some(id) = contents.head() {
            contents.settle(id);
        }
        let empty = index_bytes();
        assert!(empty < before + NOISE, "{empty} octets when empty");
    }
}

#[test]
fn old_messages_keep_only_their_own_entries() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = index_bytes();
    let mut contents = Contents::default();
    fill(&mut contents, u64::MAX);
    let mut kept = 0;
    for at in 0..MESSAGES {
        let id = contents.head().unwrap();
        contents.deliver(id);
        if at % 10_000 == 0 {
            kept += 1;
        } else {
            contents.settle(id);
        }
    }
    // The newcomers pass through.
    fill(&mut contents, u64::MAX);
    while let Some(id) = contents.head() {
        contents.settle(id);
    }
    assert_eq!(contents.totals().unacked, kept);
    let left = index_bytes();
    assert!(left < before + NOISE, "{left} octets for {kept} messages");
}
