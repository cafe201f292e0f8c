//! Exchange types by their AMQP names.

/// The types this broker routes by. `Display` and [`ExchangeType::name`] are the wire names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExchangeType {
    /// `direct`: binding key equals routing key.
    Direct,
    /// `fanout`: every destination.
    Fanout,
    /// `topic`: words with `*` and `#`.
    Topic,
    /// `headers`: typed comparison of the message headers with the binding arguments.
    Headers,
    /// `x-consistent-hash`: one destination by a hash, in proportion to the weights.
    ConsistentHash,
    /// `x-random`: one destination by chance, one ticket a binding.
    Random,
}

impl ExchangeType {
    /// Every type, in the order of their names.
    pub const ALL: [Self; 6] = [
        Self::Direct,
        Self::Fanout,
        Self::Headers,
        Self::Topic,
        Self::ConsistentHash,
        Self::Random,
    ];

    /// The type of a wire name; names are case-sensitive as in RabbitMQ.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
    }

    /// The wire name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
            Self::ConsistentHash => "x-consistent-hash",
            Self::Random => "x-random",
        }
    }

    /// True where every routing key of a message (its own, then CC and BCC) is routed in turn.
    /// The other types route a message once whatever its keys.
    pub fn routes_each_key(self) -> bool {
        matches!(self, Self::Direct | Self::Topic)
    }
}

impl std::fmt::Display for ExchangeType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// RabbitMQ's text of the 503 that refuses an unknown type at declare, without its
/// `COMMAND_INVALID - ` prefix. The empty name is called invalid, not unknown.
pub fn unknown_type_text(name: &[u8]) -> String {
    let word = if name.is_empty() {
        "invalid"
    } else {
        "unknown"
    };
    format!("{word} exchange type '{}'", String::from_utf8_lossy(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_are_case_sensitive() {
        for kind in ExchangeType::ALL {
            assert_eq!(
                ExchangeType::from_name(kind.name().as_bytes()),
                Some(kind),
                "{kind}"
            );
        }
        assert_eq!(ExchangeType::from_name(b"DIRECT"), None);
        assert_eq!(ExchangeType::from_name(b""), None);
    }

    #[test]
    fn unknown_types_are_named_in_rabbitmqs_words() {
        assert_eq!(
            unknown_type_text(b"x-delayed-message"),
            "unknown exchange type 'x-delayed-message'"
        );
        assert_eq!(unknown_type_text(b""), "invalid exchange type ''");
    }
}
