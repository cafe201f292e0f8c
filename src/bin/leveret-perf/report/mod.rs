//! What was measured, for people and for programs: a table, bars to pass, JSON and a chart.

mod bar;
mod bars;
mod chart;
mod durable_bars;
mod results;
mod table;

pub use bars::print as print_bars;
pub use chart::svg;
pub use results::{Results, Side};
pub use table::print as print_table;
