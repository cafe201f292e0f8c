//! Bindings of every type against a list that is searched from end to end, and the cost of a
//! change counted in comparisons and copies.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::amqp::value::{Table, Value};
use crate::ids::{Name, counting};

fn binding(queue: &str, key: &str, arguments: &[(&str, Value)]) -> Binding {
    Binding {
        destination: Destination::queue(queue.as_bytes()),
        routing_key: Name::from(key),
        arguments: Table(
            arguments
                .iter()
                .map(|(k, v)| (k.as_bytes().to_vec(), v.clone()))
                .collect(),
        ),
    }
}

fn routed<'a>(bindings: &'a Bindings, message: &RouteInput<'_>) -> BTreeSet<&'a Destination> {
    let mut out = vec![];
    bindings.route(message, &mut out);
    out.into_iter().collect()
}

#[test]
fn a_bind_is_idempotent_on_destination_key_and_arguments() {
    for kind in ExchangeType::ALL {
        let mut bindings = Bindings::new(kind, &Table::default());
        let plain = binding("q", "1", &[]);
        let argued = binding("q", "1", &[("a", Value::I32(1))]);
        let elsewhere = Binding {
            destination: Destination::exchange(b"q"),
            ..plain.clone()
        };
        for each in [&plain, &argued, &elsewhere] {
            assert_eq!(bindings.bind(each), Ok(true), "{kind}");
            assert_eq!(bindings.bind(each), Ok(false), "{kind}");
        }
        assert_eq!(bindings.len(), 3);
        assert!(bindings.unbind(&argued) && !bindings.unbind(&argued));
        assert!(bindings.contains(&plain) && !bindings.contains(&argued));
        assert_eq!(
            bindings.remove_destination(&plain.destination),
            std::slice::from_ref(&plain)
        );
        assert!(!bindings.leads_to(&plain.destination));
        assert!(bindings.leads_to(&elsewhere.destination));
        let headers = Table::default();
        let message = RouteInput {
            headers: Some(&headers),
            ..RouteInput::key(b"1")
        };
        assert_eq!(
            routed(&bindings, &message),
            BTreeSet::from([&elsewhere.destination]),
            "{kind}"
        );
    }
}

#[test]
fn a_refused_bind_changes_nothing() {
    let mut hash = Bindings::new(ExchangeType::ConsistentHash, &Table::default());
    let refusal = hash.bind(&binding("q", "0", &[]));
    assert_eq!(refusal, Err(BindRefusal::WeightNotPositive));
    let mut headers = Bindings::new(ExchangeType::Headers, &Table::default());
    let bad = binding("q", "", &[("x-match", Value::text("foo"))]);
    assert_eq!(
        headers.bind(&bad),
        Err(BindRefusal::MatchValue(b"foo".to_vec()))
    );
    assert!(hash.is_empty() && headers.is_empty());
    // The other way round RabbitMQ does not mind.
    assert!(!headers.unbind(&bad));
    let mut direct = Bindings::new(ExchangeType::Direct, &Table::default());
    assert_eq!(direct.bind(&bad), Ok(true));
}

#[test]
fn what_decides_a_route_is_known_beforehand() {
    let hash_on = Table(vec![(b"hash-header".to_vec(), Value::text("h"))]);
    for (kind, arguments, headers, key_alone) in [
        (ExchangeType::Direct, Table::default(), false, true),
        (ExchangeType::Fanout, Table::default(), false, true),
        (ExchangeType::Topic, Table::default(), false, true),
        (ExchangeType::Headers, Table::default(), true, false),
        (ExchangeType::ConsistentHash, Table::default(), false, true),
        (ExchangeType::ConsistentHash, hash_on, true, false),
        (ExchangeType::Random, Table::default(), false, false),
    ] {
        let bindings = Bindings::new(kind, &arguments);
        assert_eq!(bindings.kind(), kind);
        assert_eq!(bindings.reads_headers(), headers, "{kind}");
        assert_eq!(bindings.routes_by_key_alone(), key_alone, "{kind}");
    }
}

/// The model: bindings in a list, one rule a type. What is drawn by hash or chance is one of the
/// destinations, so there the model gives the candidates.
fn model_routes<'m>(
    kind: ExchangeType,
    model: &'m [Binding],
    key: &str,
    header: i32,
) -> BTreeSet<&'m Destination> {
    let takes = |binding: &Binding| match kind {
        ExchangeType::Direct => binding.routing_key.as_bytes() == key.as_bytes(),
        // Keys of the model have one word, so a pattern is a word, "*" or "#".
        ExchangeType::Topic => {
            [key.as_bytes(), b"*", b"#"].contains(&binding.routing_key.as_bytes())
        }
        ExchangeType::Headers => match binding.arguments.get(b"h") {
            Some(value) => *value == Value::I32(header),
            None => true,
        },
        ExchangeType::Fanout | ExchangeType::ConsistentHash | ExchangeType::Random => true,
    };
    model
        .iter()
        .filter(|b| takes(b))
        .map(|b| &b.destination)
        .collect()
}

#[derive(Debug, Clone)]
enum Step {
    Bind(Binding),
    Unbind(Binding),
    Remove(Destination),
    Snapshot,
}

fn any_binding(kind: ExchangeType) -> impl Strategy<Value = Binding> {
    let keys: &[&str] = match kind {
        ExchangeType::ConsistentHash => &["1", "2", "7"],
        _ => &["a", "b", "*", "#"],
    };
    (
        prop::sample::select(&["p", "q", "r", "s"][..]),
        any::<bool>(),
        prop::sample::select(keys),
        prop::option::of(0..2i32),
    )
        .prop_map(|(name, queue, key, header)| Binding {
            destination: if queue {
                Destination::queue(name.as_bytes())
            } else {
                Destination::exchange(name.as_bytes())
            },
            ..binding(
                name,
                key,
                &header
                    .map(|h| ("h", Value::I32(h)))
                    .into_iter()
                    .collect::<Vec<_>>(),
            )
        })
}

fn any_step(kind: ExchangeType) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_binding(kind).prop_map(Step::Bind),
        4 => any_binding(kind).prop_map(Step::Unbind),
        1 => any_binding(kind).prop_map(|b| Step::Remove(b.destination)),
        1 => Just(Step::Snapshot),
    ]
}

fn agree(kind: ExchangeType, bindings: &Bindings, model: &[Binding], random: u64) {
    let stored: Vec<Binding> = bindings.iter().map(BindingRef::to_binding).collect();
    assert_eq!(stored.len(), model.len());
    assert_eq!(bindings.len(), model.len());
    for binding in model {
        assert!(stored.contains(binding), "{kind}: lost {binding:?}");
    }
    let order = |b: &Binding| (b.destination.clone(), b.routing_key.clone());
    assert!(stored.is_sorted_by_key(order), "{kind}: {stored:?}");
    for key in ["a", "b", "c"] {
        for header in 0..3 {
            let headers = Table(vec![(b"h".to_vec(), Value::I32(header))]);
            let message = RouteInput {
                headers: Some(&headers),
                random,
                ..RouteInput::key(key.as_bytes())
            };
            let got = routed(bindings, &message);
            let expected = model_routes(kind, model, key, header);
            if matches!(kind, ExchangeType::ConsistentHash | ExchangeType::Random) {
                assert_eq!(got.len(), usize::from(!expected.is_empty()));
                assert!(got.is_subset(&expected));
            } else {
                assert_eq!(got, expected, "{kind} {key} {header}");
            }
        }
    }
}

fn run(kind: ExchangeType, steps: Vec<Step>, random: u64) {
    let mut bindings = Bindings::new(kind, &Table::default());
    let mut model: Vec<Binding> = vec![];
    let mut snapshot = (bindings.clone(), model.clone());
    for step in steps {
        match step {
            Step::Bind(binding) => {
                let new = !model.contains(&binding);
                assert_eq!(bindings.bind(&binding), Ok(new));
                if new {
                    model.push(binding);
                }
            }
            Step::Unbind(binding) => {
                let there = model.contains(&binding);
                assert_eq!(bindings.unbind(&binding), there);
                model.retain(|b| *b != binding);
            }
            Step::Remove(destination) => {
                let expected = model
                    .iter()
                    .filter(|b| b.destination == destination)
                    .count();
                assert_eq!(bindings.of_destination(&destination).count(), expected);
                assert_eq!(bindings.remove_destination(&destination).len(), expected);
                model.retain(|b| b.destination != destination);
            }
            Step::Snapshot => snapshot = (bindings.clone(), model.clone()),
        }
        agree(kind, &bindings, &model, random);
    }
    agree(kind, &snapshot.0, &snapshot.1, random);
    for binding in &model {
        assert!(bindings.unbind(binding));
    }
    agree(kind, &bindings, &[], random);
}

macro_rules! agrees_with_the_list {
    ($($name:ident: $kind:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(200))]
            $(#[test]
            fn $name(
                steps in prop::collection::vec(any_step($kind), 0..60),
                random in any::<u64>(),
            ) {
                run($kind, steps, random);
            })*
        }
    };
}

agrees_with_the_list! {
    direct_agrees_with_a_list: ExchangeType::Direct;
    fanout_agrees_with_a_list: ExchangeType::Fanout;
    topic_agrees_with_a_list: ExchangeType::Topic;
    headers_agree_with_a_list: ExchangeType::Headers;
    consistent_hash_agrees_with_a_list: ExchangeType::ConsistentHash;
    random_agrees_with_a_list: ExchangeType::Random;
}

/// Comparisons and copies of names for one bind and one unbind on `size` bindings while a snapshot
/// of them is held, so that every shared node that changes is copied.
fn steps_of_a_change(kind: ExchangeType, size: usize, make: fn(usize) -> Binding) -> u64 {
    let mut bindings = Bindings::new(kind, &Table::default());
    for at in 0..size {
        assert_eq!(bindings.bind(&make(at)), Ok(true));
    }
    let changed: Vec<Binding> = (0..8).map(|at| make(size + at)).collect();
    let steps = counting::steps(|| {
        for binding in &changed {
            let snapshot = bindings.clone();
            assert_eq!(bindings.bind(binding), Ok(true));
            let bound = bindings.clone();
            assert!(bindings.unbind(binding));
            assert_eq!((snapshot.len(), bound.len()), (size, size + 1));
        }
    });
    steps / changed.len() as u64
}

#[test]
fn a_change_at_100_000_bindings_copies_a_path_and_not_the_maps() {
    let weights = |at: usize| binding(&format!("q{at:06}"), &(at % 9 + 1).to_string(), &[]);
    let keys = |at: usize| binding("q", &format!("k{at:06}.x.y"), &[]);
    let queues = |at: usize| binding(&format!("q{at:06}"), "one.key", &[]);
    let both = |at: usize| binding(&format!("q{at:06}"), &format!("k.{at:06}"), &[]);
    let argued = |at: usize| binding("q", "", &[("h", Value::I64(at as i64))]);
    type Case = (ExchangeType, fn(usize) -> Binding);
    let cases: [Case; 11] = [
        (ExchangeType::Direct, keys),
        (ExchangeType::Direct, queues),
        (ExchangeType::Direct, both),
        (ExchangeType::Fanout, queues),
        (ExchangeType::Fanout, keys),
        (ExchangeType::Topic, keys),
        (ExchangeType::Topic, queues),
        (ExchangeType::Topic, both),
        (ExchangeType::Headers, argued),
        (ExchangeType::ConsistentHash, weights),
        (ExchangeType::Random, both),
    ];
    for (kind, make) in cases {
        let (few, many) = (
            steps_of_a_change(kind, 100, make),
            steps_of_a_change(kind, 100_000, make),
        );
        // log2(100,000) / log2(100) = 2.5; a path of 16-entry nodes is copied.
        assert!(
            many <= few * 4,
            "{kind}: {few} steps at 100, {many} at 100,000"
        );
    }
}
