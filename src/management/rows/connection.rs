//! A connection.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde_json::{Value, json};

use super::consumer::host_and_port;
use crate::broker::connections::{ConnectionHandle, TlsFacts};
use crate::broker::observe::points::Point;
use crate::broker::observe::traffic::TRAFFIC_SERIES;
use crate::broker::observe::views::ConnectionView;
use crate::management::shape::erlang::{GARBAGE_COLLECTION, REDUCTIONS};
use crate::management::shape::ranges::Ranges;
use crate::management::shape::stats::details;
use crate::management::shape::tables::Arguments;
use crate::management::shape::{Details, Fields, Row};
use crate::management::state::Api;
use crate::put_fields;
use crate::time::unix_ms;

/// A connection as a row.
#[derive(Debug)]
pub struct ConnectionRow<'a> {
    api: &'a Api,
    view: ConnectionView,
    /// It has a page of its own: what is not known is an empty text there, null in lists.
    single: bool,
    octets: Option<Vec<Point<TRAFFIC_SERIES>>>,
}

impl<'a> ConnectionRow<'a> {
    /// Looks at a connection.
    pub fn of(api: &'a Api, handle: &Arc<ConnectionHandle>, single: bool, ranges: Ranges) -> Self {
        let now = unix_ms();
        let observer = &api.broker.observer;
        Self {
            view: ConnectionView::of(&api.broker, handle, now),
            octets: ranges
                .data_rates
                .map(|range| observer.samples(&handle.traffic.history, range, now)),
            api,
            single,
        }
    }

    fn write_tls<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let tls = self.view.handle.facts.tls.as_deref();
        let unknown = if self.single { json!("") } else { Value::Null };
        let show = |pick: fn(&TlsFacts) -> &String| match tls.map(pick) {
            Some(text) if !text.is_empty() => json!(text),
            _ => unknown.clone(),
        };
        put_fields!(fields,
            "ssl": tls.is_some(),
            "ssl_protocol": show(|tls| &tls.protocol),
            "ssl_key_exchange": show(|tls| &tls.key_exchange),
            "ssl_cipher": show(|tls| &tls.cipher),
            "ssl_hash": show(|tls| &tls.hash),
            "peer_cert_subject": show(|tls| &tls.peer_cert_subject),
            "peer_cert_issuer": show(|tls| &tls.peer_cert_issuer),
            "peer_cert_validity": show(|tls| &tls.peer_cert_validity),
        );
        Ok(())
    }

    fn write_traffic<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let view = &self.view;
        let octets =
            |at: fn(&[u64; TRAFFIC_SERIES]) -> u64| details(&view.step, self.octets.as_deref(), at);
        put_fields!(fields,
            "recv_oct": view.recv_oct,
            "recv_oct_details": octets(|s| s[0]),
            "recv_cnt": view.recv_cnt,
            "send_oct": view.send_oct,
            "send_oct_details": octets(|s| s[1]),
            "send_cnt": view.send_cnt,
            "send_pend": view.send_pend,
            "reductions": REDUCTIONS,
            "reductions_details": Details::still(),
            "garbage_collection": GARBAGE_COLLECTION,
        );
        Ok(())
    }
}

impl Row for ConnectionRow<'_> {
    fn name(&self) -> Cow<'_, str> {
        self.view.title.as_str().into()
    }

    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let view = &self.view;
        let handle = &view.handle;
        let (peer_host, peer_port) = host_and_port(handle.peer);
        let (host, port) = host_and_port(handle.facts.local);
        put_fields!(fields,
            "name": view.title,
            "node": self.api.node.name,
            "vhost": handle.vhost,
            "user": handle.user,
            "user_who_performed_action": handle.user,
            "type": "network",
            "protocol": "AMQP 0-9-1",
            "state": view.state.name(),
            "connected_at": handle.facts.connected_at,
            "channels": view.channels,
            "channel_max": handle.facts.channel_max,
            "frame_max": handle.facts.frame_max,
            "timeout": handle.heartbeat_ms / 1000,
            "auth_mechanism": handle.facts.mechanism,
            "client_properties": Arguments(&handle.client_properties),
            "host": host,
            "port": port,
            "peer_host": peer_host,
            "peer_port": peer_port,
        );
        if let Some(name) = &handle.name {
            fields.put("user_provided_name", name)?;
        }
        self.write_tls(fields)?;
        self.write_traffic(fields)
    }
}
