//! The PROXY protocol, versions 1 and 2: who is behind a load balancer.

use std::io;
use std::net::SocketAddr;

use ppp::{HeaderResult, PartialResult, v1, v2};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A header is at most this long with the TLVs that balancers send; a longer one is refused.
const HEADER_MAX: usize = 4 * 1024;

/// What the header said, and the octets behind it.
#[derive(Debug)]
pub struct Forwarded {
    /// The client behind the proxy; `None` for the proxy's own health checks.
    pub source: Option<SocketAddr>,
    /// Octets that came with the header.
    pub rest: Vec<u8>,
}

/// Reads the header at the start of a connection.
pub async fn read(stream: &mut TcpStream) -> io::Result<Forwarded> {
    let mut octets = Vec::new();
    loop {
        if stream.read_buf(&mut octets).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match HeaderResult::parse(&octets) {
            HeaderResult::V1(Ok(header)) => {
                let used = header.header.len();
                return Ok(Forwarded {
                    source: source_v1(&header),
                    rest: rest(&octets, used),
                });
            }
            HeaderResult::V2(Ok(header)) => {
                let used = header.len();
                return Ok(Forwarded {
                    source: source_v2(&header),
                    rest: rest(&octets, used),
                });
            }
            result if result.is_incomplete() && octets.len() < HEADER_MAX => {}
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "malformed header",
                ));
            }
        }
    }
}

fn rest(octets: &[u8], used: usize) -> Vec<u8> {
    octets.get(used..).unwrap_or_default().to_vec()
}

fn source_v1(header: &v1::Header<'_>) -> Option<SocketAddr> {
    match header.addresses {
        v1::Addresses::Tcp4(a) => Some((a.source_address, a.source_port).into()),
        v1::Addresses::Tcp6(a) => Some((a.source_address, a.source_port).into()),
        v1::Addresses::Unknown => None,
    }
}

fn source_v2(header: &v2::Header<'_>) -> Option<SocketAddr> {
    match header.addresses {
        v2::Addresses::IPv4(a) => Some((a.source_address, a.source_port).into()),
        v2::Addresses::IPv6(a) => Some((a.source_address, a.source_port).into()),
        _ => None,
    }
}
