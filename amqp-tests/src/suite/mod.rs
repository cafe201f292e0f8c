//! What runs scenarios: registry entry, context, private brokers, runner.

mod broker;
mod ctx;
mod definitions;
mod failure;
mod poll;
mod ports;
mod process;
mod rabbit;
mod report;
mod runner;
mod scenario;
pub mod transcript;

pub use broker::{Broker, Brokers, CliRun, Ending};
pub use ctx::{Ctx, random_hex};
pub use definitions::Definitions;
pub use failure::{Failure, Result, fail, not_run};
pub use poll::eventually;
pub use ports::{free_port, free_ports};
pub use process::{Process, end_leftovers};
pub use report::{Outcome, Report, print_list};
pub use runner::{Plan, Target, detect, run_all};
pub use scenario::{Product, Scenario};
