//! Octets to frames, frames to calls.

use super::{Phase, Session};
use crate::amqp::constants::{FRAME_END, FRAME_PREFIX, PROTOCOL_HEADER};
use crate::amqp::frame::{self, FramePrefix, FrameType};
use crate::amqp::hot::{self, HotMethod};
use crate::amqp::{AmqpError, Level, method};
use crate::connection::{HeaderOutcome, read_header};

/// A body frame that is still arriving.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyRest {
    pub channel: u16,
    pub rest: usize,
}

impl Session {
    /// Takes in octets; returns how many it used. The rest must come again, with more behind it.
    pub fn on_bytes(&mut self, buffer: &[u8]) -> usize {
        self.now = crate::time::unix_ms();
        let steady = self.clock.ms();
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.heard(steady);
        }
        if let Some(handle) = &self.handle {
            handle
                .heard_at
                .store(self.now, std::sync::atomic::Ordering::Relaxed);
        }
        let mut used = 0;
        loop {
            let rest = buffer.get(used..).unwrap_or_default();
            match self.step(rest) {
                Ok(0) => break,
                Ok(taken) => used += taken,
                Err(error) => {
                    self.close_connection(error);
                    break;
                }
            }
        }
        if self.phase == Phase::Done {
            used = buffer.len();
        }
        self.end_batch();
        used
    }

    /// Takes in one frame or the start of one; 0 when more octets are needed, or none are wanted.
    fn step(&mut self, buffer: &[u8]) -> Result<usize, AmqpError> {
        if buffer.is_empty() || !self.wants_read() {
            return Ok(0);
        }
        match self.phase {
            Phase::Header => Ok(self.on_header(buffer)),
            Phase::Done => Ok(buffer.len()),
            _ => match self.body_rest {
                Some(rest) => self.continue_body(buffer, rest),
                None => self.on_frame(buffer),
            },
        }
    }

    fn on_header(&mut self, buffer: &[u8]) -> usize {
        match read_header(buffer) {
            HeaderOutcome::Incomplete => 0,
            HeaderOutcome::Accepted => {
                self.start();
                PROTOCOL_HEADER.len()
            }
            HeaderOutcome::Refused => {
                tracing::warn!(peer = %self.log_name, "refused a connection that does not start with the AMQP 0-9-1 header");
                self.out.buffer().extend_from_slice(&PROTOCOL_HEADER);
                self.phase = Phase::Done;
                buffer.len()
            }
        }
    }

    fn payload_max(&self) -> usize {
        match self.phase {
            Phase::Running | Phase::Closing => self.tuning.payload_max(),
            _ => self.options.initial_frame_max,
        }
    }

    fn on_frame(&mut self, buffer: &[u8]) -> Result<usize, AmqpError> {
        if self.phase != Phase::Running && buffer.starts_with(b"AMQP") {
            // Octet 'A' is no frame type: a second protocol header (trap 6).
            return Err(AmqpError::frame_error("second protocol header"));
        }
        let Some(prefix) = frame::read_prefix(buffer, self.payload_max())? else {
            return Ok(0);
        };
        if prefix.kind == FrameType::Body && self.phase == Phase::Running {
            return self.begin_body(buffer, prefix);
        }
        let Some((payload, taken)) = frame::read_payload(buffer, prefix)? else {
            return Ok(0);
        };
        let behind = buffer.get(taken..).unwrap_or_default();
        match (prefix.kind, self.phase) {
            (FrameType::Heartbeat, _) => {
                if prefix.channel != 0 {
                    return Err(AmqpError::unexpected_frame(
                        "heartbeat on a channel other than 0",
                    ));
                }
                Ok(taken)
            }
            (FrameType::Method, Phase::Running) if prefix.channel != 0 => {
                Ok(taken + self.on_channel_method(prefix.channel, payload, behind)?)
            }
            (FrameType::Method, _) if prefix.channel == 0 => {
                self.on_connection_method(payload)?;
                Ok(taken)
            }
            (FrameType::Header, Phase::Running) => {
                self.on_content_header(prefix.channel, payload)?;
                Ok(taken)
            }
            (_, Phase::Closing) => Ok(taken),
            _ => Err(AmqpError::unexpected_frame(
                "expected a method of the connection",
            )),
        }
    }

    /// A method on a channel. A publish whose header and body lie behind it is taken in whole;
    /// returns the octets of these.
    fn on_channel_method(
        &mut self,
        channel: u16,
        payload: &[u8],
        behind: &[u8],
    ) -> Result<usize, AmqpError> {
        let hot = hot::read(payload);
        let Some(state) = self.channels.get_mut(&channel) else {
            let id = method::ids(payload).unwrap_or_default();
            if id == (20, 10) {
                self.on_channel_open(channel, payload)?;
                return Ok(0);
            }
            let text = "expected 'channel.open'";
            return Err(AmqpError::channel_error(text).caused_by(id));
        };
        if state.closing {
            self.on_method_while_closing(channel, payload)?;
            return Ok(0);
        }
        if state.content.is_some() {
            let id = method::ids(payload).unwrap_or_default();
            let content = state.content.as_ref();
            let text = if content.is_some_and(|content| content.body_size.is_none()) {
                "expected content header for class 60, got method frame instead"
            } else {
                "expected content body, got method frame instead"
            };
            let _ = id;
            return Err(AmqpError::unexpected_frame(text).caused_by((60, 40)));
        }
        let (result, id, taken) = match hot {
            Some(HotMethod::Publish(publish)) => match self.on_publish(channel, publish, behind) {
                Ok(taken) => (Ok(()), (60, 40), taken),
                Err(error) => (Err(error), (60, 40), 0),
            },
            Some(HotMethod::Ack(tag, multiple)) => {
                (self.on_ack(channel, tag, multiple), (60, 80), 0)
            }
            Some(HotMethod::Nack(tag, multiple, requeue)) => {
                (self.on_nack(channel, tag, multiple, requeue), (60, 120), 0)
            }
            Some(HotMethod::Reject(tag, requeue)) => {
                (self.on_nack(channel, tag, false, requeue), (60, 90), 0)
            }
            None => {
                let method = method::decode(payload)?;
                self.flush();
                let id = method.id;
                (self.on_method(channel, method), id, 0)
            }
        };
        match result {
            Ok(()) => Ok(taken),
            Err(error) => {
                self.fail(channel, error.caused_by(id))?;
                Ok(taken)
            }
        }
    }

    /// Closes what the error closes; a connection error is handed on.
    pub(super) fn fail(&mut self, channel: u16, error: AmqpError) -> Result<(), AmqpError> {
        match error.level {
            Level::Connection => Err(error),
            Level::Channel => {
                self.close_channel(channel, &error);
                Ok(())
            }
        }
    }

    fn on_content_header(&mut self, channel: u16, payload: &[u8]) -> Result<(), AmqpError> {
        let Some(state) = self.channels.get_mut(&channel) else {
            return Err(AmqpError::channel_error("expected 'channel.open'"));
        };
        if state.closing {
            return Ok(());
        }
        let awaited = state
            .content
            .as_ref()
            .is_some_and(|content| content.body_size.is_none());
        if !awaited {
            let text = if state.content.is_some() {
                "expected content body, got non content body frame instead"
            } else {
                "expected method frame, got non method frame instead"
            };
            let id = if state.content.is_some() {
                (60, 40)
            } else {
                (0, 0)
            };
            return Err(AmqpError::unexpected_frame(text).caused_by(id));
        }
        let Some(header) = hot::content_header(payload) else {
            return Err(AmqpError::syntax_error("content header is cut short").caused_by((60, 40)));
        };
        if header.class != 60 {
            let text = format!(
                "expected content header for class 60, got one for class {} instead",
                header.class
            );
            return Err(AmqpError::unexpected_frame(text).caused_by((60, 40)));
        }
        let result = self.check_size(header.body_size).map(|()| {
            if let Some(content) = self
                .channels
                .get_mut(&channel)
                .and_then(|c| c.content.as_mut())
            {
                content.header(header.properties, header.body_size);
            }
        });
        let result = result.and_then(|()| self.finish_content(channel));
        result.or_else(|error| self.fail(channel, error.caused_by((60, 40))))
    }

    /// A body frame: its octets are taken in as they come, complete or not.
    fn begin_body(&mut self, buffer: &[u8], prefix: FramePrefix) -> Result<usize, AmqpError> {
        let Some(state) = self.channels.get(&prefix.channel) else {
            return Err(AmqpError::channel_error("expected 'channel.open'"));
        };
        if !state.closing {
            match &state.content {
                None => {
                    let text = "expected method frame, got non method frame instead";
                    return Err(AmqpError::unexpected_frame(text));
                }
                Some(content) if content.body_size.is_none() => {
                    let text = "expected content header for class 60, got non content header frame instead";
                    return Err(AmqpError::unexpected_frame(text).caused_by((60, 40)));
                }
                Some(content) if content.missing < prefix.size as u64 => {
                    let text = format!(
                        "content body is longer than the {} octets announced",
                        content.body_size.unwrap_or(0)
                    );
                    return Err(AmqpError::unexpected_frame(text).caused_by((60, 40)));
                }
                Some(_) => {}
            }
        }
        let rest = BodyRest {
            channel: prefix.channel,
            rest: prefix.size,
        };
        self.body_rest = Some(rest);
        let behind = buffer.get(FRAME_PREFIX..).unwrap_or_default();
        Ok(FRAME_PREFIX + self.continue_body(behind, rest)?)
    }

    fn continue_body(&mut self, buffer: &[u8], body: BodyRest) -> Result<usize, AmqpError> {
        let here = buffer.len().min(body.rest);
        let part = buffer.get(..here).unwrap_or_default();
        let content = self
            .channels
            .get_mut(&body.channel)
            .filter(|state| !state.closing)
            .and_then(|state| state.content.as_mut());
        if let Some(content) = content
            && !content.body(part)
        {
            return Err(AmqpError::unexpected_frame(
                "content body is longer than announced",
            ));
        }
        let rest = body.rest - here;
        self.body_rest = Some(BodyRest { rest, ..body });
        if rest > 0 {
            return Ok(here);
        }
        match buffer.get(here) {
            None => return Ok(here),
            Some(&FRAME_END) => {}
            Some(&other) => return Err(frame::bad_end(FrameType::Body, part, other)),
        }
        self.body_rest = None;
        if let Err(error) = self.finish_content(body.channel) {
            self.fail(body.channel, error.caused_by((60, 40)))?;
        }
        Ok(here + 1)
    }
}
