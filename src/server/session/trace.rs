//! What the firehose is told while it is on.

use std::sync::Arc;

use super::Session;
use crate::broker::SharedQueue;
use crate::broker::admin::{Tap, Told};
use crate::message::Record;

impl Session {
    /// True while the firehose of the host is on.
    pub(super) fn is_traced(&self) -> bool {
        self.vhost.as_ref().is_some_and(|vhost| vhost.is_traced())
    }

    /// Tells of a publish, if somebody wants to know.
    pub(super) fn tell_publish(
        &self,
        channel: u16,
        record: &Record<'_>,
        queues: &[Arc<SharedQueue>],
    ) {
        if self.is_traced() {
            self.tell(channel, record, Told::Published(queues));
        }
    }

    /// Tells of a delivery.
    pub(super) fn tell_delivery(
        &self,
        channel: u16,
        record: &Record<'_>,
        queue: &SharedQueue,
        redelivered: bool,
    ) {
        self.tell(channel, record, Told::Delivered(queue, redelivered));
    }

    fn tell(&self, channel: u16, record: &Record<'_>, told: Told<'_>) {
        let Some(vhost) = &self.vhost else {
            return;
        };
        let title = self.handle.as_ref().map(|handle| handle.title());
        let tap = Tap {
            vhost,
            connection: title.as_deref(),
            channel,
            user: self.user_name(),
        };
        self.broker.tell(tap, record, told, self.now);
    }
}
