//! How what is seen of the broker becomes JSON: rows of lists, counters with their rates and
//! samples, field tables, and the fields that only RabbitMQ's runtime has.

pub mod answer;
pub mod details;
pub mod erlang;
pub mod fields;
pub mod ranges;
pub mod stats;
pub mod tables;
pub mod times;

pub use answer::{Answer, aside};
pub use details::Details;
pub use fields::{Fields, Row};
pub use ranges::Ranges;
