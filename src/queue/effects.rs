//! What a queue asks of its caller, to be carried out after the queue's lock is released.

use std::sync::Arc;

use super::contents::MessageId;
use crate::message::Chunk;

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
    /// Where its record lies.
    pub chunk: Arc<Chunk>,
    /// Offset of the record.
    pub offset: u32,
    /// Returns counted so far; the `x-delivery-count` it carried.
    pub count: u32,
    /// The message, where it stays at its source until a target has it (at-least-once).
    pub held: Option<MessageId>,
    /// How often it has been tried in vain.
    pub attempts: u32,
    /// Queues that have taken it in earlier attempts, by id: they do not get it twice.
    pub taken_by: Vec<u64>,
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
    /// The earliest moment, in milliseconds since the epoch, at which something new may expire.
    pub wake_at: Option<u64>,
}

impl Effects {
    /// True when the caller has nothing to do.
    pub fn is_empty(&self) -> bool {
        self.dead.is_empty() && self.refused.is_empty() && !self.more && self.wake_at.is_none()
    }

    /// Asks to be called at `at`, or earlier.
    pub fn wake(&mut self, at: u64) {
        if at != u64::MAX {
            self.wake_at = Some(self.wake_at.map_or(at, |known| known.min(at)));
        }
    }
}
