//! The methods of the hot path, read where they lie and without allocation: `basic.publish`,
//! `basic.ack`, `basic.nack`, `basic.reject` and the content header.

use nom::IResult;
use nom::Parser;

use nom::number::complete::{be_u8, be_u16, be_u64};
use nom::sequence::pair;

use super::constants::{BASIC, BASIC_ACK, BASIC_NACK, BASIC_PUBLISH, BASIC_REJECT};

/// A method of the hot path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HotMethod<'a> {
    /// `basic.publish`.
    Publish(Publish<'a>),
    /// `basic.ack`: tag, multiple.
    Ack(u64, bool),
    /// `basic.nack`: tag, multiple, requeue.
    Nack(u64, bool, bool),
    /// `basic.reject`: tag, requeue.
    Reject(u64, bool),
}

/// `basic.publish` as it lies in its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Exchange and routing key as two short strings behind each other, lengths included: a
    /// delivery carries the very same octets.
    pub route: &'a [u8],
    /// Return the message when no queue takes it.
    pub mandatory: bool,
    /// Refused: RabbitMQ has not implemented it since 3.0.
    pub immediate: bool,
}

/// The exchange and the routing key of a [`Publish::route`].
pub fn split_route(route: &[u8]) -> (&[u8], &[u8]) {
    let Some((&len, tail)) = route.split_first() else {
        return (&[], &[]);
    };
    let (exchange, tail) = tail.split_at_checked(len.into()).unwrap_or((tail, &[]));
    (exchange, tail.get(1..).unwrap_or_default())
}

/// Joins an exchange and a routing key into a [`Publish::route`]; each is cut at 255 octets.
pub fn join_route(exchange: &[u8], routing_key: &[u8]) -> Vec<u8> {
    let mut route = Vec::with_capacity(exchange.len() + routing_key.len() + 2);
    super::table::write_short_string(&mut route, exchange);
    super::table::write_short_string(&mut route, routing_key);
    route
}

/// Reads a method payload if it is one of the hot ones and well formed; anything else is left to
/// [`super::method`], which also words the errors.
#[inline]
pub fn read(payload: &[u8]) -> Option<HotMethod<'_>> {
    let (args, (class, method)) = pair(be_u16::<_, nom::error::Error<_>>, be_u16)
        .parse(payload)
        .ok()?;
    if class != BASIC {
        return None;
    }
    let parsed: IResult<&[u8], HotMethod<'_>> = match method {
        BASIC_PUBLISH => return publish(args).map(HotMethod::Publish),
        BASIC_ACK => pair(be_u64, be_u8)
            .map(|(tag, bits)| HotMethod::Ack(tag, bits & 1 != 0))
            .parse(args),
        BASIC_NACK => pair(be_u64, be_u8)
            .map(|(tag, bits)| HotMethod::Nack(tag, bits & 1 != 0, bits & 2 != 0))
            .parse(args),
        BASIC_REJECT => pair(be_u64, be_u8)
            .map(|(tag, bits)| HotMethod::Reject(tag, bits & 1 != 0))
            .parse(args),
        _ => return None,
    };
    match parsed {
        Ok(([], hot)) => Some(hot),
        _ => None,
    }
}

#[inline]
fn publish(args: &[u8]) -> Option<Publish<'_>> {
    // reserved-1 (the old access ticket), exchange, routing key, bits.
    let route_and_bits = args.get(2..)?;
    let exchange_len = usize::from(*route_and_bits.first()?);
    let key_len = usize::from(*route_and_bits.get(1 + exchange_len)?);
    let route_len = 2 + exchange_len + key_len;
    let (route, bits) = route_and_bits.split_at_checked(route_len)?;
    match *bits {
        [bits] => Some(Publish {
            route,
            mandatory: bits & 1 != 0,
            immediate: bits & 2 != 0,
        }),
        _ => None,
    }
}

/// A content header: class, body size and raw properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The class it belongs to; 60 for every content of AMQP 0-9-1 that RabbitMQ knows.
    pub class: u16,
    /// Octets of body that follow.
    pub body_size: u64,
    /// Flag word and fields.
    pub properties: &'a [u8],
}

/// Reads the payload of a header frame.
#[inline]
pub fn content_header(payload: &[u8]) -> Option<ContentHeader<'_>> {
    let (class, tail) = payload.split_first_chunk::<2>()?;
    // The specification keeps the weight at 0 and RabbitMQ insists on it.
    let (_, tail) = tail
        .split_first_chunk::<2>()
        .filter(|(weight, _)| **weight == [0, 0])?;
    let (size, properties) = tail.split_first_chunk::<8>()?;
    if properties.len() < 2 {
        return None;
    }
    Some(ContentHeader {
        class: u16::from_be_bytes(*class),
        body_size: u64::from_be_bytes(*size),
        properties,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publish_is_read_in_place() {
        let mut payload = vec![0, 60, 0, 40, 0, 0];
        payload.extend_from_slice(&join_route(b"amq.topic", b"a.b"));
        payload.push(1);
        let Some(HotMethod::Publish(publish)) = read(&payload) else {
            panic!("not a publish")
        };
        assert_eq!(split_route(publish.route), (&b"amq.topic"[..], &b"a.b"[..]));
        assert!(publish.mandatory && !publish.immediate);
        for cut in 0..payload.len() {
            assert_eq!(read(&payload[..cut]), None);
        }
        payload.push(0);
        assert_eq!(
            read(&payload),
            None,
            "trailing octets are not ours to forgive"
        );
    }

    #[test]
    fn settles_are_read() {
        let ack = [0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 7, 1];
        assert_eq!(read(&ack), Some(HotMethod::Ack(7, true)));
        let nack = [0, 60, 0, 120, 0, 0, 0, 0, 0, 0, 0, 7, 2];
        assert_eq!(read(&nack), Some(HotMethod::Nack(7, false, true)));
        let reject = [0, 60, 0, 90, 0, 0, 0, 0, 0, 0, 0, 7, 0];
        assert_eq!(read(&reject), Some(HotMethod::Reject(7, false)));
    }
}
