//! What routing may read of a message.

use crate::amqp::value::Table;

/// The properties that `hash-property` can name, decoded only when asked for.
pub trait RouteProperties {
    /// The message-id, if set.
    fn message_id(&self) -> Option<&[u8]>;
    /// The correlation-id, if set.
    fn correlation_id(&self) -> Option<&[u8]>;
    /// The timestamp in seconds, if set.
    fn timestamp(&self) -> Option<u64>;
}

/// A message with none of the properties set.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProperties;

impl RouteProperties for NoProperties {
    fn message_id(&self) -> Option<&[u8]> {
        None
    }
    fn correlation_id(&self) -> Option<&[u8]> {
        None
    }
    fn timestamp(&self) -> Option<u64> {
        None
    }
}

/// One message as the exchange sees it.
#[derive(Clone, Copy)]
pub struct RouteInput<'m> {
    /// The routing key that is being routed.
    pub routing_key: &'m [u8],
    /// The headers; only read where [`super::Bindings::reads_headers`] says so.
    pub headers: Option<&'m Table>,
    /// The other properties; only read by `x-consistent-hash` with `hash-property`.
    pub properties: &'m dyn RouteProperties,
    /// A uniformly random number; only read by `x-random`.
    pub random: u64,
}

impl<'m> RouteInput<'m> {
    /// A message that has a routing key and nothing else.
    pub fn key(routing_key: &'m [u8]) -> Self {
        Self {
            routing_key,
            headers: None,
            properties: &NoProperties,
            random: 0,
        }
    }
}
