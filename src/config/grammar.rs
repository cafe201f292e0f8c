//! The lines of a configuration file: `key = value`, comments from `#`, blank lines.
//!
//! As RabbitMQ reads them, with two differences: a value in single or double quotes stands for
//! what is between them, `#` included (RabbitMQ 3.10 keeps the quotes, later versions drop single
//! ones), and `include`, which RabbitMQ skips without a word, is an error.

use super::key;

/// A configuration file larger than this is not one.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// One setting and the line it stands on, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file.
    pub number: usize,
    /// The key, as written.
    pub key: String,
    /// The value without surrounding blanks, comment and quotes.
    pub value: String,
}

/// A line that is no setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its number in the file.
    pub number: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads every line of `text`.
pub fn parse(text: &str) -> (Vec<Line>, Vec<Fault>) {
    let mut lines = vec![];
    let mut faults = vec![];
    if text.len() > TEXT_BYTES_MAX {
        let reason = format!("the file is larger than {TEXT_BYTES_MAX} bytes");
        faults.push(Fault { number: 1, reason });
        return (lines, faults);
    }
    // A byte order mark is what some editors leave behind.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        match parse_line(line) {
            Ok(Some((key, value))) => lines.push(Line { number, key, value }),
            Ok(None) => {}
            Err(reason) => faults.push(Fault { number, reason }),
        }
    }
    (lines, faults)
}

/// Reads one line: a setting, nothing (blank or comment), or a fault.
pub fn parse_line(line: &str) -> Result<Option<(String, String)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.starts_with("include ") {
        return Err("include is not supported; put files into the conf.d folder".to_owned());
    }
    if line.starts_with('[') {
        return Err("expected 'key = value': there are no [sections] in this format".to_owned());
    }
    let Some((name, rest)) = line.split_once('=') else {
        return Err(format!("expected 'key = value', found '{}'", shorten(line)));
    };
    let name = name.trim();
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '#' | '"' | '\'');
    if name.contains(bad) || key::parts(name).is_none() {
        return Err(format!("'{}' is not a key", shorten(name)));
    }
    match value(rest.trim()) {
        Some(value) => Ok(Some((name.to_owned(), value))),
        None => Err(format!(
            "'{}' has no value (comment the line out instead)",
            shorten(name)
        )),
    }
}

/// The value in `text`, without comment and quotes; `None` when there is none.
fn value(text: &str) -> Option<String> {
    if let Some(quoted) = quoted(text) {
        return Some(quoted.to_owned());
    }
    let (value, _) = text.split_once('#').unwrap_or((text, ""));
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// What is between the quotes, when the whole value is in quotes and only a comment follows.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inside = text.get(1..)?;
    let end = inside.find(quote)?;
    let after = inside.get(end + 1..)?.trim_start();
    (after.is_empty() || after.starts_with('#')).then(|| inside.get(..end))?
}

/// Keeps an error message on one line of sane length.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    if text.chars().nth(60).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(line: &str) -> String {
        let (key, value) = parse_line(line).unwrap().unwrap();
        assert_eq!(key, "a");
        value
    }

    /// The cases on which RabbitMQ 3.10.8 agrees.
    #[test]
    fn reads_lines_as_rabbitmq_does() {
        for line in [
            "a = 1",
            "a=1",
            "  a  =  1  ",
            "a = 1 # c",
            "a\t=\t1",
            "a = 1\r",
        ] {
            assert_eq!(value_of(line), "1", "{line}");
        }
        assert_eq!(value_of("a = b#c"), "b");
        assert_eq!(value_of("a = d e f"), "d e f");
        assert_eq!(value_of("a = x = y"), "x = y");
        assert_eq!(value_of("a = '"), "'");
        assert_eq!(value_of("a = x\\"), "x\\");
        assert_eq!(value_of("a = é"), "é");
        assert_eq!(value_of("a = 'x' y"), "'x' y");
        assert_eq!(value_of("a = 'it''s'"), "'it''s'");
        for line in ["", "   ", "# only", "   # indented"] {
            assert_eq!(parse_line(line), Ok(None), "{line}");
        }
        for line in [
            "a", "a =", "= 1", "[sec]", "a = #", "a = ## x", ".a = 1", "a. = 1", "a..b = 1",
        ] {
            assert!(parse_line(line).is_err(), "{line}");
        }
        assert!(parse_line("a.b c = 1").is_err());
    }

    #[test]
    fn quotes_keep_what_is_between_them() {
        assert_eq!(value_of("a = 'x # y'"), "x # y");
        assert_eq!(value_of("a = \"x y\" # comment"), "x y");
        assert_eq!(value_of("a = ''"), "");
        assert_eq!(value_of("a = \" \""), " ");
        assert_eq!(value_of("a = 'open # no"), "'open");
    }

    #[test]
    fn every_fault_is_reported_with_its_line() {
        let (lines, faults) = parse("a = 1\nrubbish\n\nb = 2\ninclude x.conf\nc =\n");
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[1],
            Line {
                number: 4,
                key: "b".into(),
                value: "2".into()
            }
        );
        let at: Vec<usize> = faults.iter().map(|f| f.number).collect();
        assert_eq!(at, [2, 5, 6]);
        assert_eq!(faults[0].reason, "expected 'key = value', found 'rubbish'");
        assert_eq!(
            faults[2].reason,
            "'c' has no value (comment the line out instead)"
        );
    }

    #[test]
    fn a_huge_file_is_refused() {
        let (lines, faults) = parse(&"#".repeat(TEXT_BYTES_MAX + 1));
        assert!(lines.is_empty());
        assert_eq!(faults.len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_accounts_for_every_line(text in "(\\PC|[\\n\\r='\"#.\\\\\u{0}é]){0,200}") {
            let (lines, faults) = parse(&text);
            let count = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().count();
            assert!(lines.len() + faults.len() <= count);
            for line in lines {
                assert!(key::parts(&line.key).is_some());
            }
        }

        #[test]
        fn a_plain_value_comes_back(value in "[a-zA-Z0-9:/.,*^$ -]{0,30}[a-z]") {
            let (lines, faults) = parse(&format!("k = {value}\n"));
            assert_eq!(faults, []);
            assert_eq!(lines[0].value, value.trim());
        }
    }
}
