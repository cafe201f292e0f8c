//! Writes and reads checkpoints as rows.

use std::sync::Arc;

use crate::store::checkpoint::{CheckpointWriter, Row, read};
use crate::store::io::SimDisk;
use crate::store::{Position, StoreError};

/// Writes a checkpoint of these rows; gives its octets.
pub fn write(disk: &SimDisk, position: Position, rows: &[Row]) -> Result<u64, StoreError> {
    let mut writer = CheckpointWriter::new(Arc::new(disk.clone()), position)?;
    for row in rows {
        match row {
            Row::Queue(id) => writer.queue(*id),
            Row::Level {
                priority,
                next,
                delivered,
            } => writer.level(*priority, *next, *delivered),
            Row::Away(row) => writer.away(row),
            Row::Message(row) => writer.message(row),
        }?;
    }
    writer.finish()
}

/// The rows that were shown, and what the reading said.
pub fn read_all(disk: &SimDisk) -> (Vec<Row>, Result<Option<Position>, StoreError>) {
    let mut rows = Vec::new();
    let answer = read(disk, &mut |row| {
        rows.push(row);
        Ok(())
    });
    (rows, answer)
}
