//! Dotted keys: their parts, and how a name of the key table with a `$name` part meets them.

/// The parts of `key`. A backslash takes the meaning from the dot behind it, so that a user name
/// can hold one: `loopback_users.a\.b` has two parts. `None` when a part is empty.
pub fn parts(key: &str) -> Option<Vec<String>> {
    let mut all = vec![];
    let mut part = String::new();
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => part.push(chars.next()?),
            '.' => {
                if part.is_empty() {
                    return None;
                }
                all.push(std::mem::take(&mut part));
            }
            _ => part.push(c),
        }
    }
    if part.is_empty() {
        return None;
    }
    all.push(part);
    Some(all)
}

/// Matches the parts of a key against a name such as `listeners.tcp.$name`: what stands for the
/// variable part (empty when there is none), or `None` when they do not match. A name that ends
/// in `.*` matches any number of further parts.
pub fn matches<'a>(name: &str, parts: &'a [String]) -> Option<&'a str> {
    let mut variable = "";
    let mut rest = parts.iter();
    for expected in name.split('.') {
        if expected == "*" {
            return rest.next().map(|_| variable);
        }
        let part = rest.next()?;
        if expected.starts_with('$') {
            variable = part;
        } else if expected != part {
            return None;
        }
    }
    rest.next().is_none().then_some(variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(key: &str) -> Vec<String> {
        parts(key).unwrap()
    }

    #[test]
    fn splits_at_dots_that_are_not_escaped() {
        assert_eq!(split("a.b.c"), ["a", "b", "c"]);
        assert_eq!(split(r"users.a\.b"), ["users", "a.b"]);
        for bad in ["", ".a", "a.", "a..b", "a\\"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn matches_names_with_and_without_variables() {
        assert_eq!(matches("a.b", &split("a.b")), Some(""));
        assert_eq!(matches("a.b", &split("a.c")), None);
        assert_eq!(matches("a.b", &split("a")), None);
        assert_eq!(matches("a", &split("a.b")), None);
        assert_eq!(matches("l.$name", &split(r"l.x\.y")), Some("x.y"));
        assert_eq!(matches("l.$name", &split("l.x.y")), None);
        assert_eq!(matches("l.$name.v", &split("l.x.v")), Some("x"));
        assert_eq!(matches("raft.*", &split("raft.a.b")), Some(""));
        assert_eq!(matches("raft.*", &split("raft")), None);
    }
}
