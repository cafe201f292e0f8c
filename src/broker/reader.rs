//! Reads the records that queues are to deliver next and that lie in files only.
//!
//! A thread of its own does it, so that nobody waits for a disk who could do something else. A
//! queue asks once at a time, which bounds what waits here by the number of queues.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::core::Broker;
use super::shared_queue::SharedQueue;
use crate::message::Home;
use crate::queue::{MessageId, Read, Wanted};
use crate::store::StoreError;

/// Records further apart than this are read one by one: what lies between is not wanted.
const GAP: u32 = 4 * 1024;

type Request = (Weak<SharedQueue>, Wanted);

/// Requests on their way to the thread.
#[derive(Debug, Default)]
pub struct Reader {
    requests: Mutex<Option<Sender<Request>>>,
}

impl Reader {
    /// Reads `wanted` and hands it to `queue`.
    pub(super) fn read_for(&self, queue: &Arc<SharedQueue>, wanted: Wanted) {
        if let Some(requests) = &*self.requests.lock() {
            // The thread ends with the broker; then nobody waits any more.
            let _ = requests.send((Arc::downgrade(queue), wanted));
        }
    }

    /// Starts the thread, once.
    pub fn start(broker: &Arc<Broker>) -> std::io::Result<()> {
        let (sender, receiver) = channel();
        *broker.reader.requests.lock() = Some(sender);
        let broker = Arc::downgrade(broker);
        std::thread::Builder::new()
            .name("leveret-reader".into())
            .spawn(move || serve(&broker, &receiver))?;
        Ok(())
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.requests.lock().take();
    }
}

fn serve(broker: &Weak<Broker>, requests: &Receiver<Request>) {
    while let Ok((queue, wanted)) = requests.recv() {
        let (Some(broker), Some(queue)) = (broker.upgrade(), queue.upgrade()) else {
            continue;
        };
        match broker.read_wanted(&wanted) {
            Ok(read) => queue.install(&broker, &read, crate::time::unix_ms()),
            // The queue keeps waiting: what it has to deliver next cannot be had.
            Err(error) => tracing::error!("{}: {error}", queue.subject()),
        }
    }
}

impl Broker {
    /// Reads what a queue wants, neighbours at once.
    pub(super) fn read_wanted(&self, wanted: &Wanted) -> Result<Read, StoreError> {
        let mut page = None;
        if let Some((priority, base, stored)) = &wanted.page {
            let octets = self.journal.read_page(stored)?;
            page = Some((*priority, *base, Arc::clone(stored), octets));
        }
        let mut messages: Vec<&(MessageId, Home, u32)> = wanted.messages.iter().collect();
        messages.sort_by_key(|(_, home, _)| (home.file.number, home.offset));
        let mut read = Vec::with_capacity(messages.len());
        let mut rest = messages.as_slice();
        while let Some((_, first, _)) = rest.first() {
            let near = rest
                .windows(2)
                .take_while(|pair| match pair {
                    [(_, a, size), (_, b, _)] => {
                        a.file.number == b.file.number
                            && b.offset <= a.offset.saturating_add(*size).saturating_add(GAP)
                    }
                    _ => false,
                })
                .count();
            let (group, later) = rest.split_at(near + 1);
            if let Some((_, last, size)) = group.last() {
                let chunk = self
                    .journal
                    .read_span(first, last.offset - first.offset, *size)?;
                read.extend(group.iter().map(|(id, _, _)| (*id, Arc::clone(&chunk))));
            }
            rest = later;
        }
        Ok(Read {
            messages: read,
            page,
        })
    }
}
