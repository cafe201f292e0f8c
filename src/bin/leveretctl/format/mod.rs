//! How an answer is written: RabbitMQ's formatters over rows of cells. Pure text: nothing here
//! prints.

mod cell;
mod lines;
mod pretty;
mod rows;

pub use cell::Cell;
pub use lines::{Formatter, render, render_message, render_text};
pub use rows::Rows;
