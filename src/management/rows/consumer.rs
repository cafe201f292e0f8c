//! A consumer.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::Serialize;
use serde::ser::SerializeMap;

use crate::broker::connections::{ConnectionHandle, canonical};
use crate::broker::observe::views::consumer::ConsumerView;
use crate::management::shape::tables::Arguments;
use crate::management::shape::{Fields, Row};
use crate::management::state::Api;
use crate::put_fields;

/// The other end of a connection.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Peer {
    /// The connection's name.
    pub name: String,
    peer_host: String,
    peer_port: u16,
}

impl Peer {
    /// Of a connection.
    pub fn of(handle: &ConnectionHandle) -> Self {
        let (peer_host, peer_port) = host_and_port(handle.peer);
        Self {
            name: handle.title(),
            peer_host,
            peer_port,
        }
    }
}

/// An address in two fields.
pub fn host_and_port(address: Option<SocketAddr>) -> (String, u16) {
    match address.map(canonical) {
        Some(address) => (address.ip().to_string(), address.port()),
        None => ("unknown".to_owned(), 0),
    }
}

#[derive(Debug, Serialize)]
struct ChannelDetails<'a> {
    connection_name: String,
    name: String,
    node: &'a str,
    number: u16,
    peer_host: String,
    peer_port: u16,
    user: &'a str,
}

#[derive(Debug, Serialize)]
struct QueueName {
    name: String,
    vhost: String,
}

/// A consumer as a row.
#[derive(Debug)]
pub struct ConsumerRow<'a> {
    api: &'a Api,
    view: ConsumerView,
}

impl<'a> ConsumerRow<'a> {
    /// Of what was seen.
    pub fn new(api: &'a Api, view: ConsumerView) -> Self {
        Self { api, view }
    }
}

impl Row for ConsumerRow<'_> {
    fn name(&self) -> Cow<'_, str> {
        self.view.facts.tag.to_string().into()
    }

    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let view = &self.view;
        if let Some(handle) = &view.connection {
            let peer = Peer::of(handle);
            let channel = ChannelDetails {
                name: format!("{} ({})", peer.name, view.facts.channel),
                connection_name: peer.name,
                node: &self.api.node.name,
                number: view.facts.channel,
                peer_host: peer.peer_host,
                peer_port: peer.peer_port,
                user: &handle.user,
            };
            fields.put("channel_details", &channel)?;
        }
        put_fields!(fields,
            "consumer_tag": view.facts.tag.to_string(),
            "queue": QueueName {
                name: view.queue.name.to_string(),
                vhost: view.queue.vhost_name.to_string(),
            },
            "arguments": Arguments(&view.facts.arguments),
            "ack_required": !view.no_ack,
            "active": view.active,
            "activity_status": if view.active { "up" } else { "waiting" },
            "exclusive": view.exclusive,
            "prefetch_count": view.prefetch,
            // 0 is none: rabbitmqadmin draws no table with a null in it.
            "consumer_timeout": view.timeout_ms.unwrap_or(0),
        );
        Ok(())
    }
}
