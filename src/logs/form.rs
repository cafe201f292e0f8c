//! How a line looks: RabbitMQ's text (`2026-11-20 13:48:58.520269+00:00 [error] <0.12.0> ...`, the
//! beginning repeated on each line of a longer message) or its JSON, with the details that the
//! configuration may change.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::record::Record;
use crate::config::{LogForm, LogFormat, LogLevel};

/// RabbitMQ's template.
const TEMPLATE: &str = "$time [$level] $pid $msg";

/// A piece of the text's template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Time,
    Level,
    Pid,
    Domain,
    Message,
}

/// The form of an output's lines.
#[derive(Debug)]
pub struct Form {
    json: bool,
    zone: TimeZone,
    times: String,
    levels: String,
    single_line: bool,
    pieces: Vec<Piece>,
    fields: FieldMap,
    verbosity: Vec<(String, i64)>,
}

impl Form {
    /// The form that the configuration describes.
    pub fn new(format: LogFormat, form: &LogForm, zone: TimeZone) -> Self {
        let text = |value: &Option<String>, default: &str| {
            value.clone().unwrap_or_else(|| default.to_owned())
        };
        Self {
            json: format == LogFormat::Json,
            zone,
            times: text(&form.time_format, "rfc3339_space"),
            levels: text(&form.level_format, "lc"),
            single_line: form.single_line,
            pieces: pieces(form.template.as_deref().unwrap_or(TEMPLATE)),
            fields: FieldMap::parse(form.field_map.as_deref().unwrap_or_default()),
            verbosity: numbers(form.verbosity_map.as_deref().unwrap_or_default()),
        }
    }

    /// The MIME type of the lines.
    pub fn content_type(&self) -> &'static str {
        if self.json {
            "application/json"
        } else {
            "text/plain"
        }
    }

    /// Appends the record's lines, each with its line end.
    pub fn write(&self, record: &Record, out: &mut String) {
        if self.json {
            out.push_str(&self.json(record).to_string());
            out.push('\n');
        } else if self.single_line {
            self.line(record, &record.text.replace('\n', ", "), out);
        } else {
            for line in record.text.split('\n') {
                self.line(record, line, out);
            }
        }
    }

    fn line(&self, record: &Record, message: &str, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Time => out.push_str(&self.time(record)),
                Piece::Level => out.push_str(&self.level(record.level)),
                // Writing to a String cannot fail.
                Piece::Pid => drop(write!(out, "<0.{}.0>", record.pid)),
                Piece::Domain => out.push_str(record.category.domain()),
                Piece::Message => out.push_str(message),
            }
        }
        out.push('\n');
    }

    fn time(&self, record: &Record) -> String {
        let us = record.at_us;
        let pattern = match self.times.as_str() {
            "epoch_usecs" => return us.to_string(),
            "epoch_secs" => return format!("{}.{:06}", us / 1_000_000, us % 1_000_000),
            "rfc3339_T" => "%Y-%m-%dT%H:%M:%S%.6f%:z",
            "lager_default" => "%Y-%m-%d %H:%M:%S%.3f",
            _ => "%Y-%m-%d %H:%M:%S%.6f%:z",
        };
        let at = Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned(self.zone.clone()).strftime(pattern).to_string()
    }

    fn level(&self, level: LogLevel) -> String {
        let short = |letters: usize| level.name().get(..letters).unwrap_or(level.name());
        let name = match self.levels.as_str() {
            "lc3" | "uc3" => match level {
                LogLevel::Debug => "dbg",
                LogLevel::Info => "inf",
                LogLevel::Notice => "ntc",
                LogLevel::Warning => "wrn",
                LogLevel::Error => "err",
                _ => "crt",
            },
            "lc4" | "uc4" => match level {
                LogLevel::Debug => "dbug",
                LogLevel::Notice => "noti",
                LogLevel::Error => "erro",
                _ => short(4),
            },
            _ => level.name(),
        };
        if self.levels.starts_with("uc") {
            name.to_uppercase()
        } else {
            name.to_owned()
        }
    }

    fn json(&self, record: &Record) -> Value {
        let number = self
            .verbosity
            .iter()
            .find(|(name, _)| name == record.level.name() || name == "*");
        let mut all: Vec<(&str, Value)> = vec![
            ("time", self.json_time(record)),
            ("level", self.level(record.level).into()),
        ];
        if let Some((_, number)) = number {
            all.push(("verbosity", (*number).into()));
        }
        let text = if self.single_line {
            record.text.replace('\n', ", ")
        } else {
            record.text.clone()
        };
        all.push(("msg", text.into()));
        all.push(("domain", record.category.domain().into()));
        all.push(("pid", record.process().into()));
        self.fields.apply(all)
    }

    fn json_time(&self, record: &Record) -> Value {
        if self.times == "epoch_usecs" {
            record.at_us.into()
        } else {
            self.time(record).into()
        }
    }
}

fn pieces(template: &str) -> Vec<Piece> {
    const NAMES: [(&str, Piece); 5] = [
        ("$time", Piece::Time),
        ("$level", Piece::Level),
        ("$pid", Piece::Pid),
        ("$domain", Piece::Domain),
        ("$msg", Piece::Message),
    ];
    let mut all = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let named = NAMES.iter().find(|(name, _)| rest.starts_with(name));
        let (piece, length) = match named {
            Some((name, piece)) => (piece.clone(), name.len()),
            None => {
                let length = rest
                    .char_indices()
                    .skip(1)
                    .find(|(_, c)| *c == '$')
                    .map_or(rest.len(), |(at, _)| at);
                let text = rest.get(..length).unwrap_or_default().to_owned();
                (Piece::Text(text), length)
            }
        };
        all.push(piece);
        rest = rest.get(length..).unwrap_or_default();
    }
    all
}

/// `name:number` pairs; what is no number is passed over.
fn numbers(text: &str) -> Vec<(String, i64)> {
    text.split_ascii_whitespace()
        .filter_map(|pair| {
            let (name, number) = pair.split_once(':')?;
            Some((name.to_owned(), number.parse().ok()?))
        })
        .collect()
}

/// Which fields a JSON line has, and under which names.
#[derive(Debug, Default)]
struct FieldMap {
    /// Old name; new name, or none where the field is left out.
    renames: Vec<(String, Option<String>)>,
    /// Fields that are not named are left out.
    closed: bool,
}

impl FieldMap {
    fn parse(text: &str) -> Self {
        let mut map = Self::default();
        for word in text.split_ascii_whitespace() {
            match word.split_once(':') {
                Some(("*", "-")) => map.closed = true,
                Some((old, "-")) => map.renames.push((old.to_owned(), None)),
                Some((old, new)) => map.renames.push((old.to_owned(), Some(new.to_owned()))),
                None => map.renames.push((word.to_owned(), Some(word.to_owned()))),
            }
        }
        map
    }

    /// The fields named in the map come first, in its order.
    fn apply(&self, all: Vec<(&str, Value)>) -> Value {
        let mut fields = Map::new();
        for (old, new) in &self.renames {
            let value = all.iter().find(|(name, _)| name == old);
            if let (Some((_, value)), Some(new)) = (value, new) {
                fields.insert(new.clone(), value.clone());
            }
        }
        for (name, value) in all {
            if !self.closed && !self.renames.iter().any(|(old, _)| old == name) {
                fields.insert(name.to_owned(), value);
            }
        }
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::record::Category;

    fn record(text: &str) -> Record {
        Record {
            at_us: 1_795_182_538_520_269,
            level: LogLevel::Warning,
            category: Category::Connection,
            pid: 814,
            text: text.into(),
        }
    }

    fn write(format: LogFormat, form: &LogForm, text: &str) -> String {
        let mut out = String::new();
        Form::new(format, form, TimeZone::UTC).write(&record(text), &mut out);
        out
    }

    #[test]
    fn text_is_rabbitmqs_with_the_beginning_on_each_line() {
        let got = write(LogFormat::Plaintext, &LogForm::default(), "closing:\n gone");
        let begin = "2026-11-20 13:48:58.520269+00:00 [warning] <0.814.0> ";
        assert_eq!(got, format!("{begin}closing:\n{begin} gone\n"));
    }

    #[test]
    fn json_is_rabbitmqs() {
        let got = write(LogFormat::Json, &LogForm::default(), "a\nb");
        let value: Value = serde_json::from_str(&got).unwrap();
        let expected = serde_json::json!({
            "time": "2026-11-20 13:48:58.520269+00:00", "level": "warning", "msg": "a\nb",
            "domain": "rabbitmq.connection", "pid": "<0.814.0>",
        });
        assert_eq!((value, got.matches('\n').count()), (expected, 1));
    }

    #[test]
    fn the_details_can_be_chosen() {
        let form = LogForm {
            time_format: Some("rfc3339_T".into()),
            level_format: Some("uc4".into()),
            single_line: true,
            template: Some("$level|$time|$pid|$domain: $msg $$".into()),
            field_map: Some("msg:message time:ts pid:- *:-".into()),
            verbosity_map: Some("debug:7 *:4".into()),
        };
        assert_eq!(
            write(LogFormat::Plaintext, &form, "a\nb"),
            "WARN|2026-11-20T13:48:58.520269+00:00|<0.814.0>|rabbitmq.connection: a, b $$\n"
        );
        let value: Value = serde_json::from_str(&write(LogFormat::Json, &form, "a")).unwrap();
        let expected = serde_json::json!({
            "message": "a", "ts": "2026-11-20T13:48:58.520269+00:00",
        });
        assert_eq!(value, expected);
        let open = LogForm {
            verbosity_map: form.verbosity_map,
            time_format: Some("epoch_usecs".into()),
            ..LogForm::default()
        };
        let value: Value = serde_json::from_str(&write(LogFormat::Json, &open, "a")).unwrap();
        assert_eq!(value["verbosity"], 4);
        assert_eq!(value["time"], 1_795_182_538_520_269_i64);
    }
}
