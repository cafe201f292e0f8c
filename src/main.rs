//! The server.

use std::process::ExitCode;

use clap::Parser;
use leveret::node::{Command, load_settings, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Command::parse();
    let loaded = match load_settings(&command) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("leveret: the configuration is not usable:\n{errors}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("leveret: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(loaded)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leveret: {error:#}");
            ExitCode::FAILURE
        }
    }
}
