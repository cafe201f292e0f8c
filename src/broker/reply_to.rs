//! Direct reply-to: answers go straight to the channel that waits, past every queue (RabbitMQ's
//! documented extension; at most once, by its nature).

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::RwLock;

use super::inbox::Inbox;
use crate::limits::{DELIVERY_COST, INBOX_BYTES};
use crate::message::Chunk;
use crate::queue::consumers::Staged;
use crate::queue::{ConsumerKey, Delivery, MessageId};

/// The pseudo-queue that a requester consumes from and names in `reply_to`.
pub const REPLY_TO: &[u8] = b"amq.rabbitmq.reply-to";
const PREFIX: &[u8] = b"amq.rabbitmq.reply-to.";

/// Where answers for one channel go.
#[derive(Debug, Clone)]
pub struct ReplyLink {
    /// The connection's inbox.
    pub inbox: Arc<Inbox>,
    /// The session's number of the consumer.
    pub slot: u32,
    /// The consumer.
    pub key: ConsumerKey,
}

/// Channels that wait for answers, by the address that was put into their requests.
#[derive(Debug, Default)]
pub struct Replies {
    links: RwLock<HashMap<Vec<u8>, ReplyLink>>,
}

/// True for the pseudo-queue and for the addresses behind it.
pub fn is_reply_name(name: &[u8]) -> bool {
    name == REPLY_TO || name.starts_with(PREFIX)
}

impl Replies {
    /// Opens an address nobody can guess.
    pub fn open(&self, link: ReplyLink) -> Vec<u8> {
        let mut address = PREFIX.to_vec();
        let secret: [u8; 24] = rand::random();
        address.extend_from_slice(URL_SAFE_NO_PAD.encode(secret).as_bytes());
        self.links.write().insert(address.clone(), link);
        address
    }

    /// Closes an address.
    pub fn close(&self, address: &[u8]) {
        self.links.write().remove(address);
    }

    /// True while somebody waits there.
    pub fn is_open(&self, address: &[u8]) -> bool {
        self.links.read().contains_key(address)
    }

    /// Delivers an answer; false when nobody waits there. A requester that does not read loses
    /// answers instead of growing the broker.
    pub fn deliver(&self, address: &[u8], chunk: &Arc<Chunk>, offset: u32) -> bool {
        if !address.starts_with(PREFIX) {
            return false;
        }
        let Some(link) = self.links.read().get(address).cloned() else {
            return false;
        };
        if link.inbox.room() > -INBOX_BYTES {
            let size = chunk.record(offset).body.len();
            let mut staged = Staged::default();
            let delivery = Delivery::new(MessageId::from_raw(0), offset, false, 0);
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            staged.push(link.slot, link.key, chunk, delivery, size);
            debug_assert!(staged.cost >= DELIVERY_COST as isize);
            link.inbox.deliver(&mut staged);
        }
        true
    }
}
