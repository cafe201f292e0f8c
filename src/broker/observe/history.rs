//! The last minute of an object's numbers, in little memory.
//!
//! The sampler looks at every object every few seconds, at all of them in the same round; when the
//! rounds were is known to it alone. What does not change is kept once.

use parking_lot::Mutex;

/// Rounds that are kept: with one every 5 s they reach back 60 s.
pub const ROUNDS: usize = 13;

/// `N` series of which the first `GAUGES` may fall. Older values are kept as their low 32 bits,
/// after taking `SHIFT` bits off: between two rounds a series may change by 2^31 (2^32 where it
/// only grows) times 2^`SHIFT`.
#[derive(Debug)]
struct Ring<const N: usize> {
    latest: [u64; N],
    /// Low bits of every kept round, the latest included.
    low: [[u32; N]; ROUNDS],
    /// Where the latest is.
    at: usize,
    len: usize,
    /// Rounds since something changed.
    still: usize,
}

#[derive(Debug, Default)]
enum Kept<const N: usize> {
    /// Everything has been 0 so far.
    #[default]
    Nothing,
    /// Nothing has changed for as long as rounds are kept.
    Still(Box<[u64; N]>),
    Moving(Box<Ring<N>>),
}

/// An object's history.
#[derive(Debug)]
pub struct History<const N: usize, const GAUGES: usize, const SHIFT: u32>(Mutex<State<N>>);

#[derive(Debug)]
struct State<const N: usize> {
    kept: Kept<N>,
    /// When it last changed, in milliseconds since the epoch; 0 before the first change.
    changed_at: u64,
}

impl<const N: usize, const GAUGES: usize, const SHIFT: u32> Default for History<N, GAUGES, SHIFT> {
    fn default() -> Self {
        Self(Mutex::new(State {
            kept: Kept::Nothing,
            changed_at: 0,
        }))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is kept"
)]
fn low(value: u64, shift: u32) -> u32 {
    (value >> shift) as u32
}

impl<const N: usize, const GAUGES: usize, const SHIFT: u32> History<N, GAUGES, SHIFT> {
    /// Notes the values of a round at `now`.
    pub fn note(&self, values: [u64; N], now: u64) {
        let mut state = self.0.lock();
        let before = match &state.kept {
            Kept::Nothing if values == [0; N] => return,
            // What was there from the start, as after a restart, has not just come.
            Kept::Nothing => {
                let mut before = [0; N];
                for (old, new) in before.iter_mut().zip(values).take(GAUGES) {
                    *old = new;
                }
                before
            }
            Kept::Still(latest) if **latest == values => return,
            Kept::Still(latest) => **latest,
            Kept::Moving(ring) => ring.latest,
        };
        if before != values || state.changed_at == 0 {
            state.changed_at = now;
        }
        if let Kept::Moving(ring) = &mut state.kept {
            ring.push(values, SHIFT);
            if ring.still >= ROUNDS {
                state.kept = Kept::Still(Box::new(values));
            }
            return;
        }
        let mut ring = Box::new(Ring {
            latest: before,
            low: [[0; N]; ROUNDS],
            at: 0,
            len: 0,
            still: 0,
        });
        ring.push(before, SHIFT);
        ring.push(values, SHIFT);
        state.kept = Kept::Moving(ring);
    }

    /// The kept rounds, the latest first; as many of them as `rounds` at most.
    pub fn rounds(&self, rounds: usize) -> Vec<[u64; N]> {
        match &self.0.lock().kept {
            Kept::Nothing => vec![[0; N]; rounds.min(ROUNDS)],
            Kept::Still(latest) => vec![**latest; rounds.min(ROUNDS)],
            Kept::Moving(ring) => ring.rounds(rounds, GAUGES, SHIFT),
        }
    }

    /// The latest round and the one before.
    pub fn last_two(&self) -> ([u64; N], [u64; N]) {
        let rounds = self.rounds(2);
        let latest = rounds.first().copied().unwrap_or([0; N]);
        (latest, rounds.get(1).copied().unwrap_or(latest))
    }

    /// When it last changed, in milliseconds since the epoch; 0 when it never has.
    pub fn changed_at(&self) -> u64 {
        self.0.lock().changed_at
    }
}

impl<const N: usize> Ring<N> {
    fn push(&mut self, values: [u64; N], shift: u32) {
        self.still = if self.latest == values {
            self.still + 1
        } else {
            0
        };
        self.latest = values;
        self.at = (self.at + 1) % ROUNDS;
        self.len = (self.len + 1).min(ROUNDS);
        if let Some(place) = self.low.get_mut(self.at) {
            *place = values.map(|value| low(value, shift));
        }
    }

    fn rounds(&self, rounds: usize, gauges: usize, shift: u32) -> Vec<[u64; N]> {
        let mut out = Vec::with_capacity(rounds.min(self.len));
        let mut values = self.latest;
        let mut newer = self.low.get(self.at).copied().unwrap_or([0; N]);
        for back in 0..rounds.min(self.len) {
            let place = (self.at + ROUNDS - back) % ROUNDS;
            let older = self.low.get(place).copied().unwrap_or(newer);
            for (series, value) in values.iter_mut().enumerate() {
                let new = newer.get(series).copied().unwrap_or(0);
                let step = new.wrapping_sub(older.get(series).copied().unwrap_or(0));
                *value = if series < gauges {
                    // What falls by 1 grows by 2^32 - 1.
                    value.wrapping_sub((i64::from(step.cast_signed()) << shift).cast_unsigned())
                } else {
                    value.saturating_sub(u64::from(step) << shift)
                };
            }
            newer = older;
            out.push(values);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_kept_exactly() {
        let history = History::<2, 1, 0>::default();
        let value = |round: u64| {
            [
                if round.is_multiple_of(2) { 0 } else { 1 << 30 },
                round << 31,
            ]
        };
        for round in 1..=40 {
            history.note(value(round), round * 5000);
        }
        let rounds = history.rounds(100);
        assert_eq!(rounds.len(), ROUNDS);
        for (back, values) in (0..).zip(rounds) {
            assert_eq!(values, value(40 - back));
        }
        assert_eq!(history.changed_at(), 200_000);
    }

    #[test]
    fn what_stands_still_takes_no_room_and_loses_nothing() {
        let history = History::<2, 1, 4>::default();
        history.note([0, 0], 1);
        assert!(matches!(history.0.lock().kept, Kept::Nothing));
        history.note([112, 1600], 5);
        // A gauge that is there at first sight has not just come.
        assert_eq!(history.last_two(), ([112, 1600], [112, 0]));
        for round in 0..30 {
            history.note([112, 1600], 10 + round);
        }
        assert!(matches!(history.0.lock().kept, Kept::Still(_)));
        assert_eq!(history.changed_at(), 5);
        assert_eq!(history.last_two(), ([112, 1600], [112, 1600]));
        history.note([96, 3200], 100);
        assert_eq!(history.last_two(), ([96, 3200], [112, 1600]));
        assert_eq!(history.changed_at(), 100);
    }

    #[test]
    fn a_queue_history_stays_below_a_kibibyte() {
        assert!(size_of::<Ring<12>>() <= 1024);
    }
}
