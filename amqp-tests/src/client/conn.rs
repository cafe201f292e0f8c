//! One socket: bytes out, frames and assembled messages in, with deadlines.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Closed, Url};
use crate::suite::{Result, fail};
use crate::wire::{
    Content, FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, Frame, Method, Props, Reader,
};

/// How long an expected answer may take before the scenario fails. Generous,
/// since it costs nothing when the answer comes.
pub const WAIT: Duration = Duration::from_secs(30);

/// What a read for one frame brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Recv {
    /// A frame.
    Frame(Frame),
    /// The broker ended the stream in order.
    Eof,
    /// The broker reset the stream.
    Reset,
    /// Nothing within the time allowed.
    Timeout,
}

/// A method and the content that came with it.
#[derive(Clone, Debug)]
pub struct Msg {
    /// The channel it came on.
    pub channel: u16,
    /// The method.
    pub method: Method,
    /// Its content, for deliver, get-ok and return.
    pub content: Option<Content>,
}

/// One connection to a broker. A handle: clones share the socket.
#[derive(Clone)]
pub struct Conn {
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    stream: TcpStream,
    buf: Vec<u8>,
    ended: Option<Recv>,
    partial: HashMap<u16, Partial>,
    stash: HashMap<u16, VecDeque<Msg>>,
    heartbeats: usize,
    frame_max: usize,
    closed: Option<Closed>,
    url: Url,
}

struct Partial {
    method: Method,
    content: Option<(u64, Content)>,
}

impl Conn {
    /// Connects the socket and sends nothing.
    pub fn tcp(url: &Url) -> Result<Self> {
        let addresses = (url.host.as_str(), url.port).to_socket_addrs()?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, WAIT) {
                Ok(stream) => return Self::from_stream(stream, url),
                Err(e) => last = Some(e),
            }
        }
        fail(format!("connect {}:{}: {last:?}", url.host, url.port))
    }
    fn from_stream(stream: TcpStream, url: &Url) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WAIT))?;
        let inner = Inner {
            stream,
            buf: Vec::new(),
            ended: None,
            partial: HashMap::new(),
            stash: HashMap::new(),
            heartbeats: 0,
            frame_max: 131_072,
            closed: None,
            url: url.clone(),
        };
        Ok(Self {
            inner: Rc::new(RefCell::new(inner)),
        })
    }
    /// The URL this connection was made with.
    pub fn url(&self) -> Url {
        self.inner.borrow().url.clone()
    }
    /// The address of our end of the socket.
    pub fn local_addr(&self) -> Result<std::net::SocketAddr> {
        Ok(self.inner.borrow().stream.local_addr()?)
    }
    /// Largest frame this side sends, agreed in the handshake.
    pub fn frame_max(&self) -> usize {
        self.inner.borrow().frame_max
    }
    pub(super) fn set_frame_max(&self, size: usize) {
        self.inner.borrow_mut().frame_max = size;
    }
    /// Sends any bytes. A peer that has closed its end is no failure here: the
    /// next read tells what it said before.
    pub fn send_raw(&self, bytes: &[u8]) -> Result<()> {
        match self.inner.borrow_mut().stream.write_all(bytes) {
            Err(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Ok(())
            }
            other => Ok(other?),
        }
    }
    /// Sends as much of `bytes` as the broker takes within `limit`; returns how
    /// many it took. For brokers that are expected to stop reading.
    pub fn send_some(&self, bytes: &[u8], limit: Duration) -> Result<usize> {
        let mut inner = self.inner.borrow_mut();
        inner.stream.set_write_timeout(Some(limit))?;
        let mut sent = 0;
        while sent < bytes.len() {
            match inner.stream.write(&bytes[sent..]) {
                Ok(n) => sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        inner.stream.set_write_timeout(Some(WAIT))?;
        Ok(sent)
    }
    /// Sends a frame.
    pub fn send_frame(&self, frame: &Frame) -> Result<()> {
        self.send_raw(&frame.encode())
    }
    /// Sends a method on a channel.
    pub fn send(&self, channel: u16, method: &Method) -> Result<()> {
        self.send_frame(&Frame::method(channel, method))
    }
    /// Closes our half of the socket.
    pub fn shutdown_write(&self) -> Result<()> {
        Ok(self.inner.borrow().stream.shutdown(Shutdown::Write)?)
    }
    /// Ends the socket at once, without a word to the broker.
    pub fn drop_socket(&self) {
        let _ = self.inner.borrow().stream.shutdown(Shutdown::Both);
    }
    /// Reads the next frame, heartbeats included.
    pub fn recv_frame(&self, limit: Duration) -> Result<Recv> {
        let deadline = Instant::now() + limit;
        let mut inner = self.inner.borrow_mut();
        loop {
            if let Some(frame) = Frame::take(&mut inner.buf) {
                return Ok(Recv::Frame(frame));
            }
            if !inner.fill(deadline)? {
                return Ok(inner.ended.clone().unwrap_or(Recv::Timeout));
            }
        }
    }
    /// Reads until `count` bytes came or the stream ended; for answers that are
    /// no frames.
    pub fn recv_raw(&self, count: usize) -> Result<Vec<u8>> {
        let deadline = Instant::now() + WAIT;
        let mut inner = self.inner.borrow_mut();
        while inner.buf.len() < count && inner.fill(deadline)? {}
        let n = count.min(inner.buf.len());
        Ok(inner.buf.drain(..n).collect())
    }
    /// How many heartbeats have been read so far.
    pub fn heartbeats(&self) -> usize {
        self.inner.borrow().heartbeats
    }
    /// The connection.close that was read, if any.
    pub fn closed(&self) -> Option<Closed> {
        self.inner.borrow().closed.clone()
    }
    /// Reads the next whole message of any channel from the socket; `None`
    /// when none came within `limit`. The end of the stream is a failure.
    fn read_msg(&self, limit: Duration) -> Result<Option<Msg>> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.recv_frame(left)? {
                Recv::Frame(frame) => {
                    if let Some(msg) = self.inner.borrow_mut().assemble(frame)? {
                        return Ok(Some(msg));
                    }
                }
                Recv::Timeout => return Ok(None),
                Recv::Eof => return fail("the broker ended the stream"),
                Recv::Reset => return fail("the broker reset the stream"),
            }
        }
    }
    /// The next message of `channel` for which `want` holds; those before it
    /// that do not match stay for later calls, in order. `None` after `limit`.
    /// connection.close, and channel.close of this channel, end the wait as a
    /// failure unless wanted.
    pub fn find(
        &self,
        channel: u16,
        limit: Duration,
        want: impl Fn(&Msg) -> bool,
    ) -> Result<Option<Msg>> {
        let deadline = Instant::now() + limit;
        {
            let mut inner = self.inner.borrow_mut();
            let stash = inner.stash.entry(channel).or_default();
            if let Some(at) = stash.iter().position(&want) {
                return Ok(stash.remove(at));
            }
            if let Some(m) = stash.iter().find(|m| m.method.name() == "channel.close") {
                return fail(format!("channel closed: {}", Closed::of(&m.method)));
            }
            if let Some(closed) = &inner.closed {
                return fail(format!("connection closed: {closed}"));
            }
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(msg) = self.read_msg(left)? else {
                return Ok(None);
            };
            if msg.method.name() == "connection.close" {
                let closed = Closed::of(&msg.method);
                self.inner.borrow_mut().closed = Some(closed.clone());
                if msg.channel == channel && want(&msg) {
                    return Ok(Some(msg));
                }
                return fail(format!("connection closed: {closed}"));
            }
            if msg.channel == channel && want(&msg) {
                return Ok(Some(msg));
            }
            let close = (msg.channel == channel && msg.method.name() == "channel.close")
                .then(|| Closed::of(&msg.method));
            self.inner
                .borrow_mut()
                .stash
                .entry(msg.channel)
                .or_default()
                .push_back(msg);
            if let Some(closed) = close {
                return fail(format!("channel closed: {closed}"));
            }
        }
    }
    /// Like [`Conn::find`], where not finding is a failure named by `what`.
    pub fn wait(&self, channel: u16, what: &str, want: impl Fn(&Msg) -> bool) -> Result<Msg> {
        match self.find(channel, WAIT, want)? {
            Some(msg) => Ok(msg),
            None => fail(format!(
                "no {what} within {WAIT:?}; waiting: {}",
                self.waiting(channel)
            )),
        }
    }
    /// Messages of `channel` that were read and not taken yet, as a text.
    pub fn waiting(&self, channel: u16) -> String {
        let inner = self.inner.borrow();
        let names = inner
            .stash
            .get(&channel)
            .into_iter()
            .flatten()
            .map(|m| m.method.name());
        names.collect::<Vec<_>>().join(", ")
    }
    /// The untaken messages of `channel`.
    pub fn drain(&self, channel: u16) -> Vec<Msg> {
        let mut inner = self.inner.borrow_mut();
        inner
            .stash
            .remove(&channel)
            .map(Vec::from)
            .unwrap_or_default()
    }
}

impl Inner {
    /// Reads some bytes; false when the stream ended or the deadline passed.
    fn fill(&mut self, deadline: Instant) -> Result<bool> {
        if self.ended.is_some() {
            return Ok(false);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        self.stream
            .set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut chunk = [0u8; 65_536];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.ended = Some(Recv::Eof),
            Ok(n) => {
                self.buf.extend_from_slice(&chunk[..n]);
                return Ok(true);
            }
            Err(e) => match e.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(false),
                ErrorKind::Interrupted => return Ok(true),
                _ => self.ended = Some(Recv::Reset),
            },
        }
        Ok(false)
    }
    fn assemble(&mut self, frame: Frame) -> Result<Option<Msg>> {
        let channel = frame.channel;
        match frame.kind {
            FRAME_HEARTBEAT => {
                self.heartbeats += 1;
                return Ok(None);
            }
            FRAME_METHOD => {
                if self.partial.contains_key(&channel) {
                    return fail("broker sent a method inside a content");
                }
                let method = Method::decode(&frame.payload)?;
                if !matches!(method.ids(), (60, 50 | 60 | 71)) {
                    return Ok(Some(Msg {
                        channel,
                        method,
                        content: None,
                    }));
                }
                self.partial.insert(
                    channel,
                    Partial {
                        method,
                        content: None,
                    },
                );
                return Ok(None);
            }
            FRAME_HEADER => {
                let Some(partial) = self.partial.get_mut(&channel) else {
                    return fail("broker sent a content header without a method");
                };
                let mut r = Reader::new(&frame.payload);
                let (class, weight, size) = (r.u16()?, r.u16()?, r.u64()?);
                if (class, weight) != (60, 0) || partial.content.is_some() {
                    return fail(format!("broker sent a header of class {class}"));
                }
                let raw_props = r.rest().to_vec();
                let props = Props::decode(&raw_props)?;
                let content = Content {
                    raw_props,
                    props,
                    body: Vec::new(),
                    body_frames: vec![],
                };
                partial.content = Some((size, content));
            }
            FRAME_BODY => {
                let Some((_, content)) = self
                    .partial
                    .get_mut(&channel)
                    .and_then(|p| p.content.as_mut())
                else {
                    return fail("broker sent a body without a header");
                };
                content.body.extend_from_slice(&frame.payload);
                content.body_frames.push(frame.payload.len());
            }
            kind => return fail(format!("broker sent a frame of type {kind}")),
        }
        let done = |p: &Partial| {
            p.content
                .as_ref()
                .is_some_and(|(n, c)| c.body.len() as u64 >= *n)
        };
        if !self.partial.get(&channel).is_some_and(done) {
            return Ok(None);
        }
        let Some(Partial {
            method,
            content: Some((size, content)),
        }) = self.partial.remove(&channel)
        else {
            return Ok(None);
        };
        if content.body.len() as u64 != size {
            return fail(format!(
                "body of {} bytes, announced {size}",
                content.body.len()
            ));
        }
        Ok(Some(Msg {
            channel,
            method,
            content: Some(content),
        }))
    }
}
