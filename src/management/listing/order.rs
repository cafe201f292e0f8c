//! The order of things that are not JSON yet.

use super::columns::Columns;
use super::only::Only;
use super::sort::SortKey;
use crate::management::shape::Row;
use crate::management::shape::fields::Written;

/// Things in their order, with how each becomes a row.
#[derive(Debug)]
pub struct Ordered<T>(pub Vec<T>);

impl<T> Ordered<T> {
    /// Keeps what is in every condition of `only`, of whose fields alone rows are worked out.
    pub fn keep<R: Row>(&mut self, only: &Only, look: &impl Fn(&T, &Columns) -> R) {
        if only.is_all() {
            return;
        }
        let wanted = Columns::these(Only::FIELDS.into_iter());
        self.0.retain(|thing| {
            let row = look(thing, &wanted);
            let value = serde_json::to_value(Written(&row, &wanted)).unwrap_or_default();
            only.takes(&value)
        });
    }

    /// Sorts by the dotted `columns` in turn. Of every row only these are worked out.
    pub fn sort<R: Row>(&mut self, columns: &[&str], look: &impl Fn(&T, &Columns) -> R) {
        let wanted = Columns::these(columns.iter().copied());
        let paths: Vec<Vec<&str>> = columns
            .iter()
            .map(|column| column.split('.').collect())
            .collect();
        let key = |thing: &T| -> Vec<SortKey> {
            let row = look(thing, &wanted);
            let value = serde_json::to_value(Written(&row, &wanted)).unwrap_or_default();
            paths.iter().map(|path| SortKey::of(&value, path)).collect()
        };
        self.0.sort_by_cached_key(key);
    }
}
