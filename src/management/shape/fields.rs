//! Rows: objects that are written field by field, and only the fields that are asked for.
//!
//! A list of ten thousand objects is written straight into its octets. Only where an order or a
//! part of a field is asked for does a row become a JSON value on the way.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::management::listing::Columns;

/// An object of a list.
pub trait Row {
    /// What a filter by name looks at.
    fn name(&self) -> Cow<'_, str>;

    /// Writes its fields.
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error>;
}

/// Where a row writes its fields.
#[derive(Debug)]
pub struct Fields<'a, M> {
    map: M,
    columns: &'a Columns,
}

impl<M: SerializeMap> Fields<'_, M> {
    /// Writes a field, if it is wanted.
    #[inline]
    pub fn put<V: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &V,
    ) -> Result<(), M::Error> {
        if self.columns.wants(name) {
            self.map.serialize_entry(name, value)?;
        }
        Ok(())
    }

    /// True when a field is wanted: what is not need not be worked out.
    pub fn wants(&self, name: &str) -> bool {
        self.columns.wants(name)
    }
}

/// Writes several fields: `put!(fields, "a": 1, "b": x)`.
#[macro_export]
macro_rules! put_fields {
    ($fields:ident, $($name:literal : $value:expr),+ $(,)?) => {
        $( $fields.put($name, &$value)?; )+
    };
}

/// A row with the fields that are wanted.
#[derive(Debug)]
pub struct Written<'a, R>(pub &'a R, pub &'a Columns);

impl<R: Row> Serialize for Written<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Fields {
            map: serializer.serialize_map(None)?,
            columns: self.1,
        };
        self.0.write(&mut fields)?;
        fields.map.end()
    }
}
