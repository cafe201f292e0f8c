//! How often connections, channels and queues come and go.

use super::counter::SharedCounter;

/// Connections and channels of the node.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the management API")]
pub struct Churn {
    pub connection_created: SharedCounter,
    pub connection_closed: SharedCounter,
    pub channel_created: SharedCounter,
    pub channel_closed: SharedCounter,
}

/// Queues of a virtual host.
#[derive(Debug, Default)]
pub struct QueueChurn {
    /// Declarations that succeeded, of queues that were there as well.
    pub declared: SharedCounter,
    /// Queues made.
    pub created: SharedCounter,
    /// Queues deleted.
    pub deleted: SharedCounter,
}

/// Attempts to log in, by protocol.
#[derive(Debug, Default)]
pub struct AuthAttempts {
    /// Of AMQP clients.
    pub amqp: Attempts,
    /// Of the management API's.
    pub http: Attempts,
}

/// Attempts to log in.
#[derive(Debug, Default)]
pub struct Attempts {
    succeeded: SharedCounter,
    failed: SharedCounter,
}

impl Attempts {
    /// One was made.
    pub fn note(&self, succeeded: bool) {
        if succeeded {
            self.succeeded.add(1);
        } else {
            self.failed.add(1);
        }
    }

    /// Begins at 0 again, as an operator asked.
    pub fn reset(&self) {
        self.succeeded.reset();
        self.failed.reset();
    }

    /// Those that succeeded.
    pub fn succeeded(&self) -> u64 {
        self.succeeded.get()
    }

    /// Those that failed.
    pub fn failed(&self) -> u64 {
        self.failed.get()
    }
}
