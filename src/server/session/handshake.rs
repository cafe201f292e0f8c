//! From the protocol header to `connection.open-ok`.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use amq_protocol::protocol::connection::{self, AMQPMethod};

use super::{Client, Phase, Session};
use crate::amqp::method::Method;
use crate::amqp::{AmqpError, Table, Value, encode};
use crate::auth::sasl::{self, Peer};
use crate::auth::{SaslRefusal, authenticate, may_login_from};
use crate::broker::connections::{ConnectionFacts, ConnectionHandle, ConnectionLimits, Full};
use crate::broker::users::UserLimits;
use crate::connection::{Heartbeat, Tuning};
use crate::limits::CLIENT_PROPERTIES;

impl Session {
    pub(super) fn start(&mut self) {
        let mechanisms = sasl::offer(&self.options.mechanisms, self.sasl_peer());
        let options = Arc::clone(&self.options);
        let mut properties = Cow::Borrowed(&options.server_properties);
        if let Some(name) = self.broker.cluster_name() {
            properties.to_mut().set(b"cluster_name", Value::text(&name));
        }
        encode::connection_start(self.out.buffer(), &properties, &mechanisms);
        self.phase = Phase::Start;
    }

    fn sasl_peer(&self) -> Peer<'_> {
        Peer {
            tls: self.peer.tls,
            certificate_user: self.peer.certificate_user.as_deref(),
            anonymous_user: self.options.anonymous_user.as_deref(),
        }
    }

    /// A method of the handshake, in its phase.
    pub(super) fn on_handshake(&mut self, method: Method) -> Result<(), AmqpError> {
        use amq_protocol::protocol::AMQPClass::Connection;
        match (self.phase, method.class) {
            (Phase::Start, Connection(AMQPMethod::StartOk(start_ok))) => {
                self.on_start_ok(&start_ok, method.table)
            }
            (Phase::Tune, Connection(AMQPMethod::TuneOk(tune_ok))) => self.on_tune_ok(&tune_ok),
            (Phase::Open, Connection(AMQPMethod::Open(open))) => {
                self.on_open(open.virtual_host.as_str())
            }
            _ => {
                let text = "the connection is not open yet";
                Err(AmqpError::command_invalid(text).caused_by(method.id))
            }
        }
    }

    fn on_start_ok(&mut self, ok: &connection::StartOk, table: Table) -> Result<(), AmqpError> {
        self.client = read_client(table);
        self.log_client_name();
        let name = ok.mechanism.as_str();
        self.client.mechanism = name.to_owned();
        let mut asked = None;
        let login = self.login(name, ok.response.as_bytes(), &mut asked);
        let address = self.peer.address.map(|address| address.ip());
        let attempts = &self.broker.auth_attempts;
        attempts.note_amqp(address, asked.as_deref(), login.is_ok());
        let refusal = match login {
            Ok(()) => {
                let tuning = self.options.tuning;
                encode::connection_tune(
                    self.out.buffer(),
                    tuning.channel_max,
                    tuning.frame_max,
                    tuning.heartbeat_s,
                );
                self.phase = Phase::Tune;
                self.tell_of_login(name);
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        self.log_login_refused(name, &refusal);
        match refusal.reply_code() {
            403 if self.client.failure_close => {
                let text = sasl::login_refused_text(name);
                Err(AmqpError::access_refused(text).closing_connection())
            }
            403 => {
                // Without the capability a client takes the end of the stream for the refusal.
                self.finish();
                Ok(())
            }
            // RabbitMQ ends the stream without a word; its own name for it is syntax_error.
            501 => Err(AmqpError::syntax_error(refusal.to_string())),
            _ => Err(AmqpError::command_invalid(refusal.to_string())),
        }
    }

    /// Logs the client in; `asked` is the name it gave, where its response could be read.
    fn login(
        &mut self,
        mechanism: &str,
        response: &[u8],
        asked: &mut Option<String>,
    ) -> Result<(), SaslRefusal> {
        let peer = self.sasl_peer();
        let mechanism = sasl::select(mechanism.as_bytes(), &self.options.mechanisms, peer)?;
        let credentials = sasl::parse(mechanism, response, peer)?;
        *asked = Some(credentials.user.clone());
        let denied = |why: String| SaslRefusal::Denied(why);
        let tables = self.broker.users.tables();
        let user = tables.user(&credentials.user).cloned();
        authenticate(user.as_deref(), &credentials).map_err(|e| denied(e.to_string()))?;
        let loopback = self.peer.socket_is_loopback;
        may_login_from(&credentials.user, loopback, &self.options.loopback_users)
            .map_err(|e| denied(e.to_string()))?;
        self.user = user;
        Ok(())
    }

    fn on_tune_ok(&mut self, ok: &connection::TuneOk) -> Result<(), AmqpError> {
        let wish = Tuning {
            channel_max: ok.channel_max,
            frame_max: ok.frame_max,
            heartbeat_s: ok.heartbeat,
        };
        self.tuning = self.options.tuning.agree(wish)?;
        self.heartbeat = Heartbeat::new(self.tuning.heartbeat_s, self.clock.ms());
        self.phase = Phase::Open;
        Ok(())
    }

    fn on_open(&mut self, name: &str) -> Result<(), AmqpError> {
        let not_allowed = |text: String| Err(AmqpError::not_allowed(text).caused_by((10, 40)));
        let Some(vhost) = self.broker.vhost(name.as_bytes()) else {
            return not_allowed(format!("vhost {name} not found"));
        };
        let user = self.user_name().to_owned();
        if self
            .broker
            .users
            .tables()
            .permissions(&user, name)
            .is_none()
        {
            return not_allowed(format!(
                "access to vhost '{name}' refused for user '{user}'"
            ));
        }
        if let Some(max) = self.options.connection_max
            && self.broker.connections.len() as u64 >= max
        {
            return not_allowed(format!(
                "connection refused: node connection limit ({max}) is reached"
            ));
        }
        let handle = Arc::new(ConnectionHandle {
            id: self.id,
            inbox: Arc::clone(&self.inbox),
            user,
            vhost: name.to_owned(),
            name: self.client.name.clone(),
            client_properties: std::mem::take(&mut self.client.properties),
            peer: self.peer.address,
            heartbeat_ms: u64::from(self.tuning.heartbeat_s) * 1000,
            heard_at: AtomicU64::new(self.now),
            traffic: Arc::clone(&self.traffic),
            facts: ConnectionFacts {
                local: self.peer.local,
                mechanism: std::mem::take(&mut self.client.mechanism),
                channel_max: self.tuning.channel_max,
                frame_max: self.tuning.frame_max,
                connected_at: self.now,
                tls: self.peer.tls_facts.take(),
            },
        });
        let limits = ConnectionLimits {
            vhost: vhost.connections_max(),
            user: self.limits().connections_max(),
        };
        let added = self.broker.connections.add(Arc::clone(&handle), limits);
        let user = self.user_name();
        match added {
            Ok(usage) => self.usage = usage,
            Err(Full::Vhost(max)) => {
                return not_allowed(format!(
                    "access to vhost '{name}' refused for user '{user}': connection limit ({max}) \
                     is reached"
                ));
            }
            Err(Full::User(max)) => {
                return not_allowed(format!(
                    "connection refused for user '{user}': user connection limit ({max}) is reached"
                ));
            }
        }
        self.broker.churn.connection_created.add(1);
        self.handle = Some(handle);
        self.vhost = Some(vhost);
        self.phase = Phase::Running;
        self.deadline = None;
        encode::connection_open_ok(self.out.buffer());
        self.emit("connection.created", None);
        self.log_opened(name);
        Ok(())
    }

    /// The user's limits, as they are now.
    pub(super) fn limits(&self) -> UserLimits {
        self.broker.users.tables().limits(self.user_name())
    }

    /// `connection.update-secret`: passwords are checked at login only, so there is nothing to
    /// renew; what was allowed is looked up afresh.
    pub(super) fn on_update_secret(&mut self) {
        self.grants.clear();
        self.topic_grants.clear();
        self.routes.clear();
        encode::plain(self.out.buffer(), 0, 10, 71);
    }
}

fn read_client(mut properties: Table) -> Client {
    let name = properties
        .get(b"connection_name")
        .and_then(Value::as_long_string)
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let capability = |capability: &[u8]| match properties.get(b"capabilities") {
        Some(Value::Table(table)) => table.get(capability) == Some(&Value::Bool(true)),
        _ => false,
    };
    let (failure_close, cancel_notify, blocked) = (
        capability(b"authentication_failure_close"),
        capability(b"consumer_cancel_notify"),
        capability(b"connection.blocked"),
    );
    let mut size = Vec::new();
    crate::amqp::table::write_table(&mut size, &properties);
    if size.len() > CLIENT_PROPERTIES {
        properties = Table::default();
    }
    Client {
        name,
        properties,
        mechanism: String::new(),
        failure_close,
        cancel_notify,
        blocked,
    }
}
