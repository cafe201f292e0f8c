//! Lines of the log as messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stage::{Stage, text};
use crate::amqp::Value;
use crate::amqp::properties::Properties;
use crate::broker::log_exchange::LogExchange;
use crate::config::{LogLevel, LogSettings};
use crate::logs::{Category, Logs, Record};

const PATIENCE: Duration = Duration::from_secs(60);

fn logs(folder: &std::path::Path) -> Arc<Logs> {
    let settings = LogSettings {
        exchange: true,
        ..LogSettings::default()
    };
    Arc::new(Logs::open(&settings, folder, "box").unwrap())
}

fn record(level: LogLevel, text: &str) -> Record {
    Record {
        at_us: 1_795_182_538_520_269,
        level,
        category: Category::Queue,
        pid: 7,
        text: text.into(),
    }
}

/// Lets the publisher work until it has done what `done` looks for.
async fn until(done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "nothing was published");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn lines_go_where_their_level_is_bound() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let logs = logs(folder.path());
    let feed = Arc::clone(logs.feed().unwrap());
    logs.write(record(LogLevel::Warning, "before"));
    let publisher = LogExchange::open(Arc::clone(&stage.broker), feed, "/");
    let queue = stage.queue("warnings", &[]);
    stage.bind("amq.rabbitmq.log", "warning", "warnings");
    let task = tokio::spawn(publisher.run());
    logs.write(record(LogLevel::Info, "not bound"));
    logs.write(record(LogLevel::Debug, "not taken"));
    logs.write(record(LogLevel::Warning, "bound"));
    until(|| queue.status().ready == 1).await;
    task.abort();
    let taken = stage.broker.extract(&queue, true, 2).unwrap().unwrap();
    let record = taken.chunk.record(taken.offset);
    assert!(text(record.body).ends_with(" [warning] <0.7.0> bound\n"));
    assert_eq!(record.routing_key(), b"warning");
    let properties = Properties::read(record.properties).unwrap();
    assert_eq!(properties.content_type, Some(&b"text/plain"[..]));
    assert_eq!(properties.timestamp, Some(1_795_182_538));
    assert_eq!(properties.delivery_mode, None);
    let headers = properties.headers_table();
    assert_eq!(headers.get(b"node"), Some(&Value::text("nonode@nohost")));
}

#[tokio::test]
async fn a_host_that_was_made_again_has_its_lines_again() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let logs = logs(folder.path());
    let feed = Arc::clone(logs.feed().unwrap());
    let publisher = LogExchange::open(Arc::clone(&stage.broker), feed, "/");
    stage.broker.admin_delete_vhost("/").unwrap();
    let task = tokio::spawn(publisher.run());
    logs.write(record(LogLevel::Warning, "for nobody"));
    let vhost = stage.broker.put_vhost(b"/", None);
    let declared = || vhost.exchange(b"amq.rabbitmq.log").is_some();
    // A line may have come before the host did.
    until(|| {
        logs.write(record(LogLevel::Warning, "for the new one"));
        declared()
    })
    .await;
    task.abort();
    assert!(vhost.exchange(b"amq.rabbitmq.log").unwrap().internal);
}
