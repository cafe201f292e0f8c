//! How much of the time a queue's consumers could take messages.

use std::sync::atomic::{AtomicU32, Ordering};

/// Looks that count: those of the last minute.
const LOOKS: u32 = 12;

/// One bit for each of the last looks, and how many there were. The sampler alone writes it.
#[derive(Debug, Default)]
pub struct Utilisation(AtomicU32);

impl Utilisation {
    /// Notes whether some consumer stood ready.
    pub fn note(&self, ready: bool) {
        let old = self.0.load(Ordering::Relaxed);
        let bits = (old << 1 | u32::from(ready)) & ((1 << LOOKS) - 1);
        let count = (old >> 16) + 1;
        self.0
            .store(count.min(LOOKS) << 16 | bits, Ordering::Relaxed);
    }

    /// The share of the last looks in which some consumer stood ready; `None` before the first.
    pub fn share(&self) -> Option<f64> {
        let seen = self.0.load(Ordering::Relaxed);
        let count = seen >> 16;
        let ready = (seen & ((1 << LOOKS) - 1)).count_ones();
        (count > 0).then(|| f64::from(ready) / f64::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_last_looks() {
        let seen = Utilisation::default();
        assert_eq!(seen.share(), None);
        seen.note(true);
        assert_eq!(seen.share(), Some(1.0));
        seen.note(false);
        assert_eq!(seen.share(), Some(0.5));
        for _ in 0..6 {
            seen.note(true);
        }
        for _ in 0..6 {
            seen.note(false);
        }
        assert_eq!(seen.share(), Some(0.5));
        for _ in 0..20 {
            seen.note(false);
        }
        assert_eq!(seen.share(), Some(0.0));
    }
}
