//! The messages of one priority: blocks in order, a cursor over what was never delivered, and what
//! came back.

mod browse;

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::{Arriving, Block, Meta, Settled, State};
use super::counters::Totals;
use super::page::{self, Away, Draft};
use super::runs::Runs;
use crate::limits::{BLOCK_ENTRIES, PARTIAL_BLOCK};
use crate::message::{Body, Chunk, Home, StoredPage};

/// How many messages a block lies behind the newest before it is thinned.
const THIN_BEHIND: u64 = 8 * crate::limits::BLOCK_ENTRIES as u64;

/// A block, or what stands for it.
#[derive(Debug)]
enum Place {
    Here(Block),
    Away(Away),
}

impl Place {
    #[inline]
    fn here(&self) -> Option<&Block> {
        match self {
            Self::Here(block) => Some(block),
            Self::Away(_) => None,
        }
    }

    #[inline]
    fn here_mut(&mut self) -> Option<&mut Block> {
        match self {
            Self::Here(block) => Some(block),
            Self::Away(_) => None,
        }
    }

    #[inline]
    fn base(&self) -> u64 {
        match self {
            Self::Here(block) => block.base(),
            Self::Away(away) => away.base,
        }
    }

    #[inline]
    fn end(&self) -> u64 {
        match self {
            Self::Here(block) => block.end(),
            Self::Away(away) => away.end(),
        }
    }

    fn earliest_expiry(&self) -> u64 {
        match self {
            Self::Here(block) => block.earliest_expiry(),
            Self::Away(away) => away.earliest_expiry,
        }
    }

    /// The first ready number at or after `from`; a block that is away lies behind the cursor as a
    /// whole.
    #[inline]
    fn next_ready(&self, from: u64) -> Option<u64> {
        match self {
            Self::Here(block) => block.next_ready(from),
            Self::Away(away) => Some(away.first),
        }
    }
}

/// Messages of one priority, in order.
#[derive(Debug, Default)]
pub struct Level {
    blocks: VecDeque<Place>,
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

/// What [`Level::show`] shows.
#[derive(Debug)]
pub enum Shown<'a> {
    /// A message with its number, facts and place at rest.
    Message(u64, Meta, Option<Home>),
    /// A block that is away.
    Away(&'a Away),
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

    /// Messages in blocks that are away, and octets of their bodies.
    pub fn away(&self) -> (u64, u64) {
        self.blocks
            .iter()
            .fold((0, 0), |(n, octets), place| match place {
                Place::Away(away) => (n + u64::from(away.live), octets + away.bytes),
                Place::Here(_) => (n, octets),
            })
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
            .and_then(Place::here_mut)
            .filter(|block| !block.is_full() && block.end() == number)
        {
            Some(block) => {
                block.push(chunk, message);
            }
            None => {
                let mut block = Block::new(number);
                block.push(chunk, message);
                self.blocks.push_back(Place::Here(block));
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
            .and_then(Place::here)
            .is_some_and(|block| number - block.base() < far);
        if !fits {
            self.blocks.push_back(Place::Here(Block::new(number)));
        }
        if let Some(block) = self.blocks.back_mut().and_then(Place::here_mut) {
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
            && let Some(block) = self.blocks.get_mut(index).and_then(Place::here_mut)
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

    /// How many blocks it has, wherever they are.
    #[cfg(test)]
    pub fn block_count(&self) -> usize {
        self.blocks.len()
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
        for block in self
            .blocks
            .iter_mut()
            .take(last)
            .filter_map(Place::here_mut)
        {
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
                .and_then(Place::here)
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

    /// Shows the chunks that lie in memory only.
    pub fn unwritten(&self, visit: &mut dyn FnMut(&Arc<Chunk>)) {
        for block in self.blocks.iter().filter_map(Place::here) {
            block.unwritten(visit);
        }
    }

    /// Says where a message lies now: see [`Block::relocate`].
    pub fn relocate(&mut self, number: u64, from: u32, to: &Home) {
        if let Some(index) = self.block_index(number)
            && let Some(block) = self.blocks.get_mut(index).and_then(Place::here_mut)
        {
            block.relocate(number, from, to);
        }
    }

    /// Makes room for what was read from message `number` on: see [`Block::make_room`].
    pub fn make_room(&mut self, number: u64) {
        if let Some(index) = self.block_index(number)
            && let Some(block) = self.blocks.get_mut(index).and_then(Place::here_mut)
        {
            block.make_room();
        }
    }

    /// Gives a message the chunk that was read for it.
    pub fn install(&mut self, number: u64, chunk: &Arc<Chunk>) {
        if let Some(index) = self.block_index(number)
            && let Some(block) = self.blocks.get_mut(index).and_then(Place::here_mut)
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
        self.blocks
            .get(self.block_index(number)?)?
            .here()?
            .get(number)
    }

    /// The chunk of a live message, if it is in memory.
    #[inline]
    pub fn chunk(&self, number: u64) -> Option<&Arc<Chunk>> {
        self.blocks
            .get(self.block_index(number)?)?
            .here()?
            .chunk(number)
    }

    /// Where the record of a live message can be had.
    pub fn body(&self, number: u64) -> Option<Body> {
        self.blocks
            .get(self.block_index(number)?)?
            .here()?
            .body(number)
    }

    /// Shows live messages with their places at rest, and blocks that are away, from number `from`
    /// on and in order: one block at a time. Returns where to go on; `None` at the end.
    pub fn show(&self, from: u64, mut visit: impl FnMut(Shown<'_>)) -> Option<u64> {
        let index = self.blocks.partition_point(|place| place.end() <= from);
        let place = self.blocks.get(index)?;
        match place {
            Place::Here(block) => block
                .live_entries()
                .for_each(|(number, meta, home)| visit(Shown::Message(number, meta, home))),
            Place::Away(away) => visit(Shown::Away(away)),
        }
        Some(place.end())
    }

    /// Everything below has been delivered once.
    pub fn delivered_below(&self) -> u64 {
        self.cursor
    }

    /// Writes down blocks behind the cursor that may go away: not the next one, nor the one after,
    /// unless `all`; the last one, which still grows, only if `partial` and it is worth a page.
    pub fn drafts(&mut self, all: bool, partial: bool, most: usize) -> Vec<Draft> {
        let cursor = self.cursor;
        let last = self.blocks.len().saturating_sub(1);
        let mut near = if all { 0 } else { 2 };
        let mut drafts = Vec::new();
        for (at, place) in self.blocks.iter_mut().enumerate() {
            if drafts.len() >= most {
                break;
            }
            if place.end() <= cursor {
                continue;
            }
            if near > 0 {
                near -= 1;
                continue;
            }
            let Place::Here(block) = place else { continue };
            // A half-read block would have to come back at once, the last one still grows.
            if block.base() < cursor && cursor > 0 && block.ready() != block.live()
                || at == last && !block.is_full() && !(partial && block.live() >= PARTIAL_BLOCK)
            {
                continue;
            }
            if block.next_ready(cursor.max(block.base())) != block.next_ready(block.base()) {
                continue;
            }
            block.is_untouched(true);
            drafts.extend(page::draft(block));
        }
        drafts
    }

    /// Lets a block go that lies in the file now; what has changed since stays.
    pub fn put_away(&mut self, away: Away) {
        let at = self
            .blocks
            .partition_point(|place| place.base() < away.base);
        if let Some(place) = self.blocks.get_mut(at)
            && place.base() == away.base
            && let Place::Here(block) = place
            && block.is_untouched(false)
        {
            *place = Place::Away(away);
        }
    }

    /// Adds a block that a checkpoint names; it comes behind all others.
    pub fn restore_away(&mut self, away: Away) {
        self.next = self.next.max(away.end());
        self.ready += u64::from(away.live);
        self.ready_bytes += away.bytes;
        self.blocks.push_back(Place::Away(away));
    }

    /// The block that the head waits for, if it is away.
    pub fn missing(&mut self) -> Option<(u64, Arc<StoredPage>)> {
        let head = self.head()?;
        match self.blocks.get(self.block_index(head)?)? {
            Place::Away(away) => Some((away.base, Arc::clone(&away.page))),
            Place::Here(_) => None,
        }
    }

    /// The first block that is away and has a message that is due at `now`.
    pub fn due_away(&self, now: u64) -> Option<(u64, Arc<StoredPage>)> {
        self.blocks.iter().find_map(|place| match place {
            Place::Away(away) if away.earliest_expiry <= now => {
                Some((away.base, Arc::clone(&away.page)))
            }
            _ => None,
        })
    }

    /// Brings a block back that was read from `page`; false if the octets are not that. Read twice, it
    /// may have come back before, and even be in another page by now: then there is nothing to do.
    pub fn bring_back(&mut self, base: u64, page: &Arc<StoredPage>, octets: &[u8]) -> bool {
        let at = self.blocks.partition_point(|place| place.base() < base);
        let Some(place) = self.blocks.get_mut(at).filter(|place| place.base() == base) else {
            return true;
        };
        let away = match place {
            Place::Away(away) if Arc::ptr_eq(&away.page, page) => away,
            _ => return true,
        };
        match page::read(octets, away) {
            Some(block) => {
                *place = Place::Here(block);
                true
            }
            None => false,
        }
    }

    /// Takes out blocks that are away and come next, for a purge; gives their numbers.
    pub fn drop_away_head(&mut self) -> Option<(u64, u32, u32)> {
        let head = self.head()?;
        let index = self.block_index(head)?;
        let Some(Place::Away(away)) = self.blocks.get(index) else {
            return None;
        };
        let dropped = (away.base, away.span, away.live);
        self.ready -= u64::from(away.live);
        self.ready_bytes -= away.bytes;
        self.blocks.remove(index);
        if self.ready == 0 && self.unacked == 0 {
            self.reset();
        }
        Some(dropped)
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
            .and_then(Place::here_mut)
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
        let block = self.blocks.get_mut(index)?.here_mut()?;
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
            .take_while(|block| block.end() <= far)
            .filter_map(Place::here_mut);
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
        let Some(block) = self.blocks.get_mut(index).and_then(Place::here_mut) else {
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
            && let Some(Place::Here(block)) = self.blocks.front_mut()
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
        let Some(block) = self.blocks.get_mut(index).and_then(Place::here_mut) else {
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
            .filter_map(Place::here_mut)
            .filter(|block| block.earliest_expiry() <= now)
        {
            if out.len() >= most {
                return;
            }
            block.due(now, most, out);
        }
    }

    /// When the next message is due, or may be; for blocks that are away and due already, `away` is
    /// when they are looked for again.
    pub fn next_expiry(&self, now: u64, away: u64) -> u64 {
        let due = |place: &Place| match place {
            Place::Away(block) if block.earliest_expiry <= now => away,
            place => place.earliest_expiry(),
        };
        self.blocks.iter().map(due).min().unwrap_or(u64::MAX)
    }

    /// The earliest expiry of any block.
    pub fn earliest_expiry(&self) -> u64 {
        self.blocks
            .iter()
            .map(Place::earliest_expiry)
            .min()
            .unwrap_or(u64::MAX)
    }
}
