//! `x-consistent-hash`: one destination by a hash of the message, in proportion to the weights.
//!
//! Weighted rendezvous hashing: each destination draws a number from (message hash, its name) and
//! the highest, scaled by weight, wins. So the shares are those of the weights, the result depends
//! on the set of bindings alone and not on their order or history (a restart or another node
//! routes the same), a new destination takes messages only for itself, and a removed one gives up
//! only its own. The price is that a route is linear in destinations, a few nanoseconds each.
//!
//! The binding key is the weight, as in RabbitMQ. A destination bound several times counts once,
//! with its largest weight. (RabbitMQ 3.10 keeps the first weight, and the first unbind, of
//! whichever binding, ends all messages to it though the other binding is still listed.)

use imbl::OrdMap;

use super::arguments::put_value;
use super::binding::Destination;
use super::declare::HashProperty;
use super::input::RouteInput;
use super::refusal::BindRefusal;
use crate::amqp::value::Table;

/// What is hashed. A message without it goes where all such messages go.
#[derive(Debug, Clone, PartialEq)]
enum Source {
    RoutingKey,
    Header(Vec<u8>),
    Property(HashProperty),
}

/// The destinations of one exchange; a clone is a snapshot.
#[derive(Debug, Clone)]
pub(super) struct ConsistentHash {
    source: Source,
    /// Bindings by destination and weight.
    weights: OrdMap<(Destination, u64), u64>,
    /// Each destination once, by its weight, with the hash of its name.
    drawn: OrdMap<(u64, Destination), u64>,
}

impl ConsistentHash {
    /// Reads `hash-header`, LavinMQ's `x-hash-on` for the same, and `hash-property`.
    pub(super) fn new(arguments: &Table) -> Self {
        let text = |key: &[u8]| arguments.get(key).and_then(|value| value.as_long_string());
        let source = match (
            text(b"hash-header").or_else(|| text(b"x-hash-on")),
            text(b"hash-property").and_then(HashProperty::from_name),
        ) {
            (Some(header), _) => Source::Header(header.to_vec()),
            (None, Some(property)) => Source::Property(property),
            (None, None) => Source::RoutingKey,
        };
        Self {
            source,
            weights: OrdMap::new(),
            drawn: OrdMap::new(),
        }
    }

    pub(super) fn reads_headers(&self) -> bool {
        matches!(self.source, Source::Header(_))
    }

    pub(super) fn reads_key_alone(&self) -> bool {
        self.source == Source::RoutingKey
    }

    pub(super) fn add(&mut self, weight: u64, destination: &Destination) {
        self.change(destination, |weights| {
            *weights.entry((destination.clone(), weight)).or_insert(0) += 1;
        });
    }

    pub(super) fn subtract(&mut self, weight: u64, destination: &Destination) {
        self.change(destination, |weights| {
            let key = (destination.clone(), weight);
            match weights.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => {
                    weights.remove(&key);
                }
            }
        });
    }

    fn change(
        &mut self,
        destination: &Destination,
        change: impl FnOnce(&mut OrdMap<(Destination, u64), u64>),
    ) {
        let before = self.largest(destination);
        change(&mut self.weights);
        let after = self.largest(destination);
        if before == after {
            return;
        }
        if let Some(weight) = before {
            self.drawn.remove(&(weight, destination.clone()));
        }
        if let Some(weight) = after {
            self.drawn
                .insert((weight, destination.clone()), hash_destination(destination));
        }
    }

    fn largest(&self, destination: &Destination) -> Option<u64> {
        let (key, _) = self.weights.get_prev(&(destination.clone(), u64::MAX))?;
        (key.0 == *destination).then_some(key.1)
    }

    /// The destination of a message.
    pub(super) fn pick(&self, message: &RouteInput<'_>) -> Option<&Destination> {
        let hash = self.hash_of(message);
        let mut best: Option<(f64, &Destination)> = None;
        // Among equal weights the highest draw wins, so the logarithm is taken once a weight.
        let mut leader: Option<(u64, u64, &Destination)> = None;
        for ((weight, destination), seed) in &self.drawn {
            let draw = mix(hash ^ seed);
            match leader {
                Some((w, highest, _)) if w == *weight => {
                    if draw > highest {
                        leader = Some((w, draw, destination));
                    }
                }
                _ => {
                    settle(&mut best, leader);
                    leader = Some((*weight, draw, destination));
                }
            }
        }
        settle(&mut best, leader);
        best.map(|(_, destination)| destination)
    }

    fn hash_of(&self, message: &RouteInput<'_>) -> u64 {
        let found = match &self.source {
            Source::RoutingKey => Some(hash_octets(message.routing_key)),
            Source::Header(name) => message.headers.and_then(|h| h.get(name)).map(|value| {
                let mut octets = Vec::new();
                put_value(&mut octets, value);
                hash_octets(&octets)
            }),
            Source::Property(HashProperty::MessageId) => {
                message.properties.message_id().map(hash_octets)
            }
            Source::Property(HashProperty::CorrelationId) => {
                message.properties.correlation_id().map(hash_octets)
            }
            Source::Property(HashProperty::Timestamp) => message
                .properties
                .timestamp()
                .map(|seconds| hash_octets(&seconds.to_be_bytes())),
        };
        found.unwrap_or(0)
    }
}

/// Lets the leader of one weight compete with the best of the others: ln(u) / weight, u in (0, 1).
fn settle<'a>(
    best: &mut Option<(f64, &'a Destination)>,
    leader: Option<(u64, u64, &'a Destination)>,
) {
    let Some((weight, draw, destination)) = leader else {
        return;
    };
    let unit = ((draw >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let score = unit.ln() / weight as f64;
    if best.is_none_or(|(highest, _)| score > highest) {
        *best = Some((score, destination));
    }
}

/// The weight that a binding key states: a decimal integer above zero, with or without a sign.
/// Weights beyond 64 bits count as the largest one.
pub(super) fn weight_of(binding_key: &[u8]) -> Result<u64, BindRefusal> {
    let (negative, digits) = match binding_key {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BindRefusal::WeightNotInteger(binding_key.to_vec()));
    }
    let value = digits.iter().fold(0u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    if negative || value == 0 {
        return Err(BindRefusal::WeightNotPositive);
    }
    Ok(value)
}

fn hash_destination(destination: &Destination) -> u64 {
    let kind = match destination {
        Destination::Queue(_) => 1,
        Destination::Exchange(_) => 2,
    };
    mix(hash_octets(destination.name().as_bytes()) ^ kind)
}

/// FNV-1a with a final mix. Spelled out here because the result must never change: it decides
/// where messages go, across versions and nodes.
fn hash_octets(octets: &[u8]) -> u64 {
    let folded = octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    mix(folded)
}

/// The finalizer of SplitMix64.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
#[path = "consistent_hash_tests.rs"]
mod tests;
