//! What a publish's properties ask of the broker, remembered for the next message, which mostly
//! has the same.

use super::Session;
use crate::amqp::AmqpError;
use crate::amqp::properties::{Properties, parse_expiration};
use crate::broker::reply_to::REPLY_TO;
use crate::broker::route::extra_keys;

/// What one set of properties asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// `expiration` in milliseconds; `u64::MAX` without.
    pub ttl_ms: u64,
    pub priority: u8,
    /// Durable queues keep it over a restart.
    pub persistent: bool,
    /// CC, BCC or a direct reply-to: routed and rewritten one by one.
    pub special: bool,
}

/// The last properties and what they asked for.
#[derive(Debug, Default)]
pub(super) struct PropertiesMemo {
    raw: Vec<u8>,
    asked: Option<Asked>,
}

/// Properties longer than this are not remembered: comparing them costs what reading them does.
const REMEMBERED: usize = 256;

impl PropertiesMemo {
    #[inline]
    pub fn get(&self, raw: &[u8]) -> Option<Asked> {
        if self.raw == raw { self.asked } else { None }
    }

    fn put(&mut self, raw: &[u8], asked: Asked) {
        self.raw.clear();
        if raw.len() <= REMEMBERED {
            self.raw.extend_from_slice(raw);
            self.asked = Some(asked);
        } else {
            self.asked = None;
        }
    }
}

impl Session {
    /// Checks properties in RabbitMQ's order: user-id, expiration, delivery mode, CC and BCC.
    pub(super) fn read_properties(&mut self, channel: u16, raw: &[u8]) -> Result<Asked, AmqpError> {
        let properties = Properties::read(raw)
            .map_err(|error| AmqpError::syntax_error(format!("malformed properties: {error}")))?;
        self.check_user_id(&properties)?;
        let ttl_ms = match properties.expiration {
            None => u64::MAX,
            Some(text) => parse_expiration(text).map_err(AmqpError::precondition_failed)?,
        };
        let invalid = |why: &str| AmqpError::precondition_failed(format!("invalid message: {why}"));
        if let Some(mode) = properties.delivery_mode
            && !(1..=2).contains(&mode)
        {
            return Err(invalid(&format!("{{delivery_mode_unknown,{mode}}}")));
        }
        let mut special = false;
        if properties.headers.is_some() {
            let headers = properties.headers_table();
            special = !extra_keys(&headers)
                .map_err(|why| invalid(&why))?
                .is_empty()
                || headers.get(b"BCC").is_some();
        }
        if properties.reply_to == Some(REPLY_TO) {
            let waiting = self
                .channels
                .get(&channel)
                .is_some_and(|s| s.reply_address.is_some());
            if !waiting {
                let text = "fast reply consumer does not exist";
                return Err(AmqpError::precondition_failed(text));
            }
            special = true;
        }
        let asked = Asked {
            ttl_ms,
            priority: properties.priority.unwrap_or(0),
            persistent: properties.delivery_mode == Some(2),
            special,
        };
        self.memo.put(raw, asked);
        Ok(asked)
    }

    fn check_user_id(&self, properties: &Properties<'_>) -> Result<(), AmqpError> {
        let Some(claimed) = properties.user_id else {
            return Ok(());
        };
        let actual = self.user_name();
        let impersonator = self
            .user
            .as_ref()
            .is_some_and(|user| user.is_impersonator());
        if claimed == actual.as_bytes() || impersonator {
            return Ok(());
        }
        let claimed = String::from_utf8_lossy(claimed);
        Err(AmqpError::precondition_failed(format!(
            "user_id property set to '{claimed}' but authenticated user was '{actual}'"
        )))
    }
}
