//! What can go wrong with what is stored, told so that an operator can act on it.

use std::io;
use std::sync::Arc;

/// A failure of the store. Cloned, because the first failure of a log is its answer for ever.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {verb} {file}: {source}")]
    Io {
        /// What was tried, as a verb.
        verb: &'static str,
        /// The file's name in its folder; the folder itself is `.`.
        file: String,
        /// What the operating system answered.
        source: Arc<io::Error>,
    },
    /// Octets that were safely on disk once are not what was written.
    #[error("{file} is damaged at offset {offset}: {reason}")]
    Damaged {
        /// The file's name in its folder.
        file: String,
        /// Where the first octet that cannot be trusted lies.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A file of a format that this program does not know.
    #[error(
        "{file} has format version {found}; this program reads version {known}. Start the version that wrote it"
    )]
    Version {
        /// The file's name in its folder.
        file: String,
        /// The version it has.
        found: u16,
        /// The version known here.
        known: u16,
    },
    /// An entry longer than the log takes, which is a bug of the caller.
    #[error("an entry of {octets} octets is longer than the log takes, {limit}")]
    TooLong {
        /// Octets of the entry.
        octets: u64,
        /// The most there may be.
        limit: u64,
    },
    /// A place that no file of the log holds, which is a bug of the caller.
    #[error("the log has no file number {number}")]
    NoSuchFile {
        /// The number asked for.
        number: u32,
    },
    /// The thread that writes the log ended by a panic.
    #[error("the log's writer ended unexpectedly; the log above says why")]
    WriterGone,
    /// What a caller's own reading of an entry found.
    #[error("{0}")]
    Refused(String),
}

impl StoreError {
    /// `verb` failed on `file`.
    pub fn io(verb: &'static str, file: impl Into<String>, source: io::Error) -> Self {
        Self::Io {
            verb,
            file: file.into(),
            source: Arc::new(source),
        }
    }

    /// Nothing is stored by this broker.
    pub fn closed() -> Self {
        Self::Refused("no store is open".into())
    }

    /// A record ends behind the octets that there are.
    pub fn cut_short(home: &crate::message::Home) -> Self {
        Self::Damaged {
            file: home.file.name(),
            offset: home.offset.into(),
            reason: "a message's record does not hold what its length says".into(),
        }
    }

    /// The octets of a record are not those that were written.
    pub fn bad_record(home: &crate::message::Home) -> Self {
        Self::Damaged {
            file: home.file.name(),
            offset: home.offset.into(),
            reason: "a message's record is not what was written".into(),
        }
    }

    /// True when octets are there and wrong: reading them once more gives the same.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// True when a file is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// True when something that is there could not be read, or is not what it should be: nothing
    /// that is still to be written is at stake.
    pub fn is_of_reading(&self) -> bool {
        match self {
            Self::Io { verb, .. } => *verb == "read",
            Self::Damaged { .. } | Self::Refused(_) | Self::NoSuchFile { .. } => true,
            _ => false,
        }
    }

    /// True when the device is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}
