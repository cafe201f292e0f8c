//! What an exchange counts, and how a session gathers it for a batch.

use std::sync::Arc;

use super::counter::SharedCounter;
use super::history::History;

/// Series that an exchange's history keeps.
pub const EXCHANGE_SERIES: usize = 2;

/// Messages published to an exchange, and copies that went to queues by it.
#[derive(Debug, Default)]
pub struct ExchangeCounts {
    /// Messages.
    pub publish_in: SharedCounter,
    /// Copies.
    pub publish_out: SharedCounter,
    /// The last minute.
    pub history: History<EXCHANGE_SERIES, 0, 0>,
}

/// Exchanges whose counts a session gathers at a time; one that publishes to more of them in one
/// batch hands them in more often.
const GATHERED: usize = 8;

#[derive(Debug)]
struct Entry {
    counts: Arc<ExchangeCounts>,
    publish_in: u64,
    publish_out: u64,
}

/// Publishes of one batch, by exchange. The exchanges of the last batches are remembered, so that a
/// publisher to a few of them touches no shared count more than once a batch.
#[derive(Debug, Default)]
pub struct ExchangeTally {
    entries: Vec<Entry>,
    /// The exchange of the last publish.
    last: usize,
}

impl ExchangeTally {
    /// Counts one message and its copies.
    #[inline]
    pub fn count(&mut self, counts: &Arc<ExchangeCounts>, copies: usize) {
        match self.entries.get_mut(self.last) {
            Some(entry) if Arc::ptr_eq(&entry.counts, counts) => entry.count(1, copies as u64),
            _ => self.count_other(counts, 1, copies as u64),
        }
    }

    #[cold]
    fn count_other(&mut self, counts: &Arc<ExchangeCounts>, messages: u64, copies: u64) {
        let known = self
            .entries
            .iter()
            .position(|entry| Arc::ptr_eq(&entry.counts, counts));
        self.last = known.unwrap_or_else(|| {
            if self.entries.len() >= GATHERED {
                self.flush();
                self.entries.clear();
            }
            self.entries.push(Entry {
                counts: Arc::clone(counts),
                publish_in: 0,
                publish_out: 0,
            });
            self.entries.len() - 1
        });
        if let Some(entry) = self.entries.get_mut(self.last) {
            entry.count(messages, copies);
        }
    }

    /// Hands in what was gathered.
    #[inline]
    pub fn flush(&mut self) {
        for entry in &mut self.entries {
            if entry.publish_in > 0 {
                entry
                    .counts
                    .publish_in
                    .add(std::mem::take(&mut entry.publish_in));
                entry
                    .counts
                    .publish_out
                    .add(std::mem::take(&mut entry.publish_out));
            }
        }
    }

    /// Takes over what another one has gathered.
    pub fn merge(&mut self, other: &mut Self) {
        for entry in other.entries.drain(..) {
            self.count_other(&entry.counts, entry.publish_in, entry.publish_out);
        }
    }
}

impl Entry {
    #[inline]
    fn count(&mut self, messages: u64, copies: u64) {
        self.publish_in += messages;
        self.publish_out += copies;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_hands_everything_in_however_many_exchanges_there_are() {
        let exchanges: Vec<Arc<ExchangeCounts>> = (0..20).map(|_| Arc::default()).collect();
        let mut tally = ExchangeTally::default();
        for round in 0..3 {
            for (at, counts) in exchanges.iter().enumerate() {
                tally.count(counts, at);
                tally.count(counts, at + round);
            }
            tally.flush();
        }
        let mut transaction = ExchangeTally::default();
        transaction.count(&exchanges[3], 5);
        tally.merge(&mut transaction);
        tally.flush();
        for (at, counts) in exchanges.iter().enumerate() {
            let extra = u64::from(at == 3);
            assert_eq!(counts.publish_in.get(), 6 + extra);
            assert_eq!(counts.publish_out.get(), 6 * at as u64 + 3 + 5 * extra);
        }
    }
}
