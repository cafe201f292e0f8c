//! Merges the layers: whichever sets a key last is heard, and is remembered as its origin.
//!
//! The `config` crate does the merging. It would read dots in keys as nesting, where a key cannot
//! have a value and parts below it at once, as RabbitMQ's `listeners.tcp` has; a mark in front of
//! every key keeps it whole.

use config::{Config, Map, Source, Value};

/// Not part of any key; makes the `config` crate take a key as it is.
const WHOLE: char = '=';

/// Where a setting comes from, in rising order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A file: the configuration file or one of the conf.d folder.
    File,
    /// An environment variable.
    Environment,
    /// The command line.
    CommandLine,
}

/// A key that was set, by whom, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The key, as written.
    pub key: String,
    /// The value.
    pub value: String,
    /// The kind of its layer.
    pub rank: Rank,
    /// The words for it: `FILE:LINE`, `environment NAME`, `--set`.
    pub origin: String,
}

#[derive(Debug, Clone)]
struct Layer(Vec<Assignment>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        // Assignments keep their order here, so that in one layer too the last one is heard.
        Ok(self
            .0
            .iter()
            .map(|set| {
                let rank = match set.rank {
                    Rank::File => 'f',
                    Rank::Environment => 'e',
                    Rank::CommandLine => 'c',
                };
                let origin = format!("{rank}{}", set.origin);
                let value = Value::new(Some(&origin), set.value.clone());
                (format!("{WHOLE}{}", set.key), value)
            })
            .collect())
    }
}

/// What holds after `layers`, the strongest last; sorted by key.
pub fn merge(layers: Vec<Vec<Assignment>>) -> Result<Vec<Assignment>, config::ConfigError> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(Layer(layer));
    }
    let mut merged = Vec::new();
    for (key, value) in builder.build()?.collect()? {
        let origin = value.origin().unwrap_or_default().to_owned();
        let mut words = origin.chars();
        let rank = match words.next() {
            Some('c') => Rank::CommandLine,
            Some('e') => Rank::Environment,
            _ => Rank::File,
        };
        let origin = words.as_str().to_owned();
        let key = key.trim_start_matches(WHOLE).to_owned();
        merged.push(Assignment {
            key,
            value: value.into_string()?,
            rank,
            origin,
        });
    }
    merged.sort_by(|a, b| natural(&a.key).cmp(&natural(&b.key)));
    Ok(merged)
}

/// Sorts `versions.10` behind `versions.9`.
fn natural(key: &str) -> Vec<(u64, &str)> {
    key.split('.')
        .map(|part| (part.parse().unwrap_or(u64::MAX), part))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &str, origin: &str) -> Assignment {
        let rank = if origin == "--set" {
            Rank::CommandLine
        } else {
            Rank::File
        };
        Assignment {
            key: key.into(),
            value: value.into(),
            rank,
            origin: origin.into(),
        }
    }

    #[test]
    fn the_last_layer_and_the_last_line_are_heard() {
        let file = vec![
            set("a", "1", "f:1"),
            set("b", "1", "f:2"),
            set("a", "2", "f:3"),
        ];
        let more = vec![set("b", "3", "g:1")];
        let merged = merge(vec![file, more, vec![set("c", "4", "--set")]]).unwrap();
        assert_eq!(
            merged,
            [
                set("a", "2", "f:3"),
                set("b", "3", "g:1"),
                set("c", "4", "--set")
            ]
        );
    }

    #[test]
    fn a_key_can_have_a_value_and_parts_below_it() {
        let file = vec![
            set("listeners.tcp", "none", "f:1"),
            set("listeners.tcp.default", "5672", "f:2"),
            set("Listeners.TCP", "x", "f:3"),
            set(r"loopback_users.a\.b@c", "true", "f:4"),
            set("x[0]", "y", "f:5"),
        ];
        let merged = merge(vec![file.clone()]).unwrap();
        assert_eq!(merged.len(), 5);
        for assignment in file {
            assert!(merged.contains(&assignment), "{assignment:?}");
        }
    }

    #[test]
    fn numbered_keys_sort_by_number() {
        let file = ["v.10", "v.9", "v.1", "v.b", "v.a"]
            .map(|k| set(k, "x", "f:1"))
            .to_vec();
        let merged = merge(vec![file]).unwrap();
        let keys: Vec<&str> = merged.iter().map(|a| a.key.as_str()).collect();
        assert_eq!(keys, ["v.1", "v.9", "v.10", "v.a", "v.b"]);
    }

    #[test]
    fn values_stay_text() {
        let file = vec![
            set("a", "007", "f:1"),
            set("b", "true", "f:2"),
            set("c", "", "f:3"),
        ];
        let merged = merge(vec![file.clone()]).unwrap();
        assert_eq!(merged, file);
    }
}
