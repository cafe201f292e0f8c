//! Finds the broker's promises in a trace, and for each whether its record was
//! on the disk before.
//!
//! A record is found by a mark: an octet string that only this record holds. It
//! is on the disk when a sync of its file has ended that began after the write
//! which holds the mark had ended.

use std::collections::HashMap;

use amqp_tests::wire::{FRAME_METHOD, Frame, Method};

use crate::trace::{Call, Object};

/// What starts every mark; the number of the record and a `@` follow.
pub const MARK: &[u8] = b"@mark-";

/// Promises found, by kind, and those that were broken.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Publishes that were confirmed.
    pub confirms: usize,
    /// tx.commit-ok.
    pub commits: usize,
    /// queue.declare-ok.
    pub declares: usize,
    /// Syncs in the trace.
    pub syncs: usize,
    /// A sentence for each broken promise.
    pub broken: Vec<String>,
}

/// The mark of one record.
pub fn mark(kind: char, channel: u16, number: u64) -> String {
    format!("@mark-{kind}-{channel}-{number}@")
}

/// How many publishes of a transaction have a mark.
pub const PER_COMMIT: u64 = 5;

/// Judges all calls of a trace. Channels tell the connections apart, so every
/// connection must use another number.
pub fn judge(calls: &[Call]) -> Verdict {
    let durable = durable(calls);
    let mut verdict = Verdict {
        syncs: calls.iter().filter(|c| c.written.is_none()).count(),
        ..Verdict::default()
    };
    let mut streams: HashMap<&str, Vec<u8>> = HashMap::new();
    let mut channels: HashMap<u16, Channel> = HashMap::new();
    for call in calls {
        let (Object::Socket(name), Some(written)) = (&call.object, &call.written) else {
            continue;
        };
        let stream = streams.entry(name).or_default();
        stream.extend(written);
        while let Some(frame) = Frame::take(stream) {
            if frame.kind != FRAME_METHOD {
                continue;
            }
            let Ok(method) = Method::decode(&frame.payload) else {
                continue;
            };
            let channel = channels.entry(frame.channel).or_default();
            for promised in channel.promises(frame.channel, &method, &mut verdict) {
                let place = durable.get(promised.as_bytes());
                verdict
                    .broken
                    .extend(broken(&promised, place, call, &method));
            }
        }
    }
    verdict
}

fn broken(mark: &str, durable: Option<&Place>, promise: &Call, method: &Method) -> Option<String> {
    let name = method.name();
    let line = promise.begun + 1;
    match durable {
        None => Some(format!(
            "{name} in line {line}: {mark} was never written to a file"
        )),
        Some(Place {
            write,
            synced: None,
        }) => Some(format!(
            "{name} in line {line}: {mark} was written in line {} and never synced",
            write + 1
        )),
        Some(Place {
            write,
            synced: Some(synced),
        }) if *synced >= promise.begun => Some(format!(
            "{name} in line {line}: {mark} was written in line {} and synced in line {}",
            write + 1,
            synced + 1
        )),
        Some(_) => None,
    }
}

/// What is promised on one channel.
#[derive(Default)]
struct Channel {
    confirmed: Vec<bool>,
    commits: u64,
}

impl Channel {
    /// The marks of the records that a method of the broker promises.
    fn promises(&mut self, id: u16, method: &Method, verdict: &mut Verdict) -> Vec<String> {
        match method.name() {
            "basic.ack" => {
                let last = method.num("delivery-tag") as usize;
                if self.confirmed.len() < last {
                    self.confirmed.resize(last, false);
                }
                let first = if method.bit("multiple") { 1 } else { last };
                let mut marks = Vec::new();
                for number in first..=last {
                    if !std::mem::replace(&mut self.confirmed[number - 1], true) {
                        marks.push(mark('c', id, number as u64));
                    }
                }
                verdict.confirms += marks.len();
                marks
            }
            "tx.commit-ok" => {
                verdict.commits += 1;
                let first = self.commits * PER_COMMIT + 1;
                self.commits += 1;
                (first..first + PER_COMMIT)
                    .map(|number| mark('t', id, number))
                    .collect()
            }
            "queue.declare-ok" if method.str("queue").starts_with("@mark-") => {
                verdict.declares += 1;
                vec![method.str("queue")]
            }
            _ => Vec::new(),
        }
    }
}

/// Where a mark was first written to a file, and where that was first synced.
struct Place {
    write: usize,
    synced: Option<usize>,
}

/// The earliest sync that covers each mark.
fn durable(calls: &[Call]) -> HashMap<Vec<u8>, Place> {
    let mut places: HashMap<Vec<u8>, Place> = HashMap::new();
    for call in calls {
        let (Object::File(_), Some(written)) = (&call.object, &call.written) else {
            continue;
        };
        let covers = |sync: &&Call| {
            sync.written.is_none() && sync.object == call.object && sync.begun > call.ended
        };
        let marks = marks(written);
        if marks.is_empty() {
            continue;
        }
        let synced = calls.iter().filter(covers).map(|sync| sync.ended).min();
        for mark in marks {
            let place = places.entry(mark.to_vec()).or_insert(Place {
                write: call.begun,
                synced,
            });
            place.synced = match (place.synced, synced) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }
    places
}

/// The marks within some octets.
fn marks(octets: &[u8]) -> Vec<&[u8]> {
    let mut marks = Vec::new();
    let mut from = 0;
    while let Some(found) = octets[from..].windows(MARK.len()).position(|w| w == MARK) {
        let start = from + found;
        let rest = &octets[start + 1..];
        if let Some(end) = rest.iter().take(60).position(|b| *b == b'@') {
            marks.push(&octets[start..start + end + 2]);
        }
        from = start + MARK.len();
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use amqp_tests::wire::method;

    fn call(at: (usize, usize), object: Object, written: Option<Vec<u8>>) -> Call {
        Call {
            begun: at.0,
            ended: at.1,
            object,
            written,
        }
    }
    fn file(at: (usize, usize), written: Option<&str>) -> Call {
        let octets = written.map(|text| text.as_bytes().to_vec());
        call(at, Object::File("/log".into()), octets)
    }
    fn ack(at: usize, tag: u64, multiple: bool) -> Call {
        let ack = method("basic.ack")
            .set("delivery-tag", tag)
            .set("multiple", multiple);
        let frame = Frame::method(10, &ack).encode();
        call((at, at), Object::Socket("TCP:[a]".into()), Some(frame))
    }

    #[test]
    fn a_confirm_after_the_sync_of_its_record_is_kept() {
        let verdict = judge(&[
            file((0, 0), Some("x@mark-c-10-1@y@mark-c-10-2@")),
            file((1, 3), None),
            ack(4, 2, true),
        ]);
        assert_eq!((verdict.confirms, verdict.broken.len()), (2, 0));
    }

    #[test]
    fn a_confirm_before_its_sync_is_found() {
        // Sent while the sync runs; synced by a call that began before the
        // write had ended; of a record that was never written.
        let record = || file((0, 2), Some("@mark-c-10-1@"));
        for calls in [
            vec![record(), file((3, 5), None), ack(4, 1, false)],
            vec![file((1, 3), None), record(), ack(4, 1, false)],
            vec![
                file((0, 0), Some("other")),
                file((1, 2), None),
                ack(3, 1, false),
            ],
        ] {
            assert_eq!(judge(&calls).broken.len(), 1, "{calls:?}");
        }
    }

    #[test]
    fn commits_and_declarations_are_promises_too() {
        let name = mark('q', 11, 3);
        let declared = method("queue.declare-ok").set("queue", &name);
        let mut frames = Frame::method(11, &declared).encode();
        frames.extend(Frame::method(12, &method("tx.commit-ok")).encode());
        let marks: String = (1..=PER_COMMIT).map(|n| mark('t', 12, n)).collect();
        let socket = |at| {
            call(
                (at, at),
                Object::Socket("TCP:[b]".into()),
                Some(frames.clone()),
            )
        };
        let write = |text: String| file((0, 0), Some(&text));
        let good = judge(&[write(name.clone() + &marks), file((1, 1), None), socket(2)]);
        assert_eq!((good.declares, good.commits, good.broken.len()), (1, 1, 0));
        let bad = judge(&[write(marks), file((1, 1), None), socket(2)]);
        assert_eq!(bad.broken.len(), 1);
    }
}
