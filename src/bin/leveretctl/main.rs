//! The operator's tool: `rabbitmqctl`'s commands over the broker's socket, a live view, and the care
//! of the store of a broker that does not run.

mod arguments;
mod client;
mod commands;
mod context;
mod failure;
mod format;
mod help;
mod progress;
mod spec;
mod store;
mod top;

use std::process::ExitCode;

use crate::arguments::{Parsed, check, parse};
use crate::context::{Context, write_error, write_out};
use crate::failure::{Failure, USAGE};
use crate::format::{Formatter, render, render_message, render_text};
use crate::spec::{Answer, Spec};

fn main() -> ExitCode {
    let words = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let specs = commands::all();
    let parsed = parse(words, &specs);
    let Some(name) = parsed.command.clone() else {
        return without_command(&parsed, &specs);
    };
    let Some(spec) = specs.iter().find(|spec| spec.name == name) else {
        write_error(&help::unknown(&name, &specs));
        return ExitCode::from(USAGE);
    };
    if parsed.flag("help") {
        write_out(&help::of_command(spec));
        return ExitCode::SUCCESS;
    }
    if name == "store" {
        return store::run(&parsed);
    }
    match run(spec, &parsed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            write_error(&format!("{}\n", told(&failure, spec, &parsed)));
            ExitCode::from(failure.code())
        }
    }
}

fn without_command(parsed: &Parsed, specs: &[Spec]) -> ExitCode {
    if parsed.given.iter().any(|word| word == "--version") {
        write_out(&format!("leveretctl {}\n", env!("CARGO_PKG_VERSION")));
        return ExitCode::SUCCESS;
    }
    let page = help::overview(specs);
    if parsed.flag("help") {
        write_out(&page);
        return ExitCode::SUCCESS;
    }
    write_error(&page);
    ExitCode::from(USAGE)
}

fn run(spec: &Spec, parsed: &Parsed) -> Result<(), Failure> {
    check(parsed, spec)?;
    let context = Context::new(spec, parsed)?;
    if context.timeout().is_some_and(|timeout| timeout.is_zero()) && !spec.alone {
        return Err(client::NoAnswer::Late.failure(spec.name, &context.known_name(), 0));
    }
    context.check_node()?;
    context.check_broker()?;
    if parsed.flag("dry-run") {
        return Ok(());
    }
    let answer = (spec.run)(&context)?;
    write_answer(&context, answer)
}

fn write_answer(context: &Context, answer: Answer) -> Result<(), Failure> {
    let formatter = context.formatter;
    let quiet = context.flag("quiet") || context.flag("silent");
    match answer {
        Answer::Written => {}
        Answer::Done if formatter.is_for_programs() => {
            write_out(&render_message(None, &context.node()?, formatter));
        }
        Answer::Done => {}
        Answer::DoneSaying(_) if quiet && !formatter.is_for_programs() => {}
        Answer::DoneSaying(text) => {
            let node = match formatter.is_for_programs() {
                true => context.node()?,
                false => String::new(),
            };
            write_out(&render_message(Some(&text), &node, formatter));
        }
        Answer::Text(text) => write_out(&render_text(&text, formatter)),
        Answer::Rows(rows) => write_out(&render(&rows, formatter, context.has_header())),
        Answer::Page { text, json } => match formatter {
            Formatter::Json | Formatter::JsonStream => write_out(&format!("{json}\n")),
            _ => write_out(&text),
        },
        Answer::Raw(text) => write_out(&text),
    }
    Ok(())
}

/// An error that a look at the usage helps with.
fn with_usage(error: &str, spec: &Spec, parsed: &Parsed) -> String {
    format!(
        "{error}\nArguments given:\n\t{}\n\n{}\n\n{}",
        parsed.given.join(" "),
        help::heading("Usage", true),
        help::usage_line(spec),
    )
}

/// What goes to standard error.
fn told(failure: &Failure, spec: &Spec, parsed: &Parsed) -> String {
    match failure {
        Failure::Arguments { text, .. } => with_usage(
            &format!("Error (argument validation): {text}"),
            spec,
            parsed,
        ),
        Failure::Environment { text } => with_usage(&format!("Error: {text}"), spec, parsed),
        Failure::Refused { text, .. } => format!("Error:\n{text}"),
        Failure::Plain { text, .. } => text.clone(),
    }
}
