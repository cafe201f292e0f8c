//! A JSON value.

use std::fmt;
use std::ops::Index;

/// A JSON value; objects keep the order of their keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`, and what is asked for and not there.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction and exponent that fits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    List(Vec<Json>),
    /// Keys and values.
    Object(Vec<(String, Json)>),
}

/// A value's type, as a client in a typed language sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// A boolean.
    Bool,
    /// An integer.
    Int,
    /// A number with a fraction or an exponent.
    Float,
    /// Text.
    Str,
    /// A list.
    List,
    /// An object.
    Object,
}

static NOTHING: Json = Json::Null;

impl Json {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Json::Null => Kind::Null,
            Json::Bool(_) => Kind::Bool,
            Json::Int(_) => Kind::Int,
            Json::Float(_) => Kind::Float,
            Json::Str(_) => Kind::Str,
            Json::List(_) => Kind::List,
            Json::Object(_) => Kind::Object,
        }
    }
    /// The text of a string; empty for everything else.
    pub fn text(&self) -> &str {
        match self {
            Json::Str(text) => text,
            _ => "",
        }
    }
    /// The number; none for everything else.
    pub fn int(&self) -> Option<i64> {
        match self {
            Json::Int(n) => Some(*n),
            _ => None,
        }
    }
    /// Any number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Json::Int(n) => Some(*n as f64),
            Json::Float(n) => Some(*n),
            _ => None,
        }
    }
    /// Whether it is `true`.
    pub fn is_true(&self) -> bool {
        *self == Json::Bool(true)
    }
    /// The items of a list; none for everything else.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            _ => &[],
        }
    }
    /// The keys and values of an object; none for everything else.
    pub fn fields(&self) -> &[(String, Json)] {
        match self {
            Json::Object(fields) => fields,
            _ => &[],
        }
    }
    /// The value of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let found = self.fields().iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }
    /// The first item of a list whose key has this text.
    pub fn find(&self, key: &str, text: &str) -> &Json {
        let mut items = self.items().iter();
        items
            .find(|item| item[key].text() == text)
            .unwrap_or(&NOTHING)
    }
    /// The texts of one key over a list, in its order.
    pub fn each(&self, key: &str) -> Vec<&str> {
        self.items().iter().map(|item| item[key].text()).collect()
    }
}

/// The value of a key; `null` where it is not.
impl Index<&str> for Json {
    type Output = Json;
    fn index(&self, key: &str) -> &Json {
        self.get(key).unwrap_or(&NOTHING)
    }
}

/// The item of a list; `null` past its end.
impl Index<usize> for Json {
    type Output = Json;
    fn index(&self, at: usize) -> &Json {
        self.items().get(at).unwrap_or(&NOTHING)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::Str(text.into())
    }
}

/// JSON text without spaces.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Int(n) => write!(f, "{n}"),
            Json::Float(n) => write!(f, "{n:?}"),
            Json::Str(text) => quote(f, text),
            Json::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Json::Object(fields) => {
                f.write_str("{")?;
                for (at, (key, value)) in fields.iter().enumerate() {
                    f.write_str(if at > 0 { "," } else { "" })?;
                    quote(f, key)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c if (c as u32) < 32 => write!(f, "\\u{:04x}", c as u32)?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}
