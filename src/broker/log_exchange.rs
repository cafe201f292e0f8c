//! The log as messages: each line goes to the topic exchange `amq.rabbitmq.log` of the default
//! virtual host, with its level as the routing key, where `log.exchange` is set.
//!
//! A task of its own publishes what the log's feed holds, so that nobody who logs waits, under
//! whatever lock. What it does not come to is lost and counted.

use std::sync::Arc;

use super::core::Broker;
use super::exchange::{Exchange, ExchangeSpec, INTERNAL_USER};
use super::inject::Injected;
use super::vhost::Vhost;
use crate::amqp::properties::Properties;
use crate::amqp::{AmqpError, Table, Value};
use crate::exchange::ExchangeType;
use crate::ids::Name;
use crate::logs::{Feed, Record};
use crate::time::unix_ms;

/// Where the lines go.
const EXCHANGE: &[u8] = b"amq.rabbitmq.log";

/// Lines that are published before other tasks have their turn.
const LINES_A_TURN: usize = 64;

/// What publishes the lines.
#[derive(Debug)]
pub struct LogExchange {
    broker: Arc<Broker>,
    feed: Arc<Feed>,
    vhost: Name,
    /// The headers of every message.
    headers: Table,
    /// The last line that is none of its.
    from: u64,
}

impl LogExchange {
    /// Declares the exchange in `vhost`; the lines from here on are published.
    pub fn open(broker: Arc<Broker>, feed: Arc<Feed>, vhost: &str) -> Self {
        let mut headers = Table::default();
        headers.set(b"node", Value::text(broker.node()));
        let from = feed.last();
        let opened = Self {
            broker,
            feed,
            vhost: Name::new(vhost.as_bytes()),
            headers,
            from,
        };
        match opened.target() {
            Ok(_) => {
                tracing::info!("Logging to exchange 'amq.rabbitmq.log' in vhost '{vhost}' ready")
            }
            Err(error) => tracing::error!(
                "Logging to exchange 'amq.rabbitmq.log' in vhost '{vhost}' is not possible: {}",
                error.text
            ),
        }
        opened
    }

    /// The host and its exchange, which is declared where it is missing: after the host was deleted
    /// and made again, for one.
    fn target(&self) -> Result<(Arc<Vhost>, Arc<Exchange>), AmqpError> {
        let vhost = self.broker.vhost(self.vhost.as_bytes());
        let vhost =
            vhost.ok_or_else(|| AmqpError::not_found(format!("no vhost '{}'", self.vhost)))?;
        if let Some(exchange) = vhost.exchange(EXCHANGE) {
            return Ok((vhost, exchange));
        }
        vhost.declare_exchange(ExchangeSpec {
            name: Name::new(EXCHANGE),
            kind: ExchangeType::Topic,
            durable: true,
            auto_delete: false,
            internal: true,
            arguments: Table::default(),
            declared_by: Name::from(INTERNAL_USER),
        })?;
        let exchange = vhost.existing_exchange(EXCHANGE)?;
        Ok((vhost, exchange))
    }

    /// Publishes lines until the task is dropped.
    pub async fn run(mut self) {
        loop {
            self.feed.grown_beyond(self.from).await;
            let lines = self.feed.since(self.from);
            self.from = lines.last;
            for some in lines.entries.chunks(LINES_A_TURN) {
                Feed::publishing(|| some.iter().for_each(|record| self.publish(record)));
                tokio::task::yield_now().await;
            }
        }
    }

    /// Publishes a line; one that has nowhere to go is nobody's loss.
    fn publish(&self, record: &Record) {
        let Ok((vhost, exchange)) = self.target() else {
            return;
        };
        let seconds = u64::try_from(record.at_us / 1_000_000).unwrap_or(0);
        let text = self.feed.text(record);
        let message = Injected {
            exchange: EXCHANGE,
            routing_key: record.level.name().as_bytes(),
            properties: Properties {
                content_type: Some(self.feed.content_type().as_bytes()),
                timestamp: Some(seconds),
                ..Properties::default()
            },
            headers: Some(&self.headers),
            body: text.as_bytes(),
        };
        // Refused by a full queue, it is lost.
        let _ = self
            .broker
            .publish_into(&vhost, Some(&exchange), message, unix_ms());
    }
}
