//! Definitions to and from files.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use crate::client::Client;
use crate::context::Context;
use crate::failure::{DATA, Failure, UNAVAILABLE};
use crate::progress::Progress;
use crate::spec::{Answer, Group, Opt, Spec, Takes};

/// A definitions file beyond this is not read: the broker takes no more on its socket.
const FILE_MAX: u64 = leveret::limits::OPERATOR_BODY_BYTES as u64;

/// How often an import's progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "export_definitions",
        Group::Definitions,
        "Exports definitions in JSON",
        export_definitions,
    )
    .takes(
        "<file_path | \"-\"> [--format <json>] [--timeout <timeout>]",
        1,
        1,
    )
    .options(FORMAT)
    .details(&[(
        "<file>",
        "Local file path to export to. Pass a dash (-) for stdout.",
    )]),
    Spec::new(
        "import_definitions",
        Group::Definitions,
        "Imports definitions in JSON: all of them, or none and the reason",
        import_definitions,
    )
    .takes(
        "<file_path | \"-\"> [--format <json>] [--skip-if-unchanged] [--timeout <timeout>]",
        0,
        1,
    )
    .options(FORMAT)
    .details(&[(
        "<file>",
        "Local file path to import from. Pass a dash (-) or nothing for stdin.",
    )]),
];

const FORMAT: &[Opt] = &[
    Opt::value("format", Takes::Text, "json, the one format there is"),
    Opt::flag(
        "skip-if-unchanged",
        "accepted; an import that changes nothing does nothing",
    ),
];

fn check_format(context: &Context) -> Result<(), Failure> {
    match context.option("format") {
        None => Ok(()),
        Some(format) if format.eq_ignore_ascii_case("json") => Ok(()),
        Some(_) => Err(Failure::bad_argument("Bad argument: Format should be json")),
    }
}

fn export_definitions(context: &Context) -> Result<Answer, Failure> {
    check_format(context)?;
    let target = context.word(0);
    let folder = Path::new(target).parent();
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        let text = format!(
            "Bad argument: Directory {} does not exist",
            folder.display()
        );
        return Err(Failure::bad_argument(text));
    }
    if target != "-" {
        context.banner(&format!(
            "Exporting definitions in JSON to a file at \"{target}\" ..."
        ));
    }
    let reply = context.get("/api/definitions")?;
    if !reply.is_done() {
        return Err(reply.failure());
    }
    if target == "-" {
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        return Ok(Answer::Raw(text));
    }
    write_file(Path::new(target), &reply.body).map_err(|error| {
        let text = format!("Failed to export definitions to {target}: {error}");
        Failure::refused(UNAVAILABLE, text)
    })?;
    Ok(Answer::Done)
}

/// Whole or not at all, and for its owner only: definitions hold password hashes.
fn write_file(target: &Path, body: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if target.exists() && !target.is_file() {
        // A pipe or a terminal: nothing to replace.
        let mut file = std::fs::OpenOptions::new().write(true).open(target)?;
        return file.write_all(body);
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = target.with_file_name(name);
    // Where something is already, it is somebody else's: a link would lead elsewhere, and a file
    // would keep its mode.
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    let written = file
        .write_all(body)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, target));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn import_definitions(context: &Context) -> Result<Answer, Failure> {
    check_format(context)?;
    let source = match context.word(0) {
        "" => "-",
        source => source,
    };
    let body = if source == "-" {
        context.banner("Importing definitions in JSON from standard input ...");
        read_all(std::io::stdin().lock())?
    } else {
        let missing =
            || Failure::bad_argument(format!("Bad argument: File {source} does not exist"));
        let file = std::fs::File::open(source).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => missing(),
            _ => Failure::bad_argument(format!("Bad argument: {source}: {error}")),
        })?;
        context.banner(&format!(
            "Importing definitions in JSON from a file at \"{source}\" ..."
        ));
        read_all(file)?
    };
    // Told here, before anything is sent: the place of the error is worth more than the broker's
    // refusal.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        let text = format!("Failed to deserialise input (format: JSON) (error: {error})");
        return Err(Failure::refused(DATA, text));
    }
    let reply = in_sight(context, || {
        context.send(Method::POST, "/api/definitions", body)
    })?;
    if !reply.is_done() {
        return Err(Failure::refused(DATA, reply.reason()));
    }
    if !context.is_chatty() {
        return Ok(Answer::Done);
    }
    Ok(Answer::DoneSaying(
        "Successfully imported definitions.".to_owned(),
    ))
}

/// Shows on a terminal how far the broker is with an import while `import` waits for it.
fn in_sight<T>(
    context: &Context,
    import: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    if !std::io::stderr().is_terminal() {
        return import();
    }
    let folder = context.data_dir();
    let (ended, end) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || watch(&folder, &end));
        let done = import();
        drop(ended);
        done
    })
}

/// Draws until the other end of `end` is gone. That nothing can be drawn is no failure.
fn watch(folder: &Path, end: &mpsc::Receiver<()>) {
    let Ok(client) = Client::new(folder, None) else {
        return;
    };
    let progress = Progress::objects();
    while end.recv_timeout(LOOK_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        let answer = client.send(Method::GET, "/api/leveret/imports", Vec::new(), None);
        let imports = answer.ok().and_then(|reply| reply.json().ok());
        if let Some((done, total)) = imports.as_ref().and_then(newest) {
            progress.set("importing definitions", done, total);
        }
    }
}

/// How far the import has come that began last, and how far it has to come.
fn newest(imports: &Value) -> Option<(u64, u64)> {
    let import = imports.as_array()?.last()?;
    let total = import.get("total")?.as_u64()?;
    let done = import.get("done")?.as_u64()?;
    // The file is still being read.
    (total > 0).then_some((done, total))
}

fn read_all(source: impl Read) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    source.take(FILE_MAX + 1).read_to_end(&mut body)?;
    if u64::try_from(body.len()).unwrap_or(u64::MAX) > FILE_MAX {
        let text = format!("definitions of more than {FILE_MAX} octets are not imported");
        return Err(Failure::refused(DATA, text));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_import_is_shown_once_its_length_is_known() {
        let import = |done: u64, total: u64| json!({ "done": done, "total": total });
        assert_eq!(
            newest(&json!([import(1, 2), import(30, 400)])),
            Some((30, 400))
        );
        assert_eq!(newest(&json!([import(0, 0)])), None);
        assert_eq!(newest(&json!([])), None);
    }

    #[test]
    fn an_export_replaces_the_file_and_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("defs.json");
        std::fs::write(&target, "old and longer").unwrap();
        write_file(&target, b"{}").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"{}");
        let mode = std::fs::metadata(&target).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_export_is_not_written_where_somebody_elses_link_leads() {
        let folder = tempfile::tempdir().unwrap();
        let (target, other) = (folder.path().join("defs.json"), folder.path().join("other"));
        std::fs::write(&other, "theirs").unwrap();
        let mut name = target.file_name().unwrap().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let link = target.with_file_name(name);
        std::os::unix::fs::symlink(&other, &link).unwrap();
        let error = write_file(&target, b"{}").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
        assert!(link.is_symlink() && !target.exists());
    }
}
