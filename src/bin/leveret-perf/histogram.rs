//! Latencies in nanoseconds, counted in logarithmic buckets 3 % wide.
//!
//! Recording is a shift and an addition; percentiles are read afterwards.

/// Buckets per power of two.
const STEPS: u64 = 32;
/// Enough buckets for every 64-bit value.
const BUCKETS: usize = 60 * 32;

/// Counts of values by size.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }
}

impl Histogram {
    /// Counts one value.
    #[inline]
    pub fn record(&mut self, nanoseconds: u64) {
        if let Some(count) = self.counts.get_mut(bucket(nanoseconds)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Values counted.
    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Adds the values of another.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The value, in microseconds, that `share` (0 to 1) of all values do not exceed.
    pub fn percentile_us(&self, share: f64) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(middle(index as u64) / 1000.0);
            }
        }
        None
    }
}

#[inline]
fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = u64::from(58 - value.leading_zeros());
    ((shift + 1) * STEPS + (value >> shift) - STEPS) as usize
}

/// The middle of a bucket's range.
fn middle(index: u64) -> f64 {
    if index < STEPS {
        return index as f64;
    }
    let shift = index / STEPS - 1;
    let low = (index % STEPS + STEPS) << shift;
    low as f64 + ((1u64 << shift) as f64 - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Histogram, bucket, middle};

    #[test]
    fn every_value_falls_within_two_percent_of_its_bucket() {
        let mut value = 1u64;
        while value < u64::MAX / 3 {
            let index = bucket(value);
            assert!(index < BUCKETS);
            let error = (middle(index as u64) - value as f64).abs() / value as f64;
            assert!(error < 0.02, "{value} is off by {error}");
            value += value / 20 + 1;
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn percentiles_of_a_uniform_spread() {
        let mut histogram = Histogram::default();
        for value in 1..=100_000u64 {
            histogram.record(value * 1000);
        }
        for share in [0.5, 0.95, 0.99, 0.999] {
            let got = histogram.percentile_us(share).unwrap();
            let wanted = share * 100_000.0;
            assert!((got - wanted).abs() / wanted < 0.02, "{share}: {got}");
        }
        assert!(Histogram::default().percentile_us(0.5).is_none());
    }
}
