//! Topic rules as probed, the naive matcher's agreement, and the bound on work.

use proptest::prelude::*;

use super::*;

/// The rule as the specification words it: exponential, and therefore obviously right.
fn naive(pattern: &[&[u8]], key: &[&[u8]]) -> bool {
    match (pattern, key) {
        ([], []) => true,
        ([b"#", rest @ ..], _) => {
            naive(rest, key) || key.split_first().is_some_and(|(_, k)| naive(pattern, k))
        }
        ([b"*", rest @ ..], [_, key @ ..]) => naive(rest, key),
        ([word, rest @ ..], [first, key @ ..]) => word == first && naive(rest, key),
        _ => false,
    }
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    if text.is_empty() {
        return vec![];
    }
    text.split(|octet| *octet == b'.').collect()
}

/// Binds each pattern to a queue of its own name and returns those that match, sorted.
fn matching(patterns: &[&str], key: &str) -> Vec<String> {
    let mut topic = Topic::default();
    for pattern in patterns {
        topic.add(pattern.as_bytes(), &Destination::queue(pattern.as_bytes()));
    }
    let mut out = vec![];
    topic.visit(key.as_bytes(), |d| out.push(d.name().to_string()));
    out.sort();
    out
}

/// Captured from RabbitMQ 3.10.8: these patterns, each bound to its own queue.
const PATTERNS: [&str; 26] = [
    "", "#", "*", "a", "a.*", "a.#", "#.a", "*.a", "#.*", "*.#", "#.#", "*.*", "a..b", "a.*.b",
    ".", "..", "#.", ".#", "a.", ".a", "**", "a*", "#a", "*.", "a.#.b", "#.a.#",
];

/// Captured from RabbitMQ 3.10.8: key, then the patterns that took it.
const CAPTURED: [(&str, &[&str]); 16] = [
    ("", &["", "#", "#.#"]),
    (
        "a",
        &["#", "*", "a", "a.#", "#.a", "#.*", "*.#", "#.#", "#.a.#"],
    ),
    ("b", &["#", "*", "#.*", "*.#", "#.#"]),
    (
        ".",
        &["#", "#.*", "*.#", "#.#", "*.*", ".", "#.", ".#", "*."],
    ),
    ("..", &["#", "#.*", "*.#", "#.#", "..", "#.", ".#"]),
    (
        "a.",
        &[
            "#", "a.*", "a.#", "#.*", "*.#", "#.#", "*.*", "#.", "a.", "*.", "#.a.#",
        ],
    ),
    (
        ".a",
        &[
            "#", "#.a", "*.a", "#.*", "*.#", "#.#", "*.*", ".#", ".a", "#.a.#",
        ],
    ),
    (
        "a.b",
        &[
            "#", "a.*", "a.#", "#.*", "*.#", "#.#", "*.*", "a.#.b", "#.a.#",
        ],
    ),
    (
        "a..b",
        &[
            "#", "a.#", "#.*", "*.#", "#.#", "a..b", "a.*.b", "a.#.b", "#.a.#",
        ],
    ),
    (
        "a.x.b",
        &["#", "a.#", "#.*", "*.#", "#.#", "a.*.b", "a.#.b", "#.a.#"],
    ),
    ("#", &["#", "*", "#.*", "*.#", "#.#"]),
    ("*", &["#", "*", "#.*", "*.#", "#.#"]),
    (
        "a.#",
        &["#", "a.*", "a.#", "#.*", "*.#", "#.#", "*.*", "#.a.#"],
    ),
    ("a*", &["#", "*", "#.*", "*.#", "#.#", "a*"]),
    ("**", &["#", "*", "#.*", "*.#", "#.#", "**"]),
    ("#a", &["#", "*", "#.*", "*.#", "#.#", "#a"]),
];

#[test]
fn matches_what_rabbitmq_matched() {
    for (key, expected) in CAPTURED {
        let mut expected: Vec<String> = expected.iter().map(|s| (*s).to_owned()).collect();
        expected.sort();
        assert_eq!(matching(&PATTERNS, key), expected, "key {key:?}");
    }
}

#[test]
fn a_destination_of_two_patterns_stays_until_both_are_gone() {
    let q = Destination::queue(b"q");
    let mut topic = Topic::default();
    topic.add(b"a.#", &q);
    topic.add(b"a.#", &q);
    topic.subtract(b"a.#", &q);
    assert!(!topic.is_empty());
    topic.subtract(b"a.#", &q);
    topic.subtract(b"a.#", &q);
    topic.subtract(b"never.bound", &q);
    assert!(topic.is_empty());
}

#[test]
fn many_hashes_cost_at_most_nodes_times_words() {
    let q = Destination::queue(b"q");
    let mut topic = Topic::default();
    // Every depth of "#.#.#..." and of "#.a.#.a..." ends in a word that never comes.
    let mut nodes = 1;
    for repeated in ["#.", "#.a.", "#.*.", "#.*.a."] {
        for count in 1..=255 / repeated.len() - 1 {
            let mut pattern = repeated.repeat(count);
            pattern.push('b');
            nodes += pattern.split('.').count();
            topic.add(pattern.as_bytes(), &q);
        }
    }
    let key = vec!["a"; 127].join(".");
    let mut walk = Walk::new(|_: &Destination| panic!("nothing ends in b"));
    walk.arrive(&topic.root, Words::of(key.as_bytes()), false);
    assert!(
        walk.steps <= nodes * 128,
        "{} steps for {nodes} nodes",
        walk.steps
    );
}

#[test]
fn one_deep_pattern_of_hashes_stays_quadratic() {
    for (pattern, hit) in [("#.#.#.#.#.a", true), ("#.#.#.#.#.b", false)] {
        let q = Destination::queue(b"q");
        let mut topic = Topic::default();
        topic.add(pattern.as_bytes(), &q);
        let key = vec!["a"; 127].join(".");
        let mut hits = 0;
        let mut walk = Walk::new(|_: &Destination| hits += 1);
        walk.arrive(&topic.root, Words::of(key.as_bytes()), false);
        // Five # nodes at up to 128 positions each, and one word below.
        let steps = walk.steps;
        assert!(steps <= 7 * 128, "{steps}");
        assert_eq!(hits, usize::from(hit), "once, not once a way");
    }
}

fn dotted(words: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(words), 0..=most).prop_map(|w| w.join("."))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn agrees_with_the_naive_matcher(
        patterns in prop::collection::btree_set(dotted(&["a", "b", "", "*", "#", "#"], 6), 1..12),
        keys in prop::collection::vec(dotted(&["a", "b", "", "c"], 7), 1..6),
    ) {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        for key in &keys {
            let expected: Vec<String> = patterns
                .iter()
                .filter(|p| naive(&split(p.as_bytes()), &split(key.as_bytes())))
                .map(|p| (*p).to_owned())
                .collect();
            prop_assert_eq!(matching(&patterns, key), expected, "key {:?}", key);
        }
    }
}
