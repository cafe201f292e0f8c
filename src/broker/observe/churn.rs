//! How often connections, channels and queues come and go.

use std::net::IpAddr;

use super::counter::SharedCounter;
use super::sources::Sources;

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
    /// Both by source.
    pub sources: Sources,
}

impl AuthAttempts {
    /// An attempt over AMQP in the name of `user`, where it named one.
    pub fn note_amqp(&self, address: Option<IpAddr>, user: Option<&str>, succeeded: bool) {
        self.amqp.note(succeeded);
        if let Some(user) = user {
            self.sources.note(address, user, "amqp091", succeeded);
        }
    }

    /// An attempt over HTTP in the name of `user`.
    pub fn note_http(&self, address: Option<IpAddr>, user: &str, succeeded: bool) {
        self.http.note(succeeded);
        self.sources.note(address, user, "http", succeeded);
    }

    /// Begins at 0 again, as an operator asked.
    pub fn reset(&self) {
        self.amqp.reset();
        self.http.reset();
        self.sources.reset();
    }
}

/// Attempts to log in.
#[derive(Debug, Default)]
pub struct Attempts {
    succeeded: SharedCounter,
    failed: SharedCounter,
}

impl Attempts {
    /// One was made.
    fn note(&self, succeeded: bool) {
        if succeeded {
            self.succeeded.add(1);
        } else {
            self.failed.add(1);
        }
    }

    fn reset(&self) {
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
