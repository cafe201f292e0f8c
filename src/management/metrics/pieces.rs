//! An answer about every object, made piece by piece while it is sent: the objects are looked at
//! once, their samples are written as they go, so that no more than a piece of text is in memory.

use std::sync::Arc;

use super::channels::{self, ChannelRow};
use super::column::Column;
use super::connections::{self, ConnectionRow};
use super::exposition::Exposition;
use super::families::Family;
use super::queues::{self, QueueRow};
use super::{aggregate::Aggregate, exchanges, node};
use crate::broker::observe::views::{channel, connection};
use crate::broker::{Broker, Vhost};
use crate::limits::METRICS_PIECE;
use crate::management::state::Api;
use crate::time::unix_ms;

/// Objects whose samples are written before the size of the piece is looked at.
const AT_ONCE: usize = 64;

/// A part of the answer.
enum Part {
    Text(String),
    Queues(&'static Column<QueueRow>),
    /// The same with the labels that RabbitMQ has for messages that came by exchanges.
    Published(&'static Column<QueueRow>),
    Channels(&'static Column<ChannelRow>),
    Connections(&'static Column<ConnectionRow>),
}

/// The answer.
pub struct Pieces {
    prefix: &'static str,
    parts: std::vec::IntoIter<Part>,
    queues: Arc<[QueueRow]>,
    channels: Arc<[ChannelRow]>,
    connections: Arc<[ConnectionRow]>,
    /// The part that is being written, its full name and the next object.
    open: Option<(Part, String, usize)>,
}

impl Pieces {
    /// The answer with these families about the objects of these virtual hosts (none: all), names
    /// begun by `prefix`; `begin` and `end` stand before and behind it.
    pub fn new(
        api: &Api,
        families: &[Family],
        vhosts: &[String],
        prefix: &'static str,
        (begin, end): (String, String),
    ) -> Self {
        let broker = &api.broker;
        let wants = |all: &[Family]| families.iter().any(|family| all.contains(family));
        let hosts: Vec<Arc<Vhost>> = broker
            .vhosts()
            .into_iter()
            .filter(|host| vhosts.is_empty() || vhosts.contains(&host.name.to_string()))
            .collect();
        let is_wanted = |vhost: &str| vhosts.is_empty() || vhosts.iter().any(|v| v == vhost);
        let of_queues = [
            Family::QueueCoarse,
            Family::QueueConsumers,
            Family::Queue,
            Family::ChannelQueueExchange,
        ];
        let of_channels = [
            Family::Channel,
            Family::ChannelProcess,
            Family::ChannelExchange,
            Family::ChannelQueue,
        ];
        let of_connections = [Family::ConnectionCoarse, Family::Connection];
        let all = Aggregate::of(broker);
        let mut parts = vec![Part::Text(begin)];
        for family in families {
            add(*family, api, &all, &hosts, prefix, &mut parts);
        }
        parts.push(Part::Text(end));
        Self {
            prefix,
            parts: parts.into_iter(),
            queues: if wants(&of_queues) {
                queue_rows(&hosts).into()
            } else {
                Arc::default()
            },
            channels: if wants(&of_channels) {
                channel_rows(broker, is_wanted).into()
            } else {
                Arc::default()
            },
            connections: if wants(&of_connections) {
                connection_rows(broker, is_wanted).into()
            } else {
                Arc::default()
            },
            open: None,
        }
    }

    /// Writes samples of the open part; true when it has no more.
    fn go_on(&mut self, out: &mut Exposition) -> bool {
        let Some((part, name, next)) = &mut self.open else {
            return true;
        };
        let from = *next;
        *next += AT_ONCE;
        match part {
            Part::Text(_) => true,
            Part::Queues(column) => rows(&self.queues, from, |row| {
                let labels = [("vhost", row.vhost.as_str()), ("queue", &row.name)];
                out.sample(name, &labels, (column.of)(row));
            }),
            Part::Published(column) => rows(&self.queues, from, |row| {
                let labels = [("queue_vhost", row.vhost.as_str()), ("queue", &row.name)];
                out.sample(name, &labels, (column.of)(row));
            }),
            Part::Channels(column) => rows(&self.channels, from, |row| {
                let labels = [("channel", row.name.as_str())];
                out.sample(name, &labels, (column.of)(row));
            }),
            Part::Connections(column) => rows(&self.connections, from, |row| {
                let labels = [("channel", row.title.as_str())];
                out.sample(name, &labels, (column.of)(row));
            }),
        }
    }
}

impl Iterator for Pieces {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut out = Exposition::default();
        while out.0.len() < METRICS_PIECE {
            if self.open.is_none() {
                let Some(part) = self.parts.next() else {
                    break;
                };
                let name = match &part {
                    Part::Text(text) => {
                        out.0.push_str(text);
                        continue;
                    }
                    Part::Queues(column) | Part::Published(column) => {
                        column.begin(self.prefix, &mut out)
                    }
                    Part::Channels(column) => column.begin(self.prefix, &mut out),
                    Part::Connections(column) => column.begin(self.prefix, &mut out),
                };
                self.open = Some((part, name, 0));
            }
            if self.go_on(&mut out) {
                self.open = None;
            }
        }
        (!out.0.is_empty()).then_some(out.0)
    }
}

/// Writes some rows; true when there are no more behind them.
fn rows<T>(all: &[T], from: usize, write: impl FnMut(&T)) -> bool {
    let rest = all.get(from..).unwrap_or_default();
    rest.iter().take(AT_ONCE).for_each(write);
    rest.len() <= AT_ONCE
}

fn queue_rows(hosts: &[Arc<Vhost>]) -> Vec<QueueRow> {
    let queues = hosts.iter().flat_map(|host| host.all_queues());
    queues.map(|queue| QueueRow::of(&queue)).collect()
}

fn channel_rows(broker: &Broker, is_wanted: impl Fn(&str) -> bool) -> Vec<ChannelRow> {
    let channels = channel::channels(broker).into_iter();
    channels
        .filter(|view| is_wanted(&view.connection.vhost))
        .map(|view| ChannelRow::of(&view))
        .collect()
}

fn connection_rows(broker: &Broker, is_wanted: impl Fn(&str) -> bool) -> Vec<ConnectionRow> {
    let connections = connection::connections(broker, unix_ms()).into_iter();
    connections
        .filter(|view| is_wanted(&view.handle.vhost))
        .collect()
}

fn add(
    family: Family,
    api: &Api,
    all: &Aggregate,
    hosts: &[Arc<Vhost>],
    prefix: &'static str,
    parts: &mut Vec<Part>,
) {
    let mut text = Exposition::default();
    let out = &mut text;
    match family {
        Family::ConnectionChurn => node::churn(api, all, prefix, out),
        Family::NodeCoarse => node::coarse(all, prefix, out),
        Family::Node => node::limits(api, all, prefix, out),
        Family::NodePersister => node::persister(api, all, prefix, out),
        Family::Raft => node::raft(prefix, out),
        Family::AuthAttempts => node::logins(api, prefix, out),
        Family::VhostStatus => exchanges::vhost_status(hosts, out),
        Family::ExchangeNames => exchanges::names(hosts, out),
        Family::ExchangeBindings => exchanges::bindings(hosts, out),
        Family::QueueCoarse => parts.extend(queues::COARSE.iter().map(Part::Queues)),
        Family::QueueConsumers => parts.extend(queues::CONSUMERS.iter().map(Part::Queues)),
        Family::Queue => parts.extend(queues::DETAILS.iter().map(Part::Queues)),
        Family::ChannelQueueExchange => {
            parts.extend(queues::PUBLISHED.iter().map(Part::Published));
        }
        Family::Channel => parts.extend(channels::METRICS.iter().map(Part::Channels)),
        Family::ChannelProcess => parts.extend(channels::PROCESS.iter().map(Part::Channels)),
        Family::ChannelExchange => parts.extend(channels::PUBLISHING.iter().map(Part::Channels)),
        Family::ChannelQueue => parts.extend(channels::DELIVERING.iter().map(Part::Channels)),
        Family::ConnectionCoarse => {
            parts.extend(connections::COARSE.iter().map(Part::Connections));
        }
        Family::Connection => {
            parts.extend(connections::DETAILS.iter().map(Part::Connections));
        }
    }
    if !text.0.is_empty() {
        parts.push(Part::Text(text.0));
    }
}
