//! Waiting until what was changed outlives a crash.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::broker::core::Broker;
use crate::store::log::Wake;

/// Wakes a task when the log has come far enough.
#[derive(Debug, Default)]
struct Bell(Notify);

impl Wake for Bell {
    fn wake(&self) {
        self.0.notify_one();
    }
}

impl Broker {
    /// Ends when every change of definitions made so far is on disk; at once where nothing is kept.
    /// False when the store has failed and never will.
    pub async fn definitions_durable(&self) -> bool {
        self.durable(self.journal.last_definition()).await
    }

    /// Ends when the log's entry with this ticket is on disk; false as above.
    pub async fn durable(&self, ticket: u64) -> bool {
        let Some(log) = self.journal.log() else {
            return true;
        };
        while log.durable() < ticket {
            if log.failure().is_some() {
                return false;
            }
            let bell = Arc::new(Bell::default());
            if log.wake_when(ticket, Arc::clone(&bell) as _) {
                bell.0.notified().await;
            }
        }
        true
    }
}
