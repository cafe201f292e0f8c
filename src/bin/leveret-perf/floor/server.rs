//! The floor's sockets: one thread, one poll loop, one read at a time from whoever has input.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::output::Outputs;
use super::session::Session;
use super::topology::Topology;

/// Octets read at once.
const READ_SIZE: usize = 256 * 1024;
/// A publisher is not read while a consumer has more than this waiting.
const OUTPUT_BOUND: usize = 1024 * 1024;
/// It is read again once so much is left.
const OUTPUT_LOW: usize = OUTPUT_BOUND / 4;
const LISTENER: Token = Token(usize::MAX);

struct Peer {
    socket: TcpStream,
    session: Session,
    /// The beginning of a message whose end has not arrived.
    carry: Vec<u8>,
    queued: bool,
    paused: bool,
}

/// All connections and what they declared.
pub struct Server {
    poll: Poll,
    listener: TcpListener,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    ready: VecDeque<usize>,
    /// Publishers not read, each with the connection it waits for.
    paused: Vec<(usize, usize)>,
    topology: Topology,
    outputs: Outputs,
    buffer: Vec<u8>,
}

impl Server {
    /// Starts to listen.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        let poll = Poll::new()?;
        let mut listener =
            TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            peers: Vec::new(),
            free: Vec::new(),
            ready: VecDeque::new(),
            paused: Vec::new(),
            topology: Topology::default(),
            outputs: Outputs::default(),
            buffer: vec![0; 2 * READ_SIZE],
        })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves for ever.
    pub fn run(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let patience = (!self.ready.is_empty()).then_some(std::time::Duration::ZERO);
            if let Err(error) = self.poll.poll(&mut events, patience) {
                if error.kind() == ErrorKind::Interrupted {
                    continue;
                }
                return Err(error.into());
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let peer = event.token().0;
                if event.is_writable() {
                    self.flush(peer);
                }
                if event.is_readable() {
                    self.queue(peer);
                }
            }
            // One read each, then a look at who else has something.
            for _ in 0..self.ready.len() {
                if let Some(peer) = self.ready.pop_front() {
                    self.serve(peer);
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => continue,
            };
            let peer = self.free.pop().unwrap_or_else(|| {
                self.peers.push(None);
                self.peers.len() - 1
            });
            socket.set_nodelay(true)?;
            // Notices come once, at a change, so asking for both costs nothing.
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut socket, Token(peer), both)?;
            self.outputs.open(peer);
            if let Some(place) = self.peers.get_mut(peer) {
                *place = Some(Peer {
                    socket,
                    session: Session::new(peer),
                    carry: Vec::new(),
                    queued: false,
                    paused: false,
                });
            }
        }
    }

    fn queue(&mut self, number: usize) {
        if let Some(Some(peer)) = self.peers.get_mut(number)
            && !peer.queued
            && !peer.paused
        {
            peer.queued = true;
            self.ready.push_back(number);
        }
    }

    /// Reads once from a connection, handles what came and writes everything it caused.
    fn serve(&mut self, number: usize) {
        let Some(Some(peer)) = self.peers.get_mut(number) else {
            return;
        };
        peer.queued = false;
        let carried = peer.carry.len();
        if self.buffer.len() < carried + READ_SIZE {
            self.buffer.resize(carried + READ_SIZE, 0);
        }
        let (front, rest) = self.buffer.split_at_mut(carried);
        front.copy_from_slice(&peer.carry);
        let space = rest.get_mut(..READ_SIZE).unwrap_or_default();
        let count = match peer.socket.read(space) {
            Ok(0) => return self.close(number),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == ErrorKind::Interrupted => return self.queue(number),
            Err(_) => return self.close(number),
        };
        let data = self.buffer.get(..carried + count).unwrap_or_default();
        let handled = peer
            .session
            .handle(data, &mut self.topology, &mut self.outputs);
        peer.carry.clear();
        match handled {
            Ok(used) => peer
                .carry
                .extend_from_slice(data.get(used..).unwrap_or_default()),
            Err(error) => {
                eprintln!("floor: connection {number}: {error:#}");
                return self.close(number);
            }
        }
        let mut fullest = (0, number);
        while let Some(target) = self.outputs.next_dirty() {
            fullest = fullest.max((self.flush(target), target));
        }
        let (waiting, target) = fullest;
        let Some(Some(peer)) = self.peers.get_mut(number) else {
            return;
        };
        if waiting > OUTPUT_BOUND {
            peer.paused = true;
            self.paused.push((number, target));
        } else if count == READ_SIZE {
            self.queue(number);
        }
    }

    /// Writes what a connection takes; the octets left. Below the low mark, those waiting for it go on.
    fn flush(&mut self, number: usize) -> usize {
        let Some(Some(peer)) = self.peers.get_mut(number) else {
            return 0;
        };
        match self.outputs.flush(number, &mut peer.socket) {
            Ok(waiting) => {
                if waiting <= OUTPUT_LOW && !self.paused.is_empty() {
                    self.resume(number);
                }
                waiting
            }
            Err(_) => {
                self.close(number);
                0
            }
        }
    }

    fn resume(&mut self, drained: usize) {
        let waiting: Vec<_> = self
            .paused
            .extract_if(.., |(_, target)| *target == drained)
            .collect();
        for (number, _) in waiting {
            if let Some(Some(peer)) = self.peers.get_mut(number) {
                peer.paused = false;
            }
            self.queue(number);
        }
    }

    fn close(&mut self, number: usize) {
        if let Some(place) = self.peers.get_mut(number)
            && let Some(mut peer) = place.take()
        {
            let _ = self.poll.registry().deregister(&mut peer.socket);
            self.topology.remove_peer(number);
            self.outputs.open(number);
            self.free.push(number);
            self.resume(number);
        }
    }
}
