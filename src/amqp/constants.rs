//! Numbers of the AMQP 0-9-1 specification, section 1.4 and 4.2.

/// The protocol header a client opens with, and the one a refused client is answered with.
pub const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
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
/// Octets of a frame that are not payload: type, channel, size and the end octet.
pub const FRAME_OVERHEAD: usize = 8;
/// Octets before the payload.
pub const FRAME_PREFIX: usize = 7;
/// The smallest frame_max a client may negotiate (specification, 4.2.3).
pub const FRAME_MIN_SIZE: u32 = 4096;

/// Class `basic`.
pub const BASIC: u16 = 60;

/// `basic.publish`.
pub const BASIC_PUBLISH: u16 = 40;
/// `basic.ack`.
pub const BASIC_ACK: u16 = 80;
/// `basic.reject`.
pub const BASIC_REJECT: u16 = 90;
/// `basic.nack`.
pub const BASIC_NACK: u16 = 120;
