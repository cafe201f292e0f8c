//! Ends: of channels, of the connection, by the client, by error, by the peer's disappearance.

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod as ConnectionMethod;

use super::{Phase, Session};
use crate::amqp::{AmqpError, ReplyCode, encode, method};
use crate::broker::inbox::Event;

/// Milliseconds that a client has to answer our close; RabbitMQ gives 30 s.
const CLOSE_TIMEOUT_MS: u64 = 30_000;

/// Milliseconds that the socket stays open after the last frame, for a client that closes first.
const LINGER_MS: u64 = 1_000;

/// Milliseconds that it has where it may not be able to answer, as in RabbitMQ.
const BROKEN_TIMEOUT_MS: u64 = 3_000;

impl Session {
    /// A method on channel 0.
    pub(super) fn on_connection_method(&mut self, payload: &[u8]) -> Result<(), AmqpError> {
        let id = method::ids(payload).unwrap_or_default();
        if self.phase == Phase::Closing {
            match id {
                // Nothing is owed any more: the stream ends.
                (10, 51) => {
                    self.phase = Phase::Done;
                    self.deadline = None;
                }
                (10, 50) => encode::plain(self.out.buffer(), 0, 10, 51),
                _ => {}
            }
            return Ok(());
        }
        if self.phase == Phase::Running && !matches!(id, (10, 50 | 51 | 70)) && method::exists(id) {
            let text = "unexpected method in connection state running";
            return Err(AmqpError::channel_error(text).caused_by(id));
        }
        let method = method::decode(payload)?;
        if let AMQPClass::Connection(ConnectionMethod::Close(_)) = method.class {
            self.on_close();
            return Ok(());
        }
        if self.phase != Phase::Running {
            return self.on_handshake(method);
        }
        self.flush();
        // The rest is a close-ok that nobody asked for.
        if let AMQPClass::Connection(ConnectionMethod::UpdateSecret(_)) = method.class {
            self.on_update_secret();
        }
        Ok(())
    }

    /// The client closes: everything of it ends before close-ok goes out.
    fn on_close(&mut self) {
        self.flush();
        self.log_end(false);
        self.drop_everything();
        encode::plain(self.out.buffer(), 0, 10, 51);
        self.finish();
    }

    pub(super) fn finish(&mut self) {
        self.phase = Phase::Done;
        self.deadline = Some(self.clock.ms() + LINGER_MS);
    }

    /// Closes the connection by error, once; `channel` is where it arose.
    pub fn close_connection(&mut self, channel: u16, error: AmqpError) {
        if matches!(self.phase, Phase::Closing | Phase::Done) {
            // A peer that breaks the rules even now is not answered again.
            self.phase = Phase::Done;
            return;
        }
        self.flush();
        // A refused login has been told already.
        if error.code != ReplyCode::AccessRefused {
            self.log_error(channel, &error);
        }
        let opened = self.phase == Phase::Running;
        self.drop_everything();
        encode::close(self.out.buffer(), 0, &error);
        self.phase = Phase::Closing;
        // Errors that name no method are of frames: after a broken one the answer may not be found any
        // more. And before open few clients give one.
        let orderly = error.method != (0, 0) && opened;
        let wait = if orderly {
            CLOSE_TIMEOUT_MS
        } else {
            BROKEN_TIMEOUT_MS
        };
        self.deadline = Some(self.clock.ms() + wait);
    }

    /// Closes a channel by error; nothing of it is written after the close.
    pub(super) fn close_channel(&mut self, channel: u16, error: &AmqpError) {
        self.flush();
        self.log_channel_error(channel, error);
        if let Some(state) = self.channels.get_mut(&channel) {
            state.closing = true;
            state.content = None;
            state.spool = None;
        }
        self.end_channels(&[channel]);
        encode::close(self.out.buffer(), channel, error);
    }

    /// `channel.close` from the client.
    pub(super) fn on_channel_close(&mut self, channel: u16) {
        self.end_channels(&[channel]);
        self.channels.remove(&channel);
        encode::plain(self.out.buffer(), channel, 20, 41);
    }

    /// A method on a channel that we have closed and whose close-ok has not come.
    pub(super) fn on_method_while_closing(
        &mut self,
        channel: u16,
        payload: &[u8],
    ) -> Result<(), AmqpError> {
        match method::ids(payload).unwrap_or_default() {
            (20, 41) => {
                self.channels.remove(&channel);
            }
            // Crossed on the way: both sides answer, and ours is still to come.
            (20, 40) => {
                encode::plain(self.out.buffer(), channel, 20, 41);
            }
            id @ (20, 10) => {
                let text = "second 'channel.open' seen";
                return Err(AmqpError::channel_error(text).caused_by(id));
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends consumers and gives unacknowledged messages back. The channels' entries stay.
    fn end_channels(&mut self, channels: &[u16]) {
        self.end_consumers(channels);
        for channel in channels {
            self.requeue_unacked(*channel);
            self.requeue_uncommitted(*channel);
            self.forget_confirms(*channel);
            if let Some(state) = self.channels.get_mut(channel) {
                if let Some((_, source)) = state.get_source.take() {
                    self.consumers.end_source(source);
                }
                if let Some(address) = state.reply_address.take() {
                    self.broker.replies.close(&address);
                }
                state.mode = super::channel::Mode::Plain;
            }
            if let Some(vhost) = &self.vhost
                && self.traffic.close_channel(*channel, &vhost.gone)
            {
                self.broker.churn.channel_closed.add(1);
                self.emit("channel.closed", Some(*channel));
            }
        }
        self.flush_settles();
    }

    /// Ends channels, exclusive queues and the broker's knowledge of the connection.
    fn drop_everything(&mut self) {
        let mut channels: Vec<u16> = self.channels.keys().copied().collect();
        channels.sort_unstable();
        for state in self.channels.values_mut() {
            state.closing = true;
            state.content = None;
            state.spool = None;
        }
        self.end_channels(&channels);
        self.channels.clear();
        if let Some(vhost) = &self.vhost {
            vhost.delete_queues_of(self.id);
        }
        if self.handle.take().is_some() {
            let forget = || self.broker.connections.remove(self.id);
            match &self.vhost {
                Some(vhost) => self.traffic.close(&vhost.gone, forget),
                None => forget(),
            }
            self.broker.churn.connection_closed.add(1);
            self.emit("connection.closed", None);
        }
    }

    /// The socket is gone: gives back what the connection held.
    pub fn on_disconnect(&mut self) {
        // The last octets may have come long ago, and expiries and leases count from now.
        self.now = crate::time::unix_ms();
        self.flush();
        self.log_end(!matches!(self.phase, Phase::Closing | Phase::Done));
        self.drop_everything();
        self.phase = Phase::Done;
    }

    /// What the broker posted.
    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Cancelled { slot, key } => self.on_queue_deleted(slot, key),
            Event::Close(error) => self.close_connection(0, error),
            Event::Blocked(reason) => self.tell_blocked(reason),
            Event::Unblocked => self.tell_unblocked(),
            Event::Inquire(inquiry) => self.tell_held(&inquiry),
        }
    }
}
