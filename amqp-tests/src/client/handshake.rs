//! The connection's opening and closing, at once or step by step.

use std::time::Duration;

use super::{Channel, Conn, Msg, Recv, Url, WAIT};
use crate::suite::{Result, fail};
use crate::wire::{Method, Table, Value, method};

/// What a client says in the handshake.
#[derive(Clone, Debug)]
pub struct Options {
    /// SASL mechanism.
    pub mechanism: String,
    /// SASL response; `None` is PLAIN's from the URL.
    pub response: Option<Vec<u8>>,
    /// Capabilities and other client properties.
    pub properties: Table,
    /// tune-ok's channel-max; `None` takes what is offered.
    pub channel_max: Option<u16>,
    /// tune-ok's frame-max; `None` takes what is offered.
    pub frame_max: Option<u32>,
    /// tune-ok's heartbeat, 0 by default.
    pub heartbeat: u16,
    /// Vhost; `None` is the URL's.
    pub vhost: Option<String>,
    /// Bytes sent before the protocol header (PROXY protocol).
    pub preamble: Vec<u8>,
}

/// Client properties with the capabilities that RabbitMQ looks at.
pub fn all_capabilities() -> Table {
    let mut capabilities = Table::new();
    for name in [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "authentication_failure_close",
    ] {
        capabilities = capabilities.with(name, true);
    }
    Table::new()
        .with("product", "amqp-tests")
        .with("capabilities", capabilities)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mechanism: "PLAIN".into(),
            response: None,
            properties: all_capabilities(),
            channel_max: None,
            frame_max: None,
            heartbeat: 0,
            vhost: None,
            preamble: Vec::new(),
        }
    }
}

impl Conn {
    /// Connects and logs in with the URL's login and all capabilities.
    pub fn open(url: &Url) -> Result<Self> {
        Self::open_with(url, &Options::default())
    }
    /// Connects and logs in.
    pub fn open_with(url: &Url, options: &Options) -> Result<Self> {
        let conn = Self::tcp(url)?;
        conn.send_raw(&options.preamble)?;
        conn.start()?;
        conn.start_ok(options)?;
        conn.tune(options)?;
        conn.open_vhost(options.vhost.as_deref().unwrap_or(&url.vhost))?;
        Ok(conn)
    }
    /// Sends the 0-9-1 header and reads connection.start.
    pub fn start(&self) -> Result<Method> {
        self.send_raw(b"AMQP\x00\x00\x09\x01")?;
        self.wait_method(0, "connection.start")
    }
    /// Sends start-ok.
    pub fn start_ok(&self, options: &Options) -> Result<()> {
        let url = self.url();
        let plain = format!("\0{}\0{}", url.user, url.password).into_bytes();
        let start_ok = method("connection.start-ok")
            .set("client-properties", options.properties.clone())
            .set("mechanism", options.mechanism.as_str())
            .set("response", options.response.clone().unwrap_or(plain))
            .set("locale", "en_US");
        self.send(0, &start_ok)
    }
    /// Reads tune and answers it; returns tune.
    pub fn tune(&self, options: &Options) -> Result<Method> {
        let tune = self.wait_method(0, "connection.tune")?;
        let frame_max = options.frame_max.unwrap_or(tune.num("frame-max") as u32);
        self.send(
            0,
            &tune_ok(
                options
                    .channel_max
                    .unwrap_or(tune.num("channel-max") as u16),
                frame_max,
                options.heartbeat,
            ),
        )?;
        if frame_max > 0 {
            self.set_frame_max(frame_max as usize);
        }
        Ok(tune)
    }
    /// Sends connection.open and reads open-ok.
    pub fn open_vhost(&self, vhost: &str) -> Result<()> {
        self.send(0, &method("connection.open").set("virtual-host", vhost))?;
        self.wait_method(0, "connection.open-ok").map(drop)
    }
    /// Waits for a method on a channel.
    pub fn wait_method(&self, channel: u16, name: &str) -> Result<Method> {
        Ok(self
            .wait(channel, name, |m| m.method.name() == name)?
            .method)
    }
    /// Opens channel `id`.
    pub fn channel(&self, id: u16) -> Result<Channel> {
        self.send(id, &method("channel.open"))?;
        self.wait_method(id, "channel.open-ok")?;
        Ok(Channel::new(self, id))
    }
    /// A handle for a channel, without sending anything.
    pub fn unopened(&self, id: u16) -> Channel {
        Channel::new(self, id)
    }
    /// Closes in order: close, then close-ok.
    pub fn close(&self) -> Result<()> {
        self.send(
            0,
            &method("connection.close")
                .set("reply-code", 200)
                .set("reply-text", "bye"),
        )?;
        self.wait_method(0, "connection.close-ok").map(drop)
    }
    /// Waits until the stream ends, skipping frames, at most `limit`.
    pub fn wait_end(&self, limit: Duration) -> Result<Recv> {
        let deadline = std::time::Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            match self.recv_frame(left)? {
                Recv::Frame(_) => {}
                end => return Ok(end),
            }
        }
    }
    /// The stream must end (in order or by reset) and bring no frame before.
    pub fn expect_end(&self) -> Result<()> {
        match self.recv_frame(WAIT)? {
            Recv::Eof | Recv::Reset => Ok(()),
            Recv::Timeout => fail(format!("stream still open after {WAIT:?}")),
            Recv::Frame(f) if f.kind == 1 => fail(format!(
                "{:?} instead of the end of the stream",
                Method::decode(&f.payload)?
            )),
            Recv::Frame(f) => fail(format!("{f:?} instead of the end of the stream")),
        }
    }
    /// The connection still works: a channel opens and closes.
    pub fn expect_alive(&self) -> Result<()> {
        self.channel(999)?.close()
    }
    /// The next message on channel 0, whatever it is.
    pub fn next_on_zero(&self) -> Result<Msg> {
        self.wait(0, "message on channel 0", |_| true)
    }
}

/// A tune-ok.
pub fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Method {
    method("connection.tune-ok")
        .set("channel-max", channel_max)
        .set("frame-max", frame_max)
        .set("heartbeat", heartbeat)
}

/// Whether a broker's server-properties name a capability as true.
pub fn has_capability(properties: &Table, name: &str) -> bool {
    let capabilities = properties.get("capabilities").and_then(Value::as_table);
    capabilities.and_then(|c| c.get(name)) == Some(&Value::Bool(true))
}
