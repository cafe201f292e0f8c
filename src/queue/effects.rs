//! What a queue asks of its caller, to be carried out after the queue's lock is released.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::contents::MessageId;
use crate::message::{Body, Chunk, Home, StoredPage};

/// Why a message is dead; the words stand in `x-death`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadReason {
    /// A consumer rejected it without requeue.
    Rejected,
    /// Its time to live ended.
    Expired,
    /// The queue was full.
    MaxLen,
    /// It came back too often.
    DeliveryLimit,
}

impl DeadReason {
    /// The word in `x-death`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLen => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// A message that left its queue for the dead-letter exchange.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Why.
    pub reason: DeadReason,
    /// Where its record can be had.
    pub body: Body,
    /// Octets of its body.
    pub size: u32,
    /// The message, where the log is told that it left: together with its arrival elsewhere.
    pub logged: Option<MessageId>,
    /// Returns counted so far; the `x-delivery-count` it carried.
    pub count: u32,
    /// The message, where it stays at its source until a target has it (at-least-once).
    pub held: Option<MessageId>,
    /// How often it has been tried in vain.
    pub attempts: u32,
    /// Queues that have taken it in earlier attempts, by id: they do not get it twice.
    pub taken_by: Vec<u64>,
}

/// What the log is told of a queue's messages. Carried out again, in order, they give the same
/// contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Messages with consecutive ids are gone.
    Settled {
        /// The first of them.
        first: MessageId,
        /// How many.
        len: u32,
    },
    /// A message came back for the `count`th time.
    Returned {
        /// The message.
        id: MessageId,
        /// Returns so far.
        count: u32,
    },
    /// A message came back and stands at the end now, under a new id.
    Moved {
        /// Its id until now.
        from: MessageId,
        /// Its id from now on.
        to: MessageId,
        /// Returns so far.
        count: u32,
    },
    /// Messages of a priority have been delivered up to this one.
    Delivered {
        /// The last of them.
        up_to: MessageId,
    },
}

/// Consecutive messages of a batch that the log has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The id of the first.
    pub first: MessageId,
    /// Its place in the batch that was handed in.
    pub item: u32,
    /// How many.
    pub len: u32,
    /// When they expire, in milliseconds since the epoch; `u64::MAX` is never.
    pub expires_at: u64,
}

/// Octets of bodies that queues of the process have asked for and not got.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Octets of bodies that queues of the process have asked for and not got.
pub(super) fn bytes_asked() -> u64 {
    ASKED.load(Ordering::Relaxed)
}

/// Counts what is being read as if it were in memory: many queues that begin to read at once would
/// each find room for all.
#[derive(Debug, Default)]
pub struct Asked(u64);

impl Asked {
    /// Counts `octets` until it is dropped.
    pub fn new(octets: u64) -> Self {
        ASKED.fetch_add(octets, Ordering::Relaxed);
        Self(octets)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        ASKED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Messages that leave next and have to be read from files first.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Each with its place and the octets of its body.
    pub messages: Vec<(MessageId, Home, u32)>,
    /// A block of the index that comes before them, by priority and first number.
    pub page: Option<(u8, u64, Arc<StoredPage>)>,
    /// The octets of the messages; kept until they are installed.
    pub asked: Asked,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// Chunks of messages.
    pub messages: Vec<(MessageId, Arc<Chunk>)>,
    /// The octets of a block, by priority, first number and page.
    pub page: Option<(u8, u64, Arc<StoredPage>, Vec<u8>)>,
    /// Messages whose records are not what was written, with the places they were read from.
    pub damaged: Vec<(MessageId, Home)>,
}

/// Filled by a call into a queue, reused by the caller.
#[derive(Debug, Default)]
pub struct Effects {
    /// Messages to dead-letter, oldest first. Stays empty for queues without a dead-letter exchange.
    pub dead: Vec<DeadLetter>,
    /// Publishes that the queue refused, by the caller's own number.
    pub refused: Vec<u32>,
    /// The queue has more to expire or drop than one lock hold may: call again.
    pub more: bool,
    /// What the log must know of the batch that was handed in.
    pub placed: Vec<Placed>,
    /// What the log must know besides, in order.
    pub journal: Vec<Op>,
    /// Records to read before more can be delivered.
    pub wanted: Option<Wanted>,
    /// The earliest moment, in milliseconds since the epoch, at which something new may expire.
    pub wake_at: Option<u64>,
}

impl Effects {
    /// True when the caller has nothing to do.
    pub fn is_empty(&self) -> bool {
        self.dead.is_empty()
            && self.refused.is_empty()
            && self.placed.is_empty()
            && self.journal.is_empty()
            && self.wanted.is_none()
            && !self.more
            && self.wake_at.is_none()
    }

    /// Notes that a logged message is gone.
    #[inline]
    pub fn settled(&mut self, id: MessageId) {
        if let Some(Op::Settled { first, len }) = self.journal.last_mut()
            && first.raw().wrapping_add(u64::from(*len)) == id.raw()
            && *len < u32::MAX
        {
            *len += 1;
            return;
        }
        self.journal.push(Op::Settled { first: id, len: 1 });
    }

    /// Notes that a logged message of the batch has its place.
    #[inline]
    pub(super) fn place(&mut self, id: MessageId, item: u32, expires_at: u64) {
        if let Some(last) = self.placed.last_mut()
            && last.first.raw().wrapping_add(u64::from(last.len)) == id.raw()
            && last.item + last.len == item
            && last.expires_at == expires_at
        {
            last.len += 1;
            return;
        }
        self.placed.push(Placed {
            first: id,
            item,
            len: 1,
            expires_at,
        });
    }

    /// Asks to be called at `at`, or earlier.
    pub fn wake(&mut self, at: u64) {
        if at != u64::MAX {
            self.wake_at = Some(self.wake_at.map_or(at, |known| known.min(at)));
        }
    }
}
