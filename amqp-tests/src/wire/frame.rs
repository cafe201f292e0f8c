//! Frames: type, channel, payload, end octet.

use super::{Method, Writer};

/// Frame type of methods.
pub const FRAME_METHOD: u8 = 1;
/// Frame type of content headers.
pub const FRAME_HEADER: u8 = 2;
/// Frame type of content bodies.
pub const FRAME_BODY: u8 = 3;
/// Frame type of heartbeats.
pub const FRAME_HEARTBEAT: u8 = 8;
/// The octet that ends every frame.
pub const FRAME_END: u8 = 0xCE;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Frame type.
    pub kind: u8,
    /// Channel number.
    pub channel: u16,
    /// What stands between the size and the end octet.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame of any type.
    pub fn new(kind: u8, channel: u16, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            channel,
            payload: payload.into(),
        }
    }
    /// A method frame.
    pub fn method(channel: u16, method: &Method) -> Self {
        Self::new(FRAME_METHOD, channel, method.encode())
    }
    /// A heartbeat frame on channel 0.
    pub fn heartbeat() -> Self {
        Self::new(FRAME_HEARTBEAT, 0, [])
    }
    /// The bytes of the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(self.kind)
            .u16(self.channel)
            .long_str(&self.payload)
            .u8(FRAME_END);
        w.0
    }
    /// Takes one frame from the front of `buf`, if it is complete. A frame
    /// without its end octet is a defect of the broker and panics.
    pub fn take(buf: &mut Vec<u8>) -> Option<Self> {
        let head = buf.get(..7)?;
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        let (kind, channel) = (head[0], u16::from_be_bytes([head[1], head[2]]));
        let end = *buf.get(7 + size)?;
        assert_eq!(end, FRAME_END, "frame from the broker without end octet");
        let payload = buf[7..7 + size].to_vec();
        buf.drain(..8 + size);
        Some(Self {
            kind,
            channel,
            payload,
        })
    }
}
