//! A queue.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde_json::{Value, json};

use super::consumer::{ConsumerRow, Peer};
use crate::broker::SharedQueue;
use crate::broker::observe::points::Point;
use crate::broker::observe::views::consumer::consumers_of;
use crate::broker::observe::views::queue::{QueueView, counts_of};
use crate::broker::shared_queue::{QUEUE_SERIES, QueuePolicy};
use crate::management::listing::Columns;
use crate::management::shape::erlang::{BackingQueueStatus, GARBAGE_COLLECTION, REDUCTIONS};
use crate::management::shape::fields::Written;
use crate::management::shape::ranges::Ranges;
use crate::management::shape::stats::{ARRIVING, DELIVERING, MessageStats, details};
use crate::management::shape::tables::Arguments;
use crate::management::shape::times::iso;
use crate::management::shape::{Details, Fields, Row};
use crate::management::state::Api;
use crate::put_fields;
use crate::queue::QueueKind;
use crate::time::unix_ms;

/// What an empty queue takes of memory, in octets: its machine, its names, its place in maps.
const QUEUE_BYTES: u64 = 2_048;

/// What a message takes in a queue's index, in octets.
const ENTRY_BYTES: u64 = 12;

/// Milliseconds without any change after which a queue is called idle: two rounds.
const IDLE_AFTER_MS: u64 = 10_000;

/// How much of a queue is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Everything that a list has.
    List,
    /// What a page of its own has besides: its consumers, who publishes to it.
    Single,
    /// What it was declared with, and how many messages it has.
    Totals,
    /// What it was declared with.
    Declared,
}

/// A queue as a row.
#[derive(Debug)]
pub struct QueueRow<'a> {
    api: &'a Api,
    view: QueueView,
    shown: Shown,
    now: u64,
    lengths: Option<Vec<Point<QUEUE_SERIES>>>,
    rates: Option<Vec<Point<QUEUE_SERIES>>>,
    policy: Option<Arc<QueuePolicy>>,
}

impl<'a> QueueRow<'a> {
    /// Looks at `queue`.
    pub fn of(api: &'a Api, queue: &Arc<SharedQueue>, shown: Shown, ranges: Ranges) -> Self {
        let now = unix_ms();
        let observer = &api.broker.observer;
        let samples = |range| observer.samples(&queue.history, range, now);
        Self {
            view: QueueView::of(&api.broker, queue),
            lengths: ranges.lengths.map(samples),
            rates: ranges.msg_rates.map(samples),
            policy: queue.policy(),
            api,
            shown,
            now,
        }
    }

    fn queue(&self) -> &SharedQueue {
        &self.view.queue
    }

    fn is_quorum(&self) -> bool {
        self.queue().settings.kind == QueueKind::Quorum
    }

    fn length(&self, read: fn(&[u64; QUEUE_SERIES]) -> u64) -> Details {
        details(&self.view.step, self.lengths.as_deref(), read)
    }

    fn write_declared<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let queue = self.queue();
        put_fields!(fields,
            "name": queue.name.to_string(),
            "vhost": queue.vhost_name.to_string(),
            "durable": queue.durable,
            "auto_delete": queue.auto_delete,
            "exclusive": queue.owner.is_some(),
            "arguments": Arguments(&queue.arguments),
            "node": self.api.node.name,
            "type": queue.settings.kind.name(),
            "state": "running",
        );
        if self.is_quorum() {
            let members = [&self.api.node.name];
            put_fields!(fields,
                "leader": self.api.node.name,
                "members": members,
                "online": members,
            );
        }
        Ok(())
    }

    fn write_policy<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let policy = self.policy.as_deref();
        put_fields!(fields,
            "policy": policy.and_then(|policy| policy.policy.as_deref()),
            "operator_policy": policy.and_then(|policy| policy.operator_policy.as_deref()),
        );
        match policy {
            Some(policy) => fields.put("effective_policy_definition", &policy.definition),
            None => fields.put(
                "effective_policy_definition",
                &serde_json::Map::<String, Value>::new(),
            ),
        }
    }

    fn write_messages<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let seen = &self.view.survey;
        let depth = &seen.depth;
        put_fields!(fields,
            "messages": depth.messages(),
            "messages_details": self.length(|s| s[0] + s[1]),
            "messages_ready": depth.ready,
            "messages_ready_details": self.length(|s| s[0]),
            "messages_unacknowledged": depth.unacked,
            "messages_unacknowledged_details": self.length(|s| s[1]),
            "messages_persistent": depth.persistent,
            "messages_ram": depth.ram(),
            "message_bytes": depth.bytes(),
            "message_bytes_ready": depth.ready_bytes,
            "message_bytes_unacknowledged": depth.unacked_bytes,
            "message_bytes_persistent": depth.persistent_bytes,
            "message_bytes_ram": depth.ram_bytes(),
            "memory": QUEUE_BYTES
                + depth.ram() * ENTRY_BYTES
                + depth.ram_bytes(),
        );
        if self.is_quorum() {
            put_fields!(fields,
                "messages_dlx": seen.held,
                "message_bytes_dlx": seen.held_bytes,
            );
            return Ok(());
        }
        put_fields!(fields,
            "messages_ready_ram": depth.ready.saturating_sub(depth.paged_out),
            "messages_unacknowledged_ram": depth.unacked,
            "messages_paged_out": depth.paged_out,
            "message_bytes_paged_out": depth.paged_out_bytes,
            "head_message_timestamp": seen.head_timestamp,
            "backing_queue_status": BackingQueueStatus::new(depth.ready),
        );
        Ok(())
    }

    fn write_consumers<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let seen = &self.view.survey;
        let share = match (seen.consumers, self.queue().utilisation.share()) {
            (0, _) => json!(0),
            (_, Some(share)) => json!(share),
            (_, None) => json!(u8::from(seen.has_taker)),
        };
        let tag = |tag: &Option<crate::ids::Name>| tag.as_ref().map(ToString::to_string);
        put_fields!(fields,
            "consumers": seen.consumers,
            "consumer_utilisation": share,
            "consumer_capacity": share,
        );
        if self.is_quorum() {
            let open_files = BTreeMap::from([(&self.api.node.name, 0)]);
            put_fields!(fields,
                "single_active_consumer_ctag": tag(&self.view.active_tag),
                "open_files": open_files,
            );
            return Ok(());
        }
        put_fields!(fields,
            "exclusive_consumer_tag": tag(&self.view.exclusive_tag),
            "single_active_consumer_tag": tag(&self.view.active_tag),
            "recoverable_slaves": Value::Null,
        );
        Ok(())
    }

    fn write_history<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let changed = self.view.changed_at.max(self.queue().made_at);
        if self.now.saturating_sub(changed) >= IDLE_AFTER_MS {
            fields.put("idle_since", &iso(changed))?;
        }
        if fields.wants("message_stats") {
            let stats = MessageStats::new(
                &[&ARRIVING, &DELIVERING],
                self.view.counts(),
                &self.view.step,
                self.rates.clone(),
                counts_of,
            );
            if !stats.is_idle() {
                fields.put("message_stats", &stats)?;
            }
        }
        put_fields!(fields,
            "reductions": REDUCTIONS,
            "reductions_details": Details::still(),
            "garbage_collection": GARBAGE_COLLECTION,
        );
        Ok(())
    }

    fn write_owner<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let Some(owner) = self.queue().owner else {
            return Ok(());
        };
        match self.api.broker.connections.get(owner) {
            Some(handle) => fields.put("owner_pid_details", &Peer::of(&handle)),
            None => Ok(()),
        }
    }

    fn write_single<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let all = Columns::default();
        let consumers: Vec<ConsumerRow<'_>> = consumers_of(&self.api.broker, &self.view.queue)
            .into_iter()
            .map(|view| ConsumerRow::new(self.api, view))
            .collect();
        let consumers: Vec<Written<'_, _>> =
            consumers.iter().map(|row| Written(row, &all)).collect();
        // Filled by RabbitMQ where rates_mode is detailed, which it is not here.
        let none: [(); 0] = [];
        put_fields!(fields,
            "consumer_details": consumers,
            "incoming": none,
            "deliveries": none,
        );
        Ok(())
    }
}

impl Row for QueueRow<'_> {
    fn name(&self) -> Cow<'_, str> {
        self.queue().name.to_string().into()
    }

    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        self.write_declared(fields)?;
        if matches!(self.shown, Shown::Totals | Shown::Declared) {
            let policy = self.policy.as_deref();
            if let Some(name) = policy.and_then(|policy| policy.policy.as_deref()) {
                fields.put("policy", name)?;
            }
            if self.shown == Shown::Totals {
                put_fields!(fields,
                    "messages": self.view.messages(),
                    "messages_ready": self.view.survey.depth.ready,
                    "messages_unacknowledged": self.view.survey.depth.unacked,
                );
            }
            return Ok(());
        }
        self.write_policy(fields)?;
        self.write_messages(fields)?;
        self.write_consumers(fields)?;
        self.write_history(fields)?;
        self.write_owner(fields)?;
        if self.shown == Shown::Single {
            self.write_single(fields)?;
        }
        Ok(())
    }
}
