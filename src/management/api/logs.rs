//! `GET /api/logs`: the log as it is written, as server-sent events: plain HTTP that a browser takes up
//! again by itself, with the number of the last line it has seen.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use axum::routing::get;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::logs::{Record, Tail};
use crate::management::auth::Administrator;
use crate::management::error::ApiError;
use crate::management::state::SharedApi;
use crate::management::streams;

/// Lines that a new reader gets of what was before.
const LINES_BEFORE: u64 = 200;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/logs", get(log_lines))
}

/// The log: what was last written, then each line as it is. Administrators only, since it names
/// everybody.
async fn log_lines(
    State(api): State<SharedApi>,
    Administrator(caller): Administrator,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let logs = api.broker.logs().cloned().ok_or_else(ApiError::not_found)?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let from = first(logs.tail(), seen.and_then(|id| id.parse().ok()));
    let place = api.streams.place(&caller)?;
    let reader = (SharedApi::clone(&api), caller);
    let lines = stream::unfold((from, logs, reader), |(from, logs, reader)| async move {
        logs.tail().grown_beyond(from).await;
        // Who is no administrator any more hears no more.
        let caller = reader.1.again(&reader.0)?;
        caller.require_administrator().ok()?;
        let since = logs.tail().since(from);
        let events = numbered(&since.entries, since.last);
        Some((stream::iter(events), (since.last, logs, reader)))
    });
    Ok(streams::answer(api, place, lines.flatten()))
}

/// The number after which lines are told: the reader's last, unless that is from another life.
fn first(tail: &Tail, seen: Option<u64>) -> u64 {
    let last = tail.last();
    seen.filter(|seen| *seen <= last)
        .unwrap_or_else(|| last.saturating_sub(LINES_BEFORE))
}

/// Lines as events, whose numbers end with `last`.
fn numbered<R: AsRef<Record>>(records: &[R], last: u64) -> Vec<Event> {
    let before = last.saturating_sub(records.len() as u64);
    let numbers = before.saturating_add(1)..;
    let pairs = numbers.zip(records);
    pairs
        .map(|(number, record)| {
            let data = line(record.as_ref()).to_string();
            Event::default().id(number.to_string()).data(data)
        })
        .collect()
}

fn line(record: &Record) -> Value {
    let at = Timestamp::from_microsecond(record.at_us).unwrap_or(Timestamp::UNIX_EPOCH);
    let time = at
        .to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S%.3f%:z");
    json!({
        "time": time.to_string(),
        "level": record.level.name(),
        "category": record.category.name(),
        "process": record.process(),
        "message": record.text,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::LogLevel;
    use crate::logs::Category;

    fn record(text: &str) -> Arc<Record> {
        Arc::new(Record {
            at_us: 1_700_000_000_000_000,
            level: LogLevel::Warning,
            category: Category::Connection,
            pid: 7,
            text: text.to_owned(),
        })
    }

    #[test]
    fn a_reader_goes_on_after_its_last_line() {
        let tail = Tail::new(1_000);
        (0..500).for_each(|n| tail.push(record(&n.to_string())));
        assert_eq!(first(&tail, None), 300, "a new reader gets what was last");
        assert_eq!(first(&tail, Some(490)), 490);
        assert_eq!(first(&tail, Some(501)), 300, "a number from another life");
        assert_eq!(first(&Tail::new(9), None), 0);
    }

    #[test]
    fn a_line_says_what_the_log_says() {
        let told = line(&record("first\nsecond"));
        assert_eq!(told["level"], "warning");
        assert_eq!(told["category"], "connection");
        assert_eq!(told["process"], "<0.7.0>");
        assert_eq!(told["message"], "first\nsecond");
        assert!(told["time"].as_str().unwrap().starts_with("2023-11-1"));
    }
}
