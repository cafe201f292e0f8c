//! What an operator does with ready messages wherever they stand: looks at them, deletes them, moves
//! them to the end, or holds them while they are sent somewhere else.

use std::sync::Arc;

use super::block::{Meta, State};
use super::consumers::Port;
use super::contents::{Contents, MessageId};
use super::effects::{Effects, Op};
use super::serving::Queue;
use crate::message::{Body, StoredPage};

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At this position; 0 leaves next.
    Position(u64),
    /// Behind this message, or where it stood.
    After(MessageId),
}

/// A message as it stands in its queue.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its id, which holds until it is settled.
    pub id: MessageId,
    /// Its facts.
    pub meta: Meta,
    /// Where its record can be had.
    pub body: Body,
}

/// What was found, in the order in which it leaves.
#[derive(Debug, Default)]
pub struct Browsed {
    /// The messages.
    pub found: Vec<Found>,
    /// The block that has to come back before more can be seen: priority, number, page.
    pub missing: Option<(u8, u64, Arc<StoredPage>)>,
}

impl Contents {
    /// At most `most` ready messages.
    pub fn browse(&self, from: From, most: usize) -> Browsed {
        let mut browsed = Browsed::default();
        let mut skip = match from {
            From::Position(position) => position,
            From::After(_) => 0,
        };
        for priority in self.priorities().into_iter().rev() {
            let first = match from {
                From::After(id) if priority > id.priority() => continue,
                From::After(id) if priority == id.priority() => id.number().saturating_add(1),
                _ => 0,
            };
            if browsed.found.len() >= most {
                break;
            }
            let mut levels = self.levels();
            let Some((_, level)) = levels.find(|(known, _)| *known == priority) else {
                continue;
            };
            let missing = level.browse(first, &mut skip, |number| {
                let id = MessageId::new(priority, number);
                if let (Some(meta), Some(body)) = (level.get(number), level.body(number)) {
                    browsed.found.push(Found { id, meta, body });
                }
                browsed.found.len() < most
            });
            if let Some((base, page)) = missing {
                browsed.missing = Some((priority, base, page));
                break;
            }
        }
        browsed
    }

    /// The block that this message stands in, if it is away: priority, number, page.
    pub fn away_at(&self, id: MessageId) -> Option<(u8, u64, Arc<StoredPage>)> {
        let mut levels = self.levels();
        let (priority, level) = levels.find(|(known, _)| *known == id.priority())?;
        let (base, page) = level.away_at(id.number())?;
        Some((priority, base, page))
    }
}

impl<P: Port> Queue<P> {
    fn is_ready(&self, id: MessageId) -> bool {
        let meta = self.contents().get(id);
        meta.is_some_and(|meta| meta.state == State::Ready)
    }

    /// Deletes a ready message; false when it is ready no more.
    pub fn delete_ready(&mut self, id: MessageId, effects: &mut Effects) -> bool {
        self.is_ready(id) && self.settle_one(id, effects)
    }

    /// Moves a ready message behind everything that is there; false when it is ready no more.
    pub fn move_to_end(&mut self, id: MessageId, now: u64, effects: &mut Effects) -> bool {
        let Some(meta) = self.contents().get(id) else {
            return false;
        };
        if meta.state != State::Ready {
            return false;
        }
        self.contents_mut().deliver(id);
        let moved = self.contents_mut().give_back_at_end(id, false, false);
        if let Some(to) = moved.filter(|_| meta.logged) {
            effects.journal.push(Op::Moved {
                from: id,
                to,
                count: meta.count,
            });
        }
        self.dispatch(now, effects);
        moved.is_some()
    }

    /// Takes a ready message aside: nobody gets it until [`Self::end_hold`]. A crash ends it too.
    pub fn hold(&mut self, id: MessageId) -> bool {
        let ready = self.is_ready(id);
        if ready {
            self.contents_mut().deliver(id);
        }
        ready
    }

    /// Ends a hold: the message is gone, or back in its place as if nothing had been.
    pub fn end_hold(&mut self, id: MessageId, gone: bool, now: u64, effects: &mut Effects) {
        if gone {
            self.settle_one(id, effects);
        } else if self.contents_mut().give_back(id, false, false) {
            self.dispatch(now, effects);
        }
    }
}

/// True when a live message was delivered before.
pub fn is_redelivered(contents: &Contents, id: MessageId) -> bool {
    contents.get(id).is_some_and(|meta| meta.redelivered)
}
