//! Negotiation of channel_max, frame_max and heartbeat (specification, 1.4.2.5), with RabbitMQ's
//! refusals.

use crate::amqp::AmqpError;
use crate::amqp::constants::FRAME_MIN_SIZE;

/// What is offered, or agreed. 0 means no limit, or no heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Most channels open at a time.
    pub channel_max: u16,
    /// Largest frame in octets, overhead included.
    pub frame_max: u32,
    /// Seconds between heartbeats.
    pub heartbeat_s: u16,
}

impl Tuning {
    /// Checks a client's tune-ok against this offer. The client's heartbeat is taken as it is, for
    /// it has the last word.
    pub fn agree(self, client: Self) -> Result<Self, AmqpError> {
        check(
            "frame_max",
            FRAME_MIN_SIZE,
            self.frame_max,
            client.frame_max,
        )?;
        check(
            "channel_max",
            1,
            self.channel_max.into(),
            client.channel_max.into(),
        )?;
        Ok(client)
    }

    /// Octets of payload that a frame may carry; 0 means no limit.
    pub fn payload_max(self) -> usize {
        (self.frame_max as usize).saturating_sub(crate::amqp::constants::FRAME_OVERHEAD)
    }
}

fn check(field: &str, min: u32, server: u32, client: u32) -> Result<(), AmqpError> {
    let (comparison, bound, value) = if client != 0 && client < min {
        ("lower", "minimum", min)
    } else if server != 0 && (client == 0 || client > server) {
        ("higher", "maximum", server)
    } else {
        return Ok(());
    };
    let unlimited = if client == 0 { " (no limit)" } else { "" };
    Err(AmqpError::not_allowed(format!(
        "negotiated {field} = {client}{unlimited} is {comparison} than the {bound} allowed value ({value})"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: Tuning = Tuning {
        channel_max: 2047,
        frame_max: 131_072,
        heartbeat_s: 60,
    };

    #[test]
    fn only_what_was_offered_is_agreed() {
        let wish = Tuning {
            channel_max: 10,
            frame_max: 4096,
            heartbeat_s: 0,
        };
        assert_eq!(OFFER.agree(wish), Ok(wish));
        for (wish, text) in [
            (
                Tuning {
                    frame_max: 0,
                    ..wish
                },
                "negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)",
            ),
            (
                Tuning {
                    frame_max: 100,
                    ..wish
                },
                "negotiated frame_max = 100 is lower than the minimum allowed value (4096)",
            ),
            (
                Tuning {
                    channel_max: 0,
                    ..wish
                },
                "negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)",
            ),
            (
                Tuning {
                    channel_max: 3000,
                    ..wish
                },
                "negotiated channel_max = 3000 is higher than the maximum allowed value (2047)",
            ),
        ] {
            assert_eq!(OFFER.agree(wish).unwrap_err().text, text);
        }
    }
}
