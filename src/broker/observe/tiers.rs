//! Histories of hours, for the node and its virtual hosts: the longer ago, the coarser.

use std::collections::VecDeque;

use super::points::{Point, Range, resample};

/// How far apart values are kept, in seconds, and how many: 10 minutes, an hour, 8 hours, a day.
const TIERS: [(u64, usize); 4] = [(5, 122), (60, 62), (600, 50), (1800, 50)];

/// Values of `N` series.
#[derive(Debug)]
pub struct Tiers<const N: usize>([VecDeque<Point<N>>; TIERS.len()]);

impl<const N: usize> Default for Tiers<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| VecDeque::new()))
    }
}

impl<const N: usize> Tiers<N> {
    /// Notes the values at `now`, in milliseconds since the epoch.
    pub fn note(&mut self, values: [u64; N], now: u64) {
        for ((step_s, most), kept) in TIERS.into_iter().zip(&mut self.0) {
            // A round comes a little early or late; the finest tier takes every one.
            let due = kept
                .front()
                .is_none_or(|last| now.saturating_sub(last.at) + 2_500 >= step_s * 1000);
            if due {
                kept.push_front(Point { at: now, values });
                kept.truncate(most);
            }
        }
    }

    /// The latest values and the ones before, with the milliseconds between them.
    pub fn last_two(&self) -> Option<([u64; N], [u64; N], u64)> {
        let [finest, ..] = &self.0;
        let (last, before) = (finest.front()?, finest.get(1)?);
        Some((
            last.values,
            before.values,
            last.at.saturating_sub(before.at),
        ))
    }

    /// Samples of a range, the newest first, by the finest tier that reaches as far, or by the
    /// farthest.
    pub fn samples(&self, range: Range, now: u64) -> Vec<Point<N>> {
        let reaches = |(step_s, most): &(u64, usize)| step_s * (*most as u64 - 2) >= range.age_s;
        let tier = TIERS.iter().position(reaches).unwrap_or(TIERS.len() - 1);
        let mut points: Vec<Point<N>> = Vec::new();
        // The newest values of a coarse tier are in the finer ones.
        for kept in self.0.iter().take(tier + 1).rev() {
            let newest = points.first().map_or(0, |point| point.at);
            let newer = kept.iter().take_while(|point| point.at > newest);
            points.splice(0..0, newer.copied());
        }
        resample(&points, range, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_kept_in_few_points() {
        let mut tiers = Tiers::<1>::default();
        let start = 1_800_000_000_000;
        let rounds = 86_400 / 5;
        for round in 0..=rounds {
            tiers.note([round], start + round * 5_000);
        }
        let now = start + rounds * 5_000;
        let kept: usize = tiers.0.iter().map(VecDeque::len).sum();
        assert!(kept < 300, "{kept}");
        for (age_s, incr_s) in [(60, 5), (600, 5), (3600, 60), (28_800, 600), (86_400, 1800)] {
            let samples = tiers.samples(Range { age_s, incr_s }, now);
            let wanted = age_s / incr_s + 1;
            // The oldest may just have been let go of.
            assert!(
                samples.len() as u64 + 1 >= wanted,
                "{age_s}: {}",
                samples.len()
            );
            for pair in samples.windows(2) {
                let step = pair[0].values[0] - pair[1].values[0];
                assert_eq!(step * 5, incr_s, "{age_s}");
            }
        }
        let (last, before, apart) = tiers.last_two().unwrap();
        assert_eq!((last[0] - before[0], apart), (1, 5_000));
    }
}
