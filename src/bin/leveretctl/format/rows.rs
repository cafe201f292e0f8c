//! What a list holds before it is written.

use super::Cell;

/// Rows under named columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Names of the columns, in the order asked for.
    pub columns: Vec<String>,
    /// One cell a column.
    pub rows: Vec<Vec<Cell>>,
    /// RabbitMQ streams these: where there is no row it writes nothing at all, not an empty line.
    pub streamed: bool,
    /// Whether a header goes before the rows; two of RabbitMQ's lists have none.
    pub headed: bool,
}

impl Rows {
    /// No rows yet.
    pub fn new(columns: &[&str]) -> Self {
        Self {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            headed: true,
            ..Self::default()
        }
    }
}
