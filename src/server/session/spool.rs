//! Large content: written to a file of its own while it arrives, and published once it is there.
//!
//! However large it is, and however many arrive, a connection holds a piece of it only; what waits for
//! the disk has one bound for all of them, beyond which their sockets are not read. The disk alone
//! ends that wait. A content counts from its last octet: then its record can be read, and is safe where
//! a queue keeps it.

use std::sync::Arc;

use super::Session;
use super::publish::{Message, confirm_publish, incoming, is_reply};
use super::{Phase, channel::Mode};
use crate::amqp::properties::Properties;
use crate::amqp::{AmqpError, ReplyCode};
use crate::broker::shared_queue::SharedQueue;
use crate::channel::Content;
use crate::limits::{LARGE_BODY, SPOOL_FROM, SPOOL_SHARE};
use crate::message::held::bytes_outside;
use crate::message::record::mark_sealed;
use crate::queue::Incoming;
use crate::store::StoreError;
use crate::store::bodies::{Progress, Spool};
use crate::store::log::Wake;

/// Octets that are handed over at once, but for the last: fewer would cost a write each.
const PIECE: usize = 64 * 1024;

/// A content on its way to its file.
#[derive(Debug)]
pub(super) struct Spooling {
    spool: Spool,
    properties: Vec<u8>,
    /// Its properties ask for it to be kept over a restart.
    keep: bool,
}

/// A content that is complete but not written.
#[derive(Debug)]
pub(super) struct Arrived {
    channel: u16,
    route: Vec<u8>,
    mandatory: bool,
    spooling: Spooling,
}

impl Session {
    /// The header of a content has come: decides whether it goes to a file.
    pub(super) fn begin_spool(&mut self, channel: u16, properties: &[u8], body_size: u64) {
        let Some(bodies) = self.broker.journal.bodies() else {
            return;
        };
        let scarce = || bytes_outside() > self.broker.alarms.memory_limit() / SPOOL_SHARE;
        if body_size <= LARGE_BODY && (body_size <= SPOOL_FROM || !scarce()) {
            return;
        }
        let Some(state) = self.channels.get_mut(&channel) else {
            return;
        };
        let (Some(content), Ok(size)) = (&mut state.content, u32::try_from(body_size)) else {
            return;
        };
        // A transaction's records take effect together, and lie together.
        if matches!(state.mode, Mode::Tx(_)) {
            return;
        }
        let mode = Properties::read(properties).map(|properties| properties.delivery_mode);
        let keep = mode == Ok(Some(2));
        let waiter = Arc::clone(&self.inbox) as Arc<dyn Wake>;
        let mut spool = bodies.begin(size, keep, waiter);
        // What stands before the body, which is the first to be written.
        let mut start = content.take_gathered(0).unwrap_or_default();
        mark_sealed(&mut start, 0);
        spool.push(start);
        state.spool = Some(Spooling {
            spool,
            properties: properties.to_vec(),
            keep,
        });
        self.spooling.push(channel);
    }

    /// Hands over what a read has brought.
    #[inline]
    pub(super) fn push_spools(&mut self) {
        if self.spooling.is_empty() {
            return;
        }
        let channels = &mut self.channels;
        self.spooling.retain(|channel| {
            let Some(state) = channels.get_mut(channel) else {
                return false;
            };
            let (Some(content), Some(spooling)) = (&mut state.content, &mut state.spool) else {
                return false;
            };
            if let Some(octets) = content.take_gathered(PIECE) {
                spooling.spool.push(octets);
            }
            true
        });
    }

    /// True while more content of all connections waits for the disk than should; the inbox is rung
    /// when that is over. Concerns who brings such content.
    pub(super) fn is_spool_full(&self) -> bool {
        if self.spooling.is_empty() {
            return false;
        }
        let waiter = || Arc::clone(&self.inbox) as Arc<dyn Wake>;
        let bodies = self.broker.journal.bodies();
        bodies.is_some_and(|bodies| bodies.holds_up(&waiter()))
    }

    /// The last octets of a content have come.
    pub(super) fn end_spool(&mut self, channel: u16, content: Content, mut spooling: Spooling) {
        self.spooling.retain(|other| *other != channel);
        let route = content.route.clone();
        let mandatory = content.mandatory;
        spooling.spool.push(content.into_record());
        spooling.spool.finish(spooling.keep);
        // Nothing behind it may be taken in before it: the socket is not read meanwhile.
        self.arrived = Some(Arrived {
            channel,
            route,
            mandatory,
            spooling,
        });
    }

    /// Publishes what has arrived, once it is written.
    pub(super) fn publish_arrived(&mut self) {
        let written = |arrived: &mut Arrived| {
            let progress = arrived.spooling.spool.progress();
            progress > Progress::Arriving
        };
        let Some(arrived) = self.arrived.take_if(written) else {
            return;
        };
        let channel = arrived.channel;
        let open = self.channels.get(&channel).is_some_and(|c| !c.closing);
        if self.phase != Phase::Running || !open {
            return;
        }
        if let Err(error) = self.publish_spooled(arrived)
            && let Err(error) = self.fail(channel, error.caused_by((60, 40)))
        {
            self.close_connection(channel, error);
        }
        self.flush();
    }

    fn publish_spooled(&mut self, mut arrived: Arrived) -> Result<(), AmqpError> {
        let Arrived {
            channel,
            route,
            mandatory,
            spooling,
        } = &mut arrived;
        let (channel, spool) = (*channel, &mut spooling.spool);
        let message = Message {
            route,
            mandatory: *mandatory,
            properties: &spooling.properties,
            hidden: &[],
            body: &[],
        };
        let (found, asked) = self.examine(channel, message)?;
        let taken = !found.queues.is_empty();
        // Whoever looks into the body or rewrites what stands before it needs it in memory.
        // So does a queue that would drop it while it is being read back for a consumer.
        let hasty = asked.ttl_ms == 0
            || found
                .queues
                .iter()
                .any(|queue| drops_at_once(queue, spool.size()));
        let looks = asked.special || is_reply(message) || self.is_traced() || hasty;
        if looks || (!taken && message.mandatory) {
            let read = self.broker.journal.read_record(&spool.home(), spool.size());
            let chunk = read.map_err(unreadable)?;
            let record = chunk.record(0);
            let message = Message {
                body: record.body,
                ..message
            };
            return self.publish_slowly(channel, message, record.len());
        }
        if !taken {
            return self.publish_slowly(channel, message, 0);
        }
        let logged = found.logs(asked.persistent);
        if logged && spool.progress() < Progress::Synced {
            spool.finish(true);
            self.arrived = Some(arrived);
            return Ok(());
        }
        self.flush();
        self.tally.count(&found.counts, found.queues.len());
        let publish = self.channels.get_mut(&channel).map_or(u32::MAX, |state| {
            state.stats.publish.add(1);
            confirm_publish(
                state,
                channel,
                &mut self.batch_publishes,
                &mut self.confirming,
            )
        });
        let message = Incoming {
            size: spool.size(),
            ..incoming(asked, &[], publish)
        };
        self.batch.set_logged(logged);
        self.batch.adopt_away(spool.chunk());
        for queue in &found.queues {
            self.batch.push(queue, message);
        }
        Ok(())
    }
}

/// True when a message of `size` octets stays in this queue only if a consumer takes it at once.
fn drops_at_once(queue: &SharedQueue, size: u32) -> bool {
    queue.in_force(|settings| {
        let bytes = settings.max_length_bytes;
        settings.message_ttl_ms == Some(0)
            || settings.max_length == Some(0)
            || bytes.is_some_and(|most| most < size.into())
    })
}

fn unreadable(error: StoreError) -> AmqpError {
    tracing::error!("a publish cannot be read again: {error}");
    AmqpError::new(ReplyCode::InternalError, "the message cannot be read")
}
