//! Lists as RabbitMQ's API gives them: filtered by name, sorted by any field, in pages, with
//! chosen columns. Works on JSON values, so that every resource has all of it.

mod columns;
mod only;
mod order;
mod page;
mod sort;
#[cfg(test)]
mod tests;

pub use columns::Columns;
pub use order::Ordered;
pub use page::Listing;
