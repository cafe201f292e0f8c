//! A binding, and the key that names it in paths.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::ser::SerializeMap;
use sha2::{Digest, Sha256};

use crate::amqp::Table;
use crate::amqp::table::write_table;
use crate::broker::observe::views::BindingView;
use crate::exchange::Destination;
use crate::ids::Name;
use crate::management::shape::tables::Arguments;
use crate::management::shape::{Fields, Row};
use crate::put_fields;

/// What `quote_plus` of RabbitMQ's clients leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Octets of the digest that are shown: enough to tell the bindings between two ends apart.
const DIGEST_OCTETS: usize = 9;

/// A binding as a row.
#[derive(Debug, Clone)]
pub struct BindingRow {
    /// The binding.
    pub view: BindingView,
    /// Its virtual host.
    pub vhost: Name,
}

/// The name of a binding among those between the same two ends: its key, quoted; with arguments a
/// digest of them behind it, which says nothing but whether they are the same. `~` where both are
/// empty.
pub fn properties_key(routing_key: &Name, arguments: &Table) -> String {
    if routing_key.is_empty() && arguments.is_empty() {
        return "~".to_owned();
    }
    let key = percent_encode(routing_key.as_bytes(), PLAIN).to_string();
    let key = key.replace("%20", "+");
    if arguments.is_empty() {
        return key;
    }
    format!("{key}~{}", digest(arguments))
}

/// The name of a binding as it should be, where its routing key came without quotes.
pub fn quoted(key: &str) -> String {
    let (route, rest) = match key.rsplit_once('~') {
        Some((route, digest)) => (route, format!("~{digest}")),
        None => (key, String::new()),
    };
    let plain: Vec<u8> = percent_decode_str(route).collect();
    let route = percent_encode(&plain, PLAIN).to_string();
    format!("{}{rest}", route.replace("%20", "+"))
}

/// The same for the same arguments in any order, in every process.
fn digest(arguments: &Table) -> String {
    use base64::Engine;
    let mut pairs = arguments.0.clone();
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut octets = Vec::new();
    write_table(&mut octets, &Table(pairs));
    let hash = Sha256::digest(&octets);
    let short = hash.get(..DIGEST_OCTETS).unwrap_or_default();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(short)
}

/// RabbitMQ's word for what a binding leads to.
pub fn kind_of(destination: &Destination) -> &'static str {
    match destination {
        Destination::Queue(_) => "queue",
        Destination::Exchange(_) => "exchange",
    }
}

impl BindingRow {
    /// The key that names it in paths.
    pub fn properties_key(&self) -> String {
        properties_key(&self.view.routing_key, &self.view.arguments)
    }
}

impl Row for BindingRow {
    fn name(&self) -> Cow<'_, str> {
        self.view.destination.name().to_string().into()
    }

    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let view = &self.view;
        put_fields!(fields,
            "source": view.source.to_string(),
            "vhost": self.vhost.to_string(),
            "destination": view.destination.name().to_string(),
            "destination_type": kind_of(&view.destination),
            "routing_key": view.routing_key.to_string(),
            "arguments": Arguments(&view.arguments),
        );
        if fields.wants("properties_key") {
            fields.put("properties_key", &self.properties_key())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amqp::Value;

    #[test]
    fn a_key_is_quoted_and_arguments_are_told_apart() {
        let none = Table::default();
        let key = |key: &str, arguments: &Table| properties_key(&Name::from(key), arguments);
        assert_eq!(key("", &none), "~");
        assert_eq!(key("order.#", &none), "order.%23");
        assert_eq!(key("~ a/b", &none), "%7E+a%2Fb");
        assert_eq!(quoted("order.#"), key("order.#", &none));
        assert_eq!(quoted("order.%23~abc"), "order.%23~abc");
        let mut one = Table::default();
        one.set(b"a", Value::I64(1));
        one.set(b"b", Value::Bool(true));
        let other = Table(one.0.iter().rev().cloned().collect());
        assert_eq!(key("k", &one), key("k", &other));
        assert!(key("k", &one).starts_with("k~"));
        assert!(key("", &one).starts_with('~') && key("", &one).len() > 1);
        one.set(b"a", Value::I64(2));
        assert_ne!(key("k", &one), key("k", &other));
    }
}
