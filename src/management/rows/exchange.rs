//! An exchange.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::amqp::Table;
use crate::broker::exchange::ExchangePolicy;
use crate::broker::observe::exchange_counts::EXCHANGE_SERIES;
use crate::broker::observe::points::Point;
use crate::broker::observe::views::ExchangeView;
use crate::management::shape::ranges::Ranges;
use crate::management::shape::stats::details;
use crate::management::shape::tables::Arguments;
use crate::management::shape::{Details, Fields, Row};
use crate::management::state::Api;
use crate::put_fields;
use crate::time::unix_ms;

/// An exchange as a row.
#[derive(Debug)]
pub struct ExchangeRow {
    view: ExchangeView,
    single: bool,
    rates: Option<Vec<Point<EXCHANGE_SERIES>>>,
    policy: Option<Arc<ExchangePolicy>>,
}

struct Stats<'a>(&'a ExchangeRow);

impl Serialize for Stats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = self.0;
        let rate = |at: fn(&[u64; EXCHANGE_SERIES]) -> u64| -> Details {
            details(&row.view.step, row.rates.as_deref(), at)
        };
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("publish_in", &row.view.publish_in)?;
        map.serialize_entry("publish_in_details", &rate(|s| s[0]))?;
        map.serialize_entry("publish_out", &row.view.publish_out)?;
        map.serialize_entry("publish_out_details", &rate(|s| s[1]))?;
        map.end()
    }
}

impl ExchangeRow {
    /// Of what was seen.
    pub fn new(api: &Api, view: ExchangeView, single: bool, ranges: Ranges) -> Self {
        let observer = &api.broker.observer;
        let history = &view.counts.history;
        Self {
            rates: ranges
                .msg_rates
                .map(|range| observer.samples(history, range, unix_ms())),
            policy: view
                .exchange
                .as_ref()
                .and_then(|exchange| exchange.policy()),
            view,
            single,
        }
    }
}

impl Row for ExchangeRow {
    fn name(&self) -> Cow<'_, str> {
        self.view.name.to_string().into()
    }

    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let view = &self.view;
        let none = Table::default();
        put_fields!(fields,
            "name": view.name.to_string(),
            "vhost": view.vhost.to_string(),
            "type": view.kind().name(),
            "durable": view.durable(),
            "auto_delete": view.auto_delete(),
            "internal": view.internal(),
            "arguments": Arguments(view.arguments().unwrap_or(&none)),
            "user_who_performed_action": view.declared_by(),
        );
        if let Some(policy) = &self.policy
            && let Some(name) = &policy.policy
        {
            fields.put("policy", name)?;
        }
        if view.publish_in > 0 || view.publish_out > 0 {
            fields.put("message_stats", &Stats(self))?;
        }
        if self.single {
            // Filled by RabbitMQ where rates_mode is detailed, which it is not here.
            let none: [(); 0] = [];
            put_fields!(fields, "incoming": none, "outgoing": none);
        }
        Ok(())
    }
}
