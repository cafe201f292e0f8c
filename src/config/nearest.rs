//! Finds the known key that a mistyped one most likely meant.

/// The candidate with the fewest single-letter changes from `key`, if it is near enough to be
/// what was meant. A `$name` part of a candidate stands for the part of the key at its place.
pub fn nearest<'a>(key: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    // Keys are short; what is not a key cannot be near one.
    if key.len() > 200 {
        return None;
    }
    let limit = (key.chars().count() / 4).max(2);
    candidates
        .map(|name| fill(name, key))
        .map(|name| (distance(key, &name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// `name` with its variable parts replaced by the parts of `key` at the same places.
fn fill(name: &str, key: &str) -> String {
    let mut own = key.split('.');
    let parts: Vec<&str> = name
        .split('.')
        .map(|part| match own.next() {
            Some(given) if part.starts_with('$') => given,
            _ => part,
        })
        .collect();
    parts.join(".")
}

/// Insertions, deletions and substitutions that make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, from) in a.chars().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(from != *to);
            left = changed.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = [
        "heartbeat",
        "frame_max",
        "listeners.tcp.$name",
        "channel_max",
    ];

    fn find(key: &str) -> Option<String> {
        nearest(key, KEYS.into_iter())
    }

    #[test]
    fn counts_single_letter_changes() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(find("hartbeat").as_deref(), Some("heartbeat"));
        assert_eq!(find("framemax").as_deref(), Some("frame_max"));
        assert_eq!(
            find("listener.tcp.default").as_deref(),
            Some("listeners.tcp.default")
        );
        assert_eq!(find("something_else"), None);
        assert_eq!(find(&"x".repeat(1000)), None);
    }
}
