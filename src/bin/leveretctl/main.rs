//! The operator's tool: asks a running broker over its socket, and checks or repairs the store of
//! one that does not run.

#![expect(
    clippy::print_stdout,
    reason = "a command's answer goes to standard output"
)]

mod store;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use leveret::node::control::socket_path;

/// Asks a running Leveret broker, or looks after its store while it does not run.
#[derive(Debug, Parser)]
#[command(name = "leveretctl", version)]
struct Arguments {
    /// Data folder of the broker.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "leveret-data"
    )]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows whether the broker runs, and what it holds.
    Status,
    /// Looks after what is stored; the broker must not run.
    #[command(subcommand)]
    Store(store::Command),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Status => status(&arguments.data_dir).map(|answer| {
            println!("{answer}");
            ExitCode::SUCCESS
        }),
        Command::Store(command) => {
            return store::run(command, &arguments.data_dir);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("leveretctl: {error:#}");
        // As rabbitmqctl answers when there is no broker.
        ExitCode::from(69)
    })
}

fn status(data_dir: &Path) -> anyhow::Result<String> {
    let path = socket_path(data_dir);
    let mut stream = UnixStream::connect(&path).with_context(|| {
        format!(
            "no broker answers at {} (its data folder is --data-dir)",
            path.display()
        )
    })?;
    stream.write_all(b"status\n")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&answer).context("the broker's answer is not JSON")?;
    let width = status.keys().map(String::len).max().unwrap_or(0);
    let lines = status
        .iter()
        .map(|(key, value)| format!("{key:width$}  {value}"));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
