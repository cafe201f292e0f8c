//! How an operator's wish ends.

/// Whether what was put is new: 201 or 204 for the management API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created(pub bool);

/// Whether what a change is about has to be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It does not matter.
    Either,
    /// It must be there.
    Known,
    /// It must not.
    New,
}

impl Presence {
    /// Whether a change goes on that finds nothing (`missing`), or finds something.
    pub(super) fn allows(self, missing: bool) -> bool {
        match self {
            Self::Either => true,
            Self::Known => !missing,
            Self::New => missing,
        }
    }
}

/// Why an operator's wish was not done. The texts are RabbitMQ's reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// There is no such object (404).
    #[error("Not Found")]
    NotFound,
    /// There is no such virtual host to put something into (404).
    #[error("vhost_not_found")]
    NoVhost,
    /// What was said makes no sense (400).
    #[error("{0}")]
    Invalid(String),
    /// It is not to be done (400).
    #[error("{0}")]
    Refused(String),
    /// It is not to be done as things stand (412).
    #[error("{0}")]
    Precondition(String),
}
