//! Messages at rest in memory: append-only chunks of records, shared by every queue that holds one
//! of their messages. The commit log's in-memory tail will be made of the same chunks.

pub mod chunk;
pub mod held;
pub mod record;
pub mod stored;

pub use chunk::{AwayRecord, Chunk};
pub use held::Held;
pub use record::Record;
pub use stored::{BODY_FILE, Body, FreedPlaces, Home, StoredFile, StoredPage, stored_name};
