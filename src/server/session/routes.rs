//! Routes that a connection remembers, by exchange and routing key.

use std::collections::HashMap;
use std::sync::Arc;

use super::Session;
use crate::amqp::AmqpError;
use crate::amqp::hot::split_route;
use crate::amqp::properties::Properties;
use crate::auth::Access;
use crate::broker::batch::Place;
use crate::broker::route::{Route, RoutedMessage, extra_keys};
use crate::limits::ROUTE_CACHE;

/// A remembered route.
#[derive(Debug)]
pub(super) struct Remembered {
    key: Box<[u8]>,
    pub route: Arc<Route>,
    /// Where each queue stood in the last batch.
    pub places: Vec<Place>,
}

/// Remembered routes. An entry holds for one generation of its exchanges and of the users.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    numbers: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    routes: Vec<Remembered>,
    /// The number of the last key, for publishers that use one.
    last: usize,
    users: u64,
}

impl RouteCache {
    /// The route of `key` if it still holds.
    #[inline]
    pub fn get(&mut self, key: &[u8], users: u64) -> Option<&mut Remembered> {
        if self.users != users {
            self.clear();
            self.users = users;
        }
        let again = self
            .routes
            .get(self.last)
            .is_some_and(|known| *known.key == *key);
        if !again {
            self.last = *self.numbers.get(key)?;
        }
        self.routes
            .get_mut(self.last)
            .filter(|known| known.route.is_current())
    }

    fn put(&mut self, key: &[u8], route: &Arc<Route>) {
        if self.routes.len() >= ROUTE_CACHE {
            self.clear();
        }
        let places = vec![Place::default(); route.queues.len()];
        let known = Remembered {
            key: key.into(),
            route: Arc::clone(route),
            places,
        };
        match self
            .numbers
            .get(key)
            .and_then(|number| self.routes.get_mut(*number))
        {
            Some(stale) => *stale = known,
            None => {
                self.numbers.insert(key.into(), self.routes.len());
                self.routes.push(known);
            }
        }
    }

    pub fn clear(&mut self) {
        self.routes.clear();
        self.numbers.clear();
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
        // While the firehose is on every publish comes this way.
        let keep = !special && route.may_be_kept() && !vhost.is_traced();
        let route = Arc::new(route);
        if keep {
            self.routes.put(key, &route);
        }
        Ok(route)
    }
}
