//! Permissions on routing keys: checked for topic exchanges only, after the ordinary ones.
//!
//! A user without a row for the exchange may use every routing key. `{username}` and `{vhost}` in
//! a pattern stand for the user and host of the row and are replaced when it is set, as plain
//! text: a dot in a user name then matches any octet, as in RabbitMQ.

use super::permission::{Access, Pattern, PatternError};

/// What a user may publish to and bind from one topic exchange of a virtual host.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicPermission {
    /// The exchange this row is about.
    pub exchange: String,
    /// Routing keys of messages that may be published.
    pub write: Pattern,
    /// Binding keys that may be used.
    pub read: Pattern,
}

impl TopicPermission {
    /// Compiles both patterns for `username` in `vhost`.
    pub fn new(
        exchange: &str,
        write: &str,
        read: &str,
        username: &str,
        vhost: &str,
    ) -> Result<Self, PatternError> {
        // RabbitMQ replaces the names one after the other, the user's first.
        let compile = |text: &str| {
            let source = text
                .replace("{username}", username)
                .replace("{vhost}", vhost);
            Pattern::expanded(text, &source)
        };
        Ok(Self {
            exchange: exchange.to_owned(),
            write: compile(write)?,
            read: compile(read)?,
        })
    }

    /// True when `access` with this routing key or binding key is allowed. There is nothing to
    /// configure about a key, so that is always allowed.
    pub fn allows(&self, access: Access, key: &[u8]) -> bool {
        match access {
            Access::Configure => true,
            Access::Write => self.write.matches(key),
            Access::Read => self.read.matches(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(write: &str, read: &str) -> TopicPermission {
        TopicPermission::new("events", write, read, "t.u", "/v").unwrap()
    }

    #[test]
    fn write_checks_routing_keys_and_read_binding_keys() {
        let row = row("^order\\.", "^stock\\.");
        assert!(row.allows(Access::Write, b"order.new"));
        assert!(!row.allows(Access::Write, b"stock.new"));
        assert!(row.allows(Access::Read, b"stock.#"));
        assert!(!row.allows(Access::Read, b"#"));
    }

    #[test]
    fn variables_stand_for_user_and_vhost() {
        let row = row("^{username}\\.", "^{vhost}$");
        assert!(row.allows(Access::Write, b"t.u.x"));
        assert!(
            row.allows(Access::Write, b"tXu.x"),
            "a name goes in unescaped"
        );
        assert!(!row.allows(Access::Write, b"other.x"));
        assert!(row.allows(Access::Read, b"/v"));
        assert_eq!(
            row.write.as_str(),
            "^{username}\\.",
            "the text shown keeps the variable"
        );
    }

    #[test]
    fn unknown_variables_are_plain_text() {
        assert!(row("^{other}$", "").allows(Access::Write, b"{other}"));
        assert!(row("^{{username}}$", "").allows(Access::Write, b"{t.u}"));
    }

    #[test]
    fn the_empty_pattern_matches_the_empty_key_only() {
        let row = row("", ".*");
        assert!(row.allows(Access::Write, b""));
        assert!(!row.allows(Access::Write, b"a"));
        assert!(row.allows(Access::Read, b"anything"));
    }

    #[test]
    fn a_name_that_breaks_the_pattern_is_refused_when_set() {
        assert!(TopicPermission::new("x", "{username}", "", "a(b", "/").is_err());
    }
}
