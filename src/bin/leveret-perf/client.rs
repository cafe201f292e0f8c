//! A blocking AMQP client for everything that is not the measured path: login, declaring,
//! binding, subscribing. The measured paths take its socket over once the set-up is done.
//!
//! Heartbeats are declined, so an idle connection costs the broker only what it keeps.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::url::BrokerUrl;
use crate::wire::{self, Arguments, Front, Method, MethodId, id};

/// No reply of the set-up path may take longer than this.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests sent before their replies are read, when many are made.
const PIPELINE: usize = 100;

/// How a queue is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    /// Survives restarts, with durable flag.
    Durable,
    /// Durable and of the replicated type.
    Quorum,
    /// Transient and shared, deleted by whoever made it.
    Transient,
    /// Transient and owned by its connection.
    Exclusive,
}

/// One logged-in connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    read_from: usize,
    /// `product` of the server's properties.
    pub product: String,
    /// `version` of the server's properties.
    pub version: String,
}

impl Client {
    /// Connects and logs in.
    pub fn connect(url: &BrokerUrl) -> Result<Self> {
        let stream = TcpStream::connect((url.host.as_str(), url.port))
            .with_context(|| format!("connecting to {}:{}", url.host, url.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        let mut client = Self {
            stream,
            buffer: Vec::new(),
            read_from: 0,
            product: String::new(),
            version: String::new(),
        };
        client.log_in(url).context("logging in")?;
        Ok(client)
    }

    fn log_in(&mut self, url: &BrokerUrl) -> Result<()> {
        self.send(wire::PROTOCOL_HEADER)?;
        let start = self.expect(id::CONNECTION_START)?;
        let mut arguments = Arguments(&start);
        let _version = arguments.short();
        let properties = arguments.long_bytes().unwrap_or_default();
        self.product = text_property(properties, b"product");
        self.version = text_property(properties, b"version");
        let login = format!("\0{}\0{}", url.user, url.password);
        let start_ok = Method::new(id::CONNECTION_START_OK)
            .long_bytes(&client_properties())
            .short_str(b"PLAIN")
            .long_bytes(login.as_bytes())
            .short_str(b"en_US");
        let tune = self.call(0, &start_ok, id::CONNECTION_TUNE)?;
        let mut arguments = Arguments(&tune);
        let limits = arguments.short().zip(arguments.long());
        let (channel_max, frame_max) = limits.context("short tune")?;
        let tune_ok = Method::new(id::CONNECTION_TUNE_OK)
            .short(channel_max)
            .long(frame_max)
            .short(0);
        self.send(&tune_ok.frame(0))?;
        let open = Method::new(id::CONNECTION_OPEN)
            .short_str(url.vhost.as_bytes())
            .short_str(b"")
            .octet(0);
        self.call(0, &open, id::CONNECTION_OPEN_OK)?;
        Ok(())
    }

    /// Writes raw bytes.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream
            .write_all(bytes)
            .context("writing to the broker")
    }

    /// Sends a method and waits for its reply's arguments.
    pub fn call(&mut self, channel: u16, method: &Method, reply: MethodId) -> Result<Vec<u8>> {
        self.send(&method.frame(channel))?;
        self.expect(reply)
    }

    /// Sends many methods on channel 1, a bounded number ahead of their replies.
    pub fn call_all(
        &mut self,
        methods: impl IntoIterator<Item = Method>,
        reply: MethodId,
    ) -> Result<u64> {
        let mut methods = methods.into_iter();
        let mut done = 0;
        loop {
            let mut batch = Vec::new();
            let mut awaited = 0;
            for method in methods.by_ref().take(PIPELINE) {
                batch.extend_from_slice(&method.frame(1));
                awaited += 1;
            }
            if awaited == 0 {
                return Ok(done);
            }
            self.send(&batch)?;
            for _ in 0..awaited {
                self.expect(reply)?;
            }
            done += awaited;
        }
    }

    /// Waits for one method; anything but contents, cancellations and heartbeats in between is an error.
    pub fn expect(&mut self, wanted: MethodId) -> Result<Vec<u8>> {
        loop {
            let (kind, payload) = self.next_frame()?;
            if kind != wire::METHOD {
                continue;
            }
            let (got, arguments) = wire::method_id(&payload).context("short method frame")?;
            match got {
                got if got == wanted => return Ok(arguments.to_vec()),
                // A queue that is deleted takes its consumers along, and says so.
                id::BASIC_DELIVER | id::BASIC_CANCEL => {}
                got => return Err(unexpected(got, arguments)),
            }
        }
    }

    /// The next frame's type and payload.
    pub fn next_frame(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            let pending = self.buffer.get(self.read_from..).unwrap_or_default();
            match wire::front(pending) {
                Front::Whole(frame) => {
                    let found = (frame.kind, frame.payload.to_vec());
                    self.read_from += frame.length;
                    return Ok(found);
                }
                Front::Garbage => bail!("the broker sent something that is no frame"),
                Front::Partial => {}
            }
            self.buffer.drain(..self.read_from);
            self.read_from = 0;
            let mut chunk = [0; 16 * 1024];
            let count = self
                .stream
                .read(&mut chunk)
                .context("waiting for the broker's reply")?;
            if count == 0 {
                bail!("the broker closed the connection");
            }
            self.buffer.extend(chunk.iter().take(count));
        }
    }

    /// Opens a channel.
    pub fn open_channel(&mut self, channel: u16) -> Result<()> {
        let open = Method::new(id::CHANNEL_OPEN).short_str(b"");
        self.call(channel, &open, id::CHANNEL_OPEN_OK)?;
        Ok(())
    }

    /// Closes a channel.
    pub fn close_channel(&mut self, channel: u16) -> Result<()> {
        let close = Method::new(id::CHANNEL_CLOSE)
            .short(200)
            .short_str(b"done")
            .short(0)
            .short(0);
        self.call(channel, &close, id::CHANNEL_CLOSE_OK)?;
        Ok(())
    }

    /// Messages ready in a queue, by a passive declare on channel 1.
    pub fn queue_length(&mut self, name: &str) -> Result<u64> {
        let passive = Method::new(id::QUEUE_DECLARE)
            .short(0)
            .short_str(name.as_bytes())
            .octet(1)
            .no_arguments();
        let reply = self.call(1, &passive, id::QUEUE_DECLARE_OK)?;
        let mut arguments = Arguments(&reply);
        arguments.short_str().context("short declare-ok")?;
        let ready = arguments.long().context("short declare-ok")?;
        Ok(u64::from(ready))
    }

    /// Sets the prefetch count of consumers made later on channel 1.
    pub fn prefetch(&mut self, count: u16) -> Result<()> {
        let qos = Method::new(id::BASIC_QOS).long(0).short(count).octet(0);
        self.call(1, &qos, id::BASIC_QOS_OK)?;
        Ok(())
    }

    /// Switches channel 1 to publisher confirms.
    pub fn confirm(&mut self) -> Result<()> {
        let select = Method::new(id::CONFIRM_SELECT).octet(0);
        self.call(1, &select, id::CONFIRM_SELECT_OK)?;
        Ok(())
    }

    /// Gives the socket away, with the bytes that were read too far.
    pub fn into_socket(mut self) -> (TcpStream, Vec<u8>) {
        self.buffer.drain(..self.read_from);
        (self.stream, self.buffer)
    }

    /// Closes in order.
    pub fn close(mut self) -> Result<()> {
        let close = Method::new(id::CONNECTION_CLOSE)
            .short(200)
            .short_str(b"done")
            .short(0)
            .short(0);
        self.call(0, &close, id::CONNECTION_CLOSE_OK)?;
        Ok(())
    }
}

/// `queue.declare` of a fresh queue.
pub fn declare_queue(name: &str, kind: QueueKind) -> Method {
    let flags = match kind {
        QueueKind::Durable | QueueKind::Quorum => 0b00010,
        QueueKind::Transient => 0,
        QueueKind::Exclusive => 0b00100,
    };
    let mut arguments = Vec::new();
    if kind == QueueKind::Quorum {
        push_name(&mut arguments, "x-queue-type");
        arguments.push(b'S');
        push_long(&mut arguments, b"quorum");
    }
    Method::new(id::QUEUE_DECLARE)
        .short(0)
        .short_str(name.as_bytes())
        .octet(flags)
        .long_bytes(&arguments)
}

/// `queue.delete`, whatever it holds.
pub fn delete_queue(name: &str) -> Method {
    Method::new(id::QUEUE_DELETE)
        .short(0)
        .short_str(name.as_bytes())
        .octet(0)
}

/// `queue.bind`.
pub fn bind_queue(queue: &str, exchange: &str, key: &str) -> Method {
    Method::new(id::QUEUE_BIND)
        .short(0)
        .short_str(queue.as_bytes())
        .short_str(exchange.as_bytes())
        .short_str(key.as_bytes())
        .octet(0)
        .no_arguments()
}

/// `exchange.declare` of a transient exchange.
pub fn declare_exchange(name: &str, kind: &str) -> Method {
    Method::new(id::EXCHANGE_DECLARE)
        .short(0)
        .short_str(name.as_bytes())
        .short_str(kind.as_bytes())
        .octet(0)
        .no_arguments()
}

/// `exchange.delete`.
pub fn delete_exchange(name: &str) -> Method {
    Method::new(id::EXCHANGE_DELETE)
        .short(0)
        .short_str(name.as_bytes())
        .octet(0)
}

/// `basic.consume`; the tag is the consumer's number, so that deliveries name it cheaply.
pub fn consume(queue: &str, number: usize, auto_ack: bool) -> Method {
    consume_with(queue, number, if auto_ack { 0b0010 } else { 0 })
}

/// The same with acknowledgements and without a reply: from a full queue deliveries come at
/// once, and among many replies they would have to be kept apart.
pub fn consume_unanswered(queue: &str, number: usize) -> Method {
    consume_with(queue, number, 0b1000)
}

fn consume_with(queue: &str, number: usize, flags: u8) -> Method {
    Method::new(id::BASIC_CONSUME)
        .short(0)
        .short_str(queue.as_bytes())
        .short_str(number.to_string().as_bytes())
        .octet(flags)
        .no_arguments()
}

/// Turns a method nobody asked for into an error a person can act on.
pub fn unexpected(got: MethodId, arguments: &[u8]) -> anyhow::Error {
    if got == id::CONNECTION_CLOSE || got == id::CHANNEL_CLOSE {
        let mut arguments = Arguments(arguments);
        let code = arguments.short().unwrap_or_default();
        let text = arguments.short_str().unwrap_or_default();
        return anyhow!(
            "the broker closed: {code} {}",
            String::from_utf8_lossy(text)
        );
    }
    anyhow!("the broker sent method {}.{} unasked", got.0, got.1)
}

/// A string value of a flat search in an encoded table: enough for two well-known names.
fn text_property(table: &[u8], name: &[u8]) -> String {
    let mut marker = vec![u8::try_from(name.len()).unwrap_or_default()];
    marker.extend_from_slice(name);
    marker.push(b'S');
    let found = table
        .windows(marker.len())
        .position(|window| window == marker)
        .and_then(|at| table.get(at + marker.len()..))
        .and_then(|rest| Arguments(rest).long_bytes());
    String::from_utf8_lossy(found.unwrap_or_default()).into_owned()
}

fn client_properties() -> Vec<u8> {
    let mut capabilities = Vec::new();
    for name in ["publisher_confirms", "basic.nack", "consumer_cancel_notify"] {
        push_name(&mut capabilities, name);
        capabilities.extend_from_slice(b"t\x01");
    }
    let mut table = Vec::new();
    for (name, value) in [
        ("product", "leveret-perf"),
        ("connection_name", "leveret-perf"),
    ] {
        push_name(&mut table, name);
        table.push(b'S');
        push_long(&mut table, value.as_bytes());
    }
    push_name(&mut table, "capabilities");
    table.push(b'F');
    push_long(&mut table, &capabilities);
    table
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    out.push(u8::try_from(name.len()).unwrap_or_default());
    out.extend_from_slice(name.as_bytes());
}

fn push_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
    out.extend_from_slice(bytes);
}
