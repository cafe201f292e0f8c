//! The publishing half of a run: frames encoded once, stamped and written in large pieces.
//!
//! Every body begins with its sequence number and the time it was sent. Messages go round robin
//! over the plan's routing keys, and over the sockets where there are several. Never reads,
//! except confirms.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::client::{Client, unexpected};
use crate::confirms::Confirms;
use crate::flow::Flow;
use crate::pacer::Pacer;
use crate::ring::{Pattern, Ring};
use crate::wire::{self, Front};

/// A broker that takes no byte for this long has failed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// What is published.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Exchange of every message.
    pub exchange: String,
    /// Routing keys, all of one length, taken in turn.
    pub keys: Vec<String>,
    /// Octets of a body.
    pub size: usize,
    /// Whether messages carry delivery mode 2.
    pub persistent: bool,
    /// Messages a second, or as fast as the broker takes them.
    pub rate: Option<u64>,
    /// Unconfirmed publishes allowed, when the channel confirms.
    pub confirm_window: Option<u64>,
    /// Sequence number of the first message.
    pub first: u64,
    /// Messages in all, or until told to stop.
    pub limit: Option<u64>,
}

/// Publishes until the plan or the flow ends it; all confirms are in when it returns.
///
/// The sockets come back open: a broker may drop what it has read but not yet routed when a
/// publisher vanishes (RabbitMQ does), so they are closed once everything was delivered.
pub fn run(plan: &Plan, clients: Vec<Client>, flow: &Flow) -> Result<Vec<TcpStream>> {
    let mut sockets = Vec::with_capacity(clients.len());
    for client in clients {
        let (socket, _nothing) = client.into_socket();
        socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
        sockets.push(socket);
    }
    let mut ring = Ring::new(
        &plan.keys,
        Pattern {
            exchange: &plan.exchange,
            size: plan.size,
            persistent: plan.persistent,
            window: u64::MAX,
        },
    )?;
    let mut confirms = plan.confirm_window.map(Confirms::new);
    let mut pacer = plan.rate.map(Pacer::new);
    let limit = plan.limit.unwrap_or(u64::MAX);
    let mut sent = 0;
    while sent < limit {
        let mut count = ring.batch().min(limit - sent);
        if let Some(pacer) = &mut pacer {
            let due = pacer.wait(sent, || flow.is_publishing());
            count = count.min(due);
        }
        if let Some(confirms) = &mut confirms {
            let socket = sockets.first_mut().context("no socket")?;
            count = count.min(confirms.wait_for_room(sent, count, socket, flow)?);
        }
        let room = flow.wait_for_room(count);
        if room == 0 || count == 0 {
            break;
        }
        let (slot, straight) = ring.slot(sent);
        let count = count.min(room).min(straight);
        match &pacer {
            None => {
                let now = flow.now_ns();
                ring.stamp(slot, count, plan.first + sent, |_| now);
            }
            Some(pacer) => {
                let began = flow.now_ns().saturating_sub(pacer.elapsed_ns());
                ring.stamp(slot, count, plan.first + sent, |number| {
                    began + pacer.stamp_ns(number - plan.first)
                });
            }
        }
        write(&ring, slot, count, sent, &mut sockets)
            .map_err(|error| explain(error, &mut sockets))?;
        sent += count;
        flow.set_sent(sent);
    }
    if let (Some(confirms), Some(socket)) = (&mut confirms, sockets.first_mut()) {
        confirms.wait_for_all(sent, socket, flow)?;
    }
    Ok(sockets)
}

/// A failed write usually has its reason waiting in the socket.
fn explain(error: std::io::Error, sockets: &mut [TcpStream]) -> anyhow::Error {
    for socket in sockets.iter_mut().take(16) {
        let mut bytes = vec![0; 4096];
        let waiting = socket.set_read_timeout(Some(Duration::from_millis(50)));
        let count = waiting.and_then(|()| socket.read(&mut bytes)).unwrap_or(0);
        if let Some(Front::Whole(frame)) = bytes.get(..count).map(wire::front)
            && let Some((method, arguments)) = wire::method_id(frame.payload)
        {
            return unexpected(method, arguments);
        }
    }
    anyhow::Error::new(error).context("publishing")
}

/// Writes a run of messages, one after the other over the sockets where there are several.
fn write(
    ring: &Ring,
    slot: u64,
    count: u64,
    sent: u64,
    sockets: &mut [TcpStream],
) -> std::io::Result<()> {
    let bytes = ring.octets(ring.range(slot, count));
    if let [socket] = sockets {
        return socket.write_all(bytes);
    }
    let total = sockets.len() as u64;
    for (message, number) in bytes.chunks_exact(ring.stride()).zip(sent..) {
        if let Some(socket) = sockets.get_mut((number % total) as usize) {
            socket.write_all(message)?;
        }
    }
    Ok(())
}
