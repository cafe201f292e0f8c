//! Permission patterns and the three of them that a user has in a virtual host.
//!
//! Patterns are compiled once, when they are set; matching allocates nothing. Which name a method
//! checks against which access is the caller's business (the default exchange goes by
//! `amq.default`).

use regex::bytes::{Regex, RegexBuilder};

/// Compiled size that one pattern may reach, so that no administrator's typing mistake
/// (`(.{1000}){1000}`) takes the broker's memory.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// A pattern that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression '{pattern}': {reason}")]
pub struct PatternError {
    /// The text as it was given.
    pub pattern: String,
    /// What is wrong, in one line.
    pub reason: String,
}

/// An unanchored regular expression over octets, as RabbitMQ matches names: it allows a name when
/// it matches anywhere in it. The empty pattern matches the empty name only.
///
/// The syntax is PCRE's as far as it needs no backtracking: look-around and back-references are
/// refused when the pattern is set. `$` is the very end; PCRE's also matches before a last newline.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles `text`.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Ok(Self {
            text: text.to_owned(),
            regex: compile(text)?,
        })
    }

    /// Compiles `text`, which matches anywhere when it is empty, as the patterns of policies do.
    pub fn anywhere(text: &str) -> Result<Self, PatternError> {
        let source = if text.is_empty() { "(?:)" } else { text };
        Ok(Self {
            text: text.to_owned(),
            regex: compile(source)?,
        })
    }

    /// Compiles `source` but shows `text`: a pattern whose variables have been replaced.
    pub(super) fn expanded(text: &str, source: &str) -> Result<Self, PatternError> {
        Ok(Self {
            text: text.to_owned(),
            regex: compile(source)?,
        })
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True when the pattern matches anywhere in `name`.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.regex.is_match(name)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

fn compile(text: &str) -> Result<Regex, PatternError> {
    let source = if text.is_empty() {
        "^$".to_owned()
    } else {
        from_pcre(text)
    };
    // Octets, as PCRE without its UTF option. A class with letters beyond ASCII has no octet form,
    // and means those letters.
    let by = |unicode| {
        RegexBuilder::new(&source)
            .unicode(unicode)
            .size_limit(COMPILED_BYTES_MAX)
            .build()
    };
    by(false)
        .or_else(|_| by(true))
        .map_err(|error| PatternError {
            pattern: text.to_owned(),
            reason: one_line(&error),
        })
}

/// The last line of the regex crate's several, which says what is wrong.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Rewrites what PCRE reads as plain characters and the regex crate does not: braces that are no
/// repetition, and `[`, `&`, `~` inside a class.
fn from_pcre(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\\' => {
                out.push(c);
                let Some(escaped) = after.chars().next() else {
                    break;
                };
                if escaped == 'Z' && !in_class {
                    out.pop();
                    out.push_str(r"(?:\n?\z)");
                } else {
                    out.push(escaped);
                }
                rest = after.get(escaped.len_utf8()..).unwrap_or_default();
                continue;
            }
            '[' if !in_class => {
                in_class = true;
                let head = if after.starts_with("^]") {
                    "^]"
                } else if after.starts_with(']') {
                    "]"
                } else {
                    ""
                };
                out.push('[');
                // A bracket that comes first is one of the characters.
                out.push_str(&head.replace(']', "\\]"));
                rest = after.get(head.len()..).unwrap_or_default();
                continue;
            }
            '[' if after.starts_with(':') && after.contains(":]") => {
                let len = after.find(":]").unwrap_or_default() + 2;
                out.push('[');
                out.push_str(after.get(..len).unwrap_or_default());
                rest = after.get(len..).unwrap_or_default();
                continue;
            }
            '[' | '&' | '~' if in_class => out.extend(['\\', c]),
            ']' if in_class => {
                in_class = false;
                out.push(c);
            }
            '{' if !in_class && !is_repetition(after) => out.push_str("\\{"),
            _ => out.push(c),
        }
        rest = after;
    }
    out
}

/// True when what follows an opening brace is `n}`, `n,}` or `n,m}`.
fn is_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else {
        return false;
    };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// What a method wants to do with an exchange or a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Declare, delete.
    Configure,
    /// Publish to, bind (the destination).
    Write,
    /// Consume, get, purge, bind (the source).
    Read,
}

impl Access {
    /// The word RabbitMQ uses for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// What a user may do in one virtual host. Having none at all means no access to the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Permissions {
    /// Names that may be declared and deleted.
    pub configure: Pattern,
    /// Names that may be written to.
    pub write: Pattern,
    /// Names that may be read from.
    pub read: Pattern,
}

impl Permissions {
    /// Compiles the three patterns.
    pub fn new(configure: &str, write: &str, read: &str) -> Result<Self, PatternError> {
        Ok(Self {
            configure: Pattern::new(configure)?,
            write: Pattern::new(write)?,
            read: Pattern::new(read)?,
        })
    }

    /// True when `access` to the exchange or queue `name` is allowed.
    pub fn allows(&self, access: Access, name: &[u8]) -> bool {
        let pattern = match access {
            Access::Configure => &self.configure,
            Access::Write => &self.write,
            Access::Read => &self.read,
        };
        pattern.matches(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &[u8]) -> bool {
        Pattern::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn patterns_are_not_anchored() {
        assert!(matches("ok", b"a-ok-b"));
        assert!(!matches("^ok", b"a-ok-b"));
        assert!(matches(".*", b""));
    }

    #[test]
    fn the_empty_pattern_matches_the_empty_name_only() {
        assert!(matches("", b""));
        assert!(!matches("", b"q"));
        assert_eq!(Pattern::new("").unwrap().as_str(), "");
    }

    #[test]
    fn names_are_octets() {
        assert!(matches("^.$", b"\xff"));
        assert!(matches("^..$", "é".as_bytes()));
        assert!(matches("^é$", "é".as_bytes()));
        assert!(matches("^[éa]$", "é".as_bytes()));
    }

    #[test]
    fn braces_and_brackets_are_read_as_pcre_reads_them() {
        assert!(matches("^a{2}$", b"aa"));
        assert!(matches("^a{1,}b{0,2}$", b"aaab"));
        assert!(matches("^a{x}$", b"a{x}"));
        assert!(matches("^a{,2}$", b"a{,2}"));
        assert!(matches("^[[a]$", b"["));
        assert!(matches("^[a&&b]+$", b"a&b"));
        assert!(matches("^[]a]+$", b"]a"));
        assert!(matches("^[^]a]$", b"b"));
        assert!(!matches("^[^]a]$", b"]"));
        assert!(matches("^[[:alpha:]_]+$", b"a_b"));
        assert!(matches(r"^\{a\}$", b"{a}"));
        assert!(matches(r"^ab\Z", b"ab\n"));
        assert!(matches(r"^amq\.[a-z]+$", b"amq.gen"));
    }

    #[test]
    fn an_invalid_pattern_is_refused_with_its_reason() {
        let text = |pattern: &str| Pattern::new(pattern).unwrap_err().to_string();
        assert_eq!(
            text("["),
            "invalid regular expression '[': unclosed character class"
        );
        assert!(text("^(?!secret)").contains("look-around"));
        assert!(text(r"(a)\1").contains("backreferences"));
        assert!(text("(.{1000}){1000}").contains("size limit"));
        assert!(Pattern::new("\\").is_err());
    }

    #[test]
    fn each_access_has_its_own_pattern() {
        let permissions = Permissions::new("^ok", "", "^r").unwrap();
        assert!(permissions.allows(Access::Configure, b"ok-1"));
        assert!(!permissions.allows(Access::Configure, b"zz"));
        assert!(!permissions.allows(Access::Write, b"amq.default"));
        assert!(permissions.allows(Access::Read, b"r1"));
        assert!(!permissions.allows(Access::Read, b"ok-1"));
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(pattern in "\\PC{0,40}", name in proptest::collection::vec(proptest::num::u8::ANY, 0..20)) {
            if let Ok(compiled) = Pattern::new(&pattern) {
                compiled.matches(&name);
            }
        }

        #[test]
        fn punctuation_never_panics(pattern in "[\\[\\]{}\\\\&~^$(),:0-9aZ-]{0,24}") {
            drop(Pattern::new(&pattern));
        }
    }
}
