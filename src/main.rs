//! The server.

use std::process::ExitCode;

use clap::Parser;
use leveret::node::{Command, load_settings, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Huge pages double what a broker holds that has little to do: each of them is taken for a few
    // octets of some thread. A kernel that cannot leave them out is no reason not to start.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let command = Command::parse();
    let loaded = match load_settings(&command) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("leveret: the configuration is not usable:\n{errors}");
            return ExitCode::from(2);
        }
    };
    let reload = Box::new(move || load_settings(&command).map_err(|errors| errors.to_string()));
    match run(loaded, reload) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leveret: {error:#}");
            ExitCode::FAILURE
        }
    }
}
