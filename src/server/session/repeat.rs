//! Publishes that repeat the one before: same channel, exchange, key, properties and body size.
//!
//! Most publishers send long runs of them. Everything in front of the body is then known octet by
//! octet, so one comparison replaces the reading of three frames.

use std::sync::Arc;

use super::Session;
use super::channel::Mode;
use super::properties::Asked;
use super::publish::{confirm_publish, incoming};
use crate::amqp::constants::{FRAME_END, FRAME_PREFIX};
use crate::amqp::hot::{self, HotMethod};
use crate::broker::batch::Place;
use crate::broker::route::Route;
use crate::limits::READ_BATCH;
use crate::message::record;
use crate::queue::Incoming;

/// What the last publish looked like on the wire, and what it led to.
#[derive(Debug, Default)]
pub(super) struct Repeat {
    known: Option<Known>,
    /// Publishes taken by comparison since the last was learnt.
    hits: u32,
    /// Publishes to let pass before learning again: doubled while learning does not pay.
    pause: u32,
    passed: u32,
}

#[derive(Debug)]
struct Known {
    /// From the start of the method frame to the start of the body.
    head: Vec<u8>,
    channel: u16,
    body_len: usize,
    /// The record up to its body.
    record: Vec<u8>,
    asked: Asked,
    logged: bool,
    route: Arc<Route>,
    places: Vec<Place>,
    users: u64,
}

/// Longest pause in learning.
const PAUSE_MAX: u32 = 1024;

impl Session {
    /// Takes in a publish that repeats the last one; `None` when the octets are something else.
    #[inline]
    pub(super) fn publish_again(&mut self, buffer: &[u8]) -> Option<usize> {
        let known = self.repeat.known.as_mut()?;
        let tail = buffer.strip_prefix(known.head.as_slice())?;
        let (body, end) = tail.split_at_checked(known.body_len)?;
        if end.first() != Some(&FRAME_END) {
            return None;
        }
        let holds = known.users == self.broker.users.generation() && known.route.is_current();
        let state = self.channels.get_mut(&known.channel)?;
        if !holds || state.closing || state.content.is_some() || matches!(state.mode, Mode::Tx(_)) {
            return None;
        }
        if !self.batch.takes(known.logged) {
            return None;
        }
        self.batch.set_logged(known.logged);
        state.stats.publish.add(1);
        self.tally
            .count(&known.route.counts, known.route.queues.len());
        let publish = confirm_publish(
            state,
            known.channel,
            &mut self.batch_publishes,
            &mut self.confirming,
        );
        let expected = buffer.len().min(READ_BATCH);
        let offset = self.batch.append_with_head(&known.record, body, expected);
        let message = incoming(known.asked, body, publish);
        for (queue, place) in known.route.queues.iter().zip(&mut known.places) {
            self.batch
                .push_at(queue, Some(place), Incoming { offset, ..message });
        }
        self.repeat.hits = self.repeat.hits.saturating_add(1);
        Some(known.head.len() + known.body_len + 1)
    }

    /// Learns from a publish that was read frame by frame: `buffer` starts at its method frame, which
    /// has `method_len` octets, and holds all of it in `total`.
    pub(super) fn learn_publish(
        &mut self,
        channel: u16,
        buffer: &[u8],
        method_len: usize,
        total: usize,
    ) {
        let repeat = &mut self.repeat;
        if repeat.hits == 0 && repeat.known.is_some() {
            repeat.pause = (repeat.pause * 2 + 1).min(PAUSE_MAX);
            repeat.known = None;
        }
        if repeat.hits > 0 {
            repeat.pause = 0;
        }
        repeat.passed += 1;
        if repeat.passed <= repeat.pause {
            return;
        }
        self.repeat.passed = 0;
        self.repeat.hits = 0;
        self.repeat.known = self.known_publish(channel, buffer, method_len, total);
    }

    fn known_publish(
        &mut self,
        channel: u16,
        buffer: &[u8],
        method_len: usize,
        total: usize,
    ) -> Option<Known> {
        let method = buffer.get(FRAME_PREFIX..method_len.checked_sub(1)?)?;
        let Some(HotMethod::Publish(publish)) = hot::read(method) else {
            return None;
        };
        let behind = buffer.get(method_len..total)?;
        let header = hot::content_header(behind.get(FRAME_PREFIX..)?)?;
        let body_len = usize::try_from(header.body_size)
            .ok()
            .filter(|len| *len > 0)?;
        let head = buffer.get(..total.checked_sub(body_len + 1)?)?;
        // The header's payload ends where the body frame's prefix and the end octet begin.
        let properties_len = behind
            .len()
            .checked_sub(2 * FRAME_PREFIX + 12 + 1 + body_len + 1)?;
        let properties = header.properties.get(..properties_len)?;
        let asked = self.memo.get(properties).filter(|asked| !asked.special)?;
        let users = self.broker.users.generation();
        let route = Arc::clone(&self.routes.get(publish.route, users)?.route);
        if route.queues.is_empty() {
            return None;
        }
        let mut record = Vec::with_capacity(64);
        record::start(&mut record, publish.route, properties, &[], body_len);
        let places = vec![Place::default(); route.queues.len()];
        let head = head.to_vec();
        Some(Known {
            head,
            channel,
            body_len,
            record,
            asked,
            logged: route.logs(asked.persistent),
            route,
            places,
            users,
        })
    }
}
