//! Scenarios: a store that lost something on disk is refused, told of and repaired.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::restart::{Life, durable, keep_texts};
use crate::prelude::*;
use crate::suite::not_run;

const SOURCE: &str = "Leveret's own: what its manual says of damaged stores";

/// Rounds of publishing, each in log entries of its own, and messages in each.
const ROUNDS: usize = 10;
const EACH: usize = 100;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "restart.damage.log",
        "a flipped octet in the log is refused with its place; after a repair all else is there in order",
        SOURCE,
        |ctx| killed(ctx, flipped),
    )
    .seconds(180),
    Scenario::new(
        "restart.damage.index",
        "without the folder of the index everything comes back from the log",
        SOURCE,
        |ctx| killed(ctx, without_index),
    )
    .seconds(180),
];

fn killed(ctx: &Ctx, scenario: fn(&mut Life) -> Result) -> Result {
    if ctx.is_rabbit() {
        return not_run("the files are Leveret's own");
    }
    Life::run(ctx, Ending::Kill, scenario)
}

/// Fills a queue, kills the broker and takes the index away, so that all of the log is read.
fn filled(life: &mut Life) -> Result<Vec<String>> {
    let ch = life.channel()?;
    durable(&ch, "q")?;
    let texts: Vec<String> = (0..ROUNDS * EACH)
        .map(|n| format!("text-{n:05}."))
        .collect();
    for round in texts.chunks(EACH) {
        keep_texts(
            &ch,
            "q",
            &round.iter().map(String::as_str).collect::<Vec<_>>(),
        )?;
    }
    life.end()?;
    std::fs::remove_dir_all(life.broker.data().join("index"))?;
    Ok(texts)
}

fn without_index(life: &mut Life) -> Result {
    let texts = filled(life)?;
    check_eq!(store(life, "check")?.status.code(), Some(0));
    let ch = life.start()?;
    check!(ch.get_all("q")? == texts, "not what was published");
    Ok(())
}

fn flipped(life: &mut Life) -> Result {
    let texts = filled(life)?;
    let (file, at) = place_of(life, &texts[ROUNDS / 2 * EACH + EACH / 2])?;
    let mut octets = std::fs::read(&file)?;
    octets[at] ^= 0x40;
    std::fs::write(&file, &octets)?;

    let refused = match life.broker.start_again() {
        Ok(_) => return fail("it started on a damaged log"),
        Err(error) => error.to_string(),
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    for part in [&name, "at offset", "leveretctl store repair --data-dir"] {
        check!(refused.contains(part), "{part:?} is missing in: {refused}");
    }
    check!(!refused.contains("exit Some(0)"), "ended well: {refused}");

    let checked = store(life, "check")?;
    check_eq!(checked.status.code(), Some(1));
    let told = String::from_utf8_lossy(&checked.stdout).into_owned();
    for part in [&name, "at offset", "queue 'q' in vhost '/'"] {
        check!(told.contains(part), "{part:?} is missing in: {told}");
    }
    check!(std::fs::read(&file)? == octets, "the check changed the log");
    check_eq!(store(life, "repair")?.status.code(), Some(0));
    check_eq!(store(life, "check")?.status.code(), Some(0));
    check!(
        life.broker.data().join("log.damaged-1").is_dir(),
        "nothing was kept"
    );

    let ch = life.start()?;
    let left = ch.get_all("q")?;
    check!(
        left.is_sorted() && left.iter().all(|text| texts.contains(text)),
        "another order"
    );
    let (first, last) = (ROUNDS / 2 * EACH, (ROUNDS / 2 + 1) * EACH);
    let outside = texts[..first].iter().chain(&texts[last..]);
    let lost: Vec<&String> = outside.filter(|text| !left.contains(text)).collect();
    check!(lost.is_empty(), "lost besides: {lost:?}");
    keep_texts(&ch, "q", &["new"])?;
    life.end()?;
    let ch = life.start()?;
    check_eq!(ch.get_all("q")?, ["new"]);
    Ok(())
}

/// The file of the log that holds a text, and where.
fn place_of(life: &Life, text: &str) -> Result<(PathBuf, usize)> {
    for entry in std::fs::read_dir(life.broker.data().join("log"))? {
        let path = entry?.path();
        let octets = std::fs::read(&path)?;
        let mut places = octets.windows(text.len());
        if let Some(at) = places.position(|found| found == text.as_bytes()) {
            return Ok((path, at));
        }
    }
    fail(format!("{text:?} is in no file of the log"))
}

fn store(life: &Life, what: &str) -> Result<Output> {
    let mut command = Command::new(life.broker.tool("leveretctl")?);
    command
        .args(["store", what, "--data-dir"])
        .arg(life.broker.data());
    Ok(command.output()?)
}
