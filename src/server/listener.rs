//! Listening sockets and what happens to a connection before its session starts.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::certificates::Certificates;
use super::driver;
use super::proxy_protocol::{self, Forwarded};
use super::session::{PeerInfo, Session, SessionOptions};
use super::stream::Stream;
use crate::broker::Broker;

/// How sockets are set up.
#[derive(Debug, Clone)]
pub struct SocketOptions {
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Small writes leave at once.
    pub nodelay: bool,
    /// The system probes idle peers.
    pub keepalive: bool,
    /// Octets of the system's send buffer.
    pub sndbuf: Option<usize>,
    /// Octets of the system's receive buffer.
    pub recbuf: Option<usize>,
    /// Seconds that closing waits for what is unsent; `None` leaves that to the system.
    pub linger_s: Option<u64>,
    /// A PROXY protocol header comes first.
    pub proxy_protocol: bool,
    /// Milliseconds for the TLS handshake.
    pub tls_handshake_timeout_ms: u64,
}

/// An address in use, or one that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// The system's reason.
    pub reason: io::Error,
}

/// Opens a listening socket. Without `ip` it takes IPv6 and IPv4, or IPv4 alone where the host has
/// no IPv6.
pub fn listen(
    ip: Option<IpAddr>,
    port: u16,
    options: &SocketOptions,
) -> Result<TcpListener, ListenError> {
    let ip_or_any = ip.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let address = SocketAddr::new(ip_or_any, port);
    match bind(address, options) {
        Ok(listener) => Ok(listener),
        Err(reason) if ip.is_none() && reason.kind() != io::ErrorKind::AddrInUse => {
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            bind(address, options).map_err(|reason| ListenError { address, reason })
        }
        Err(reason) => Err(ListenError { address, reason }),
    }
}

fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpListener> {
    let domain = if address.is_ipv6() {
        Domain::IPV6
    } else {
        Domain::IPV4
    };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
    }
    socket.set_reuse_address(true)?;
    if let Some(octets) = options.recbuf {
        socket.set_recv_buffer_size(octets)?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// What every accepted connection needs.
#[derive(Debug)]
pub struct Acceptor {
    /// The broker.
    pub broker: Arc<Broker>,
    /// What sessions are told.
    pub session: Arc<SessionOptions>,
    /// How sockets are set up.
    pub socket: SocketOptions,
    /// TLS, for a TLS listener.
    pub certificates: Option<Arc<Certificates>>,
}

/// Accepts connections until the task is dropped.
pub async fn accept_loop(listener: TcpListener, acceptor: Arc<Acceptor>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let acceptor = Arc::clone(&acceptor);
                tokio::spawn(async move { serve(stream, address, &acceptor).await });
            }
            Err(error) => {
                // Out of file descriptors, mostly: those in use will be closed, so go on.
                tracing::error!(target: "connection", "cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, address: SocketAddr, acceptor: &Acceptor) {
    if let Err(error) = set_up(&stream, &acceptor.socket) {
        tracing::debug!(target: "connection", "cannot set up the socket of {address}: {error}");
        return;
    }
    let mut stream = stream;
    let socket_is_loopback = address.ip().to_canonical().is_loopback();
    let mut peer = PeerInfo {
        address: Some(address),
        local: stream.local_addr().ok(),
        socket_is_loopback,
        ..PeerInfo::default()
    };
    let mut first = Vec::new();
    if acceptor.socket.proxy_protocol {
        let limit = Duration::from_millis(acceptor.session.handshake_timeout_ms);
        match tokio::time::timeout(limit, proxy_protocol::read(&mut stream)).await {
            Ok(Ok(Forwarded { source, rest })) => {
                peer.address = source.or(peer.address);
                first = rest;
            }
            Ok(Err(error)) => {
                tracing::error!(target: "connection", "closing the connection from {address}: PROXY protocol: {error}");
                return;
            }
            Err(_) => {
                tracing::error!(target: "connection", "closing the connection from {address}: no PROXY protocol header");
                return;
            }
        }
    }
    let Some(certificates) = &acceptor.certificates else {
        let session = Session::new(
            Arc::clone(&acceptor.broker),
            Arc::clone(&acceptor.session),
            peer,
        );
        session.log_accepted();
        driver::run(Stream::Tcp(stream), session, first).await;
        return;
    };
    let limit = Duration::from_millis(acceptor.socket.tls_handshake_timeout_ms);
    match tokio::time::timeout(limit, certificates.accept(stream, first)).await {
        Ok(Ok((stream, user, facts))) => {
            peer.tls = true;
            peer.tls_facts = Some(Box::new(facts));
            peer.certificate_user = user;
            let session = Session::new(
                Arc::clone(&acceptor.broker),
                Arc::clone(&acceptor.session),
                peer,
            );
            session.log_accepted();
            driver::run(Stream::Tls(Box::new(stream)), session, Vec::new()).await;
        }
        Ok(Err(error)) => {
            tracing::error!(target: "connection", "TLS handshake with {address} failed: {error}")
        }
        Err(_) => tracing::error!(target: "connection", "TLS handshake with {address} timed out"),
    }
}

fn set_up(stream: &TcpStream, options: &SocketOptions) -> io::Result<()> {
    stream.set_nodelay(options.nodelay)?;
    let socket = SockRef::from(stream);
    socket.set_keepalive(options.keepalive)?;
    if let Some(seconds) = options.linger_s {
        socket.set_linger(Some(Duration::from_secs(seconds)))?;
    }
    if let Some(octets) = options.sndbuf {
        socket.set_send_buffer_size(octets)?;
    }
    Ok(())
}
