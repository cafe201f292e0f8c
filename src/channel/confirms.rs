//! Publisher confirms of one channel: numbers given out, outcomes collected, frames coalesced.
//!
//! `multiple` never reaches a number that has no outcome yet; refused publishes are
//! nacked one by one, before the acknowledgement that would otherwise cover them.

use crate::queue::runs::Runs;

/// One `basic.ack` or `basic.nack` to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirm {
    /// The delivery tag.
    pub tag: u64,
    /// It stands for every earlier number as well.
    pub multiple: bool,
    /// It is a nack.
    pub nack: bool,
}

/// The confirm state of a channel in confirm mode.
#[derive(Debug, Default)]
pub struct Confirms {
    issued: u64,
    /// Everything up to here has been written.
    written: u64,
    /// Everything up to here has an outcome.
    decided: u64,
    refused: Runs,
}

impl Confirms {
    /// The number of the next publish.
    #[inline]
    pub fn issue(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }

    /// A queue refused publish `number`; it must not have been written yet.
    pub fn refuse(&mut self, number: u64) {
        self.refused.insert(number);
    }

    /// The last number given out.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Publishes whose outcome has not been written.
    pub fn waiting(&self) -> u64 {
        self.issued - self.written
    }

    /// Every publish up to `number` has its outcome: taken, unless refused.
    pub fn decide(&mut self, number: u64) {
        self.decided = self.decided.max(number.min(self.issued));
    }

    /// True when [`Self::emit`] has something to write.
    pub fn pending(&self) -> bool {
        self.decided > self.written
    }

    /// Hands out what is to be written, in order.
    pub fn emit(&mut self, mut write: impl FnMut(Confirm)) {
        if !self.pending() {
            return;
        }
        let mut nacked = Vec::new();
        while let Some(tag) = self.refused.first().filter(|tag| *tag <= self.decided) {
            self.refused.remove(tag);
            nacked.push(tag);
            write(Confirm {
                tag,
                multiple: false,
                nack: true,
            });
        }
        // The acknowledgement ends below the refused ones at the end.
        let mut last = self.decided;
        for tag in nacked.into_iter().rev() {
            if tag != last {
                break;
            }
            last -= 1;
        }
        if last > self.written {
            write(Confirm {
                tag: last,
                multiple: last > self.written + 1,
                nack: false,
            });
        }
        self.written = self.decided;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(confirms: &mut Confirms) -> Vec<(u64, bool, bool)> {
        let mut out = Vec::new();
        confirms.emit(|c| out.push((c.tag, c.multiple, c.nack)));
        out
    }

    #[test]
    fn acks_are_coalesced_and_nacks_are_not() {
        let mut confirms = Confirms::default();
        assert_eq!(emitted(&mut confirms), []);
        confirms.issue();
        confirms.decide(u64::MAX);
        assert_eq!(emitted(&mut confirms), [(1, false, false)]);
        for _ in 0..9 {
            confirms.issue();
        }
        confirms.refuse(4);
        confirms.decide(u64::MAX);
        assert_eq!(
            emitted(&mut confirms),
            [(4, false, true), (10, true, false)]
        );
        confirms.issue();
        confirms.issue();
        confirms.refuse(11);
        confirms.refuse(12);
        confirms.decide(u64::MAX);
        assert_eq!(
            emitted(&mut confirms),
            [(11, false, true), (12, false, true)]
        );
        assert!(!confirms.pending());
    }
}
