//! Scenarios: topic patterns.

use crate::prelude::*;

use super::exchanges::Router;

const SOURCE: &str = "AMQP 0-9-1 3.1.3.3, features 1.8";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "topic.literal",
        "words without wildcards match themselves, case by case",
        SOURCE,
        |ctx| {
            pattern(
                ctx,
                "a.b",
                &["a.b"],
                &["a.B", "a", "a.b.c", "b.a", "a..b", ".a.b"],
            )?;
            pattern(ctx, "é.ß", &["é.ß"], &["e.ß"])
        },
    ),
    Scenario::new(
        "topic.star",
        "a star matches exactly one word",
        SOURCE,
        |ctx| {
            pattern(ctx, "*", &["a", "word", "*", "#"], &["a.b", ""])?;
            pattern(ctx, "a.*", &["a.b"], &["a", "a.b.c", "b.a"])?;
            pattern(ctx, "*.b.*", &["a.b.c"], &["b", "a.b", "b.c", "a.b.c.d"])?;
            pattern(ctx, "a.*.c", &["a.b.c"], &["a.c", "a.b.b.c"])
        },
    ),
    Scenario::new(
        "topic.hash",
        "a hash matches any number of words, none too",
        SOURCE,
        |ctx| {
            pattern(ctx, "#", &["", "a", "a.b", "..."], &[])?;
            pattern(ctx, "a.#", &["a", "a.b", "a.b.c", "a."], &["b", "b.a", ""])?;
            pattern(ctx, "#.b", &["b", "a.b", "a.b.b"], &["a", "b.a", ""])?;
            pattern(
                ctx,
                "a.#.b",
                &["a.b", "a.x.b", "a.x.y.b", "a..b"],
                &["a", "b", "a.b.c"],
            )
        },
    ),
    Scenario::new(
        "topic.hashes",
        "several hashes match together",
        SOURCE,
        |ctx| {
            pattern(ctx, "#.#", &["", "a", "a.b"], &[])?;
            pattern(ctx, "#.#.#", &["", "a.b"], &[])?;
            pattern(
                ctx,
                "#.a.#",
                &["a", "b.a.c", "a.a", "x.y.a"],
                &["", "b", "b.c"],
            )?;
            pattern(ctx, "#.a.#.b.#", &["a.b", "x.a.y.b.z"], &["b.a", "a", "b"])
        },
    ),
    Scenario::new(
        "topic.hash-and-star",
        "hash and star together ask for at least as many words as there are stars",
        SOURCE,
        |ctx| {
            pattern(ctx, "#.*", &["a", "a.b", "."], &[""])?;
            pattern(ctx, "*.#", &["a", "a.b"], &[""])?;
            pattern(ctx, "*.a.#", &["x.a", "x.a.y"], &["a", "a.x"])?;
            pattern(ctx, "#.*.*.#", &["a.b", "a.b.c"], &["a", ""])
        },
    ),
    Scenario::new(
        "topic.empty-words",
        "empty words count as words; the empty key has none",
        "trap 25",
        |ctx| {
            pattern(ctx, "", &[""], &["a", "."])?;
            pattern(ctx, "*.*", &[".", "a.", ".a"], &["", "a", ".."])?;
            pattern(ctx, "*.*.*", &["..", "a..b"], &[".", "..."])?;
            pattern(ctx, "a.*.b", &["a..b", "a.x.b"], &["a.b"])?;
            pattern(ctx, "a.*", &["a."], &["a"])?;
            pattern(ctx, "..", &[".."], &[".", "..."])
        },
    ),
    Scenario::new(
        "topic.wildcard-in-word",
        "a wildcard is one only when it stands alone in its word",
        SOURCE,
        |ctx| {
            pattern(ctx, "a*", &["a*"], &["ab", "a"])?;
            pattern(ctx, "**", &["**"], &["ab", "a.b"])?;
            pattern(ctx, "a.##", &["a.##"], &["a.b", "a"])
        },
    ),
    Scenario::new(
        "topic.many-patterns",
        "each of many queues gets what its own pattern matches",
        SOURCE,
        many,
    ),
    Scenario::new(
        "topic.unbind.keeps-others",
        "removing one pattern leaves those that share its words",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "topic"))?;
            for key in ["a.b", "a.b.c", "a.*", "a.#.z"] {
                r.bind(key)?;
            }
            r.ch.unbind(&r.q, &r.x, "a.b")?;
            r.ch.unbind(&r.q, &r.x, "a.*")?;
            check!(!r.routes("a.b")?);
            check!(r.routes("a.b.c")?);
            check!(r.routes("a.b.z")?);
            r.ch.unbind(&r.q, &r.x, "a.b.c")?;
            check!(!r.routes("a.b.c")?);
            Ok(())
        },
    ),
    Scenario::new(
        "topic.long",
        "a key of thirty words is matched by a pattern with many hashes",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "topic"))?;
            r.bind("#.a.#.a.#.a.#.b")?;
            let words = ["a"; 30].join(".");
            check!(!r.routes(&words)?);
            check!(r.routes(&format!("{}.b", ["a"; 29].join(".")))?);
            Ok(())
        },
    ),
];

/// A queue bound by `pattern` gets messages with the first keys, not the others.
fn pattern(ctx: &mut Ctx, pattern: &str, yes: &[&str], no: &[&str]) -> Result {
    let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "topic"))?;
    r.bind(pattern)?;
    for key in yes {
        check!(r.routes(key)?, "{pattern:?} does not match {key:?}");
    }
    for key in no {
        check!(!r.routes(key)?, "{pattern:?} matches {key:?}");
    }
    r.ch.unbind(&r.q, &r.x, pattern)?;
    for key in yes {
        check!(
            !r.routes(key)?,
            "{pattern:?} still matches {key:?} when unbound"
        );
    }
    Ok(())
}

fn many(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "topic")?;
    let patterns = [
        "#", "*", "a.#", "a.*", "*.b", "#.b", "a.b", "a.b.#", "*.*", "#.c.#",
    ];
    let keys: [(&str, &[usize]); 5] = [
        ("a.b", &[0, 2, 3, 4, 5, 6, 7, 8]),
        ("a", &[0, 1, 2]),
        ("b", &[0, 1, 5]),
        ("a.b.c", &[0, 2, 7, 9]),
        ("c.b", &[0, 4, 5, 8, 9]),
    ];
    let queues: Vec<String> = (0..patterns.len())
        .map(|i| ctx.queue(&i.to_string()))
        .collect();
    for (q, pattern) in queues.iter().zip(patterns) {
        ch.declare(q)?;
        ch.bind(q, &x, pattern)?;
    }
    for (key, expected) in keys {
        ch.publish(&x, key, key)?;
        let mut got = Vec::new();
        for (i, q) in queues.iter().enumerate() {
            if ch.get_all(q)?.as_slice() == [key] {
                got.push(i);
            }
        }
        check_eq!(got, expected, "{key}");
    }
    Ok(())
}
