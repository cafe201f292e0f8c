//! What every message is known to be, and what must therefore be found after
//! the broker was killed.
//!
//! ```text
//! published -> confirmed (must be found from now on)
//! each copy:   Live -> Acked(received)    -> Gone
//!              Live -> Rejected(received)  (in the dead-letter queue)
//! ```
//! A settlement is sure when a round trip that followed it on its channel ended
//! at least [`GRACE`] before the kill; a younger one may be undone.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::body::Id;
use crate::topology::{BATCH, LINES, Moves, family_of, place, publishers};

/// Settlements received later than this before a kill may be undone.
pub const GRACE: Duration = Duration::from_millis(200);

/// A copy of a message, of which each line has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copy {
    Live,
    Acked(Option<Instant>),
    Rejected(Option<Instant>),
    Gone,
}

/// What a consumer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Acked,
    Rejected,
}

#[derive(Clone, Debug)]
struct Message {
    confirmed: bool,
    /// Found after an earlier restart: on disk whether confirmed or not.
    known: bool,
    /// In the order of its family's lines.
    copies: [Copy; 3],
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// A confirmed message is nowhere, or a dead letter between its queues.
    Lost,
    /// Something is there that was settled for sure, or was absent before.
    CameBack,
    /// Something is there that was never published.
    Invented,
    /// A message is there more than once.
    Twice,
    /// A body has changed.
    Damaged,
    /// Messages of a publisher are not in its order.
    Disorder,
    /// A dead letter of what was not rejected, or the other way round.
    Misplaced,
    /// A transaction is in effect in part.
    Torn,
}

/// Counts of one cycle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub published: u64,
    pub confirmed: u64,
    pub nacked: u64,
    pub delivered: u64,
    pub acked: u64,
    pub rejected: u64,
    pub found: u64,
    pub unconfirmed_gone: u64,
    pub acks_undone: u64,
    pub oldest_undone: Duration,
    /// Messages of which some copies came back and others did not.
    pub partial: u64,
}

/// What is known of all messages that may still exist.
#[derive(Default)]
pub struct Ledger {
    messages: HashMap<Id, Message>,
    published: HashMap<(u16, u32), u32>,
    /// Copies there and absent of the transactions that are judged.
    transactions: HashMap<Id, (usize, usize)>,
    /// What was seen to be wrong.
    pub problems: Vec<(Problem, String)>,
    pub counts: Counts,
}

/// What a queue held, in its order.
pub type Found = HashMap<&'static str, Vec<Id>>;

impl Ledger {
    fn copy(&mut self, id: Id, line: usize) -> Option<&mut Copy> {
        let at = family_of(id.publisher)?
            .lines
            .iter()
            .position(|l| *l == line)?;
        self.messages.get_mut(&id)?.copies.get_mut(at)
    }
    /// A message is about to be sent.
    pub fn publish(&mut self, id: Id) {
        let lines = family_of(id.publisher).map_or(0, |f| f.lines.len());
        let mut copies = [Copy::Gone; 3];
        copies[..lines].fill(Copy::Live);
        let message = Message {
            confirmed: false,
            known: false,
            copies,
        };
        self.messages.insert(id, message);
        self.published.insert((id.publisher, id.cycle), id.seq + 1);
        self.counts.published += 1;
    }
    /// Its confirm came; by nack when `ack` is false.
    pub fn confirm(&mut self, id: Id, ack: bool) {
        if !ack {
            self.counts.nacked += 1;
            return;
        }
        self.counts.confirmed += 1;
        // It may have been settled in all queues, found so and forgotten.
        if let Some(message) = self.messages.get_mut(&id) {
            message.confirmed = true;
        }
    }
    /// A consumer was given it.
    pub fn deliver(&mut self, id: Id, queue: &str) {
        self.counts.delivered += 1;
        let (line, step) = place(queue);
        match self.copy(id, line).copied() {
            None => self.unknown(id, queue),
            Some(Copy::Live) if step > 0 && LINES[line].moves == Moves::Reject => {
                let text = format!("{id} was never rejected and is in {queue}");
                self.problem(Problem::Misplaced, text);
            }
            Some(Copy::Rejected(_)) if step == 0 => {
                let text = format!("{id} was rejected and is delivered from {queue}");
                self.problem(Problem::Misplaced, text);
            }
            Some(Copy::Acked(_) | Copy::Gone) => {
                let text = format!("{id} was acknowledged and is delivered from {queue}");
                self.problem(Problem::CameBack, text);
            }
            Some(_) => {}
        }
    }
    fn unknown(&mut self, id: Id, queue: &str) {
        let published = self.published.get(&(id.publisher, id.cycle));
        let (kind, what) = match published {
            Some(count) if id.seq < *count && id.publisher < publishers() => (
                Problem::CameBack,
                "came back after it was settled or absent:",
            ),
            _ => (Problem::Invented, "was never published:"),
        };
        self.problem(kind, format!("{id} {what} in {queue}"));
    }
    /// What was read after a restart is acknowledged, to make room.
    pub fn put_away(&mut self, id: Id, queue: &str) {
        if let Some(copy) = self.copy(id, place(queue).0) {
            *copy = Copy::Acked(None);
        }
    }
    /// A consumer is about to settle it.
    pub fn settle(&mut self, id: Id, queue: &str, how: Settled) {
        let copy = match how {
            Settled::Acked => Copy::Acked(None),
            Settled::Rejected => Copy::Rejected(None),
        };
        match how {
            Settled::Acked => self.counts.acked += 1,
            Settled::Rejected => self.counts.rejected += 1,
        }
        if let Some(known) = self.copy(id, place(queue).0) {
            *known = copy;
        }
    }
    /// The broker has read these settlements by now.
    pub fn received(&mut self, settled: &[(Id, Settled)], queue: &str) {
        let now = Some(Instant::now());
        let line = place(queue).0;
        for (id, how) in settled {
            // A rejected message may have been acknowledged further on.
            match (self.copy(*id, line), how) {
                (Some(copy @ Copy::Acked(None)), Settled::Acked) => *copy = Copy::Acked(now),
                (Some(copy @ Copy::Rejected(None)), Settled::Rejected) => {
                    *copy = Copy::Rejected(now);
                }
                _ => {}
            }
        }
    }
    /// Notes what is wrong.
    pub fn problem(&mut self, kind: Problem, text: String) {
        self.problems.push((kind, text));
    }
    /// What of a line must exist and is not among `seen`.
    pub fn missing(&self, line: usize, seen: &[Id]) -> usize {
        let seen: std::collections::HashSet<&Id> = seen.iter().collect();
        let missing = |(id, message): &(&Id, &Message)| {
            let Some(family) = family_of(id.publisher) else {
                return false;
            };
            let at = family.lines.iter().position(|l| *l == line);
            let copy = at.and_then(|at| message.copies.get(at));
            (message.confirmed || message.known)
                && matches!(copy, Some(Copy::Live | Copy::Rejected(_)))
                && !seen.contains(id)
        };
        self.messages.iter().filter(missing).count()
    }
    /// Compares what was found after a kill at `killed` with what must and
    /// may exist, and takes it over as the new truth.
    pub fn verify(&mut self, found: &Found, killed: Instant) {
        let mut places: HashMap<(Id, usize), Vec<usize>> = HashMap::new();
        for (queue, ids) in found {
            let (line, step) = place(queue);
            self.counts.found += ids.len() as u64;
            for id in ids {
                places.entry((*id, line)).or_default().push(step);
            }
            self.order(queue, ids);
        }
        for ((id, line), steps) in &places {
            if steps.len() > 1 {
                let queues: Vec<&str> = steps.iter().map(|s| LINES[*line].queues[*s]).collect();
                let text = format!("{id} is there {} times: {queues:?}", steps.len());
                self.problem(Problem::Twice, text);
            }
            if self.copy(*id, *line).is_none() {
                self.unknown(*id, LINES[*line].queues[steps[0]]);
            }
        }
        let mut messages = std::mem::take(&mut self.messages);
        messages.retain(|id, message| self.judge(*id, message, &places, killed));
        self.messages = messages;
        for (first, (there, absent)) in std::mem::take(&mut self.transactions) {
            if there > 0 && absent > 0 {
                let text = format!("of the transaction of {first}, {absent} copies are absent");
                self.problem(Problem::Torn, text);
            }
        }
    }
    /// Judges one message; false when nothing is left of it.
    fn judge(
        &mut self,
        id: Id,
        message: &mut Message,
        places: &HashMap<(Id, usize), Vec<usize>>,
        killed: Instant,
    ) -> bool {
        let Some(family) = family_of(id.publisher) else {
            return false;
        };
        let sure = message.confirmed || message.known;
        let (mut here, mut vanished) = (0, 0);
        for (line, copy) in family.lines.iter().zip(&mut message.copies) {
            let step = places
                .get(&(id, *line))
                .and_then(|steps| steps.first())
                .copied();
            let was = *copy;
            *copy = match step {
                Some(step) => self.still_there(id, *line, step, was, killed),
                None => {
                    if sure && matches!(was, Copy::Live | Copy::Rejected(_)) {
                        let first = LINES[*line].queues[0];
                        let was = describe(was, killed);
                        let text = format!("{id} of {first} is lost: it was {was}");
                        self.problem(Problem::Lost, text);
                    } else if matches!(was, Copy::Live | Copy::Rejected(_)) {
                        vanished += 1;
                    }
                    Copy::Gone
                }
            };
            here += usize::from(step.is_some());
        }
        if family.tx && !message.known {
            let seq = id.seq - id.seq % BATCH;
            let counts = self.transactions.entry(Id { seq, ..id }).or_default();
            counts.0 += here;
            counts.1 += family.lines.len() - here;
        }
        self.counts.unconfirmed_gone += u64::from(vanished > 0);
        self.counts.partial += u64::from(vanished > 0 && here > 0);
        message.known = true;
        here > 0
    }
    /// Judges a copy that was found; its state from now on.
    fn still_there(
        &mut self,
        id: Id,
        line: usize,
        step: usize,
        was: Copy,
        killed: Instant,
    ) -> Copy {
        let queue = LINES[line].queues[step];
        let by_reject = LINES[line].moves == Moves::Reject && step > 0;
        let (received, undone) = match was {
            Copy::Live if by_reject => {
                let text = format!("{id} was never rejected and is in {queue}");
                self.problem(Problem::Misplaced, text);
                (None, false)
            }
            Copy::Gone => {
                self.problem(Problem::CameBack, format!("{id} came back in {queue}"));
                (None, false)
            }
            Copy::Live => (None, false),
            Copy::Rejected(received) => (received, step == 0),
            Copy::Acked(received) => (received, true),
        };
        if undone {
            // Of what was never known to be received, the age is not known.
            let age = received.map(|at| killed.saturating_duration_since(at));
            let age = age.unwrap_or_default();
            self.counts.acks_undone += 1;
            self.counts.oldest_undone = self.counts.oldest_undone.max(age);
            if age >= GRACE {
                let was = describe(was, killed);
                let text = format!("{id} is in {queue}: it was {was}");
                self.problem(Problem::CameBack, text);
            }
        }
        if by_reject {
            return Copy::Rejected(Some(Instant::now()));
        }
        Copy::Live
    }
    /// Messages of a publisher stand in their order where nothing moved them.
    fn order(&mut self, queue: &str, ids: &[Id]) {
        let (line, step) = place(queue);
        if step > 0 {
            return;
        }
        let mut last: HashMap<(u16, u8), Id> = HashMap::new();
        let priorities = LINES[line].priorities;
        for id in ids {
            let priority = if priorities { id.priority() } else { 0 };
            if let Some(before) = last.insert((id.publisher, priority), *id)
                && before > *id
            {
                let text = format!("{queue}: {id} stands behind {before}");
                self.problem(Problem::Disorder, text);
            }
        }
    }
    /// How many messages are known to exist.
    pub fn len(&self) -> usize {
        self.messages.len()
    }
}

fn describe(copy: Copy, killed: Instant) -> String {
    let (what, received) = match copy {
        Copy::Live => return "neither acknowledged nor rejected".into(),
        Copy::Gone => return "gone".into(),
        Copy::Acked(received) => ("acknowledged", received),
        Copy::Rejected(received) => ("rejected", received),
    };
    match received {
        None => format!("{what}, not known to be received"),
        Some(at) if at > killed => format!("{what}, received about when it was killed"),
        Some(at) => format!("{what}, received {:?} before the kill", killed - at),
    }
}

#[cfg(test)]
mod tests;
