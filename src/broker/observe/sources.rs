//! Who tries to log in: attempts by address, user name and protocol.
//!
//! The names are those that were asked for, known or not. Told apart by logins only, so that it costs
//! messages nothing; written by sessions and the management API, which also shows it.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::limits::{LOGIN_NAME_BYTES, LOGIN_SOURCES};

/// Where an attempt came from, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The address, where it has one: a local socket does not.
    pub address: Option<IpAddr>,
    /// The name that was asked for, cut to [`LOGIN_NAME_BYTES`].
    pub user: String,
    /// `amqp091` or `http`.
    pub protocol: &'static str,
}

/// How its attempts ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Kept {
    /// With the number of the attempt that was the last of each.
    sources: HashMap<Source, (Outcomes, u64)>,
    attempts: u64,
}

/// The sources of the latest attempts.
#[derive(Debug, Default)]
pub struct Sources(Mutex<Kept>);

impl Sources {
    /// An attempt was made. Where there are too many sources the one that has been silent for
    /// longest is forgotten.
    pub fn note(
        &self,
        address: Option<IpAddr>,
        user: &str,
        protocol: &'static str,
        succeeded: bool,
    ) {
        let source = Source {
            address: address.map(|address| address.to_canonical()),
            user: beginning(user).to_owned(),
            protocol,
        };
        let mut kept = self.0.lock();
        let Kept { sources, attempts } = &mut *kept;
        *attempts += 1;
        if sources.len() >= LOGIN_SOURCES && !sources.contains_key(&source) {
            let silent = sources.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(silent) = silent.map(|(source, _)| source.clone()) {
                sources.remove(&silent);
            }
        }
        let (outcomes, last) = sources.entry(source).or_default();
        *last = *attempts;
        match succeeded {
            true => outcomes.succeeded += 1,
            false => outcomes.failed += 1,
        }
    }

    /// Every source that is remembered, in order.
    pub fn all(&self) -> Vec<(Source, Outcomes)> {
        let kept = self.0.lock();
        let sources = kept.sources.iter();
        let mut all: Vec<_> = sources
            .map(|(source, (outcomes, _))| (source.clone(), *outcomes))
            .collect();
        drop(kept);
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Forgets all of them.
    pub fn reset(&self) {
        self.0.lock().sources.clear();
    }
}

/// As much of a name as is kept.
fn beginning(name: &str) -> &str {
    let mut end = name.len().min(LOGIN_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sources: &Sources, user: &str) -> Vec<Outcomes> {
        let all = sources.all().into_iter();
        all.filter(|(source, _)| source.user == user)
            .map(|(_, outcomes)| outcomes)
            .collect()
    }

    #[test]
    fn attempts_are_told_apart_by_address_name_and_protocol() {
        let sources = Sources::default();
        let [one, other] = ["127.0.0.1", "10.0.0.1"].map(|text| text.parse().ok());
        sources.note(one, "u", "http", true);
        sources.note("::ffff:127.0.0.1".parse().ok(), "u", "http", false);
        sources.note(one, "u", "amqp091", true);
        sources.note(other, "u", "http", true);
        sources.note(None, "v", "http", false);
        let outcomes = |succeeded, failed| Outcomes { succeeded, failed };
        assert_eq!(of(&sources, "v"), [outcomes(0, 1)]);
        let expected = [outcomes(1, 0), outcomes(1, 1), outcomes(1, 0)];
        // By address: 10.0.0.1, then 127.0.0.1 over both protocols.
        let mut found = of(&sources, "u");
        assert_eq!(found.pop(), Some(expected[1]), "{:?}", sources.all());
        assert_eq!(found, [expected[0], expected[2]]);
        sources.reset();
        assert_eq!(sources.all(), []);
    }

    #[test]
    fn the_longest_silent_source_is_forgotten() {
        let sources = Sources::default();
        for number in 0..LOGIN_SOURCES {
            sources.note(None, &format!("u{number}"), "http", false);
        }
        sources.note(None, "u0", "http", false);
        sources.note(None, "new", "http", false);
        assert_eq!(sources.all().len(), LOGIN_SOURCES);
        assert_eq!(of(&sources, "u0").len(), 1);
        assert_eq!(of(&sources, "u1"), []);
        assert_eq!(of(&sources, "new").len(), 1);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let name = format!("{}ä", "a".repeat(LOGIN_NAME_BYTES - 1));
        assert_eq!(beginning(&name), "a".repeat(LOGIN_NAME_BYTES - 1));
        assert_eq!(beginning("ä"), "ä");
    }
}
