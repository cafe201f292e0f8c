//! Takes typed fields out of JSON objects and remembers where each fault was.

use serde_json::{Map, Value};

use super::{ERRORS_MAX, ImportError, Target};

/// Octets that a name may have: AMQP's short string.
const NAME_BYTES_MAX: usize = 255;

/// The faults so far, and what the file is imported into.
pub struct Reader<'a> {
    pub target: Target<'a>,
    pub errors: Vec<ImportError>,
    pub warnings: Vec<String>,
}

/// One object of a list, with its path.
pub struct Object<'j> {
    pub path: String,
    pub fields: &'j Map<String, Value>,
}

impl<'a> Reader<'a> {
    pub fn new(target: Target<'a>) -> Self {
        Self {
            target,
            errors: vec![],
            warnings: vec![],
        }
    }

    /// Notes a fault; `None`, so that callers can return it.
    pub fn fault<T>(&mut self, path: String, reason: impl Into<String>) -> Option<T> {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(ImportError {
                path,
                reason: reason.into(),
            });
        }
        None
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// The objects of the list `section`; a missing list is an empty one.
    pub fn list<'j>(&mut self, top: &'j Map<String, Value>, section: &str) -> Vec<Object<'j>> {
        let items = match top.get(section) {
            None | Some(Value::Null) => return vec![],
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.fault::<()>(section.to_owned(), expected("a list of objects", other));
                return vec![];
            }
        };
        let mut objects = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let path = format!("{section}[{at}]");
            match item {
                Value::Object(fields) => objects.push(Object { path, fields }),
                other => {
                    self.fault::<()>(path, expected("an object", other));
                }
            }
        }
        objects
    }

    /// A text that must be there; may be empty.
    pub fn text(&mut self, object: &Object<'_>, field: &str) -> Option<String> {
        match object.get(field) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => self.fault(object.at(field), expected("a text", other)),
            None => self.fault(object.at(field), "is missing; allowed: a text"),
        }
    }

    /// A text that may be missing.
    pub fn optional_text(&mut self, object: &Object<'_>, field: &str) -> Option<String> {
        object.get(field)?;
        self.text(object, field)
    }

    /// A text that fits AMQP's short string.
    pub fn short_text(&mut self, object: &Object<'_>, field: &str) -> Option<String> {
        let text = self.text(object, field)?;
        if text.len() > NAME_BYTES_MAX {
            let reason = format!(
                "has {} bytes; allowed: at most {NAME_BYTES_MAX}",
                text.len()
            );
            return self.fault(object.at(field), reason);
        }
        Some(text)
    }

    /// A short text that is not empty.
    pub fn name(&mut self, object: &Object<'_>, field: &str) -> Option<String> {
        let name = self.short_text(object, field)?;
        if name.is_empty() {
            return self.fault(object.at(field), "is empty; allowed: 1 to 255 bytes");
        }
        Some(name)
    }

    /// The virtual host an object belongs to.
    pub fn vhost(&mut self, object: &Object<'_>) -> Option<String> {
        match self.target {
            Target::Vhost(vhost) => Some(vhost.to_owned()),
            Target::Broker { default_vhost } if object.get("vhost").is_none() => {
                Some(default_vhost.to_owned())
            }
            Target::Broker { .. } => self.name(object, "vhost"),
        }
    }

    /// A truth value; missing it is `default`, or a fault without one.
    pub fn boolean(
        &mut self,
        object: &Object<'_>,
        field: &str,
        default: Option<bool>,
    ) -> Option<bool> {
        match object.get(field) {
            Some(Value::Bool(value)) => Some(*value),
            Some(other) => self.fault(object.at(field), expected("true or false", other)),
            None if default.is_some() => default,
            None => self.fault(object.at(field), "is missing; allowed: true or false"),
        }
    }

    /// A whole number; missing it is `default`.
    pub fn integer(&mut self, object: &Object<'_>, field: &str, default: i64) -> Option<i64> {
        match object.get(field) {
            None => Some(default),
            Some(value) => match value.as_i64() {
                Some(number) => Some(number),
                None => self.fault(object.at(field), expected("a whole number", value)),
            },
        }
    }

    /// A list of words: a JSON list of texts, or one text with commas. `None` when it is missing
    /// or wrong; a wrong one has been noted.
    pub fn words(&mut self, object: &Object<'_>, field: &str) -> Option<Vec<String>> {
        let wanted = "a list of texts, or a text with commas";
        match object.get(field)? {
            Value::String(text) => Some(crate::auth::user::split_tags(text)),
            Value::Array(items) => {
                let mut words = vec![];
                for (at, item) in items.iter().enumerate() {
                    match item {
                        Value::String(word) => words.push(word.clone()),
                        other => {
                            let path = format!("{}[{at}]", object.at(field));
                            return self.fault(path, expected("a text", other));
                        }
                    }
                }
                Some(words)
            }
            other => self.fault(object.at(field), expected(wanted, other)),
        }
    }
}

impl<'j> Object<'j> {
    /// The field, unless it is missing or null.
    pub fn get(&self, field: &str) -> Option<&'j Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// The path of a field.
    pub fn at(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }
}

/// "is X; allowed: Y".
pub fn expected(wanted: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(number) => return format!("is the number {number}; allowed: {wanted}"),
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("is {found}; allowed: {wanted}")
}
