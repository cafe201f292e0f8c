//! Listeners and connections of the API: HTTP/1.1 over TCP, TLS or any other stream.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::transport::Transport;
use crate::limits;

/// A connection's two directions.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// The end of a TLS handshake.
pub type Accepted = Pin<Box<dyn Future<Output = io::Result<Box<dyn Connection>>> + Send>>;

/// How a TLS listener makes its connections: the node gives it the certificates.
pub trait TlsAccept: Send + Sync {
    /// Carries out the handshake.
    fn accept(&self, stream: TcpStream) -> Accepted;
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peer {
    /// The other end; `None` for a local socket.
    pub address: Option<SocketAddr>,
    /// The operator of this machine, as the system vouches: may do everything.
    pub operator: bool,
    /// The connection is encrypted.
    pub tls: bool,
}

impl Peer {
    /// A caller on the operator's socket, whose rights were checked when it connected.
    pub fn operator() -> Self {
        Self {
            operator: true,
            ..Self::default()
        }
    }

    /// True when it comes from this machine.
    pub fn is_loopback(&self) -> bool {
        match self.address {
            Some(address) => address.ip().to_canonical().is_loopback(),
            None => self.operator,
        }
    }
}

/// What a connection's requests are answered by.
pub trait Answers: Clone + Send + Sync + 'static {
    /// Answers a request of `peer`.
    fn answer<B>(&self, request: Request<B>, peer: Peer) -> impl Future<Output = Response> + Send
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>;

    /// Ends when connections are to finish their request and close.
    fn stopped(&self) -> impl Future<Output = ()> + Send;
}

/// A listener of the API.
pub struct Listening {
    /// The socket.
    pub listener: TcpListener,
    /// TLS, where it is spoken.
    pub tls: Option<Arc<dyn TlsAccept>>,
}

/// Accepts connections until the task is dropped or the node stops.
pub async fn serve(listening: Listening, transport: Transport) {
    let room = Arc::new(Semaphore::new(limits::MANAGEMENT_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listening.listener.accept() => accepted,
            () = transport.api().stopped() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let tls = listening.tls.clone();
                let transport = transport.clone();
                tokio::spawn(async move {
                    serve_tcp(stream, address, tls, transport).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: those in use will be closed, so go on.
                tracing::error!("management: cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_tcp(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<dyn TlsAccept>>,
    transport: Transport,
) {
    // A small answer must not wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let peer = Peer {
        address: Some(address),
        operator: false,
        tls: tls.is_some(),
    };
    let Some(tls) = tls else {
        return serve_connection(stream, peer, transport).await;
    };
    let limit = Duration::from_millis(transport.api().settings.listeners.ssl_handshake_timeout_ms);
    match tokio::time::timeout(limit, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_connection(stream, peer, transport).await,
        Ok(Err(error)) => tracing::warn!(peer = %address, "management: TLS handshake: {error}"),
        Err(_) => tracing::warn!(peer = %address, "management: TLS handshake timed out"),
    }
}

/// Serves one connection until it ends; when the node stops, its request is finished first.
pub async fn serve_connection<S>(stream: S, peer: Peer, answers: impl Answers)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stopping = answers.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let answers = answers.clone();
        async move { Ok::<_, std::convert::Infallible>(answers.answer(request, peer).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::MANAGEMENT_HEADER_TIMEOUT)
        .max_buf_size(limits::MANAGEMENT_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("management: a connection ended: {error}");
    }
}
