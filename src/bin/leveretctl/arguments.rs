//! The command line: options before or after the command, in RabbitMQ's manner, and its errors in
//! RabbitMQ's words.

use std::collections::BTreeMap;

use crate::failure::Failure;
use crate::spec::{EVERYWHERE, Opt, Spec, Takes};

/// Words of a command line beyond this are refused: a shell passes fewer.
const WORDS_MAX: usize = 100_000;

/// A command line taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The first word that is no option.
    pub command: Option<String>,
    /// The words after it.
    pub words: Vec<String>,
    /// Options by their long names; of one given twice the last holds.
    pub options: BTreeMap<&'static str, String>,
    /// Options nobody knows, and values of the wrong kind, as they were given.
    pub invalid: Vec<(String, String)>,
    /// Everything, for the error's text.
    pub given: Vec<String>,
}

impl Parsed {
    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Whether a flag was given.
    pub fn flag(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }
}

/// Takes the words apart. Which options take a value is known from all commands together, so that
/// they may stand before the command too.
pub fn parse(given: Vec<String>, commands: &[Spec]) -> Parsed {
    let known: Vec<&'static Opt> = EVERYWHERE
        .iter()
        .chain(commands.iter().flat_map(|spec| spec.options))
        .collect();
    let mut parsed = Parsed::default();
    let mut words = given.iter().take(WORDS_MAX).peekable();
    let mut only_words = false;
    while let Some(word) = words.next() {
        if only_words || !is_option(word) {
            if parsed.command.is_none() {
                parsed.command = Some(word.clone());
            } else {
                parsed.words.push(word.clone());
            }
            continue;
        }
        if word == "--" {
            only_words = true;
            continue;
        }
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let Some(opt) = find(&known, name) else {
            let value = attached.unwrap_or_default();
            parsed.invalid.push((name.to_owned(), value));
            continue;
        };
        if opt.takes == Takes::Nothing {
            if attached.as_deref() != Some("false") {
                parsed.options.insert(opt.long, "true".to_owned());
            }
            continue;
        }
        match attached.or_else(|| words.next().cloned()) {
            Some(value) if fits(opt.takes, &value) => {
                parsed.options.insert(opt.long, value);
            }
            value => parsed
                .invalid
                .push((name.to_owned(), value.unwrap_or_default())),
        }
    }
    parsed.given = given;
    parsed
}

/// A single dash is a word: it stands for standard input and output.
fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

fn find(known: &[&'static Opt], name: &str) -> Option<&'static Opt> {
    if let Some(long) = name.strip_prefix("--") {
        // Both ways of joining words are found in scripts.
        let long = long.replace('_', "-");
        return known.iter().find(|opt| opt.long == long).copied();
    }
    let mut letters = name.chars().skip(1);
    let (Some(letter), None) = (letters.next(), letters.next()) else {
        return None;
    };
    known.iter().find(|opt| opt.short == Some(letter)).copied()
}

fn fits(takes: Takes, value: &str) -> bool {
    match takes {
        Takes::Nothing => value.is_empty(),
        Takes::Text => true,
        Takes::Integer => value.parse::<i64>().is_ok(),
        Takes::Seconds => value == "infinity" || value.parse::<u32>().is_ok(),
    }
}

/// Whether the command takes what was given.
pub fn check(parsed: &Parsed, spec: &Spec) -> Result<(), Failure> {
    let own = |name: &str| {
        let mut options = EVERYWHERE.iter().chain(spec.options);
        options.any(|opt| opt.long == name)
    };
    let strange = parsed
        .options
        .iter()
        .filter(|(name, _)| !own(name))
        .map(|(name, value)| (format!("--{name}"), value.clone()));
    let invalid: Vec<String> = parsed
        .invalid
        .iter()
        .cloned()
        .chain(strange)
        .map(|(name, value)| format!("{name} : {value}"))
        .collect();
    if !invalid.is_empty() {
        let list = invalid.join("\n");
        return Err(Failure::arguments(format!(
            "Invalid options for this command:\n{list}"
        )));
    }
    let (least, most) = spec.arguments;
    if parsed.words.len() < least {
        return Err(Failure::arguments("not enough arguments."));
    }
    if parsed.words.len() > most {
        return Err(Failure::arguments("too many arguments."));
    }
    check_columns(&parsed.words, spec)
}

fn check_columns(words: &[String], spec: &Spec) -> Result<(), Failure> {
    if spec.columns.is_empty() {
        return Ok(());
    }
    let unknown: Vec<&str> = words
        .iter()
        .flat_map(|word| word.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty() && !spec.columns.contains(word))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::arguments(format!(
        "Info key(s) {} are not supported",
        unknown.join(",")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Answer, Group};

    const POLICY: Spec = Spec::new("set_policy", Group::Policies, "", |_| Ok(Answer::Done))
        .takes("<name> <pattern> <definition>", 3, 3)
        .options(&[
            Opt::value("priority", Takes::Integer, ""),
            Opt::value("apply-to", Takes::Text, ""),
        ]);
    const LIST: Spec = Spec::new("list_queues", Group::Monitoring, "", |_| Ok(Answer::Done))
        .columns("[<column> ...]", &["name", "messages"]);

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn failure(line: &str, spec: &Spec) -> String {
        let parsed = parse(words(line), &[POLICY, LIST]);
        match check(&parsed, spec) {
            Err(failure) => failure.text().to_owned(),
            Ok(()) => String::new(),
        }
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        let before = parse(words("-q -p qa set_policy a b c --priority 3"), &[POLICY]);
        let after = parse(
            words("set_policy a b c --priority=3 --vhost qa --quiet"),
            &[POLICY],
        );
        assert_eq!(before.command.as_deref(), Some("set_policy"));
        assert_eq!(before.words, words("a b c"));
        assert_eq!(before.option("priority"), Some("3"));
        assert_eq!(before.option("vhost"), Some("qa"));
        assert!(before.flag("quiet"));
        assert_eq!(before.options, after.options);
        assert_eq!(before.words, after.words);
        assert_eq!(check(&before, &POLICY), Ok(()));
    }

    #[test]
    fn a_dash_and_what_follows_two_are_words() {
        let parsed = parse(words("set_policy - -- --priority -3"), &[POLICY]);
        assert_eq!(parsed.words, words("- --priority -3"));
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        assert_eq!(failure("set_policy a b", &POLICY), "not enough arguments.");
        assert_eq!(
            failure("set_policy a b c d", &POLICY),
            "too many arguments."
        );
        assert_eq!(
            failure("set_policy a b c --priority x", &POLICY),
            "Invalid options for this command:\n--priority : x"
        );
        assert_eq!(
            failure("list_queues --nosuch", &LIST),
            "Invalid options for this command:\n--nosuch : "
        );
        assert_eq!(
            failure("list_queues --apply-to x", &LIST),
            "Invalid options for this command:\n--apply-to : x"
        );
        assert_eq!(
            failure("list_queues -t x", &LIST),
            "Invalid options for this command:\n-t : x"
        );
        assert_eq!(
            failure("list_queues name no such", &LIST),
            "Info key(s) no,such are not supported"
        );
        assert_eq!(failure("list_queues name,messages", &LIST), "");
    }
}
