//! The messages of one priority: blocks in order, a cursor over what was never delivered, and what
//! came back.

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::{Arriving, Block, Meta, Settled, State};
use super::runs::Runs;
use crate::limits::BLOCK_ENTRIES;
use crate::message::{Body, Chunk, Home};

/// How many messages a block lies behind the newest before it is thinned.
const THIN_BEHIND: u64 = 8 * crate::limits::BLOCK_ENTRIES as u64;

/// Messages of one priority, in order.
#[derive(Debug, Default)]
pub struct Level {
    blocks: VecDeque<Block>,
    /// The number the next message gets.
    next: u64,
    /// Every ready message below this number is in `returned`.
    cursor: u64,
    /// Numbers below the cursor that are ready again, or were never delivered to a client.
    returned: Runs,
    ready: u64,
    ready_bytes: u64,
    unacked: u64,
    unacked_bytes: u64,
}

/// Messages and octets of bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Octets of their bodies.
    pub ready_bytes: u64,
    /// Messages with a consumer.
    pub unacked: u64,
    /// Octets of their bodies.
    pub unacked_bytes: u64,
}

impl Level {
    /// Counts of this level.
    pub fn totals(&self) -> Totals {
        Totals {
            ready: self.ready,
            ready_bytes: self.ready_bytes,
            unacked: self.unacked,
            unacked_bytes: self.unacked_bytes,
        }
    }

    /// Ready messages.
    #[inline]
    pub fn ready(&self) -> u64 {
        self.ready
    }

    /// The number that goes with a message that leaves as it comes: nothing will name it again, so
    /// it uses up none.
    #[inline]
    pub fn pass(&self) -> u64 {
        self.next
    }

    /// Appends a message and returns its number.
    #[inline]
    pub fn push(&mut self, chunk: &Arc<Chunk>, message: Arriving) -> u64 {
        let number = self.next;
        match self
            .blocks
            .back_mut()
            .filter(|block| !block.is_full() && block.end() == number)
        {
            Some(block) => {
                block.push(chunk, message);
            }
            None => {
                let mut block = Block::new(number);
                block.push(chunk, message);
                self.blocks.push_back(block);
                self.thin_old();
            }
        }
        self.next += 1;
        self.ready += 1;
        self.ready_bytes += u64::from(message.size);
        number
    }

    /// Puts in a message that was found in the store, under its own number, which must be above
    /// every number so far.
    pub fn restore(&mut self, number: u64, home: &Home, message: Arriving) {
        if number < self.next {
            return;
        }
        let far = BLOCK_ENTRIES as u64;
        let fits = self
            .blocks
            .back()
            .is_some_and(|block| number - block.base() < far);
        if !fits {
            self.blocks.push_back(Block::new(number));
        }
        if let Some(block) = self.blocks.back_mut() {
            block.skip_to(number);
            block.push_stored(home, message);
        }
        self.next = number + 1;
        self.ready += 1;
        self.ready_bytes += u64::from(message.size);
    }

    /// Sets what is known of a restored message.
    pub fn mark(&mut self, number: u64, redelivered: bool, count: u32) {
        if let Some(index) = self.block_index(number)
            && let Some(block) = self.blocks.get_mut(index)
        {
            block.mark(number, redelivered, count);
        }
    }

    /// The next message gets at least this number.
    pub fn advance_next(&mut self, next: u64) {
        if next > self.next {
            self.next = next;
            if self.ready == 0 && self.unacked == 0 {
                self.reset();
            }
        }
    }

    /// The number that the next message gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Lets go of what lies in files as well, but for what is about to be delivered and, unless
    /// `all`, what came last.
    pub fn shed(&mut self, all: bool) {
        let cursor = self.cursor;
        let last = self.blocks.len().saturating_sub(if all { 0 } else { 2 });
        for block in self.blocks.iter_mut().take(last) {
            if all || !(block.base() <= cursor && cursor < block.end()) {
                block.shed();
            }
        }
    }

    /// Ready messages from the head on that lie in files, at most `octets` of them and `most`.
    pub fn wanted(&mut self, octets: u64, most: usize, out: &mut Vec<(u64, Home, u32)>) {
        let mut sum = 0;
        let mut looked = 0;
        let mut take = |level: &Self, number: u64| {
            let Some(block) = level
                .block_index(number)
                .and_then(|index| level.blocks.get(index))
            else {
                return false;
            };
            if let (Some(Body::Stored(home)), Some(meta)) = (block.body(number), block.get(number))
            {
                sum += u64::from(meta.size) + 64;
                out.push((number, home, meta.size));
            }
            looked += 1;
            sum < octets && out.len() < most && looked < 4 * most
        };
        let returned: Vec<(u64, u64)> = self.returned.iter().collect();
        for number in returned.iter().flat_map(|(first, last)| *first..=*last) {
            if !take(self, number) {
                return;
            }
        }
        let mut from = self.cursor;
        while let Some(number) = self.ready_from(from) {
            if !take(self, number) {
                return;
            }
            from = number + 1;
        }
    }

    fn ready_from(&self, from: u64) -> Option<u64> {
        let mut index = self.blocks.partition_point(|block| block.end() <= from);
        while let Some(block) = self.blocks.get(index) {
            if let Some(number) = block.next_ready(from.max(block.base())) {
                return Some(number);
            }
            index += 1;
        }
        None
    }

    /// Gives a message the chunk that was read for it.
    pub fn install(&mut self, number: u64, chunk: &Arc<Chunk>) {
        if let Some(index) = self.block_index(number)
            && let Some(block) = self.blocks.get_mut(index)
        {
            block.install(number, chunk);
        }
    }

    #[inline]
    fn block_index(&self, number: u64) -> Option<usize> {
        // Mostly the front block (in-order traffic), then the back one, else a binary search.
        let front = self.blocks.front()?;
        let index = if number < front.end() {
            0
        } else {
            self.blocks.partition_point(|block| block.end() <= number)
        };
        self.blocks
            .get(index)
            .filter(|block| block.base() <= number)
            .map(|_| index)
    }

    /// The facts of a live message.
    #[inline]
    pub fn get(&self, number: u64) -> Option<Meta> {
        self.blocks.get(self.block_index(number)?)?.get(number)
    }

    /// The chunk of a live message, if it is in memory.
    #[inline]
    pub fn chunk(&self, number: u64) -> Option<&Arc<Chunk>> {
        self.blocks.get(self.block_index(number)?)?.chunk(number)
    }

    /// Where the record of a live message can be had.
    pub fn body(&self, number: u64) -> Option<Body> {
        self.blocks.get(self.block_index(number)?)?.body(number)
    }

    /// Every live message with its place at rest, if it has one; in order.
    pub fn each_live(&self, mut visit: impl FnMut(u64, Meta, Option<Home>)) {
        for block in &self.blocks {
            for number in block.base()..block.end() {
                if let Some(meta) = block.get(number) {
                    visit(number, meta, block.home(number));
                }
            }
        }
    }

    /// The number of the message that leaves next.
    #[inline]
    pub fn head(&mut self) -> Option<u64> {
        if self.ready == 0 {
            return None;
        }
        let returned = self.returned.first();
        if let Some(number) = returned {
            // Everything returned lies below the cursor.
            return Some(number);
        }
        self.advance()
    }

    /// Moves the cursor to the first ready message at or after it.
    #[inline]
    fn advance(&mut self) -> Option<u64> {
        if self.cursor >= self.next {
            return None;
        }
        let mut index = match self.blocks.front() {
            Some(front) if self.cursor < front.end() => 0,
            _ => self
                .blocks
                .partition_point(|block| block.end() <= self.cursor),
        };
        while let Some(block) = self.blocks.get(index) {
            if let Some(number) = block.next_ready(self.cursor.max(block.base())) {
                self.cursor = number;
                return Some(number);
            }
            index += 1;
        }
        self.cursor = self.next;
        None
    }

    fn forget_position(&mut self, number: u64) {
        if number >= self.cursor {
            if number == self.cursor {
                self.cursor += 1;
            }
        } else {
            self.returned.remove(number);
        }
    }

    /// Marks a ready message as delivered and not yet acknowledged.
    #[inline]
    pub fn deliver(&mut self, number: u64) {
        let Some(index) = self.block_index(number) else {
            return;
        };
        let Some(size) = self
            .blocks
            .get_mut(index)
            .and_then(|block| block.deliver(number))
        else {
            return;
        };
        self.forget_position(number);
        self.ready -= 1;
        self.ready_bytes -= u64::from(size);
        self.unacked += 1;
        self.unacked_bytes += u64::from(size);
    }

    /// Takes a message out for good. `None` when it was gone already.
    #[inline]
    pub fn settle(&mut self, number: u64) -> Option<Settled> {
        let index = self.block_index(number)?;
        let block = self.blocks.get_mut(index)?;
        let settled = block.settle(number)?;
        let Settled { state, size, .. } = settled;
        if block.live() == 0 && (block.is_full() || block.end() < self.next) {
            self.blocks.remove(index);
        }
        match state {
            State::Ready => {
                self.forget_position(number);
                self.ready -= 1;
                self.ready_bytes -= u64::from(size);
            }
            _ => {
                self.unacked -= 1;
                self.unacked_bytes -= u64::from(size);
            }
        }
        if self.ready == 0 && self.unacked == 0 {
            self.reset();
        }
        Some(settled)
    }

    /// Thins blocks far behind the newest one: what still lives there is stuck or part of a deep
    /// backlog, while messages in passing are never copied. Once for every new block.
    fn thin_old(&mut self) {
        let far = self.next.saturating_sub(THIN_BEHIND);
        let old = self
            .blocks
            .iter_mut()
            .take_while(|block| block.end() <= far);
        for block in old.filter(|block| block.wants_thinning()) {
            block.thin();
        }
    }

    /// Delivers a run of ready messages in order: see [`Block::take_run`].
    #[inline]
    pub fn take_run(
        &mut self,
        most: usize,
        now: u64,
        settle: bool,
        visit: impl FnMut(u64, &Arc<Chunk>, Meta) -> bool,
    ) -> u32 {
        if !self.returned.is_empty() {
            return 0;
        }
        let Some(from) = self.advance() else { return 0 };
        let Some(index) = self.block_index(from) else {
            return 0;
        };
        let Some(block) = self.blocks.get_mut(index) else {
            return 0;
        };
        let (count, bytes) = block.take_run(from, most, now, settle, visit);
        self.cursor += u64::from(count);
        self.ready -= u64::from(count);
        self.ready_bytes -= bytes;
        if !settle {
            self.unacked += u64::from(count);
            self.unacked_bytes += bytes;
            return count;
        }
        if block.live() == 0 && (block.is_full() || block.end() < self.next) {
            self.blocks.remove(index);
        }
        if self.ready == 0 && self.unacked == 0 {
            self.reset();
        }
        count
    }

    /// An empty level keeps neither blocks nor chunks: numbers go on, memory does not.
    fn reset(&mut self) {
        // One block's worth of index is kept for reuse while traffic is in flight.
        if self.blocks.len() == 1
            && let Some(block) = self.blocks.front_mut()
        {
            block.recycle(self.next);
        } else {
            self.blocks.clear();
        }
        self.cursor = self.next;
    }

    /// Puts an unacknowledged message back to its place.
    pub fn give_back(&mut self, number: u64, redelivered: bool, count: bool) -> bool {
        let Some(index) = self.block_index(number) else {
            return false;
        };
        let Some(block) = self.blocks.get_mut(index) else {
            return false;
        };
        let Some(size) = block.give_back(number, redelivered, count) else {
            return false;
        };
        if let Some(meta) = block.get(number) {
            block.note_expiry(meta.expires_at);
        }
        self.returned.insert(number);
        self.ready += 1;
        self.ready_bytes += u64::from(size);
        self.unacked -= 1;
        self.unacked_bytes -= u64::from(size);
        true
    }

    /// Moves an unacknowledged message to the end under a new number, as quorum queues do. Returns
    /// the number.
    pub fn give_back_at_end(&mut self, number: u64, redelivered: bool, count: bool) -> Option<u64> {
        let meta = self.get(number)?;
        if meta.state != State::Unacked {
            return None;
        }
        let body = self.body(number)?;
        let returns = meta.count.saturating_add(u32::from(count));
        let message = Arriving {
            offset: meta.offset,
            size: meta.size,
            expires_at: meta.expires_at,
            logged: meta.logged,
        };
        let fresh = match body {
            Body::Held(chunk, _) => self.push(&chunk, message),
            Body::Stored(home) => {
                let fresh = self.next;
                self.restore(fresh, &home, message);
                fresh
            }
        };
        self.settle(number);
        self.mark(fresh, redelivered || meta.redelivered, returns);
        Some(fresh)
    }

    /// Numbers of ready messages due at `now`, at most `most` of them.
    pub fn due(&mut self, now: u64, most: usize, out: &mut Vec<u64>) {
        for block in self
            .blocks
            .iter_mut()
            .filter(|block| block.earliest_expiry() <= now)
        {
            if out.len() >= most {
                return;
            }
            block.due(now, most, out);
        }
    }

    /// The earliest expiry of any block.
    pub fn earliest_expiry(&self) -> u64 {
        self.blocks
            .iter()
            .map(Block::earliest_expiry)
            .min()
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Record;

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
        assert!(level.blocks.len() <= 2);
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
}
