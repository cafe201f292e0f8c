//! The few AMQP 0-9-1 frames a load generator speaks, written by hand.
//!
//! Encoding of methods for the set-up path, and a splitter that cuts frames off a byte slice
//! without copying. Never touches a socket. The hot paths (publishing, deliveries) build on the
//! splitter and on frames encoded once.

/// Last octet of every frame.
pub const FRAME_END: u8 = 0xCE;
/// Octets of a frame around its payload: type, channel, size and the end octet.
pub const FRAME_OVERHEAD: usize = 8;
/// What a client sends first.
pub const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// Frame type of a method.
pub const METHOD: u8 = 1;
/// Frame type of a content header.
pub const HEADER: u8 = 2;
/// Frame type of a piece of body.
pub const BODY: u8 = 3;

/// Class and method number.
pub type MethodId = (u16, u16);

/// Numbers of the methods used here, named as in the specification.
pub mod id {
    use super::MethodId;

    pub const CONNECTION_START: MethodId = (10, 10);
    pub const CONNECTION_START_OK: MethodId = (10, 11);
    pub const CONNECTION_TUNE: MethodId = (10, 30);
    pub const CONNECTION_TUNE_OK: MethodId = (10, 31);
    pub const CONNECTION_OPEN: MethodId = (10, 40);
    pub const CONNECTION_OPEN_OK: MethodId = (10, 41);
    pub const CONNECTION_CLOSE: MethodId = (10, 50);
    pub const CONNECTION_CLOSE_OK: MethodId = (10, 51);
    pub const CHANNEL_OPEN: MethodId = (20, 10);
    pub const CHANNEL_OPEN_OK: MethodId = (20, 11);
    pub const CHANNEL_CLOSE: MethodId = (20, 40);
    pub const CHANNEL_CLOSE_OK: MethodId = (20, 41);
    pub const EXCHANGE_DECLARE: MethodId = (40, 10);
    pub const EXCHANGE_DECLARE_OK: MethodId = (40, 11);
    pub const EXCHANGE_DELETE: MethodId = (40, 20);
    pub const EXCHANGE_DELETE_OK: MethodId = (40, 21);
    pub const QUEUE_DECLARE: MethodId = (50, 10);
    pub const QUEUE_DECLARE_OK: MethodId = (50, 11);
    pub const QUEUE_BIND: MethodId = (50, 20);
    pub const QUEUE_BIND_OK: MethodId = (50, 21);
    pub const QUEUE_DELETE: MethodId = (50, 40);
    pub const QUEUE_DELETE_OK: MethodId = (50, 41);
    pub const BASIC_QOS: MethodId = (60, 10);
    pub const BASIC_QOS_OK: MethodId = (60, 11);
    pub const BASIC_CONSUME: MethodId = (60, 20);
    pub const BASIC_CONSUME_OK: MethodId = (60, 21);
    pub const BASIC_CANCEL: MethodId = (60, 30);
    pub const BASIC_PUBLISH: MethodId = (60, 40);
    pub const BASIC_DELIVER: MethodId = (60, 60);
    pub const BASIC_ACK: MethodId = (60, 80);
    pub const BASIC_NACK: MethodId = (60, 120);
    pub const CONFIRM_SELECT: MethodId = (85, 10);
    pub const CONFIRM_SELECT_OK: MethodId = (85, 11);
}

/// A method being encoded: class, method and arguments in order.
#[derive(Debug, Clone)]
pub struct Method {
    payload: Vec<u8>,
}

impl Method {
    /// Starts a method without arguments.
    pub fn new((class, method): MethodId) -> Self {
        let mut payload = Vec::with_capacity(64);
        payload.extend_from_slice(&class.to_be_bytes());
        payload.extend_from_slice(&method.to_be_bytes());
        Self { payload }
    }

    /// Appends one octet (also a group of bits).
    pub fn octet(mut self, value: u8) -> Self {
        self.payload.push(value);
        self
    }

    /// Appends a 16-bit number.
    pub fn short(mut self, value: u16) -> Self {
        self.payload.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a 32-bit number.
    pub fn long(mut self, value: u32) -> Self {
        self.payload.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a 64-bit number.
    pub fn long_long(mut self, value: u64) -> Self {
        self.payload.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a short string; what exceeds 255 octets is cut (names here are far shorter).
    pub fn short_str(mut self, text: &[u8]) -> Self {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.payload.push(length);
        self.payload
            .extend(text.iter().take(usize::from(length)).copied());
        self
    }

    /// Appends a long string, or an already encoded table, with its length.
    pub fn long_bytes(mut self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.payload.extend_from_slice(&length.to_be_bytes());
        self.payload.extend_from_slice(bytes);
        self
    }

    /// Appends an empty field table.
    pub fn no_arguments(self) -> Self {
        self.long(0)
    }

    /// The finished method frame.
    pub fn frame(&self, channel: u16) -> Vec<u8> {
        frame(METHOD, channel, &self.payload)
    }
}

/// One frame of any type.
pub fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(payload.len() + FRAME_OVERHEAD);
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(payload);
    out.push(FRAME_END);
    out
}

/// A complete publish of `body` to one exchange and key, as one run of frames.
///
/// The body must fit into one frame; it is the tail of the result, before the end octet.
pub fn publish(channel: u16, exchange: &str, key: &str, persistent: bool, body: &[u8]) -> Vec<u8> {
    let mut out = Method::new(id::BASIC_PUBLISH)
        .short(0)
        .short_str(exchange.as_bytes())
        .short_str(key.as_bytes())
        .octet(0)
        .frame(channel);
    let header = Method::new((60, 0)).long_long(u64::try_from(body.len()).unwrap_or(u64::MAX));
    // Property flag 12 is the delivery mode, the only property sent.
    let header = if persistent {
        header.short(0x1000).octet(2)
    } else {
        header.short(0)
    };
    out.extend_from_slice(&frame(HEADER, channel, &header.payload));
    out.extend_from_slice(&frame(BODY, channel, body));
    out
}

/// A frame cut off the front of a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Frame type.
    pub kind: u8,
    /// Channel number.
    pub channel: u16,
    /// Payload without the end octet.
    pub payload: &'a [u8],
    /// Octets of the whole frame in the buffer.
    pub length: usize,
}

/// What stands at the front of a buffer.
#[derive(Debug, Clone, Copy)]
pub enum Front<'a> {
    /// A whole frame.
    Whole(Frame<'a>),
    /// The beginning of a frame.
    Partial,
    /// Something that is no frame.
    Garbage,
}

/// Looks at the first frame of `data`.
#[inline]
pub fn front(data: &[u8]) -> Front<'_> {
    let Some((&[kind, c0, c1, s0, s1, s2, s3], rest)) = data.split_first_chunk::<7>() else {
        return Front::Partial;
    };
    let Ok(size) = usize::try_from(u32::from_be_bytes([s0, s1, s2, s3])) else {
        return Front::Garbage;
    };
    let Some((payload, after)) = rest.split_at_checked(size) else {
        return Front::Partial;
    };
    match after.first() {
        None => Front::Partial,
        Some(&FRAME_END) => Front::Whole(Frame {
            kind,
            channel: u16::from_be_bytes([c0, c1]),
            payload,
            length: size + FRAME_OVERHEAD,
        }),
        Some(_) => Front::Garbage,
    }
}

/// Class and method of a method frame's payload, and its arguments.
#[inline]
pub fn method_id(payload: &[u8]) -> Option<(MethodId, &[u8])> {
    let (&[c0, c1, m0, m1], arguments) = payload.split_first_chunk::<4>()?;
    Some((
        (u16::from_be_bytes([c0, c1]), u16::from_be_bytes([m0, m1])),
        arguments,
    ))
}

/// Reads arguments in order; `None` when they end early.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a>(pub &'a [u8]);

impl<'a> Arguments<'a> {
    /// One octet.
    #[inline]
    pub fn octet(&mut self) -> Option<u8> {
        let (&value, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(value)
    }

    /// A 16-bit number.
    #[inline]
    pub fn short(&mut self) -> Option<u16> {
        let (&value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(value))
    }

    /// A 32-bit number.
    #[inline]
    pub fn long(&mut self) -> Option<u32> {
        let (&value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(value))
    }

    /// A 64-bit number.
    #[inline]
    pub fn long_long(&mut self) -> Option<u64> {
        let (&value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(value))
    }

    /// A short string.
    #[inline]
    pub fn short_str(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.octet()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    /// A long string or a table, without its length.
    pub fn long_bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.long()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{BODY, Front, HEADER, METHOD, front, id, method_id, publish};

    #[test]
    fn a_publish_splits_into_its_three_frames() {
        let bytes = publish(7, "x", "key", true, b"0123456789abcdef");
        let mut rest = bytes.as_slice();
        for kind in [METHOD, HEADER, BODY] {
            let Front::Whole(frame) = front(rest) else {
                panic!("no frame");
            };
            assert_eq!((frame.kind, frame.channel), (kind, 7));
            if kind == METHOD {
                assert_eq!(method_id(frame.payload).unwrap().0, id::BASIC_PUBLISH);
            }
            rest = &rest[frame.length..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_cut_frame_is_partial_and_a_bad_end_is_garbage() {
        let bytes = publish(1, "", "q", false, b"0123456789abcdef");
        let Front::Whole(first) = front(&bytes) else {
            panic!("no frame");
        };
        for cut in 0..first.length {
            assert!(
                matches!(front(&bytes[..cut]), Front::Partial),
                "cut at {cut}"
            );
        }
        let mut broken = bytes.clone();
        broken[first.length - 1] = 0;
        assert!(matches!(front(&broken), Front::Garbage));
    }
}
