//! The lines that are to be published as messages, in a ring of bounded size: whoever publishes them
//! takes its time, and what it does not come to is lost and counted.
//!
//! What is logged by the act of publishing is not taken: it would be published in its turn.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::form::Form;
use super::record::Record;
use super::ring::{Ring, Since};
use crate::limits::LOG_LINES_TO_PUBLISH;

thread_local! {
    static PUBLISHING: Cell<bool> = const { Cell::new(false) };
}

/// Lines for a publisher.
#[derive(Debug)]
pub struct Feed {
    form: Form,
    ring: Ring<Arc<Record>>,
    lost: AtomicU64,
}

impl Feed {
    /// Lines of this form.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            ring: Ring::new(LOG_LINES_TO_PUBLISH),
            lost: AtomicU64::new(0),
        }
    }

    /// Adds a line, unless this thread is publishing one.
    pub(super) fn push(&self, record: &Arc<Record>) {
        if !PUBLISHING.get() {
            self.ring.push(Arc::clone(record));
        }
    }

    /// Publishes lines by `work`, whose own lines stay out of the feed.
    pub fn publishing<R>(work: impl FnOnce() -> R) -> R {
        struct Until;
        impl Drop for Until {
            fn drop(&mut self) {
                PUBLISHING.set(false);
            }
        }
        PUBLISHING.set(true);
        let _until = Until;
        work()
    }

    /// The number of the newest line.
    pub fn last(&self) -> u64 {
        self.ring.last()
    }

    /// The lines after number `number`; what is gone already counts as lost.
    pub fn since(&self, number: u64) -> Since<Arc<Record>> {
        let since = self.ring.since(number);
        self.lost.fetch_add(since.missed, Ordering::Relaxed);
        since
    }

    /// Waits for a line after number `number`.
    pub async fn grown_beyond(&self, number: u64) {
        self.ring.grown_beyond(number).await;
    }

    /// Lines that nobody came to publish.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// What a line looks like, its line end included.
    pub fn text(&self, record: &Record) -> String {
        let mut text = String::new();
        self.form.write(record, &mut text);
        text
    }

    /// The MIME type of that.
    pub fn content_type(&self) -> &'static str {
        self.form.content_type()
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::{LogForm, LogFormat, LogLevel};
    use crate::logs::record::Category;

    fn record(text: &str) -> Arc<Record> {
        Arc::new(Record {
            at_us: 1_795_182_538_520_269,
            level: LogLevel::Warning,
            category: Category::Queue,
            pid: 0,
            text: text.into(),
        })
    }

    fn feed(format: LogFormat) -> Feed {
        Feed::new(Form::new(format, &LogForm::default(), TimeZone::UTC))
    }

    #[test]
    fn what_publishing_says_is_not_published() {
        let feed = feed(LogFormat::Plaintext);
        feed.push(&record("one"));
        Feed::publishing(|| feed.push(&record("of itself")));
        feed.push(&record("two"));
        let lines = feed.since(0);
        let texts: Vec<&str> = lines
            .entries
            .iter()
            .map(|line| line.text.as_str())
            .collect();
        assert_eq!((texts, feed.lost()), (vec!["one", "two"], 0));
    }

    #[test]
    fn what_nobody_comes_to_is_counted() {
        let feed = feed(LogFormat::Plaintext);
        let last = record("line");
        (0..LOG_LINES_TO_PUBLISH + 5).for_each(|_| feed.push(&last));
        let lines = feed.since(2);
        assert_eq!(lines.entries.len(), LOG_LINES_TO_PUBLISH);
        assert_eq!(feed.lost(), 3);
        assert!(feed.since(lines.last).entries.is_empty());
        assert_eq!(feed.lost(), 3);
    }

    #[test]
    fn lines_look_as_in_the_other_outputs() {
        let begin = "2026-11-20 13:48:58.520269+00:00 [warning] <0.0.0> ";
        let plain = feed(LogFormat::Plaintext);
        assert_eq!(plain.text(&record("a\nb")), format!("{begin}a\n{begin}b\n"));
        assert_eq!(plain.content_type(), "text/plain");
        assert_eq!(feed(LogFormat::Json).content_type(), "application/json");
    }
}
