//! An operator's look into a queue: messages by position, deleted or moved by position, without a
//! consumer and without a delivery.

use std::sync::Arc;

use super::core::Broker;
use super::port::ConsumerPort;
use super::shared_queue::SharedQueue;
use crate::message::{Chunk, StoredPage};
use crate::queue::browse::{Browsed, Found, From};
use crate::queue::serving::Queue;
use crate::queue::{Effects, MessageId, Wanted};
use crate::store::StoreError;

/// Blocks that one look brings back from files at most: more than a page of messages lies in.
const BLOCKS_MAX: usize = 64;

/// How often a block is brought back for a message before that is given up.
const TRIES_MAX: usize = 8;

/// A message that was looked at.
#[derive(Debug, Clone)]
pub struct Peeked {
    /// Where it stood; 0 leaves next.
    pub position: u64,
    /// Its id.
    pub id: MessageId,
    /// It was delivered before.
    pub redelivered: bool,
    /// How often it came back.
    pub count: u32,
    /// When it expires, in milliseconds since the epoch; `u64::MAX` is never.
    pub expires_at: u64,
    /// The chunk with its record.
    pub chunk: Arc<Chunk>,
    /// Where in it.
    pub offset: u32,
}

impl Broker {
    /// Finds up to `most` ready messages; blocks that are away are brought back.
    pub(super) fn find_ready(
        &self,
        queue: &Arc<SharedQueue>,
        from: From,
        most: usize,
        now: u64,
    ) -> Result<Vec<Found>, StoreError> {
        let mut found: Vec<Found> = Vec::new();
        for _ in 0..BLOCKS_MAX {
            let from = match (found.last(), from) {
                (Some(last), _) => From::After(last.id),
                (None, from) => from,
            };
            let more = most.saturating_sub(found.len());
            let Browsed {
                found: next,
                missing,
            } = queue.look(|machine| machine.contents().browse(from, more));
            found.extend(next);
            let Some(page) = missing.filter(|_| found.len() < most) else {
                break;
            };
            self.bring_back(queue, page, now)?;
        }
        Ok(found)
    }

    fn bring_back(
        &self,
        queue: &Arc<SharedQueue>,
        page: (u8, u64, Arc<StoredPage>),
        now: u64,
    ) -> Result<(), StoreError> {
        let wanted = Wanted {
            page: Some(page),
            ..Wanted::default()
        };
        let read = self.read_wanted(queue, &wanted)?;
        queue.install(self, &read, now);
        Ok(())
    }

    /// Has `act` act on messages that were found, each under the queue's lock; returns how often it
    /// did. Blocks that have gone away since are brought back: where many were found, others may
    /// have had to make room for the last of them.
    pub(super) fn act_on(
        &self,
        queue: &Arc<SharedQueue>,
        ids: &[MessageId],
        now: u64,
        mut act: impl FnMut(&mut Queue<ConsumerPort>, MessageId, &mut Effects) -> bool,
    ) -> Result<usize, StoreError> {
        let (mut done, mut rest, mut tries) = (0, ids, 0);
        while !rest.is_empty() {
            let acted = queue.act_on(self, rest, &mut act);
            done += acted.done;
            tries = if acted.seen > 0 { 0 } else { tries + 1 };
            // One whose block does not stay is left out.
            let passed = acted.seen + usize::from(tries > TRIES_MAX);
            rest = rest.get(passed..).unwrap_or_default();
            if let Some(page) = acted.missing {
                self.bring_back(queue, page, now)?;
            }
        }
        Ok(done)
    }

    /// Messages from position `offset` on, at most `most` and about `octets` of bodies. Nothing is
    /// taken; what is damaged is left out.
    pub fn peek(
        &self,
        queue: &Arc<SharedQueue>,
        offset: u64,
        most: usize,
        octets: u64,
        now: u64,
    ) -> Result<Vec<Peeked>, StoreError> {
        let mut peeked = Vec::new();
        let mut taken = 0u64;
        let found = self.find_ready(queue, From::Position(offset), most, now)?;
        for (found, position) in found.into_iter().zip(offset..) {
            let (chunk, offset) = match self.journal.fetch(&found.body, found.meta.size) {
                Ok(record) => record,
                Err(error) if error.is_damage() => continue,
                Err(error) => return Err(error),
            };
            taken += u64::from(found.meta.size);
            peeked.push(Peeked {
                position,
                id: found.id,
                redelivered: found.meta.redelivered,
                count: found.meta.count,
                expires_at: found.meta.expires_at,
                chunk,
                offset,
            });
            if taken >= octets {
                break;
            }
        }
        Ok(peeked)
    }

    /// The ids of the messages at `positions`, which are sorted and each there once; positions
    /// behind the end are left out.
    pub(super) fn at_positions(
        &self,
        queue: &Arc<SharedQueue>,
        positions: &[u64],
        now: u64,
    ) -> Result<Vec<MessageId>, StoreError> {
        let mut ids = Vec::with_capacity(positions.len());
        let mut rest = positions;
        while let Some(first) = rest.first() {
            // Neighbours are found in one go.
            let run = rest
                .iter()
                .zip(*first..)
                .take_while(|(position, expected)| *position == expected)
                .count();
            let found = self.find_ready(queue, From::Position(*first), run, now)?;
            ids.extend(found.iter().map(|found| found.id));
            rest = rest.get(run..).unwrap_or_default();
        }
        Ok(ids)
    }

    /// Deletes the messages at `positions`; returns how many were there. A consumer may take one
    /// in the same moment: the ids are found first, so that no other message is deleted for it.
    pub fn delete_at(
        &self,
        queue: &Arc<SharedQueue>,
        positions: &[u64],
        now: u64,
    ) -> Result<usize, StoreError> {
        let ids = self.at_positions(queue, positions, now)?;
        self.act_on(queue, &ids, now, |queue, id, effects| {
            queue.delete_ready(id, effects)
        })
    }

    /// Moves the messages at `positions` behind everything else, in their order; returns how many.
    pub fn requeue_at(
        &self,
        queue: &Arc<SharedQueue>,
        positions: &[u64],
        now: u64,
    ) -> Result<usize, StoreError> {
        let ids = self.at_positions(queue, positions, now)?;
        self.act_on(queue, &ids, now, |queue, id, effects| {
            queue.move_to_end(id, now, effects)
        })
    }
}
