//! What was found.

/// Something that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, from the data folder on.
    pub file: String,
    /// The first octet of it that cannot be used.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// What a crash left behind the end of the log: nothing of it was ever promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file, from the data folder on.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// Octets of it.
    pub octets: u64,
}

/// What cannot be read of one queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LostIn {
    /// The queue, with its virtual host.
    pub queue: String,
    /// Messages that are known to be lost.
    pub messages: u64,
    /// Their numbers by priority, from and to, as many as are worth telling.
    pub numbers: Vec<(u8, u64, u64)>,
    /// Messages that may have stood in what cannot be read, at most.
    pub perhaps: u64,
    /// Messages that are there and may have been acknowledged: that would stand in what cannot be
    /// read.
    pub uncertain: u64,
}

/// Runs of numbers that are told of one queue.
const RUNS_TOLD: usize = 20;

impl LostIn {
    /// Counts a message that is lost.
    pub(super) fn lose(&mut self, priority: u8, number: u64) {
        self.messages += 1;
        if let Some((known, _, last)) = self.numbers.last_mut()
            && *known == priority
            && last.checked_add(1) == Some(number)
        {
            *last = number;
        } else if self.numbers.len() < RUNS_TOLD {
            self.numbers.push((priority, number, number));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages == 0 && self.perhaps == 0 && self.uncertain == 0
    }
}

/// All that was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Files of the log.
    pub files: u64,
    /// Octets of them.
    pub octets: u64,
    /// Whole entries in them.
    pub entries: u64,
    /// Durable queues.
    pub queues: u64,
    /// Messages in them that can be read.
    pub messages: u64,
    /// What a crash left.
    pub torn: Option<Torn>,
    /// What cannot be read.
    pub damage: Vec<Damage>,
    /// Whose messages that concerns.
    pub lost: Vec<LostIn>,
    /// Changes of definitions that are lost.
    pub lost_commands: u64,
    /// What there is instead of something damaged, to be told.
    pub notes: Vec<String>,
}

impl Report {
    /// True when everything can be read.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.lost.is_empty()
    }

    pub(super) fn damaged(
        &mut self,
        file: impl Into<String>,
        offset: u64,
        what: impl Into<String>,
    ) {
        self.damage.push(Damage {
            file: file.into(),
            offset,
            what: what.into(),
        });
    }
}
