//! Shares, stability and sources of the consistent hash.

use std::collections::BTreeMap;

use super::*;
use crate::amqp::value::Value;
use crate::exchange::RouteProperties;

const MESSAGES: usize = 20_000;

fn exchange(arguments: &[(&str, &str)], queues: &[(&str, u64)]) -> ConsistentHash {
    let table = arguments
        .iter()
        .map(|(k, v)| (k.as_bytes().to_vec(), Value::text(v)))
        .collect();
    let mut hash = ConsistentHash::new(&Table(table));
    for (queue, weight) in queues {
        hash.add(*weight, &Destination::queue(queue.as_bytes()));
    }
    hash
}

fn placed(hash: &ConsistentHash) -> Vec<String> {
    (0..MESSAGES)
        .map(|i| {
            let key = format!("key-{i}");
            let picked = hash.pick(&RouteInput::key(key.as_bytes()));
            picked.expect("a destination").name().to_string()
        })
        .collect()
}

fn shares(hash: &ConsistentHash) -> BTreeMap<String, f64> {
    let mut out = BTreeMap::new();
    for queue in placed(hash) {
        *out.entry(queue).or_insert(0.0) += 1.0 / MESSAGES as f64;
    }
    out
}

#[test]
fn shares_are_those_of_the_weights() {
    for queues in [
        &[("a", 1), ("b", 1), ("c", 1), ("d", 1)][..],
        &[("a", 1), ("b", 2), ("c", 2), ("d", 5)],
        &[("a", 1), ("b", 1000)],
        &[("a", u64::MAX), ("b", u64::MAX)],
    ] {
        let total: f64 = queues.iter().map(|(_, weight)| *weight as f64).sum();
        let got = shares(&exchange(&[], queues));
        for (queue, weight) in queues {
            let expected = *weight as f64 / total;
            // Four standard deviations; the hash is fixed, so this never flickers.
            let slack = 4.0 * (expected * (1.0 - expected) / MESSAGES as f64).sqrt();
            let share = got.get(*queue).copied().unwrap_or(0.0);
            assert!(
                (share - expected).abs() <= slack,
                "{queue} {share} {expected}"
            );
        }
    }
}

#[test]
fn a_new_destination_takes_messages_only_for_itself() {
    let mut queues = vec![("a", 1), ("b", 3), ("c", 2)];
    let before = placed(&exchange(&[], &queues));
    queues.push(("d", 2));
    let mut hash = exchange(&[], &queues);
    let after = placed(&hash);
    let mut moved = 0;
    for (was, is) in before.iter().zip(&after) {
        assert!(was == is || is == "d", "{was} became {is}");
        moved += usize::from(was != is);
    }
    assert!((0.23..0.27).contains(&(moved as f64 / MESSAGES as f64)));
    hash.subtract(2, &Destination::queue(b"d"));
    assert_eq!(placed(&hash), before);
}

#[test]
fn the_order_of_binds_and_past_bindings_do_not_matter() {
    let forth = exchange(&[], &[("a", 1), ("b", 2), ("c", 2)]);
    let mut back = exchange(&[], &[("z", 9), ("c", 2), ("b", 2), ("a", 1)]);
    back.subtract(9, &Destination::queue(b"z"));
    assert_eq!(placed(&forth), placed(&back));
}

#[test]
fn a_destination_counts_once_with_its_largest_weight() {
    let mut twice = exchange(&[], &[("a", 1), ("b", 1), ("b", 5), ("b", 1)]);
    assert_eq!(
        placed(&twice),
        placed(&exchange(&[], &[("a", 1), ("b", 5)]))
    );
    let b = Destination::queue(b"b");
    twice.subtract(5, &b);
    twice.subtract(1, &b);
    assert_eq!(
        placed(&twice),
        placed(&exchange(&[], &[("a", 1), ("b", 1)]))
    );
    twice.subtract(1, &b);
    assert_eq!(placed(&twice), placed(&exchange(&[], &[("a", 1)])));
}

#[test]
fn nothing_bound_takes_nothing() {
    let mut hash = exchange(&[], &[("a", 1)]);
    hash.subtract(1, &Destination::queue(b"a"));
    assert_eq!(hash.pick(&RouteInput::key(b"k")), None);
}

#[test]
fn placement_is_fixed_across_versions() {
    // Should this fail, the hash changed: messages of running users would move at an upgrade.
    let hash = exchange(&[], &[("a", 1), ("b", 2), ("c", 1)]);
    let first: Vec<String> = placed(&hash).into_iter().take(12).collect();
    assert_eq!(first.concat(), "cbbcacbcbbbc");
}

struct Properties(Option<&'static [u8]>, Option<&'static [u8]>, Option<u64>);

impl RouteProperties for Properties {
    fn message_id(&self) -> Option<&[u8]> {
        self.0
    }
    fn correlation_id(&self) -> Option<&[u8]> {
        self.1
    }
    fn timestamp(&self) -> Option<u64> {
        self.2
    }
}

const QUEUES: [(&str, u64); 12] = [
    ("0", 1),
    ("1", 1),
    ("2", 1),
    ("3", 1),
    ("4", 1),
    ("5", 1),
    ("6", 1),
    ("7", 1),
    ("8", 1),
    ("9", 1),
    ("10", 1),
    ("11", 1),
];

/// Whether routing depends on the key, message-id, correlation-id, timestamp, header `h`.
fn depends_on(arguments: &[(&str, &str)]) -> [bool; 5] {
    let hash = exchange(arguments, &QUEUES);
    let ids: [&'static [u8]; 6] = [b"a", b"b", b"c", b"d", b"e", b"f"];
    let mut seen: [Vec<&Destination>; 5] = Default::default();
    for (n, id) in ids.into_iter().enumerate() {
        for (field, seen) in seen.iter_mut().enumerate() {
            let one = |at: usize| (field == at).then_some(id);
            let headers = Table(match one(4) {
                Some(id) => vec![(b"h".to_vec(), Value::Bytes(id.to_vec()))],
                None => vec![],
            });
            let properties = Properties(one(1), one(2), (field == 3).then_some(n as u64));
            let message = RouteInput {
                routing_key: one(0).unwrap_or(b"k"),
                headers: Some(&headers),
                properties: &properties,
                random: n as u64,
            };
            seen.extend(hash.pick(&message));
        }
    }
    seen.map(|picked| picked.iter().any(|each| Some(each) != picked.first()))
}

#[test]
fn hashes_what_the_arguments_name_and_only_that() {
    let only = |at: usize| std::array::from_fn(|i| i == at);
    assert_eq!(depends_on(&[]), only(0));
    assert_eq!(depends_on(&[("hash-property", "message_id")]), only(1));
    assert_eq!(depends_on(&[("hash-property", "correlation_id")]), only(2));
    assert_eq!(depends_on(&[("hash-property", "timestamp")]), only(3));
    assert_eq!(depends_on(&[("hash-header", "h")]), only(4));
    assert_eq!(depends_on(&[("x-hash-on", "h")]), only(4));
    assert_eq!(
        depends_on(&[("x-hash-on", "h"), ("hash-header", "i")]),
        [false; 5]
    );
}

#[test]
fn weights_are_positive_integers_in_rabbitmqs_words() {
    for (key, weight) in [("1", 1), ("+1", 1), ("01", 1), ("1000", 1000)] {
        assert_eq!(weight_of(key.as_bytes()), Ok(weight));
    }
    assert_eq!(weight_of(&[b'9'; 40]), Ok(u64::MAX));
    let text = |key: &str| weight_of(key.as_bytes()).expect_err("refused").to_string();
    for key in ["0", "-1", "-0", "00"] {
        assert_eq!(text(key), "The binding key must be greater than 0");
    }
    for key in ["foo", "1.5", " 1", "1 ", "0x10", "1e3", "é"] {
        let expected = format!("The binding key must be an integer: <<\"{key}\">>");
        assert_eq!(text(key), expected);
    }
    assert_eq!(text(""), "The binding key must be an integer: <<>>");
    assert!(text("-").starts_with("The binding key must be an integer"));
}
