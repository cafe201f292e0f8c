//! Routes that a connection remembers, by exchange and routing key.

use std::collections::HashMap;
use std::sync::Arc;

use super::Session;
use crate::amqp::AmqpError;
use crate::amqp::hot::split_route;
use crate::amqp::properties::Properties;
use crate::auth::Access;
use crate::broker::route::{Route, RoutedMessage, extra_keys};
use crate::limits::ROUTE_CACHE;

/// Remembered routes. An entry holds for one generation of its exchanges and of the users.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    routes: HashMap<Box<[u8]>, Arc<Route>, foldhash::fast::RandomState>,
    /// The last key and its route, for publishers that use one.
    last_key: Vec<u8>,
    last: Option<Arc<Route>>,
    users: u64,
}

impl RouteCache {
    /// The route of `key` if it still holds.
    #[inline]
    pub fn get(&mut self, key: &[u8], users: u64) -> Option<&Arc<Route>> {
        if self.users != users {
            self.clear();
            self.users = users;
        }
        if self.last_key != key || self.last.is_none() {
            let route = self.routes.get(key)?;
            self.last = Some(Arc::clone(route));
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
        }
        self.last.as_ref().filter(|route| route.is_current())
    }

    fn put(&mut self, key: &[u8], route: &Arc<Route>) {
        if self.routes.len() >= ROUTE_CACHE {
            self.routes.clear();
        }
        self.routes.insert(key.into(), Arc::clone(route));
        self.last = None;
    }

    pub fn clear(&mut self) {
        self.routes.clear();
        self.last = None;
    }
}

impl Session {
    /// Routes a publish after checking that the user may publish there. What depends on the key
    /// alone is remembered.
    pub(super) fn find_route(
        &mut self,
        key: &[u8],
        properties: &Properties<'_>,
        special: bool,
    ) -> Result<Arc<Route>, AmqpError> {
        let (exchange_name, routing_key) = split_route(key);
        let vhost = self.host()?;
        self.permit_exchange(Access::Write, exchange_name)?;
        let exchange = match exchange_name {
            [] => None,
            name => Some(vhost.existing_exchange(name)?),
        };
        if let Some(exchange) = &exchange {
            if exchange.internal {
                return Err(AmqpError::access_refused(format!(
                    "cannot publish to internal exchange '{}' in vhost '{}'",
                    exchange.name, vhost.name
                )));
            }
            self.permit_topic(Access::Write, exchange, routing_key)?;
        }
        let headers = properties.headers.map(|_| properties.headers_table());
        let extra = match (&headers, special) {
            (Some(headers), true) => extra_keys(headers).unwrap_or_default(),
            _ => Vec::new(),
        };
        let mut keys = vec![routing_key];
        keys.extend(extra.iter().map(Vec::as_slice));
        let route = match exchange {
            None => vhost.route_default(&keys),
            Some(exchange) => vhost.route(
                &exchange,
                RoutedMessage {
                    keys: &keys,
                    headers: headers.as_ref(),
                    properties,
                    random: rand::random(),
                },
            ),
        };
        let keep = !special && route.may_be_kept();
        let route = Arc::new(route);
        if keep {
            self.routes.put(key, &route);
        }
        Ok(route)
    }
}
