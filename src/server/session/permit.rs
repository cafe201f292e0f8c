//! Permissions, method by method.

use super::Session;
use crate::amqp::AmqpError;
use crate::auth::{Access, Request, permission_cache::ResourceKind};
use crate::broker::Exchange;
use crate::exchange::ExchangeType;

/// What an empty exchange name is called where permissions are checked.
const DEFAULT_EXCHANGE: &[u8] = b"amq.default";

impl Session {
    /// Checks access to an exchange.
    pub(super) fn permit_exchange(&mut self, access: Access, name: &[u8]) -> Result<(), AmqpError> {
        let name = if name.is_empty() {
            DEFAULT_EXCHANGE
        } else {
            name
        };
        self.permit(access, ResourceKind::Exchange, name)
    }

    /// Checks access to a queue.
    pub(super) fn permit_queue(&mut self, access: Access, name: &[u8]) -> Result<(), AmqpError> {
        self.permit(access, ResourceKind::Queue, name)
    }

    fn permit(&mut self, access: Access, kind: ResourceKind, name: &[u8]) -> Result<(), AmqpError> {
        let vhost = self.host()?;
        let user = self.user.as_ref().map_or("", |user| user.name.as_str());
        let users = &self.broker.users;
        let request = Request {
            access,
            kind,
            name,
            key: None,
        };
        let allowed = self.grants.allows(users.generation(), request, || {
            users
                .tables()
                .permissions(user, &vhost.name.to_string())
                .is_some_and(|permissions| permissions.allows(access, name))
        });
        if allowed {
            return Ok(());
        }
        let what = match kind {
            ResourceKind::Exchange => "exchange",
            ResourceKind::Queue => "queue",
        };
        let name = String::from_utf8_lossy(name);
        let vhost = &vhost.name;
        Err(AmqpError::access_refused(format!(
            "access to {what} '{name}' in vhost '{vhost}' refused for user '{user}'"
        )))
    }

    /// Checks a routing key or binding key of a topic exchange.
    pub(super) fn permit_topic(
        &mut self,
        access: Access,
        exchange: &Exchange,
        key: &[u8],
    ) -> Result<(), AmqpError> {
        if exchange.kind != ExchangeType::Topic {
            return Ok(());
        }
        let vhost = self.host()?;
        let user = self.user.as_ref().map_or("", |user| user.name.as_str());
        let users = &self.broker.users;
        let name = exchange.name.as_bytes();
        let request = Request {
            access,
            kind: ResourceKind::Exchange,
            name,
            key: Some(key),
        };
        let allowed = self.topic_grants.allows(users.generation(), request, || {
            users
                .tables()
                .topic_allows(user, &vhost.name.to_string(), name, access, key)
        });
        if allowed {
            return Ok(());
        }
        let key = String::from_utf8_lossy(key);
        let (exchange, vhost) = (&exchange.name, &vhost.name);
        Err(AmqpError::access_refused(format!(
            "access to topic '{key}' in exchange '{exchange}' in vhost '{vhost}' refused for user \
             '{user}'"
        )))
    }
}
