//! One connection of the floor: frames in, replies and deliveries out.
//!
//! Works on bytes in memory; the server reads and writes the sockets.

use anyhow::{Context, Result, bail};

use super::output::Outputs;
use super::topology::{Route, Topology};
use crate::wire::{self, Arguments, Frame, Front, Method, id};

/// The login and everything a connection's channels remember.
#[derive(Debug, Default)]
pub struct Session {
    peer: usize,
    greeted: bool,
    channels: Vec<Channel>,
    confirms_due: bool,
    last_address: Vec<u8>,
    last_route: Option<Route>,
    last_generation: u64,
}

#[derive(Debug, Default)]
struct Channel {
    number: u16,
    confirming: bool,
    published: u64,
    confirmed: u64,
}

impl Session {
    /// A session for connection number `peer`.
    pub fn new(peer: usize) -> Self {
        Self {
            peer,
            ..Self::default()
        }
    }

    /// Handles all whole messages in `data`; the octets handled. An error ends the connection.
    pub fn handle(
        &mut self,
        data: &[u8],
        topology: &mut Topology,
        outputs: &mut Outputs,
    ) -> Result<usize> {
        let mut rest = data;
        if !self.greeted {
            let Some((header, after)) = rest.split_first_chunk::<8>() else {
                return Ok(0);
            };
            if header != wire::PROTOCOL_HEADER {
                bail!("not AMQP 0-9-1");
            }
            self.greeted = true;
            rest = after;
            let start = Method::new(id::CONNECTION_START)
                .octet(0)
                .octet(9)
                .long_bytes(b"\x07productS\x00\x00\x00\x05floor")
                .long_bytes(b"PLAIN")
                .long_bytes(b"en_US");
            self.reply(0, &start, outputs);
        }
        loop {
            let frame = match wire::front(rest) {
                Front::Whole(frame) => frame,
                Front::Partial => break,
                Front::Garbage => bail!("not a frame"),
            };
            let after = rest.get(frame.length..).unwrap_or_default();
            if frame.kind != wire::METHOD {
                rest = after;
                continue;
            }
            let (method, arguments) = wire::method_id(frame.payload).context("short method")?;
            if method == id::BASIC_PUBLISH {
                let Some(content) = content_length(after)? else {
                    break;
                };
                let (content, after) = after.split_at_checked(content).context("content")?;
                self.publish(frame.channel, arguments, content, topology, outputs)?;
                rest = after;
            } else {
                rest = after;
                self.method(&frame, method, arguments, topology, outputs)
                    .with_context(|| format!("method {}.{}", method.0, method.1))?;
            }
        }
        if self.confirms_due {
            self.confirm(outputs);
        }
        Ok(data.len() - rest.len())
    }

    #[inline]
    fn publish(
        &mut self,
        channel: u16,
        arguments: &[u8],
        content: &[u8],
        topology: &mut Topology,
        outputs: &mut Outputs,
    ) -> Result<()> {
        // Between the ticket and the flags stand exchange and routing key.
        let address = arguments
            .get(2..arguments.len().saturating_sub(1))
            .context("short publish")?;
        if self.last_generation != topology.generation || self.last_address != address {
            self.last_route = topology.route(address);
            self.last_generation = topology.generation;
            self.last_address.clear();
            self.last_address.extend_from_slice(address);
        }
        let Some(sender) = self.channel(channel) else {
            return Ok(());
        };
        if sender.confirming {
            sender.published += 1;
            self.confirms_due = true;
        }
        for target in self.last_route.as_deref().unwrap_or_default() {
            let (Some(out), Some(tag)) = (
                outputs.to(target.peer),
                topology.delivered.get_mut(target.counter),
            ) else {
                continue;
            };
            *tag += 1;
            let start = out.len();
            out.extend_from_slice(&target.frame);
            let tag_at = out.get_mut(start + target.tag_at..).unwrap_or_default();
            if let Some((place, _)) = tag_at.split_first_chunk_mut::<8>() {
                *place = tag.to_be_bytes();
            }
            let start = out.len();
            out.extend_from_slice(content);
            if target.channel != channel {
                move_to_channel(out.get_mut(start..).unwrap_or_default(), target.channel);
            }
        }
        Ok(())
    }

    fn channel(&mut self, number: u16) -> Option<&mut Channel> {
        let found = self.channels.iter().position(|c| c.number == number);
        let index = found.unwrap_or_else(|| {
            self.channels.push(Channel {
                number,
                ..Channel::default()
            });
            self.channels.len() - 1
        });
        self.channels.get_mut(index)
    }

    fn confirm(&mut self, outputs: &mut Outputs) {
        self.confirms_due = false;
        for channel in &mut self.channels {
            if channel.published > channel.confirmed {
                channel.confirmed = channel.published;
                let ack = Method::new(id::BASIC_ACK)
                    .long_long(channel.published)
                    .octet(1);
                if let Some(out) = outputs.to(self.peer) {
                    out.extend_from_slice(&ack.frame(channel.number));
                }
            }
        }
    }

    fn reply(&self, channel: u16, method: &Method, outputs: &mut Outputs) {
        if let Some(out) = outputs.to(self.peer) {
            out.extend_from_slice(&method.frame(channel));
        }
    }

    fn method(
        &mut self,
        frame: &Frame<'_>,
        method: wire::MethodId,
        arguments: &[u8],
        topology: &mut Topology,
        outputs: &mut Outputs,
    ) -> Result<()> {
        let mut fields = Arguments(arguments);
        let reply = match method {
            id::BASIC_ACK => {
                fields
                    .long_long()
                    .zip(fields.octet())
                    .context("short ack")?;
                return Ok(());
            }
            id::CONNECTION_TUNE_OK | id::CONNECTION_CLOSE_OK | id::CHANNEL_CLOSE_OK => {
                return Ok(());
            }
            id::CONNECTION_START_OK => Method::new(id::CONNECTION_TUNE)
                .short(2047)
                .long(131_072)
                .short(0),
            id::CONNECTION_OPEN => Method::new(id::CONNECTION_OPEN_OK).short_str(b""),
            id::CONNECTION_CLOSE => Method::new(id::CONNECTION_CLOSE_OK),
            id::CHANNEL_OPEN => Method::new(id::CHANNEL_OPEN_OK).long(0),
            id::CHANNEL_CLOSE => {
                self.channels.retain(|c| c.number != frame.channel);
                Method::new(id::CHANNEL_CLOSE_OK)
            }
            id::CONFIRM_SELECT => {
                if let Some(channel) = self.channel(frame.channel) {
                    channel.confirming = true;
                }
                Method::new(id::CONFIRM_SELECT_OK)
            }
            id::BASIC_QOS => Method::new(id::BASIC_QOS_OK),
            _ => {
                fields.short().context("short method")?;
                let name = fields.short_str().context("short method")?;
                self.declaration(frame.channel, method, name, fields, topology)?
            }
        };
        self.reply(frame.channel, &reply, outputs);
        Ok(())
    }

    /// Methods that begin with a ticket and a name.
    fn declaration(
        &self,
        channel: u16,
        method: wire::MethodId,
        name: &[u8],
        mut fields: Arguments<'_>,
        topology: &mut Topology,
    ) -> Result<Method> {
        let mut text = || fields.short_str().context("short method");
        Ok(match method {
            id::EXCHANGE_DECLARE => {
                topology.add_exchange(name, text()?);
                Method::new(id::EXCHANGE_DECLARE_OK)
            }
            id::EXCHANGE_DELETE => {
                topology.remove_exchange(name);
                Method::new(id::EXCHANGE_DELETE_OK)
            }
            id::QUEUE_DECLARE => {
                topology.add_queue(name);
                Method::new(id::QUEUE_DECLARE_OK)
                    .short_str(name)
                    .long(0)
                    .long(0)
            }
            id::QUEUE_DELETE => {
                topology.remove_queue(name);
                Method::new(id::QUEUE_DELETE_OK).long(0)
            }
            id::QUEUE_BIND => {
                topology.bind(name, text()?, text()?);
                Method::new(id::QUEUE_BIND_OK)
            }
            id::BASIC_CONSUME => {
                let tag = text()?;
                topology.subscribe(name, self.peer, channel, tag);
                Method::new(id::BASIC_CONSUME_OK).short_str(tag)
            }
            _ => bail!("not known to the floor"),
        })
    }
}

/// Octets of the content header and all body frames at the front of `data`, or `None` while
/// they are not all there.
#[inline]
fn content_length(data: &[u8]) -> Result<Option<usize>> {
    let header = match wire::front(data) {
        Front::Whole(frame) if frame.kind == wire::HEADER => frame,
        Front::Partial => return Ok(None),
        _ => bail!("a publish without content"),
    };
    let mut fields = Arguments(header.payload.get(4..).unwrap_or_default());
    let mut remaining = fields.long_long().context("short content header")?;
    let mut length = header.length;
    while remaining > 0 {
        match wire::front(data.get(length..).unwrap_or_default()) {
            Front::Whole(frame) if frame.kind == wire::BODY => {
                length += frame.length;
                remaining = remaining
                    .checked_sub(frame.payload.len() as u64)
                    .context("more body than announced")?;
            }
            Front::Partial => return Ok(None),
            _ => bail!("a content without its body"),
        }
    }
    Ok(Some(length))
}

/// Rewrites the channel of every frame in a content.
fn move_to_channel(mut content: &mut [u8], channel: u16) {
    while let Front::Whole(frame) = wire::front(content) {
        let length = frame.length;
        if let Some(place) = content.get_mut(1..3) {
            place.copy_from_slice(&channel.to_be_bytes());
        }
        content = content.get_mut(length..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::Outputs;
    use super::super::topology::Topology;
    use super::Session;
    use crate::client::{QueueKind, bind_queue, consume, declare_exchange, declare_queue};
    use crate::wire::{self, Front, PROTOCOL_HEADER, id};

    fn written(outputs: &mut Outputs, peer: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        outputs.flush(peer, &mut bytes).unwrap();
        bytes
    }

    fn methods(mut bytes: &[u8]) -> Vec<(u16, wire::MethodId)> {
        let mut found = Vec::new();
        while let Front::Whole(frame) = wire::front(bytes) {
            if frame.kind == wire::METHOD {
                found.push((frame.channel, wire::method_id(frame.payload).unwrap().0));
            }
            bytes = &bytes[frame.length..];
        }
        found
    }

    #[test]
    fn a_fan_out_reaches_each_consumer_on_its_channel_and_confirms_once() {
        let (mut topology, mut outputs) = (Topology::default(), Outputs::default());
        let mut sessions = [Session::new(0), Session::new(1)];
        for (peer, session) in sessions.iter_mut().enumerate() {
            outputs.open(peer);
            let used = session.handle(PROTOCOL_HEADER, &mut topology, &mut outputs);
            assert_eq!(used.unwrap(), 8);
            written(&mut outputs, peer);
        }
        let mut setup = declare_exchange("x", "fanout").frame(1);
        for (number, queue) in ["a", "b"].iter().enumerate() {
            setup.extend(declare_queue(queue, QueueKind::Transient).frame(1));
            setup.extend(bind_queue(queue, "x", "").frame(1));
            setup.extend(consume(queue, number, true).frame(9));
        }
        sessions[1]
            .handle(&setup, &mut topology, &mut outputs)
            .unwrap();
        assert_eq!(methods(&written(&mut outputs, 1)).len(), 7);

        let mut publishes = wire::Method::new(id::CONFIRM_SELECT).octet(0).frame(1);
        for _ in 0..3 {
            publishes.extend(wire::publish(1, "x", "k", false, b"sixteen octets!!"));
        }
        let all = publishes.len();
        let cut = all - 5;
        let used = sessions[0].handle(&publishes[..cut], &mut topology, &mut outputs);
        let used = used.unwrap();
        assert!(used < cut, "a cut publish waits");
        let rest = sessions[0].handle(&publishes[used..], &mut topology, &mut outputs);
        assert_eq!(rest.unwrap(), all - used);
        assert_eq!(
            methods(&written(&mut outputs, 1)),
            [(9, id::BASIC_DELIVER); 6]
        );
        let replies = methods(&written(&mut outputs, 0));
        assert_eq!(
            replies,
            [
                (1, id::CONFIRM_SELECT_OK),
                (1, id::BASIC_ACK),
                (1, id::BASIC_ACK)
            ]
        );
    }
}
