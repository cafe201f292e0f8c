//! The event log as a file: one JSON object a line, with the rotation of the log's file.

use std::io;
use std::path::Path;

use jiff::tz::TimeZone;
use serde_json::json;

use super::events::EventLog;
use super::layer::{folder, subject};
use super::record::now_us;
use super::rotating_file::RotatingFile;
use crate::config::LogSettings;

/// The file, and how far it has come.
#[derive(Debug)]
pub struct EventFile {
    file: RotatingFile,
    from: u64,
}

impl EventFile {
    /// Opens the file that `log.events.file` names, if there is one; a relative one is taken from
    /// `log.dir`, or from `data_dir`.
    pub fn open(settings: &LogSettings, data_dir: &Path) -> io::Result<Option<Self>> {
        let Some(name) = &settings.events_file else {
            return Ok(None);
        };
        let path = folder(settings, data_dir)?.join(name);
        let rotation = settings.rotation.clone();
        let file = RotatingFile::open(path.clone(), rotation, TimeZone::system(), now_us());
        let file = file.map_err(|error| subject(&error, "open the event file", &path))?;
        Ok(Some(Self { file, from: 0 }))
    }

    /// Writes what happens until the task is dropped. Where more happened than is kept, a line says
    /// how much of it is missing; after a failure the next events are tried.
    pub async fn follow(mut self, events: &EventLog) {
        loop {
            events.grown_beyond(self.from).await;
            if let Err(error) = self.catch_up(events) {
                tracing::error!(
                    "cannot write to the event file {}: {error}",
                    self.file.path().display()
                );
            }
        }
    }

    fn catch_up(&mut self, events: &EventLog) -> io::Result<()> {
        let since = events.since(self.from);
        self.from = since.last;
        let mut lines = String::new();
        if since.missed > 0 {
            let missed = json!({ "event": "events.missed", "count": since.missed });
            lines.push_str(&format!("{missed}\n"));
        }
        for event in &since.entries {
            lines.push_str(&format!("{}\n", event.json()));
        }
        self.file.write(lines.as_bytes(), now_us())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::limits::EVENTS_KEPT;

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn events_become_lines_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let settings = LogSettings {
            events_file: Some("events.jsonl".into()),
            dir: Some(folder.path().join("made").display().to_string()),
            ..LogSettings::default()
        };
        let events = EventLog::default();
        let mut file = EventFile::open(&settings, folder.path()).unwrap().unwrap();
        events.emit("queue.created", [("name", "q".into())]);
        file.catch_up(&events).unwrap();
        for number in 0..EVENTS_KEPT + 2 {
            events.emit("queue.deleted", [("name", number.into())]);
        }
        file.catch_up(&events).unwrap();
        let written = lines(&folder.path().join("made/events.jsonl"));
        assert_eq!(written.len(), 2 + EVENTS_KEPT);
        assert_eq!(written[0]["event"], "queue.created");
        assert_eq!(written[1]["count"], 2);
        assert_eq!(written[2]["name"], 2);
    }

    #[test]
    fn without_a_name_there_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let opened = EventFile::open(&LogSettings::default(), folder.path()).unwrap();
        assert!(opened.is_none());
    }
}
