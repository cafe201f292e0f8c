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

    /// Every publish issued so far has its outcome: taken, unless refused.
    pub fn decide_all(&mut self) {
        self.decided = self.issued;
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
        for (first, last) in self.refused.take() {
            for tag in first..=last {
                write(Confirm {
                    tag,
                    multiple: false,
                    nack: true,
                });
            }
            if last == self.decided {
                self.decided = first - 1;
            }
        }
        if self.decided > self.written {
            let multiple = self.decided > self.written + 1;
            write(Confirm {
                tag: self.decided,
                multiple,
                nack: false,
            });
        }
        self.written = self.issued;
        self.decided = self.issued;
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
        confirms.decide_all();
        assert_eq!(emitted(&mut confirms), [(1, false, false)]);
        for _ in 0..9 {
            confirms.issue();
        }
        confirms.refuse(4);
        confirms.decide_all();
        assert_eq!(
            emitted(&mut confirms),
            [(4, false, true), (10, true, false)]
        );
        confirms.issue();
        confirms.issue();
        confirms.refuse(11);
        confirms.refuse(12);
        confirms.decide_all();
        assert_eq!(
            emitted(&mut confirms),
            [(11, false, true), (12, false, true)]
        );
        assert!(!confirms.pending());
    }
}
