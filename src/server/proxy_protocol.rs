//! The PROXY protocol, versions 1 and 2: who is behind a load balancer.

use std::io;
use std::net::SocketAddr;

use ppp::{HeaderResult, PartialResult, v1, v2};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A header is at most this long with the TLVs that balancers send; a longer one is refused.
const HEADER_MAX: usize = 4 * 1024;

/// A version 1 line's longest, its end included (PROXY protocol, section 2.1).
const LINE_MAX: usize = 107;

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
        if let Some(header) = complete(&octets) {
            return header;
        }
    }
}

/// The header at the start of these octets; `None` while its end has not come.
fn complete(octets: &[u8]) -> Option<io::Result<Forwarded>> {
    if cut_line(octets) {
        return None;
    }
    match HeaderResult::parse(octets) {
        HeaderResult::V1(Ok(header)) => Some(Ok(Forwarded {
            source: source_v1(&header),
            rest: rest(octets, header.header.len()),
        })),
        HeaderResult::V2(Ok(header)) => Some(Ok(Forwarded {
            source: source_v2(&header),
            rest: rest(octets, header.len()),
        })),
        HeaderResult::V2(result) if result.is_incomplete() && octets.len() < HEADER_MAX => None,
        _ => Some(Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "malformed header",
        ))),
    }
}

/// Whether this is the start of a version 1 line whose end has not come yet. The parser is
/// asked only for whole lines: it takes half an address for a malformed one.
fn cut_line(octets: &[u8]) -> bool {
    let starts = octets
        .iter()
        .zip(v1::PROTOCOL_PREFIX.as_bytes())
        .all(|(got, wanted)| got == wanted);
    starts && octets.len() < LINE_MAX && !octets.windows(2).any(|w| w == b"\r\n")
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn read_pieces(pieces: &[&[u8]]) -> io::Result<Forwarded> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let reading = tokio::spawn(async move { read(&mut stream).await });
        for piece in pieces {
            sender.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        sender.shutdown().await.unwrap();
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn a_header_cut_anywhere_is_read_whole() {
        let v1: &[u8] = b"PROXY TCP4 203.0.113.7 198.51.100.1 40000 5672\r\n";
        let v2: &[u8] =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\xc6\x33\x64\x01\x9c\x40\x16\x28";
        for header in [v1, v2] {
            for cut in 1..header.len() {
                assert!(
                    !matches!(complete(&header[..cut]), Some(Err(_))),
                    "cut at {cut}"
                );
            }
            let bytes: Vec<&[u8]> = header.chunks(1).collect();
            let forwarded = read_pieces(&bytes).await.unwrap();
            assert_eq!(forwarded.source, Some("203.0.113.7:40000".parse().unwrap()));
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let endless = [
            b'P', b'R', b'O', b'X', b'Y', b' ', b'T', b'C', b'P', b'4', b' ',
        ]
        .into_iter()
        .chain(std::iter::repeat_n(b'1', 200))
        .collect::<Vec<_>>();
        for bad in [
            &b"AMQP\0\0\x09\x01"[..],
            &endless,
            b"PROXY TCP4 1 2 3 4\r\n",
        ] {
            let error = read_pieces(&[bad]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
