//! Mail from the broker becomes frames.

use std::sync::Arc;

use super::Session;
use super::channel::Channel;
use super::consume::Consumer;
use crate::amqp::constants::FRAME_END;
use crate::amqp::properties::Properties;
use crate::amqp::{Value, encode};
use crate::broker::inbox::Mail;
use crate::limits::{BODY_BY_REFERENCE, OUTPUT_HIGH};
use crate::message::{Chunk, Record};
use crate::queue::settle::{SettleRun, Settlement};
use crate::server::output::Output;

impl Session {
    /// Turns deliveries and events into frames until the output is full; with `all`, whatever the
    /// output holds, before a consumer or channel ends: what was taken from the inbox before and
    /// what is in it, which its bound limits. What comes to other consumers meanwhile stays there.
    pub(super) fn write_mail(&mut self, all: bool) {
        let mut emptied = false;
        self.traced = self.is_traced();
        loop {
            while self.mail_run < self.mail.runs.len() {
                if !all && self.out.len() >= OUTPUT_HIGH {
                    return;
                }
                self.write_run();
            }
            let mut mail = self.reclaim_mail();
            let events = std::mem::take(&mut mail.events);
            let parked = std::mem::take(&mut mail.parked);
            self.mail = mail;
            for event in events {
                self.on_event(event);
            }
            for (queue, key) in parked {
                queue.revisit(&self.broker, key, self.now);
            }
            // Whoever hands out a batch puts deliveries in first and rings when it is through: what
            // ends here must not wait for that.
            let more = if all {
                !emptied
            } else {
                self.inbox.is_ringing()
            };
            if !more {
                return;
            }
            let mut mail = self.reclaim_mail();
            self.inbox.take(&mut mail);
            self.mail = mail;
            // The ring that was just taken may have been the log's, or told of a body's end.
            self.release_confirms();
            self.publish_arrived();
            emptied = true;
        }
    }

    /// The mail buffers without their deliveries, which are written.
    fn reclaim_mail(&mut self) -> Mail {
        let mut mail = std::mem::take(&mut self.mail);
        if self.mail_run >= mail.runs.len() {
            mail.runs.clear();
            mail.items.clear();
            mail.cost = 0;
            self.mail_run = 0;
            self.mail_item = 0;
        }
        mail
    }

    /// Writes one run.
    fn write_run(&mut self) {
        let Some(run) = self.mail.runs.get(self.mail_run) else {
            return;
        };
        let first = self.mail_item;
        let items = self
            .mail
            .items
            .get(first..first + run.count as usize)
            .unwrap_or_default();
        self.mail_run += 1;
        self.mail_item += items.len();
        let Some(consumer) = self.consumers.get(run.slot, run.key) else {
            return;
        };
        let closing = self
            .channels
            .get(&consumer.channel)
            .is_none_or(|channel| channel.closing);
        if closing {
            // The peer will see nothing more of this channel: the queue takes them back.
            if let (false, Some(queue)) = (consumer.no_ack, &consumer.queue) {
                let runs: Vec<SettleRun> = items
                    .iter()
                    .map(|item| SettleRun {
                        first: item.id,
                        len: 1,
                        consumer: None,
                        how: Settlement::Undeliver,
                    })
                    .collect();
                let source = self.consumers.sources.get(consumer.source as usize);
                if let Some(Some(source)) = source {
                    source.credit.give_back(run.count);
                }

                let queue = Arc::clone(queue);
                queue.settle(&self.broker, &runs, self.now);
            }
            return;
        }
        if self.traced
            && let Some(queue) = &consumer.queue
        {
            for item in items {
                let record = run.chunk.record(item.offset);
                self.tell_delivery(consumer.channel, &record, queue, item.redelivered());
            }
        }
        let Some(channel) = self.channels.get_mut(&consumer.channel) else {
            return;
        };
        let (no_ack, source) = (consumer.no_ack, consumer.source);
        if !no_ack && let Some(Some(source)) = self.consumers.sources.get_mut(source as usize) {
            source.outstanding += u64::from(run.count);
        }
        let Some(Some(consumer)) = self.consumers.slots.get(run.slot as usize) else {
            return;
        };
        let writer = RunWriter {
            consumer,
            chunk: &run.chunk,
            payload_max: self.tuning.payload_max(),
            now_s: self.now / 1000,
        };
        // A run of one or two has nothing to gain from what it would teach.
        let template = &mut self.template;
        template.forget(items.len() > 2);
        for item in items {
            writer.write(&mut self.out, channel, item, template);
        }
        let redelivered = items.iter().filter(|item| item.redelivered()).count();
        channel.note_delivered(no_ack, items.len() as u64, redelivered as u64);
    }

    /// Visits queues that passed over a consumer for want of channel credit.
    pub(super) fn visit_parked(&mut self) {
        for (queue, key) in self.inbox.take_parked() {
            queue.revisit(&self.broker, key, self.now);
        }
    }
}

struct RunWriter<'a> {
    consumer: &'a Consumer,
    chunk: &'a Arc<Chunk>,
    payload_max: usize,
    now_s: u64,
}

impl RunWriter<'_> {
    #[inline]
    fn write(
        &self,
        out: &mut Output,
        channel: &mut Channel,
        item: &crate::queue::Delivery,
        template: &mut Template,
    ) {
        let consumer = self.consumer;
        let tag = if consumer.no_ack {
            if consumer.queue.is_none() {
                // A direct reply carries the next tag without using it up, as RabbitMQ's do.
                channel.unacked.next_tag()
            } else {
                channel.unacked.tag_only()
            }
        } else {
            channel
                .unacked
                .add(consumer.source, item.id.raw(), self.now_s)
        };
        let record = self.chunk.record(item.offset);
        let buffer = out.buffer();
        if template.fits(&record) && !(consumer.counted && item.count() > 0) {
            template.write(buffer, tag, item.redelivered(), record.body);
            return;
        }
        let start = buffer.len();
        consumer
            .prefix
            .write(buffer, tag, item.redelivered(), record.route);
        let fits = record.body.len() < BODY_BY_REFERENCE
            && (self.payload_max == 0 || record.body.len() <= self.payload_max);
        // A first delivery says nothing of returns.
        let counted = consumer.counted && item.count() > 0;
        if fits && !counted {
            let number = consumer.channel;
            encode::content_header(buffer, number, record.body.len() as u64, record.properties);
            if !record.body.is_empty() {
                encode::body(buffer, number, record.body);
                template.learn(buffer, start, consumer.prefix.tag_offset(), &record);
            }
            return;
        }
        let count = counted.then(|| item.count());
        write_content(
            out,
            consumer.channel,
            self.chunk,
            item.offset,
            count,
            self.payload_max,
        );
    }
}

/// The frames of the last small delivery. The next one mostly differs in its tag and body only, so
/// everything before the body is copied at once.
#[derive(Debug, Default)]
pub(super) struct Template {
    learning: bool,
    /// Method frame, header frame and the prefix of the body frame.
    head: Vec<u8>,
    /// Where the delivery tag stands in it.
    tag_at: usize,
    route: Vec<u8>,
    properties: Vec<u8>,
    body_len: usize,
}

impl Template {
    #[inline]
    fn fits(&self, record: &Record<'_>) -> bool {
        !self.head.is_empty()
            && self.body_len == record.body.len()
            && self.route == record.route
            && self.properties == record.properties
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>, tag: u64, redelivered: bool, body: &[u8]) {
        let at = out.len() + self.tag_at;
        out.reserve(self.head.len() + body.len() + 1);
        out.extend_from_slice(&self.head);
        if let Some(place) = out
            .get_mut(at..at + 9)
            .and_then(|p| p.first_chunk_mut::<9>())
        {
            let [t7, t6, t5, t4, t3, t2, t1, t0] = tag.to_be_bytes();
            *place = [t7, t6, t5, t4, t3, t2, t1, t0, u8::from(redelivered)];
        }
        out.extend_from_slice(body);
        out.push(FRAME_END);
    }

    /// Starts a run, in which learning may pay.
    fn forget(&mut self, learning: bool) {
        self.head.clear();
        self.learning = learning;
    }

    /// Remembers the delivery that was written from `start` on.
    fn learn(&mut self, out: &[u8], start: usize, tag_at: usize, record: &Record<'_>) {
        if !self.learning {
            return;
        }
        let end = out.len().saturating_sub(record.body.len() + 1);
        self.head.clear();
        self.head
            .extend_from_slice(out.get(start..end).unwrap_or_default());
        self.tag_at = tag_at;
        self.route.clear();
        self.route.extend_from_slice(record.route);
        self.properties.clear();
        self.properties.extend_from_slice(record.properties);
        self.body_len = record.body.len();
    }
}

/// Writes the content header and body frames of a message; `count` adds `x-delivery-count`.
pub(super) fn write_content(
    out: &mut Output,
    channel: u16,
    chunk: &Arc<Chunk>,
    offset: u32,
    count: Option<u32>,
    payload_max: usize,
) {
    let record = chunk.record(offset);
    let size = record.body.len() as u64;
    match count.and_then(|count| with_delivery_count(&record, count)) {
        Some(properties) => encode::content_header(out.buffer(), channel, size, &properties),
        None => encode::content_header(out.buffer(), channel, size, record.properties),
    }
    // Where the body lies in its chunk, for frames that refer to it.
    let start = offset as usize + record.len() - record.body.len();
    let frame = if payload_max == 0 {
        record.body.len()
    } else {
        payload_max
    };
    let mut at = 0;
    for part in record.body.chunks(frame.max(1)) {
        if part.len() < BODY_BY_REFERENCE {
            encode::body(out.buffer(), channel, part);
        } else {
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            encode::body_prefix(out.buffer(), channel, len);
            out.push_body(chunk, start + at, part.len());
            out.buffer().push(FRAME_END);
        }
        at += part.len();
    }
}

fn with_delivery_count(record: &Record<'_>, count: u32) -> Option<Vec<u8>> {
    let properties = Properties::read(record.properties).ok()?;
    let mut headers = properties.headers_table();
    headers.set(b"x-delivery-count", Value::I64(count.into()));
    let mut raw = Vec::with_capacity(record.properties.len() + 32);
    properties.write(&mut raw, Some(&headers));
    Some(raw)
}
