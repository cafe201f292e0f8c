//! The operator's tool: asks a running broker over its socket.

#![expect(
    clippy::print_stdout,
    reason = "a command's answer goes to standard output"
)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use leveret::node::control::socket_path;

/// Asks a running Leveret broker.
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
    command: Ask,
}

#[derive(Debug, Subcommand)]
enum Ask {
    /// Shows whether the broker runs, and what it holds.
    Status,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match ask(&arguments) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("leveretctl: {error:#}");
            // As rabbitmqctl answers when there is no broker.
            ExitCode::from(69)
        }
    }
}

fn ask(arguments: &Arguments) -> anyhow::Result<String> {
    let Ask::Status = arguments.command;
    let path = socket_path(&arguments.data_dir);
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
