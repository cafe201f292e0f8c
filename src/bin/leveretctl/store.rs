//! `leveretctl store`: checks or repairs the store of a broker that does not run.

#![expect(
    clippy::print_stdout,
    reason = "the report goes to standard output as it is made"
)]

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use leveret::broker::journal::{BATCH, DEFINITION};
use leveret::node::data_dir;
use leveret::store::repair::{self, Kinds, LostIn, Report};

use crate::arguments::Parsed;
use crate::context::data_dir_of;
use crate::progress::Progress;

/// How often the progress of long work is shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Something is damaged.
const DAMAGED: u8 = 1;

/// The store could not be looked at.
const REFUSED: u8 = 2;

#[derive(Debug, Clone, Copy)]
enum Command {
    /// Reads everything and changes nothing. Ends with 0 if all is sound, 1 if something is damaged,
    /// 2 if the store cannot be looked at.
    Check,
    /// Makes a damaged store one that starts, with everything that can be read. What it replaces it
    /// moves aside. Ends with 0 if all was sound or is repaired, 2 if it cannot be done.
    Repair,
}

/// Runs what follows `store`.
pub fn run(parsed: &Parsed) -> ExitCode {
    let words: Vec<&str> = parsed.words.iter().map(String::as_str).collect();
    let command = match (words.as_slice(), parsed.invalid.is_empty()) {
        (["check"], true) => Command::Check,
        (["repair"], true) => Command::Repair,
        _ => {
            eprintln!("leveretctl: usage: leveretctl store <check | repair> [--data-dir <folder>]");
            return ExitCode::from(REFUSED);
        }
    };
    match work(command, &data_dir_of(parsed)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("leveretctl: {error:#}");
            ExitCode::from(REFUSED)
        }
    }
}

fn work(command: Command, folder: &Path) -> anyhow::Result<ExitCode> {
    let data = data_dir::open_existing(folder)?;
    let kinds = Kinds {
        batch: BATCH,
        definition: DEFINITION,
    };
    let bar = Progress::octets();
    let mut shown = Instant::now();
    let mut progress = |what: &str, done: u64, total: u64| {
        bar.set(&format!("reading {what}"), done, total);
        if !std::io::stderr().is_terminal() && shown.elapsed() >= SHOW_EVERY && total > 0 {
            shown = Instant::now();
            let percent = u128::from(done) * 100 / u128::from(total);
            eprintln!("reading {what}: {percent} %");
        }
    };
    match command {
        Command::Check => {
            let report = repair::check(&data.path, kinds, &mut progress)?;
            drop(bar);
            show(&report);
            if report.is_sound() {
                println!("The store is sound.");
                return Ok(ExitCode::SUCCESS);
            }
            println!(
                "The store is damaged; nothing was changed. Restore it from a backup, or keep what can \
                 be read:\n  leveretctl store repair --data-dir {}",
                folder.display()
            );
            Ok(ExitCode::from(DAMAGED))
        }
        Command::Repair => {
            let outcome = repair::repair(&data.path, kinds, &mut progress)?;
            drop(bar);
            show(&outcome.report);
            if !outcome.repaired {
                println!("The store is sound; nothing was changed.");
                return Ok(ExitCode::SUCCESS);
            }
            for path in &outcome.moved {
                println!("What was replaced is in {}", path.display());
            }
            println!("The store is repaired: the broker can be started.");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn show(report: &Report) {
    println!(
        "{} files of the log, {} octets, {} entries",
        report.files, report.octets, report.entries
    );
    println!(
        "{} durable queues, {} messages that can be read",
        report.queues, report.messages
    );
    if let Some(torn) = &report.torn {
        println!(
            "{} at offset {}: a torn tail of {} octets, which was never confirmed and goes at the next \
             start",
            torn.file, torn.offset, torn.octets
        );
    }
    for note in &report.notes {
        println!("{note}");
    }
    for damage in &report.damage {
        println!(
            "{} at offset {}: {}",
            damage.file, damage.offset, damage.what
        );
    }
    if report.lost_commands > 0 {
        println!("{} changes of definitions are lost", report.lost_commands);
    }
    report.lost.iter().for_each(show_lost);
}

fn show_lost(lost: &LostIn) {
    let queue = &lost.queue;
    if lost.messages > 0 {
        let runs = lost.numbers.iter().map(|(priority, first, last)| {
            let run = if first == last {
                format!("{first}")
            } else {
                format!("{first} to {last}")
            };
            match priority {
                0 => run,
                priority => format!("{run} of priority {priority}"),
            }
        });
        let runs: Vec<String> = runs.collect();
        println!(
            "{queue}: {} messages cannot be read, at the places {}",
            lost.messages,
            runs.join(", ")
        );
    }
    if lost.perhaps > 0 {
        println!(
            "{queue}: up to {} further messages stood in what cannot be read, those not counted that \
             were not persistent",
            lost.perhaps
        );
    }
    if lost.uncertain > 0 {
        println!(
            "{queue}: of {} messages an acknowledgement may be lost; they come back as redelivered",
            lost.uncertain
        );
    }
}
