//! Deliveries that wait for an acknowledgement, kept as runs.
//!
//! Consecutive deliveries of consecutive messages from one source are one run, so an unlimited
//! prefetch costs memory per interruption, not per message.

use std::collections::BTreeMap;

/// Consecutive delivery tags of consecutive messages from one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnackedRun {
    /// The first delivery tag.
    pub tag: u64,
    /// How many.
    pub len: u32,
    /// The first message, as the queue numbers them.
    pub message: u64,
    /// The session's number of the queue and consumer they came from.
    pub source: u32,
    /// Seconds since the epoch at which the first was delivered.
    pub at_s: u64,
}

impl UnackedRun {
    fn last_tag(&self) -> u64 {
        self.tag + u64::from(self.len) - 1
    }

    /// Splits off everything after the first `len`.
    fn split(&self, len: u32) -> (Self, Self) {
        let head = Self { len, ..*self };
        let tail = Self {
            tag: self.tag + u64::from(len),
            len: self.len - len,
            message: self.message + u64::from(len),
            ..*self
        };
        (head, tail)
    }
}

/// The unacknowledged deliveries of a channel.
#[derive(Debug, Default)]
pub struct Unacked {
    runs: BTreeMap<u64, UnackedRun>,
    /// The newest run, which grows; always behind everything in `runs`.
    open: Option<UnackedRun>,
    last_tag: u64,
    count: u64,
}

impl Unacked {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The tag that the next delivery will get.
    pub fn next_tag(&self) -> u64 {
        self.last_tag + 1
    }

    /// A delivery tag for a delivery that needs no acknowledgement.
    #[inline]
    pub fn tag_only(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// A delivery tag for `message`, which stays here until it is settled.
    #[inline]
    pub fn add(&mut self, source: u32, message: u64, now_s: u64) -> u64 {
        self.last_tag += 1;
        let tag = self.last_tag;
        self.count += 1;
        if let Some(open) = &mut self.open {
            let joins = open.source == source
                && open.message + u64::from(open.len) == message
                && open.last_tag() + 1 == tag
                && open.at_s == now_s
                && open.len < u32::MAX;
            if joins {
                open.len += 1;
                return tag;
            }
            self.runs.insert(open.tag, *open);
        }
        self.open = Some(UnackedRun {
            tag,
            len: 1,
            message,
            source,
            at_s: now_s,
        });
        tag
    }

    /// Takes the delivery `tag`; `None` when it is unknown.
    #[inline]
    pub fn take_one(&mut self, tag: u64) -> Option<UnackedRun> {
        if let Some(open) = self.open.filter(|open| open.tag <= tag) {
            if tag > open.last_tag() {
                return None;
            }
            self.count -= 1;
            let (before, one, after) = cut_out(open, tag);
            if let Some(before) = before {
                self.runs.insert(before.tag, before);
            }
            self.open = after;
            return Some(one);
        }
        let (&key, &run) = self.runs.range(..=tag).next_back()?;
        if tag > run.last_tag() {
            return None;
        }
        self.count -= 1;
        let (before, one, after) = cut_out(run, tag);
        match before {
            Some(before) => {
                self.runs.insert(key, before);
            }
            None => {
                self.runs.remove(&key);
            }
        }
        if let Some(after) = after {
            self.runs.insert(after.tag, after);
        }
        Some(one)
    }

    /// Takes every delivery up to and including `tag`, 0 standing for all. False when the tag is
    /// not outstanding, as for a single acknowledgement; 0 always succeeds.
    pub fn take_up_to(&mut self, tag: u64, out: &mut Vec<UnackedRun>) -> bool {
        if tag == 0 {
            self.take_all(out);
            return true;
        }
        if !self.contains(tag) {
            return false;
        }
        while let Some(entry) = self.runs.first_entry() {
            if *entry.key() > tag {
                return true;
            }
            let run = entry.remove();
            let rest = Self::take_head(run, tag, out, &mut self.count);
            if let Some(rest) = rest {
                self.runs.insert(rest.tag, rest);
                return true;
            }
        }
        if let Some(open) = self.open.filter(|open| open.tag <= tag) {
            self.open = Self::take_head(open, tag, out, &mut self.count);
        }
        true
    }

    fn take_head(
        run: UnackedRun,
        tag: u64,
        out: &mut Vec<UnackedRun>,
        count: &mut u64,
    ) -> Option<UnackedRun> {
        if run.last_tag() <= tag {
            *count -= u64::from(run.len);
            out.push(run);
            return None;
        }
        // The tag lies inside the run, so the part fits 32 bits.
        let (head, tail) = run.split((tag - run.tag + 1) as u32);
        *count -= u64::from(head.len);
        out.push(head);
        Some(tail)
    }

    /// Takes everything, oldest first.
    pub fn take_all(&mut self, out: &mut Vec<UnackedRun>) {
        out.extend(std::mem::take(&mut self.runs).into_values());
        out.extend(self.open.take());
        self.count = 0;
    }

    /// Puts a run back that was taken by a transaction which did not commit.
    pub fn restore(&mut self, run: UnackedRun) {
        self.count += u64::from(run.len);
        // It was delivered before anything that may be open.
        self.runs.insert(run.tag, run);
    }

    /// True while `tag` waits for its acknowledgement.
    pub fn contains(&self, tag: u64) -> bool {
        let inside = |run: &UnackedRun| run.tag <= tag && tag <= run.last_tag();
        self.open.as_ref().is_some_and(inside)
            || self
                .runs
                .range(..=tag)
                .next_back()
                .is_some_and(|(_, run)| inside(run))
    }

    /// Every run, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &UnackedRun> {
        self.runs.values().chain(self.open.as_ref())
    }
}

fn cut_out(run: UnackedRun, tag: u64) -> (Option<UnackedRun>, UnackedRun, Option<UnackedRun>) {
    // Callers made sure that the tag lies inside the run.
    let at = (tag - run.tag) as u32;
    let (before, rest) = run.split(at);
    let (one, after) = rest.split(1);
    (
        (before.len > 0).then_some(before),
        one,
        (after.len > 0).then_some(after),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn consecutive_deliveries_are_one_run() {
        let mut unacked = Unacked::default();
        for message in 0..1_000_000 {
            unacked.add(0, message, 1);
        }
        assert_eq!(unacked.iter().count(), 1);
        for tag in 1..=10 {
            assert_eq!(unacked.take_one(tag).unwrap().message, tag - 1);
        }
        assert_eq!(unacked.iter().count(), 1);
        assert_eq!(unacked.take_one(5), None);
        let mut out = Vec::new();
        assert!(!unacked.take_up_to(5, &mut out));
        assert!(unacked.take_up_to(500_000, &mut out));
        assert_eq!(out.iter().map(|r| r.len).sum::<u32>(), 499_990);
    }

    proptest! {
        #[test]
        fn runs_behave_like_a_map(
            steps in prop::collection::vec((0u8..4, 0u64..60, 0u32..3), 1..200)
        ) {
            let mut unacked = Unacked::default();
            let mut model: BTreeMap<u64, (u32, u64)> = BTreeMap::new();
            let mut next = [0u64, 1000, 2000];
            for (step, tag, source) in steps {
                let mut out = Vec::new();
                match step {
                    0 | 1 => {
                        let message = next[source as usize];
                        next[source as usize] += 1 + u64::from(tag % 7 == 0);
                        let given = unacked.add(source, message, 0);
                        model.insert(given, (source, message));
                    }
                    2 => {
                        let taken = unacked.take_one(tag);
                        let expected = model.remove(&tag);
                        prop_assert_eq!(taken.map(|r| (r.source, r.message)), expected);
                        prop_assert!(taken.is_none_or(|r| r.len == 1 && r.tag == tag));
                    }
                    _ => {
                        let known = tag == 0 || model.contains_key(&tag);
                        prop_assert_eq!(unacked.take_up_to(tag, &mut out), known);
                        let flat: Vec<_> = out.iter().flat_map(|r| (0..u64::from(r.len))
                            .map(|i| (r.tag + i, (r.source, r.message + i)))).collect();
                        let gone: Vec<_> = model.iter().map(|(t, m)| (*t, *m))
                            .filter(|(t, _)| known && (tag == 0 || *t <= tag)).collect();
                        for (t, _) in &gone { model.remove(t); }
                        prop_assert_eq!(flat, gone);
                    }
                }
                prop_assert_eq!(unacked.len(), model.len() as u64);
            }
        }
    }
}
