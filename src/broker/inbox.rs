//! What the broker has for a connection: deliveries, and events that are not answers.
//!
//! Queues fill it under their own lock, so it is a leaf: nothing is locked or awaited
//! while it is held. The connection's task empties it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;
use parking_lot::Mutex;

use super::shared_queue::SharedQueue;
use super::unacked::Inquiry;
use crate::amqp::AmqpError;
use crate::limits::{INBOX_BYTES, INBOX_EVENTS};

use crate::queue::consumers::{Staged, StagedRun};
use crate::queue::{ConsumerKey, Delivery};

/// Something that happened to a connection.
#[derive(Debug, Clone)]
pub enum Event {
    /// A queue was deleted under a consumer: `basic.cancel` goes out.
    Cancelled {
        /// The session's number of the consumer.
        slot: u32,
        /// The consumer.
        key: ConsumerKey,
    },
    /// An alarm was raised; publishers stop.
    Blocked(&'static str),
    /// Every alarm is over.
    Unblocked,
    /// Close with this error, in order.
    Close(AmqpError),
    /// Somebody wants to know which deliveries of a queue it holds.
    Inquire(Arc<Inquiry>),
}

/// What waits for a connection.
#[derive(Debug, Default)]
pub struct Mail {
    /// Deliveries by run.
    pub runs: Vec<StagedRun>,
    /// The deliveries of all runs, in order.
    pub items: Vec<Delivery>,
    /// Events, in order.
    pub events: Vec<Event>,
    /// Consumers that a queue passed over for want of room or channel credit.
    pub parked: Vec<(Arc<SharedQueue>, ConsumerKey)>,
    /// Room that the deliveries take.
    pub cost: isize,
}

impl Mail {
    /// True when there is nothing.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.events.is_empty() && self.parked.is_empty()
    }
}

thread_local! {
    /// Connections to wake when the batch at hand is out; `None` outside of a batch.
    static DEFERRED: RefCell<Option<Vec<Arc<Inbox>>>> = const { RefCell::new(None) };
}

/// Runs `work`, which hands deliveries to many queues, and wakes each connection that got some once,
/// at the end.
pub fn waking_once<R>(work: impl FnOnce() -> R) -> R {
    let outermost = DEFERRED.with_borrow_mut(|deferred| {
        let outermost = deferred.is_none();
        deferred.get_or_insert_default();
        outermost
    });
    let result = work();
    if outermost {
        let inboxes = DEFERRED.with_borrow_mut(Option::take);
        for inbox in inboxes.into_iter().flatten() {
            inbox.ring();
        }
    }
    result
}

/// A connection's inbox.
#[derive(Debug)]
pub struct Inbox {
    mail: Mutex<Mail>,
    waker: AtomicWaker,
    room: AtomicIsize,
    /// The task has been woken and has not looked yet.
    ringing: AtomicBool,
    /// It is on the list of those who wait for memory or disk.
    waiting: AtomicBool,
    closed: AtomicBool,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            mail: Mutex::default(),
            waker: AtomicWaker::new(),
            room: AtomicIsize::new(INBOX_BYTES),
            ringing: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }
}

impl Inbox {
    /// Octets of deliveries that still fit.
    #[inline]
    pub fn room(&self) -> isize {
        self.room.load(Ordering::Relaxed)
    }

    /// Puts deliveries in and wakes the connection.
    pub fn deliver(self: &Arc<Self>, staged: &mut Staged) {
        if staged.items.is_empty() {
            return;
        }
        {
            let mut mail = self.mail.lock();
            mail.runs.append(&mut staged.runs);
            mail.items.extend_from_slice(&staged.items);
            mail.cost += staged.cost;
        }
        self.room.fetch_sub(staged.cost, Ordering::Relaxed);
        staged.items.clear();
        staged.cost = 0;
        self.ring_or_defer();
    }

    /// Asks for a visit of the queue once there is room for more than `cost` octets; false when there
    /// is by now. What takes the room is in the mail, or will be when the caller delivers what it has
    /// staged: either wakes the task, which then finds the request.
    pub fn park(&self, queue: &Arc<SharedQueue>, key: ConsumerKey, cost: isize) -> bool {
        let mut mail = self.mail.lock();
        // The task restores room under this lock, so it cannot miss us.
        if self.room() > cost {
            return false;
        }
        mail.parked.push((Arc::clone(queue), key));
        true
    }

    /// Notes a queue that waits for channel credit; the session visits it when credit returns.
    pub fn park_for_credit(&self, queue: &Arc<SharedQueue>, key: ConsumerKey) {
        self.mail.lock().parked.push((Arc::clone(queue), key));
    }

    /// Posts an event. A connection that lets them pile up is beyond saving and is closed.
    pub fn post(&self, event: Event) {
        {
            let mut mail = self.mail.lock();
            if mail.events.len() < INBOX_EVENTS {
                mail.events.push(event);
            } else {
                self.closed.store(true, Ordering::Relaxed);
            }
        }
        self.ring();
    }

    /// True once events overflowed.
    pub fn overflowed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Rings at once, or at the end of the batch that this thread is handing out.
    fn ring_or_defer(self: &Arc<Self>) {
        let deferred = DEFERRED.with_borrow_mut(|deferred| match deferred {
            Some(inboxes) => {
                // A batch mostly goes to few connections; one that is listed twice rings once.
                if !inboxes.last().is_some_and(|last| Arc::ptr_eq(last, self)) {
                    inboxes.push(Arc::clone(self));
                }
                true
            }
            None => false,
        });
        if !deferred {
            self.ring();
        }
    }

    /// Wakes the connection's task even if it knows of mail that it cannot take now: what it waits
    /// for besides mail, the log or memory, has changed.
    pub fn rouse(&self) {
        self.ringing.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Wakes the connection's task to look at its mail.
    pub fn ring(&self) {
        if !self.ringing.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Notes that the connection waits for memory or disk; false when that is known.
    pub fn begin_wait(&self) -> bool {
        !self.waiting.swap(true, Ordering::AcqRel)
    }

    /// It waits no more.
    pub fn end_wait(&self) {
        self.waiting.store(false, Ordering::Release);
    }

    /// The task will be woken by what comes from now on.
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// True when something came since the last [`Self::take`].
    pub fn is_ringing(&self) -> bool {
        self.ringing.load(Ordering::Acquire)
    }

    /// Takes everything; `mail` must be empty and lends its buffers.
    pub fn take(&self, mail: &mut Mail) {
        self.ringing.store(false, Ordering::Release);
        let mut inner = self.mail.lock();
        std::mem::swap(&mut *inner, mail);
        self.room.fetch_add(mail.cost, Ordering::Relaxed);
    }

    /// Takes the consumers that wait for a visit.
    pub fn take_parked(&self) -> Vec<(Arc<SharedQueue>, ConsumerKey)> {
        std::mem::take(&mut self.mail.lock().parked)
    }
}

impl crate::store::log::Wake for Inbox {
    fn wake(&self) {
        self.rouse();
    }
}
