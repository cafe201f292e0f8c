//! A channel.

use std::borrow::Cow;

use serde::ser::SerializeMap;

use super::consumer::{ConsumerRow, Peer};
use crate::broker::observe::channel_stats::{CHANNEL_SERIES, ChannelMode};
use crate::broker::observe::points::Point;
use crate::broker::observe::views::ChannelView;
use crate::broker::observe::views::channel::counts_of;
use crate::broker::observe::views::consumer::ConsumerView;
use crate::management::listing::Columns;
use crate::management::shape::erlang::{GARBAGE_COLLECTION, REDUCTIONS};
use crate::management::shape::fields::Written;
use crate::management::shape::ranges::Ranges;
use crate::management::shape::stats::{DELIVERING, MessageStats, PUBLISHING, Stat};
use crate::management::shape::times::iso;
use crate::management::shape::{Details, Fields, Row};
use crate::management::state::Api;
use crate::put_fields;
use crate::time::unix_ms;

/// Milliseconds without any change after which a channel is called idle: two rounds.
const IDLE_AFTER_MS: u64 = 10_000;

/// A channel as a row.
#[derive(Debug)]
pub struct ChannelRow<'a> {
    api: &'a Api,
    view: ChannelView,
    now: u64,
    rates: Option<Vec<Point<CHANNEL_SERIES>>>,
    /// Its consumers, where it has a page of its own.
    consumers: Option<Vec<ConsumerView>>,
}

impl<'a> ChannelRow<'a> {
    /// Of what was seen.
    pub fn new(api: &'a Api, view: ChannelView, ranges: Ranges) -> Self {
        let now = unix_ms();
        let observer = &api.broker.observer;
        let history = &view.stats.history;
        Self {
            rates: ranges
                .msg_rates
                .map(|range| observer.samples(history, range, now)),
            api,
            view,
            now,
            consumers: None,
        }
    }

    /// With its consumers.
    pub fn single(mut self, consumers: Vec<ConsumerView>) -> Self {
        self.consumers = Some(consumers);
        self
    }

    fn write_stats<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let counts = self.view.counts;
        // A channel that has never published says nothing of publishing, as RabbitMQ's.
        let published = PUBLISHING.iter().any(|(_, _, pick)| pick(&counts) > 0);
        let publishing: [&'static [Stat]; 2] = [&PUBLISHING, &DELIVERING];
        let groups = publishing.get(usize::from(!published)..).unwrap_or(&[]);
        let stats = MessageStats::new(
            groups,
            counts,
            &self.view.step,
            self.rates.clone(),
            counts_of,
        );
        if !stats.is_idle() {
            fields.put("message_stats", &stats)?;
        }
        let changed = self
            .view
            .changed_at
            .max(self.view.connection.facts.connected_at);
        if self.now.saturating_sub(changed) >= IDLE_AFTER_MS {
            fields.put("idle_since", &iso(changed))?;
        }
        put_fields!(fields,
            "reductions": REDUCTIONS,
            "reductions_details": Details::still(),
            "garbage_collection": GARBAGE_COLLECTION,
        );
        Ok(())
    }
}

impl Row for ChannelRow<'_> {
    fn name(&self) -> Cow<'_, str> {
        self.view.title().into()
    }

    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let view = &self.view;
        let stats = &view.stats;
        put_fields!(fields,
            "name": view.title(),
            "number": stats.number,
            "node": self.api.node.name,
            "vhost": view.connection.vhost,
            "user": view.connection.user,
            "user_who_performed_action": view.connection.user,
            "connection_details": Peer::of(&view.connection),
            "state": "running",
            "confirm": stats.mode() == ChannelMode::Confirm,
            "transactional": stats.mode() == ChannelMode::Transaction,
            "consumer_count": stats.consumers.get(),
            "prefetch_count": stats.prefetch.get(),
            "global_prefetch_count": stats.credit.limit(),
            "messages_unacknowledged": stats.unacked.get(),
            "messages_unconfirmed": stats.unconfirmed.get(),
            "messages_uncommitted": stats.uncommitted.get(),
            "acks_uncommitted": stats.acks_uncommitted.get(),
            // There is no such queue of commands here.
            "pending_raft_commands": 0,
        );
        self.write_stats(fields)?;
        let Some(consumers) = &self.consumers else {
            return Ok(());
        };
        let all = Columns::default();
        let rows: Vec<ConsumerRow<'_>> = consumers
            .iter()
            .map(|view| ConsumerRow::new(self.api, view.clone()))
            .collect();
        let rows: Vec<Written<'_, _>> = rows.iter().map(|row| Written(row, &all)).collect();
        // Filled by RabbitMQ where rates_mode is detailed, which it is not here.
        let none: [(); 0] = [];
        put_fields!(fields,
            "consumer_details": rows,
            "publishes": none,
            "deliveries": none,
        );
        Ok(())
    }
}
