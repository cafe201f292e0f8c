//! Values at points in time, and the samples that are asked of them.

/// Values of a series at a moment, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point<const N: usize> {
    /// When.
    pub at: u64,
    /// What.
    pub values: [u64; N],
}

/// A range that is asked for: samples of the last `age_s` seconds, one every `incr_s` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// How far back.
    pub age_s: u64,
    /// How far apart.
    pub incr_s: u64,
}

/// Samples of a range, the newest first, from `points`, which stand newest first as well. Each is
/// the value that held at its time; what lies before the oldest point is not there.
pub fn resample<const N: usize>(points: &[Point<N>], range: Range, now: u64) -> Vec<Point<N>> {
    let step = range.incr_s.max(1) * 1000;
    let newest = now - now % step;
    let count = range.age_s * 1000 / step + 1;
    let mut samples = Vec::new();
    let mut rest = points;
    for back in 0..count {
        let Some(at) = newest.checked_sub(back * step) else {
            break;
        };
        while let Some((first, older)) = rest.split_first()
            && first.at > at
        {
            rest = older;
        }
        let Some(held) = rest.first() else { break };
        samples.push(Point {
            at,
            values: held.values,
        });
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_what_held_at_their_time() {
        let points: Vec<Point<1>> = (0..5)
            .map(|n| Point {
                at: 100_000 - n * 5_100,
                values: [50 - n],
            })
            .collect();
        let range = Range {
            age_s: 60,
            incr_s: 10,
        };
        let samples = resample(&points, range, 103_456);
        let seen: Vec<(u64, u64)> = samples.iter().map(|p| (p.at, p.values[0])).collect();
        assert_eq!(seen, [(100_000, 50), (90_000, 48), (80_000, 46)]);
        assert!(resample::<1>(&[], range, 5).is_empty());
    }
}
