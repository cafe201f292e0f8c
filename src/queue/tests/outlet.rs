//! The consumers' side of the tests: a [`Port`] that writes down what it is given.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::amqp::hot::join_route;
use crate::message::{Chunk, Record};
use crate::queue::consumers::{Port, Staged};
use crate::queue::{Arriving, ConsumerKey, MessageId};

/// One message that a consumer was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub consumer: ConsumerKey,
    pub id: MessageId,
    pub name: String,
    pub redelivered: bool,
    pub count: u32,
}

/// What a connection saw, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Given(Given),
    /// The queue passed the consumer over for want of room or channel credit.
    Parked(ConsumerKey),
}

/// A connection: its room, the credit that its consumers share, and what it saw.
#[derive(Debug)]
pub struct Connection {
    pub number: u64,
    pub room: Cell<isize>,
    /// `None` is no limit.
    pub credit: Cell<Option<u32>>,
    pub seen: RefCell<Vec<Seen>>,
}

impl Connection {
    pub fn new(number: u64) -> Rc<Self> {
        Rc::new(Self {
            number,
            room: Cell::new(isize::MAX / 2),
            credit: Cell::new(None),
            seen: RefCell::default(),
        })
    }

    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.borrow_mut())
    }
}

/// One consumer's way to its connection.
#[derive(Debug, Clone)]
pub struct Outlet {
    pub connection: Rc<Connection>,
    pub key: ConsumerKey,
}

impl Outlet {
    fn parked(&self) {
        let seen = Seen::Parked(self.key);
        self.connection.seen.borrow_mut().push(seen);
    }
}

impl Port for Outlet {
    fn address(&self) -> (u64, u32) {
        (self.connection.number, self.key.0 as u32)
    }

    fn room(&self) -> isize {
        self.connection.room.get()
    }

    fn take_channel_credit(&self, no_ack: bool) -> bool {
        match self.connection.credit.get() {
            None => true,
            Some(0) => {
                self.parked();
                false
            }
            Some(left) => {
                let left = left - u32::from(!no_ack);
                self.connection.credit.set(Some(left));
                true
            }
        }
    }

    fn return_channel_credit(&self, no_ack: bool) {
        let credit = self.connection.credit.get();
        let credit = credit.map(|left| left + u32::from(!no_ack));
        self.connection.credit.set(credit);
    }

    fn charge_channel(&self, _count: u32) {
        // Only called where the channel has no limit, which is all this port knows of one.
    }

    fn channel_is_unlimited(&self) -> bool {
        self.connection.credit.get().is_none()
    }

    fn park(&self, cost: isize) -> bool {
        if self.connection.room.get() > cost {
            return false;
        }
        self.parked();
        true
    }

    fn deliver(&self, staged: &mut Staged) {
        let mut seen = self.connection.seen.borrow_mut();
        let mut items = staged.items.drain(..);
        for run in staged.runs.drain(..) {
            assert_eq!(u64::from(run.slot), run.key.0, "slot of another consumer");
            for item in items.by_ref().take(run.count as usize) {
                seen.push(Seen::Given(Given {
                    consumer: run.key,
                    id: item.id,
                    name: read_name(&run.chunk, item.offset),
                    redelivered: item.redelivered(),
                    count: item.count(),
                }));
            }
        }
        assert_eq!(items.next(), None, "a delivery outside the runs");
        drop(items);
        let room = &self.connection.room;
        room.set(room.get() - staged.cost);
        staged.cost = 0;
    }
}

/// The octets that the body of the message called `name` has, `size` of them.
fn body_of(name: &str, size: usize) -> Vec<u8> {
    name.bytes().cycle().take(size).collect()
}

/// Appends the record of a message that is known again by its routing key; returns its offset.
pub fn write_named(data: &mut Vec<u8>, name: &str, size: usize) -> u32 {
    let offset = u32::try_from(data.len()).unwrap();
    Record {
        route: &join_route(b"", name.as_bytes()),
        body: &body_of(name, size),
        ..Record::default()
    }
    .write(data);
    offset
}

/// A message of `size` octets that nobody logs.
pub fn arriving(offset: u32, size: u32, expires_at: u64) -> Arriving {
    Arriving {
        offset,
        size,
        expires_at,
        logged: false,
    }
}

/// The name of the message at `offset`, whose body must be what it was made with.
pub fn read_name(chunk: &Chunk, offset: u32) -> String {
    let record = chunk.record(offset);
    let name = String::from_utf8(record.routing_key().to_vec()).unwrap();
    let size = record.body.len();
    assert!(record.body == body_of(&name, size), "body of {name}");
    name
}
