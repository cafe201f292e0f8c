//! One value of a table, as `rabbitmqctl` writes values.

use serde_json::{Map, Value};

/// A value with its way of being written.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A number, truth value or text; null is empty.
    Plain(Value),
    /// Words: `[administrator, monitoring]`.
    Words(Vec<String>),
    /// Arguments of a queue, binding or consumer: `[{"x-priority",3}]`.
    Arguments(Map<String, Value>),
    /// A state for each node: `[{node, running}]`.
    States(Map<String, Value>),
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Plain(Value::String(text.into()))
    }

    /// As a field of a line: control characters are escaped, so that one value stays one field.
    pub fn plain(&self) -> String {
        match self {
            Self::Plain(value) => escaped(&plain(value)),
            Self::Words(words) => format!("[{}]", escaped(&words.join(", "))),
            Self::Arguments(map) => arguments(map),
            Self::States(map) => {
                let pairs: Vec<String> = map
                    .iter()
                    .map(|(node, state)| format!("{{{node}, {}}}", plain(state)))
                    .collect();
                format!("[{}]", pairs.join(", "))
            }
        }
    }

    /// As JSON. RabbitMQ writes arguments as triples of name, type and value; here they are an
    /// object, as in its HTTP API.
    pub fn json(&self) -> Value {
        match self {
            Self::Plain(Value::Null) => Value::String(String::new()),
            Self::Plain(value) => value.clone(),
            Self::Words(words) => Value::from(words.clone()),
            Self::Arguments(map) | Self::States(map) => Value::Object(map.clone()),
        }
    }

    /// In a table drawn with lines, words stand without brackets.
    pub fn drawn(&self) -> String {
        match self {
            Self::Words(words) => escaped(&words.join(", ")),
            other => other.plain(),
        }
    }

    /// As an Erlang term.
    pub fn term(&self) -> String {
        match self {
            Self::Plain(value) => term(value),
            Self::Words(words) => format!("[{}]", words.join(",")),
            Self::Arguments(map) => {
                let pairs: Vec<String> = map
                    .iter()
                    .map(|(key, value)| format!("{{<<\"{key}\">>,{}}}", term(value)))
                    .collect();
                format!("[{}]", pairs.join(","))
            }
            Self::States(_) => self.plain(),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn arguments(map: &Map<String, Value>) -> String {
    let pairs: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{{{},{}}}", quoted(key), argument(value)))
        .collect();
    format!("[{}]", pairs.join(","))
}

fn argument(value: &Value) -> String {
    match value {
        Value::Null => "undefined".to_owned(),
        Value::String(text) => quoted(text),
        Value::Object(map) => arguments(map),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(argument).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

fn term(value: &Value) -> String {
    match value {
        Value::Null => "''".to_owned(),
        Value::String(text) => format!("<<{}>>", quoted(text)),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(term).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{{{key},{}}}", term(value)))
                .collect();
            format!("[{}]", pairs.join(","))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped(&text))
}

fn escaped(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| match c {
            '\t' => "\\t".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            c if c.is_control() => format!("\\{:03o}", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn values_are_written_as_rabbitmqctl_writes_them() {
        assert_eq!(Cell::Plain(json!(1.0)).plain(), "1.0");
        assert_eq!(Cell::Plain(json!(null)).plain(), "");
        assert_eq!(Cell::Plain(json!(true)).plain(), "true");
        let tags = Cell::Words(vec!["monitoring".into(), "policymaker".into()]);
        assert_eq!(tags.plain(), "[monitoring, policymaker]");
        assert_eq!(tags.drawn(), "monitoring, policymaker");
        assert_eq!(tags.json(), json!(["monitoring", "policymaker"]));
        assert_eq!(Cell::Words(vec![]).plain(), "[]");
        let arguments = Cell::Arguments(map(json!({
            "x-dead-letter-exchange": "dlx", "x-max-length": 10, "x": {"a": [1, "b"]}
        })));
        assert_eq!(
            arguments.plain(),
            r#"[{"x",[{"a",[1,"b"]}]},{"x-dead-letter-exchange","dlx"},{"x-max-length",10}]"#
        );
        let states = Cell::States(map(json!({"a@b": "running"})));
        assert_eq!(states.plain(), "[{a@b, running}]");
    }

    #[test]
    fn a_value_stays_one_field() {
        assert_eq!(Cell::text("a\tb\nc\u{1}").plain(), "a\\tb\\nc\\001");
    }
}
