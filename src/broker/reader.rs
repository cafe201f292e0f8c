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

/// How long a queue waits before it asks again for what could not be read.
const TRY_AGAIN_MS: u64 = 1_000;

/// What a queue wants.
pub(super) type Request = (Weak<SharedQueue>, Wanted);

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

    /// No thread: whoever calls this gets the requests.
    #[cfg(test)]
    pub(super) fn by_hand(&self) -> Receiver<Request> {
        let (sender, receiver) = channel();
        *self.requests.lock() = Some(sender);
        receiver
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
        match broker.read_wanted(&queue, &wanted) {
            Ok(read) => queue.install(&broker, &read, crate::time::unix_ms()),
            Err(error) => {
                tracing::error!("{}: {error}", queue.subject());
                // Octets that are wrong stay so, and the queue waits for a repair. What else cannot
                // be read now may be in a while.
                if !error.is_damage() {
                    queue.cannot_read(&broker, crate::time::unix_ms() + TRY_AGAIN_MS);
                }
            }
        }
    }
}

impl Broker {
    /// Reads what a queue wants, neighbours at once. What is not what was written is told to the
    /// operator, and to the queue, which goes on without it.
    pub(super) fn read_wanted(
        &self,
        queue: &SharedQueue,
        wanted: &Wanted,
    ) -> Result<Read, StoreError> {
        let mut page = None;
        if let Some((priority, base, stored)) = &wanted.page {
            let octets = self.journal.read_page(stored)?;
            page = Some((*priority, *base, Arc::clone(stored), octets));
        }
        let mut messages: Vec<&(MessageId, Home, u32)> = wanted.messages.iter().collect();
        messages.sort_by_key(|(_, home, _)| (home.file.number, home.offset));
        let mut read = Read {
            messages: Vec::with_capacity(messages.len()),
            page,
            damaged: Vec::new(),
        };
        let mut rest = messages.as_slice();
        while !rest.is_empty() {
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
            self.read_group(queue, group, &mut read)?;
            rest = later;
        }
        Ok(read)
    }

    /// Reads records that lie near each other, in the order of their places.
    fn read_group(
        &self,
        queue: &SharedQueue,
        group: &[&(MessageId, Home, u32)],
        read: &mut Read,
    ) -> Result<(), StoreError> {
        let (Some((_, first, _)), Some((_, last, size))) = (group.first(), group.last()) else {
            return Ok(());
        };
        let span = self
            .journal
            .read_span(first, last.offset - first.offset, *size);
        let span = match span {
            Ok(chunk) => Some(chunk),
            // Its last record may be what is damaged; the others are read one by one.
            Err(error) if error.is_damage() => None,
            Err(error) => return Err(error),
        };
        for (id, home, size) in group {
            let in_span = span
                .as_ref()
                .filter(|chunk| chunk.holds(home.offset - first.offset, *size));
            if let Some(chunk) = in_span {
                read.messages.push((*id, Arc::clone(chunk)));
                continue;
            }
            match self.journal.read_record(home, *size) {
                Ok(chunk) => read.messages.push((*id, chunk)),
                Err(error) if error.is_damage() => {
                    tracing::error!(
                        "a message of {} is lost: {error}; the others go on without it",
                        queue.subject()
                    );
                    read.damaged.push((*id, home.clone()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
