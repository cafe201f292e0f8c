//! Whether an answer has at least the shape of a recorded one.

use super::{Json, Kind};

/// The keys that tell a list's items apart, where they are texts.
const IDENTITY: &[&str] = &[
    "name",
    "vhost",
    "user",
    "source",
    "destination",
    "destination_type",
    "routing_key",
    "consumer_tag",
    "component",
    "exchange",
    "protocol",
];

/// What an answer lacks: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq)]
pub struct Lack {
    /// Keys from the root, `.` between them; `[]` stands for the items of a
    /// list and `[NAME]` for the one with this identity.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

/// What `answer` lacks of `recorded`: keys, items of lists that have a name,
/// and values of the same JSON type. Values themselves are not compared.
///
/// Null in the record may be anything, and an integer may stand where the
/// record has a fraction. Items of a list are matched by their names; where no
/// item has the same, the one that fits best is taken, unless the list is the
/// answer's own (`items` of a page).
pub fn lacks(recorded: &Json, answer: &Json) -> Vec<Lack> {
    let mut found = Vec::new();
    compare("", recorded, answer, &mut found);
    found
}

fn compare(path: &str, recorded: &Json, answer: &Json, found: &mut Vec<Lack>) {
    match (recorded.kind(), answer.kind()) {
        (Kind::Null, _) => {}
        (Kind::Object, Kind::Object) => {
            for (key, value) in recorded.fields() {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                match answer.get(key) {
                    Some(told) => compare(&below, value, told, found),
                    None => found.push(Lack {
                        path: below,
                        what: "is missing".into(),
                    }),
                }
            }
        }
        (Kind::List, Kind::List) => list(path, recorded.items(), answer.items(), found),
        (Kind::Float, Kind::Int) => {}
        (wanted, told) if wanted == told => {}
        (wanted, told) => found.push(Lack {
            path: path.into(),
            what: format!("is {told:?} instead of {wanted:?}"),
        }),
    }
}

fn list(path: &str, recorded: &[Json], answer: &[Json], found: &mut Vec<Lack>) {
    let named = path.is_empty() || path == "items";
    for item in recorded {
        let name = identity(item);
        let same: Vec<&Json> = answer.iter().filter(|a| identity(a) == name).collect();
        let candidates = match (same.is_empty(), named && !name.is_empty()) {
            (false, _) => same,
            (true, false) => answer.iter().collect(),
            (true, true) => Vec::new(),
        };
        let best = candidates
            .into_iter()
            .map(|candidate| {
                let mut lacks = Vec::new();
                compare(&format!("{path}[]"), item, candidate, &mut lacks);
                lacks
            })
            .min_by_key(Vec::len);
        match best {
            Some(lacks) => {
                for lack in lacks {
                    if !found.contains(&lack) {
                        found.push(lack);
                    }
                }
            }
            None => found.push(Lack {
                path: format!("{path}[{name}]"),
                what: "is missing".into(),
            }),
        }
    }
}

fn identity(item: &Json) -> String {
    // A message has no name.
    if item.get("payload").is_some() {
        return String::new();
    }
    let parts = IDENTITY.iter().filter_map(|key| match &item[*key] {
        Json::Str(text) => Some(text.as_str()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::super::parse::json;
    use super::lacks;

    fn paths(recorded: &str, answer: &str) -> String {
        let lacks = lacks(&json(recorded).unwrap(), &json(answer).unwrap());
        let told: Vec<String> = lacks.into_iter().map(|l| l.path).collect();
        told.join(" ")
    }

    #[test]
    fn a_superset_of_the_same_types_lacks_nothing() {
        let recorded = r#"{"a":1,"b":{"c":0.5},"d":[{"name":"x","n":1}],"e":null}"#;
        let answer =
            r#"{"a":7,"b":{"c":1,"z":0},"d":[{"name":"y"},{"name":"x","n":2,"m":3}],"e":true}"#;
        assert_eq!(paths(recorded, answer), "");
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_told() {
        assert_eq!(paths(r#"{"a":{"b":1}}"#, r#"{"a":{}}"#), "a.b");
        assert_eq!(paths(r#"{"a":1}"#, r#"{"a":"1"}"#), "a");
        assert_eq!(paths(r#"{"a":1}"#, r#"{"a":1.5}"#), "a");
        assert_eq!(
            paths(r#"[{"name":"x","n":1}]"#, r#"[{"name":"y","n":1}]"#),
            "[x]"
        );
        assert_eq!(
            paths(
                r#"[{"name":"x","n":1}]"#,
                r#"[{"name":"y","n":1},{"name":"x"}]"#
            ),
            "[].n"
        );
        assert_eq!(paths(r#"{"l":[{"port":1}]}"#, r#"{"l":[]}"#), "l[]");
    }
}
