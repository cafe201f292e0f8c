//! What the log says of a connection, in RabbitMQ's words: people and tools look for them. A
//! connection goes by `<0.N.0> (A -> B)`, with ` - name` behind the addresses once the client has
//! told its name for it.

use std::net::SocketAddr;

use super::{PeerInfo, Phase, Session};
use crate::amqp::AmqpError;
use crate::amqp::method_name;
use crate::auth::SaslRefusal;

/// How the log calls a connection.
#[derive(Debug, Default)]
pub struct LogName {
    /// Both ends.
    ends: String,
    /// Both ends and the client's name for it.
    full: String,
    /// Its end has been told.
    ended: bool,
}

impl LogName {
    /// The name before the client has told its own.
    pub fn new(peer: &PeerInfo) -> Self {
        let shown = |address: Option<SocketAddr>| match address {
            Some(address) => {
                SocketAddr::new(address.ip().to_canonical(), address.port()).to_string()
            }
            None => "unknown".into(),
        };
        let ends = format!("{} -> {}", shown(peer.address), shown(peer.local));
        Self {
            full: ends.clone(),
            ends,
            ended: false,
        }
    }
}

/// A client's text within one line of the log.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

impl Session {
    /// The connection has been accepted.
    pub fn log_accepted(&self) {
        let (id, ends) = (self.id, &self.name.ends);
        tracing::info!(target: "connection", pid = id, "accepting AMQP connection <0.{id}.0> ({ends})");
    }

    /// Tells the event log of the connection, or of its channel `number`.
    pub(super) fn emit(&self, event: &'static str, number: Option<u16>) {
        let name = match number {
            Some(number) => format!("{} ({number})", self.name.ends),
            None => self.name.ends.clone(),
        };
        let vhost = self.vhost.as_ref().map(|vhost| vhost.name.to_string());
        let told = [
            ("name", name.into()),
            ("vhost", vhost.unwrap_or_default().into()),
            ("user", self.user_name().into()),
        ];
        self.broker.events().emit(event, told);
    }

    /// Tells the event log of the login.
    pub(super) fn tell_of_login(&self, mechanism: &str) {
        let told = [
            ("name", self.user_name().into()),
            ("connection_name", self.name.ends.clone().into()),
            ("auth_mechanism", mechanism.into()),
        ];
        self.broker
            .events()
            .emit("user.authentication.success", told);
    }

    /// The client has told its name for the connection.
    pub(super) fn log_client_name(&mut self) {
        let Some(name) = self.client.name.as_deref().map(one_line) else {
            return;
        };
        let (id, ends) = (self.id, &self.name.ends);
        tracing::info!(
            target: "connection", pid = id,
            "connection <0.{id}.0> ({ends}) has a client-provided name: {name}"
        );
        self.name.full = format!("{ends} - {name}");
    }

    pub(super) fn log_opened(&self, vhost: &str) {
        let (id, full) = (self.id, &self.name.full);
        tracing::info!(
            target: "connection", pid = id,
            "connection <0.{id}.0> ({full}): user '{}' authenticated and granted access to vhost \
             '{}'",
            one_line(self.user_name()),
            one_line(vhost)
        );
    }

    pub(super) fn log_login_refused(&self, mechanism: &str, refusal: &SaslRefusal) {
        let (id, ends) = (self.id, &self.name.ends);
        let refusal = one_line(&refusal.to_string());
        let told = [
            ("connection_name", ends.clone().into()),
            ("auth_mechanism", mechanism.into()),
            ("error", refusal.clone().into()),
        ];
        self.broker
            .events()
            .emit("user.authentication.failure", told);
        tracing::error!(
            target: "connection", pid = id,
            "Error on AMQP connection <0.{id}.0> ({ends}, state: starting):\n{} login refused: \
             {refusal}",
            one_line(mechanism)
        );
    }

    /// It did not begin with the protocol header.
    pub(super) fn log_bad_header(&mut self, octets: &[u8]) {
        let first = octets.get(..8).unwrap_or(octets);
        let text = String::from_utf8_lossy(first);
        let quoted = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        let shown = if quoted {
            format!("\"{text}\"")
        } else {
            let numbers: Vec<String> = first.iter().map(u8::to_string).collect();
            numbers.join(",")
        };
        self.log_broken_off(&format!("{{bad_header,<<{shown}>>}}"));
    }

    pub(super) fn log_handshake_timeout(&mut self) {
        let waits_for = match self.phase {
            Phase::Header => "handshake",
            _ => "frame_header",
        };
        self.log_broken_off(&format!("{{handshake_timeout,{waits_for}}}"));
    }

    pub(super) fn log_missed_heartbeats(&mut self) {
        let seconds = self.tuning.heartbeat_s;
        self.log_broken_off(&format!(
            "missed heartbeats from client, timeout: {seconds}s"
        ));
    }

    /// The connection ends without another word to the client.
    fn log_broken_off(&mut self, why: &str) {
        let (id, full) = (self.id, &self.name.full);
        tracing::error!(
            target: "connection", pid = id,
            "closing AMQP connection <0.{id}.0> ({full}):\n{why}"
        );
        self.name.ended = true;
    }

    /// An error closes the connection; `channel` is where it arose.
    pub(super) fn log_error(&mut self, channel: u16, error: &AmqpError) {
        let (id, full) = (self.id, &self.name.full);
        let user = one_line(self.user_name());
        let name = error.code.name().to_lowercase();
        match self.phase {
            Phase::Running => {
                let vhost = self
                    .vhost
                    .as_ref()
                    .map(|vhost| one_line(&vhost.name.to_string()));
                let operation = method_name(error.method);
                tracing::error!(
                    target: "connection", pid = id,
                    "Error on AMQP connection <0.{id}.0> ({full}, vhost: '{}', user: '{user}', \
                     state: running), channel {channel}:\n operation {operation} caused a \
                     connection exception {name}: {:?}",
                    vhost.unwrap_or_default(),
                    error.text
                );
            }
            Phase::Tune | Phase::Open => {
                let state = if self.phase == Phase::Tune {
                    "tuning"
                } else {
                    "opening"
                };
                tracing::error!(
                    target: "connection", pid = id,
                    "Error on AMQP connection <0.{id}.0> ({full}, user: '{user}', state: \
                     {state}):\n{}",
                    one_line(&error.text)
                );
            }
            _ => self.log_broken_off(&format!(
                "{{handshake_error,starting,{channel},{{amqp_error,{name},{:?},none}}}}",
                error.text
            )),
        }
    }

    pub(super) fn log_channel_error(&self, channel: u16, error: &AmqpError) {
        let (id, ends) = (self.id, &self.name.ends);
        tracing::error!(
            target: "channel", pid = id,
            "Channel error on connection <0.{id}.0> ({ends}, vhost: '{}', user: '{}'), channel \
             {channel}:\noperation {} caused a channel exception {}: {}",
            self.vhost.as_ref().map(|vhost| one_line(&vhost.name.to_string())).unwrap_or_default(),
            one_line(self.user_name()),
            method_name(error.method),
            error.code.name().to_lowercase(),
            one_line(&error.text)
        );
    }

    pub(super) fn log_ack_timeout(&self, tag: &str, channel: u16, limit_ms: u64) {
        let id = self.id;
        tracing::warn!(
            target: "channel", pid = id,
            "Consumer {} on channel {channel} has timed out waiting for delivery acknowledgement. \
             Timeout used: {limit_ms} ms. This timeout value can be configured, see consumers doc \
             guide to learn more",
            one_line(tag)
        );
    }

    /// The connection has ended, once; `gone` when the client left without a word.
    pub(super) fn log_end(&mut self, gone: bool) {
        if std::mem::replace(&mut self.name.ended, true) {
            return;
        }
        let (id, full) = (self.id, &self.name.full);
        let whose = match (&self.vhost, &self.user) {
            (_, None) => String::new(),
            (vhost, Some(user)) => {
                let vhost = vhost
                    .as_ref()
                    .map(|vhost| one_line(&vhost.name.to_string()));
                format!(
                    ", vhost: '{}', user: '{}'",
                    vhost.unwrap_or_else(|| "none".into()),
                    one_line(&user.name)
                )
            }
        };
        if gone {
            tracing::warn!(
                target: "connection", pid = id,
                "closing AMQP connection <0.{id}.0> ({full}{whose}):\nclient unexpectedly closed \
                 TCP connection"
            );
        } else {
            tracing::info!(
                target: "connection", pid = id,
                "closing AMQP connection <0.{id}.0> ({full}{whose})"
            );
        }
    }
}
