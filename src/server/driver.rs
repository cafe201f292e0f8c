//! Drives a session over a stream: reads, lets the session work, writes, waits.
//!
//! One task a connection. Octets are read into a buffer of the thread, so an idle connection holds
//! none; what a read leaves incomplete is copied into the connection's own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::session::Session;
use super::stream::Stream;
use crate::limits::READ_BATCH;

thread_local! {
    /// Every connection of a thread reads into this, one at a time.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BATCH]);
}

/// Rounds of reading and writing that a connection may make before others get the thread.
const ROUNDS: usize = 8;

/// A connection at work.
struct Driver {
    stream: Stream,
    session: Session,
    /// Octets that were read and are the start of something longer.
    partial: Vec<u8>,
    timer: Option<Pin<Box<Sleep>>>,
    timer_at: Option<tokio::time::Instant>,
    /// The peer sends no more.
    eof: bool,
    /// Octets in `partial` wait for the session to want them, not for more octets.
    stalled: bool,
    /// Octets that TLS has taken and not yet handed to the socket.
    flushing: bool,
}

/// Runs a session until its connection ends.
pub async fn run(stream: Stream, session: Session, first: Vec<u8>) {
    let mut driver = Driver {
        stream,
        session,
        partial: first,
        timer: None,
        timer_at: None,
        eof: false,
        stalled: false,
        flushing: false,
    };
    if !driver.partial.is_empty() {
        let octets = std::mem::take(&mut driver.partial);
        driver.take_in(&octets);
    }
    poll_fn(|cx| driver.poll(cx)).await;
    driver.session.on_disconnect();
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.inbox().register(cx.waker());
        for _ in 0..ROUNDS {
            let mut progress = false;
            let mut read_polled = false;
            if self.session.inbox().overflowed() {
                return Poll::Ready(());
            }
            if self.session.has_work() {
                self.session.on_mail();
                progress = true;
            }
            if self.stalled && self.session.wants_read() {
                self.stalled = false;
                let octets = std::mem::take(&mut self.partial);
                self.take_in(&octets);
                progress = true;
            }
            if !self.eof && !self.stalled && self.session.wants_read() {
                read_polled = true;
                match self.read(cx) {
                    Ok(got) => progress |= got,
                    Err(_) => return Poll::Ready(()),
                }
            }
            match self.write(cx) {
                Ok(drained) => {
                    let finished = self.session.is_done() || self.eof;
                    if finished && self.session.output().is_empty() && !self.flushing {
                        return self.finish(cx);
                    }
                    progress |= drained && self.session.inbox().is_ringing();
                    // What was written may have made room to read again; no waker is set for that.
                    let unread = !self.eof && !read_polled;
                    progress |= self.session.wants_read() && (self.stalled || unread);
                }
                Err(_) => return Poll::Ready(()),
            }
            if let Some(end) = self.look_at_clock(cx) {
                return end;
            }
            if !progress && !self.session.has_work() {
                if self.session.output().is_empty() && self.partial.is_empty() {
                    self.session.release();
                    self.partial = Vec::new();
                }
                return Poll::Pending;
            }
        }
        // Others first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once; false when there was nothing.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        SCRATCH.with_borrow_mut(|scratch| {
            let kept = self.partial.len();
            if scratch.len() < kept + READ_BATCH / 2 {
                scratch.resize(kept + READ_BATCH / 2, 0);
            }
            if let Some(start) = scratch.get_mut(..kept) {
                start.copy_from_slice(&self.partial);
            }
            let space = scratch.get_mut(kept..).unwrap_or_default();
            let mut buffer = ReadBuf::new(space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Ok(false),
                Poll::Ready(result) => result?,
            }
            let got = buffer.filled().len();
            if got == 0 {
                self.eof = true;
                return Ok(true);
            }
            let octets = scratch.get(..kept + got).unwrap_or_default();
            self.partial.clear();
            self.session.note_read(got);
            let used = self.session.on_bytes(octets);
            self.keep(octets, used);
            if scratch.len() > READ_BATCH {
                // A large frame came before login or an alarm stopped the reading; both are rare.
                scratch.truncate(READ_BATCH);
                scratch.shrink_to_fit();
            }
            Ok(true)
        })
    }

    fn take_in(&mut self, octets: &[u8]) {
        let used = self.session.on_bytes(octets);
        self.keep(octets, used);
    }

    fn keep(&mut self, octets: &[u8], used: usize) {
        self.partial
            .extend_from_slice(octets.get(used..).unwrap_or_default());
        self.stalled = !self.partial.is_empty() && self.session.has_stopped();
    }

    /// Writes what the socket takes; true when all is written.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.session.output().is_empty() && !self.flushing {
            return Ok(true);
        }
        if self.session.output_is_held() {
            // The log wakes us through the inbox.
            return Ok(false);
        }
        let stream = &mut self.stream;
        let (mut octets, mut writes) = (0, 0);
        let result = self.session.output().write_with(|slices| {
            let poll = match (slices, stream.is_write_vectored()) {
                ([one], _) => Pin::new(&mut *stream).poll_write(cx, one),
                (_, true) => Pin::new(&mut *stream).poll_write_vectored(cx, slices),
                (_, false) => {
                    let first = slices.first().map_or(&[][..], |slice| slice);
                    Pin::new(&mut *stream).poll_write(cx, first)
                }
            };
            match poll {
                Poll::Ready(result) => {
                    octets += result.as_ref().unwrap_or(&0);
                    writes += u64::from(result.is_ok());
                    result
                }
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        if writes > 0 {
            self.session.on_written(octets, writes);
        }
        match result {
            Ok(()) => {
                // TLS may have taken octets that the socket has not: they are ours to push.
                self.flushing = Pin::new(&mut self.stream).poll_flush(cx)?.is_pending();
                Ok(!self.flushing)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The last octets are written: closes our side and waits for the peer to close its own.
    fn finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.eof || !self.session.lingers() {
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
            return Poll::Ready(());
        }
        let mut waste = [0u8; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        match self.look_at_clock(cx) {
            Some(end) => end,
            None => Poll::Pending,
        }
    }

    /// Keeps the timer in step with the session and tells it when its time has come.
    fn look_at_clock(&mut self, cx: &mut Context<'_>) -> Option<Poll<()>> {
        loop {
            let at = self.session.next_time();
            // A timer that fires too early only looks again; resetting it at every write costs more.
            let sooner = match (at, self.timer_at) {
                (Some(at), Some(set)) => at < set,
                (at, set) => at != set,
            };
            if sooner {
                self.timer_at = at;
                match (at, &mut self.timer) {
                    (None, timer) => *timer = None,
                    (Some(at), Some(timer)) => timer.as_mut().reset(at),
                    (Some(at), timer) => *timer = Some(Box::pin(tokio::time::sleep_until(at))),
                }
            }
            let timer = self.timer.as_mut()?;
            if timer.as_mut().poll(cx).is_pending() {
                return None;
            }
            self.timer_at = None;
            if !self.session.on_time() {
                return Some(Poll::Ready(()));
            }
            if !self.session.output().is_empty() && self.write(cx).is_err() {
                return Some(Poll::Ready(()));
            }
        }
    }
}
