//! Events through the subscriber, as the broker sends them.

use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::layer::SubscriberExt;

use super::layer::{LogLayer, Logs};
use super::record::Category;
use crate::config::{LogLevel, LogSettings, LogTarget};

fn settings(level: LogLevel) -> LogSettings {
    LogSettings {
        file: Some("x.log".into()),
        file_target: LogTarget {
            level,
            ..LogTarget::default()
        },
        ..LogSettings::default()
    }
}

/// Runs `events` with a log of these settings; the text of its lines, without their times.
fn logged(settings: &LogSettings, events: impl FnOnce(&Logs)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let logs = Arc::new(Logs::open(settings, folder.path(), "box").unwrap());
    let subscriber = tracing_subscriber::registry().with(LogLayer(Arc::clone(&logs)));
    tracing::subscriber::with_default(subscriber, || events(&logs));
    lines(&folder.path().join("x.log"))
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let without_time = |line: &str| line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    text.lines().map(without_time).collect()
}

#[test]
fn lines_bear_level_process_and_text() {
    let got = logged(&settings(LogLevel::Info), |_| {
        tracing::info!(target: "connection", pid = 8_u64, "accepting {}", "it");
        tracing::warn!(target: "connection", pid = 8_u64, "closing:\ngone");
        tracing::error!("of the node");
        tracing::debug!("not this");
    });
    let expected = [
        "[info] <0.8.0> accepting it",
        "[warning] <0.8.0> closing:",
        "[warning] <0.8.0> gone",
        "[error] <0.0.0> of the node",
    ];
    assert_eq!(got, expected);
}

#[test]
fn fields_follow_the_message_and_control_characters_go() {
    let got = logged(&settings(LogLevel::Info), |_| {
        tracing::info!(file = "a", error = %"no\u{1b}[31m", "cannot");
    });
    assert_eq!(got, ["[info] <0.0.0> cannot file=a error=no?[31m"]);
}

#[test]
fn long_lines_are_cut() {
    let got = logged(&settings(LogLevel::Info), |_| {
        tracing::info!("{}", "ä".repeat(1 << 14));
    });
    assert_eq!(got.len(), 1);
    assert!(got[0].len() < (1 << 13) + 32 && got[0].ends_with("ä..."));
}

#[test]
fn categories_have_levels_of_their_own_that_change() {
    let say = |round: u32| {
        tracing::debug!(target: "connection", "connection {round}");
        tracing::info!(target: "queue", "queue {round}");
    };
    let mut settings = settings(LogLevel::Warning);
    settings.categories = vec![("connection".into(), LogLevel::Debug)];
    let got = logged(&settings, |logs| {
        say(1);
        logs.set_level("connection", LogLevel::Error).unwrap();
        logs.set_level("queue", LogLevel::Info).unwrap();
        say(2);
        logs.set_level("global", LogLevel::None).unwrap();
        say(3);
        assert_eq!(logs.level(Category::Channel), LogLevel::None);
    });
    assert_eq!(
        got,
        ["[debug] <0.0.0> connection 1", "[info] <0.0.0> queue 2"]
    );
}

#[test]
fn libraries_are_heard_from_warnings_on() {
    let got = logged(&settings(LogLevel::Info), |_| {
        tracing::info!(target: "sled::tree", "about itself");
        tracing::warn!(target: "sled::tree", "serious");
    });
    assert_eq!(got, ["[warning] <0.0.0> serious"]);
}

#[test]
fn the_tail_has_the_last_lines_and_files_are_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(LogLevel::Info);
    settings.rotation.count = 1;
    settings.rotation.size = Some(1 << 20);
    let logs = Arc::new(Logs::open(&settings, folder.path(), "box").unwrap());
    let subscriber = tracing_subscriber::registry().with(LogLayer(Arc::clone(&logs)));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("one");
        logs.rotate().unwrap();
        tracing::info!("two");
    });
    let texts: Vec<String> = logs
        .tail()
        .since(0)
        .entries
        .iter()
        .map(|r| r.text.clone())
        .collect();
    assert_eq!(texts, ["one", "two"]);
    let path = folder.path().join("x.log");
    assert_eq!(logs.locations(), [path.display().to_string()]);
    assert_eq!(lines(&path), ["[info] <0.0.0> two"]);
    assert_eq!(
        lines(&folder.path().join("x.log.0")),
        ["[info] <0.0.0> one"]
    );
}
