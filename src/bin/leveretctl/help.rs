//! Help and completions, made of the commands' tables.

use std::io::IsTerminal;

use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;
use leveret::config::nearest;

use crate::context::Context;
use crate::failure::Failure;
use crate::format::{Cell, Rows};
use crate::spec::{Answer, EVERYWHERE, Group, MANY, Opt, Spec, Takes};

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "autocomplete",
        Group::Help,
        "Provides command name autocomplete variants",
        autocomplete,
    )
    .takes("[prefix]", 0, 1)
    .alone(),
    Spec::new(
        "completions",
        Group::Help,
        "Writes a completion script for a shell",
        completions,
    )
    .takes("<bash | zsh | fish | elvish | powershell>", 1, 1)
    .alone(),
    Spec::new(
        "help",
        Group::Help,
        "Displays usage information for a command",
        help,
    )
    .takes("[<command>]", 0, 1)
    .alone(),
    Spec::new(
        "store",
        Group::Store,
        "Checks or repairs the store of a broker that does not run",
        |_| Ok(Answer::Written),
    )
    .takes("<check | repair> [--data-dir <folder>]", 1, 1)
    .details(&[
        (
            "check",
            "reads everything and changes nothing: 0 sound, 1 damaged, 2 cannot be looked at",
        ),
        (
            "repair",
            "makes a damaged store one that starts, with everything that can be read",
        ),
    ])
    .alone(),
    Spec::new(
        "version",
        Group::Help,
        "Displays the version of this tool",
        version,
    )
    .alone(),
];

/// A heading, bold on a terminal.
pub fn heading(text: &str, on_stderr: bool) -> String {
    let terminal = match on_stderr {
        true => std::io::stderr().is_terminal(),
        false => std::io::stdout().is_terminal(),
    };
    match terminal {
        true => format!("\u{1b}[1m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

/// How a command is written.
pub fn usage_line(spec: &Spec) -> String {
    let line = format!(
        "leveretctl [--node <node>] [--longnames] [--quiet] {} {}",
        spec.name, spec.usage
    );
    line.trim_end().to_owned()
}

/// The page without a command.
pub fn overview(specs: &[Spec]) -> String {
    let mut page = format!(
        "\n{}\n\nleveretctl [--data-dir <folder>] [--node <node>] [--timeout <timeout>] [--longnames] \
         [--quiet] <command> [<command options>]\n\nAvailable commands:\n\n",
        heading("Usage", false)
    );
    for (group, title) in Group::ALL {
        let mut listed: Vec<&Spec> = specs.iter().filter(|spec| spec.group == group).collect();
        if listed.is_empty() {
            continue;
        }
        listed.sort_by_key(|spec| spec.name);
        page.push_str(&format!("{}:\n\n", heading(title, false)));
        for spec in listed {
            page.push_str(&format!("   {:38} {}\n", spec.name, spec.about));
        }
        page.push('\n');
    }
    page.push_str("Use 'leveretctl help <command>' to learn more about a specific command\n");
    page
}

/// The page of a command.
pub fn of_command(spec: &Spec) -> String {
    let mut page = format!(
        "\n{}\n\n{}\n\n{}.\n\n",
        heading("Usage", false),
        usage_line(spec),
        spec.about
    );
    let mut rows: Vec<(String, String)> = spec
        .details
        .iter()
        .map(|(name, about)| ((*name).to_owned(), (*about).to_owned()))
        .collect();
    if !spec.columns.is_empty() {
        let list = format!("must be one of {}", spec.columns.join(", "));
        rows.push(("<column>".to_owned(), list));
    }
    rows.extend(
        spec.options
            .iter()
            .map(|opt| (shown(opt), opt.about.to_owned())),
    );
    if !rows.is_empty() {
        page.push_str(&format!("{}\n\n", heading("Arguments and Options", false)));
        for (name, about) in rows {
            page.push_str(&format!("{name}\n\t{about}\n\n"));
        }
    }
    page.push_str(&format!(
        "{}\n\nThe following options are accepted by every command.\n\n",
        heading("General Options", false)
    ));
    for opt in EVERYWHERE {
        page.push_str(&format!("{:26} {}\n", shown(opt), opt.about));
    }
    page
}

fn shown(opt: &Opt) -> String {
    let value = match opt.takes {
        Takes::Nothing => "",
        Takes::Text => " <value>",
        Takes::Integer => " <number>",
        Takes::Seconds => " <seconds>",
    };
    match opt.short {
        Some(letter) => format!("-{letter}, --{}{value}", opt.long),
        None => format!("--{}{value}", opt.long),
    }
}

/// What is said of a command that there is not.
pub fn unknown(name: &str, specs: &[Spec]) -> String {
    match nearest(name, specs.iter().map(|spec| spec.name)) {
        Some(near) => {
            format!("\nCommand '{name}' not found. \nDid you mean '{near}'? \n\n")
        }
        None => format!("\nCommand '{name}' not found. \n{}", overview(specs)),
    }
}

fn help(context: &Context) -> Result<Answer, Failure> {
    let specs = crate::commands::all();
    let Some(name) = context.words().first() else {
        return Ok(Answer::Raw(overview(&specs)));
    };
    match specs.iter().find(|spec| spec.name == name) {
        Some(spec) => Ok(Answer::Raw(of_command(spec))),
        None => Err(Failure::refused(
            crate::failure::USAGE,
            format!("\nCommand '{name}' not found."),
        )),
    }
}

/// Under RabbitMQ's name the version that scripts know is told.
fn version(_: &Context) -> Result<Answer, Failure> {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&program).file_name();
    let compatible = name.is_some_and(|name| name == "rabbitmqctl");
    let version = match compatible {
        true => "3.10.8",
        false => env!("CARGO_PKG_VERSION"),
    };
    Ok(Answer::Text(version.to_owned()))
}

fn autocomplete(context: &Context) -> Result<Answer, Failure> {
    let specs = crate::commands::all();
    let mut names: Vec<&str> = specs
        .iter()
        .map(|spec| spec.name)
        .filter(|name| name.starts_with(context.word(0)))
        .collect();
    names.sort_unstable();
    let mut rows = Rows::new(&["name"]);
    rows.headed = false;
    rows.rows = names
        .into_iter()
        .map(|name| vec![Cell::text(name)])
        .collect();
    Ok(Answer::Rows(rows))
}

fn completions(context: &Context) -> Result<Answer, Failure> {
    let name = context.word(0);
    let shell: Shell = name
        .parse()
        .map_err(|_| Failure::bad_argument(format!("Bad argument: {name} is not a shell")))?;
    let mut script = Vec::new();
    let mut command = clap_command(&crate::commands::all());
    clap_complete::generate(shell, &mut command, "leveretctl", &mut script);
    Ok(Answer::Raw(String::from_utf8_lossy(&script).into_owned()))
}

/// The tables as clap has them, for its completions only.
fn clap_command(specs: &[Spec]) -> Command {
    let mut command = Command::new("leveretctl")
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .args(EVERYWHERE.iter().map(clap_arg).map(|arg| arg.global(true)));
    for spec in specs {
        let mut sub = Command::new(spec.name)
            .about(spec.about)
            .disable_help_flag(true)
            .args(spec.options.iter().map(clap_arg));
        if spec.arguments.1 > 0 {
            let values = match spec.arguments.1 {
                MANY => 0..=usize::MAX,
                most => 0..=most,
            };
            let mut arg = Arg::new("argument").num_args(values);
            if !spec.columns.is_empty() {
                arg = arg.value_parser(spec.columns.to_vec());
            }
            sub = sub.arg(arg);
        }
        command = command.subcommand(sub);
    }
    command
}

fn clap_arg(opt: &Opt) -> Arg {
    let arg = Arg::new(opt.long).long(opt.long).help(opt.about);
    let arg = match opt.short {
        Some(letter) => arg.short(letter),
        None => arg,
    };
    match opt.takes {
        Takes::Nothing => arg.action(ArgAction::SetTrue),
        _ => arg.action(ArgAction::Set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_the_help_once_and_completes() {
        let specs = crate::commands::all();
        let page = overview(&specs);
        for spec in &specs {
            let line = format!("   {:38} ", spec.name);
            assert_eq!(page.matches(&line).count(), 1, "{}", spec.name);
            assert!(of_command(spec).contains(&usage_line(spec)));
            assert!(spec.arguments.0 <= spec.arguments.1, "{}", spec.name);
        }
        // Fails on doubled names and options.
        clap_command(&specs).debug_assert();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut clap_command(&specs), "leveretctl", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("list_queues") && script.contains("if-unused"));
        }
    }

    #[test]
    fn a_mistyped_command_is_guessed() {
        let specs = crate::commands::all();
        let text = unknown("list_user", &specs);
        assert_eq!(
            text,
            "\nCommand 'list_user' not found. \nDid you mean 'list_users'? \n\n"
        );
        let text = unknown("something_else_entirely", &specs);
        assert!(text.contains("Available commands:"));
    }
}
