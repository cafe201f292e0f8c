//! A message on its way through a virtual host and back, for the aliveness test: declared, routed,
//! queued, taken and deleted by the same functions that serve clients.

use std::sync::Arc;

use super::batch::{Batch, Refusals};
use super::core::Broker;
use super::exchange::INTERNAL_USER;
use super::shared_queue::QueueSpec;
use super::vhost::Vhost;
use crate::amqp::hot::join_route;
use crate::amqp::{AmqpError, Table};
use crate::ids::Name;
use crate::queue::{Incoming, QueueArguments, QueueKind};

/// What is sent.
const BODY: &[u8] = b"test_message";

impl Broker {
    /// Sends a message through a queue of `vhost` that is there for just that; says what failed.
    pub fn probe(&self, vhost: &Arc<Vhost>, now: u64) -> Result<(), String> {
        let connection = self.next_id();
        let name = Name::from(format!("aliveness-test-{connection}").as_str());
        let text = |error: AmqpError| error.text.into_owned();
        let settings =
            QueueArguments::parse(&Table::default(), &name.to_string(), QueueKind::Classic)
                .map_err(|error| error.to_string())?;
        // Nobody else can take its message: it belongs to a connection that there is not.
        let spec = QueueSpec {
            name: name.clone(),
            durable: false,
            owner: Some(connection),
            auto_delete: false,
            arguments: Table::default(),
            settings,
            declared_by: Name::from(INTERNAL_USER),
        };
        let (queue, _) = vhost
            .declare_queue(self, spec, connection, now)
            .map_err(text)?;
        let route = vhost.route_default(&[name.as_bytes()]);
        let mut batch = Batch::default();
        let offset = batch.append(&join_route(b"", name.as_bytes()), &[0, 0], BODY, 0);
        for queue in &route.queues {
            let message = Incoming {
                offset,
                size: u32::try_from(BODY.len()).unwrap_or(u32::MAX),
                priority: 0,
                ttl_ms: u64::MAX,
                publish: 0,
                persistent: false,
                forced: false,
            };
            batch.push(queue, message);
        }
        let mut refusals = Refusals::default();
        batch.flush(self, now, &mut refusals, None);
        let taken = queue.get(self, true, now);
        vhost.delete_queues_of(connection);
        match taken {
            Some(Some(taken)) if taken.chunk.record(taken.offset).body == BODY => Ok(()),
            _ => Err(format!(
                "the message was not found again in {}",
                queue.subject()
            )),
        }
    }
}
