//! A broker with the store of a folder, and short words for what the tests do to it.

use std::path::Path;
use std::sync::Arc;

use crate::amqp::Table;
use crate::amqp::hot::join_route;
use crate::broker::batch::{Batch, Refusals};
use crate::broker::keeper::wait_durable;
use crate::broker::shared_queue::{QueueSpec, SharedQueue};
use crate::broker::{Broker, Options};
use crate::config::Settings;
use crate::ids::Name;
use crate::message::Record;
use crate::node::store::Store;
use crate::queue::{Incoming, QueueArguments, QueueKind};
use crate::time::unix_ms;

pub struct Stage {
    pub broker: Arc<Broker>,
    store: Store,
}

/// A message as it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub body: String,
    pub redelivered: bool,
}

impl Stage {
    /// Opens the store of `folder`, whose log has files of 1 MiB.
    pub fn open(folder: &Path) -> Self {
        let broker = Broker::new(Options {
            max_message_size: 1 << 27,
            memory_limit: u64::MAX,
            consumer_timeout_ms: None,
            hashing: Default::default(),
            default_kind: QueueKind::Classic,
        });
        let mut resources = Settings::default().resources;
        resources.segment_bytes = 1 << 20;
        let store = Store::open(folder, &broker, &resources).unwrap();
        Self { broker, store }
    }

    pub fn close(mut self) {
        self.store.close(&self.broker).unwrap();
    }

    pub fn queue(&self, name: &str) -> Arc<SharedQueue> {
        let vhost = self.broker.vhost(b"/").unwrap();
        let found = vhost.queue(name.as_bytes());
        found.unwrap_or_else(|| panic!("no queue {name}"))
    }

    /// Makes a durable queue in the virtual host `/`.
    pub fn declare(&self, name: &str) -> Arc<SharedQueue> {
        let vhost = self.broker.put_vhost(b"/", None);
        let spec = QueueSpec {
            name: Name::from(name),
            durable: true,
            owner: None,
            auto_delete: false,
            arguments: Table::default(),
            settings: QueueArguments::default(),
            declared_by: Name::from("tester"),
        };
        let declared = vhost.declare_queue(&self.broker, spec, 1, unix_ms());
        declared.unwrap().0
    }

    /// Publishes a persistent message and waits until it is durable.
    pub fn publish(&self, queue: &str, body: &str) {
        let mut batch = Batch::default();
        batch.set_logged(true);
        let offset = batch.append_record(&Record {
            route: &join_route(b"", queue.as_bytes()),
            body: body.as_bytes(),
            ..Record::default()
        });
        let message = Incoming {
            offset,
            size: u32::try_from(body.len()).unwrap(),
            priority: 0,
            ttl_ms: u64::MAX,
            publish: 0,
            persistent: true,
            forced: false,
        };
        batch.push(&self.queue(queue), message);
        let ticket = batch.flush(&self.broker, unix_ms(), &mut Refusals::default(), None);
        wait_durable(self.broker.journal.log().unwrap(), ticket).unwrap();
    }

    /// Takes everything that is ready, for good.
    pub fn take_all(&self, queue: &str) -> Vec<Seen> {
        let queue = self.queue(queue);
        let take = || queue.get(&self.broker, true, unix_ms()).unwrap();
        std::iter::from_fn(take)
            .map(|taken| Seen {
                body: String::from_utf8_lossy(taken.chunk.record(taken.offset).body).into_owned(),
                redelivered: taken.redelivered,
            })
            .collect()
    }

    /// The bodies of everything that is ready, taken for good.
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        let all = self.take_all(queue);
        all.into_iter().map(|seen| seen.body).collect()
    }
}
