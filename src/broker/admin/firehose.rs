//! Telling of publishes and deliveries (RabbitMQ's firehose).

use super::error::AdminError;
use crate::broker::core::Broker;
use crate::broker::vhost::Vhost;

impl Broker {
    /// Switches the firehose of a host on or off. Not kept over a restart, as in RabbitMQ.
    pub fn admin_trace(&self, vhost: &str, on: bool) -> Result<(), AdminError> {
        let vhost = self.vhost(vhost.as_bytes()).ok_or(AdminError::NotFound)?;
        self.trace(&vhost, on);
        Ok(())
    }

    pub(super) fn trace(&self, vhost: &Vhost, on: bool) {
        if vhost.is_traced() == on {
            return;
        }
        let what = if on { "Enabling" } else { "Disabling" };
        tracing::info!("{what} tracing for vhost '{}'", vhost.name);
        vhost.set_traced(on);
        // Publishers look again at what they remembered, and find it.
        self.users.forget_grants();
    }
}
