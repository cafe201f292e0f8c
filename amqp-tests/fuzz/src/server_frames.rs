//! Reads what a session writes and checks what holds of every such stream, whatever the client
//! did: whole frames, methods of a server with exactly their fields, contents without gaps, nothing
//! behind a close.

use std::collections::HashMap;

use leveret::amqp::constants::{FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD};
use leveret::amqp::properties::Properties;
use leveret::amqp::table::{Cursor, check_table_body};

/// Tags of consumers of direct replies start so, and no others.
pub const DIRECT_TAG: &[u8] = b"direct-";

/// A content as it came.
#[derive(Debug, Clone, Default)]
pub struct Content {
    pub properties: Vec<u8>,
    pub body: Vec<u8>,
}

/// One thing that the server said.
#[derive(Debug)]
pub enum Said {
    /// A method without content; the octets behind its ids.
    Method(u16, (u16, u16), Vec<u8>),
    /// A deliver, get-ok or return with its content.
    Content(u16, (u16, u16), Vec<u8>, Content),
}

/// A content that is arriving.
#[derive(Debug)]
struct Arriving {
    id: (u16, u16),
    fields: Vec<u8>,
    /// `None` until the header has come.
    size: Option<u64>,
    content: Content,
}

/// The stream so far.
#[derive(Debug, Default)]
pub struct ServerFrames {
    rest: Vec<u8>,
    arriving: HashMap<u16, Arriving>,
    /// The highest delivery tag of each channel since it was opened.
    tags: HashMap<u16, u64>,
    /// Channels that the server has closed or that were closed, until they are opened again.
    closed: HashMap<u16, bool>,
    /// `connection.close` or its answer was written.
    pub ended: bool,
    /// The protocol header came instead of frames.
    pub refused: bool,
    frame_max: usize,
    started: bool,
}

/// The fields of a server's methods, as in the broker's own reader of a client's.
fn signature(id: (u16, u16)) -> Option<&'static str> {
    Some(match id {
        (10, 10) => "ootll",
        (10, 20) => "l",
        (10, 30) => "wdw",
        (10, 41) => "s",
        (10, 50) | (20, 40) => "wsww",
        (10, 51 | 61 | 71) | (20, 41) => "",
        (10, 60) => "s",
        (20, 11) => "l",
        (20, 20 | 21) => "o",
        (30, 11) => "w",
        (40, 11 | 21 | 31 | 51) | (50, 21 | 51) => "",
        (50, 11) => "sdd",
        (50, 31 | 41) => "d",
        (60, 11 | 111) | (85, 11) | (90, 11 | 21 | 31) => "",
        (60, 21 | 31) => "s",
        (60, 30) => "so",
        (60, 50) => "wsss",
        (60, 60) => "sqoss",
        (60, 71) => "qossd",
        (60, 72) => "s",
        (60, 80 | 120) => "qo",
        _ => return None,
    })
}

fn check_fields(id: (u16, u16), fields: &[u8]) {
    let signature = signature(id).unwrap_or_else(|| panic!("no method of a server: {id:?}"));
    let mut cursor = Cursor::new(fields);
    for field in signature.bytes() {
        let read = match field {
            b'o' => cursor.u8().map(drop),
            b'w' => cursor.u16().map(drop),
            b'd' => cursor.u32().map(drop),
            b'q' => cursor.u64().map(drop),
            b's' => cursor.short_string().map(drop),
            b'l' => cursor.long_string().map(drop),
            _ => cursor.long_string().and_then(check_table_body),
        };
        read.unwrap_or_else(|e| panic!("{id:?} {fields:?}: {e}"));
    }
    assert!(
        cursor.rest().is_empty(),
        "{id:?} has octets behind its fields"
    );
}

impl ServerFrames {
    /// `frame_max` is what the client asked for in tune-ok.
    pub fn new(frame_max: u32) -> Self {
        Self {
            frame_max: frame_max as usize,
            ..Self::default()
        }
    }

    /// Takes in octets and returns what they complete.
    pub fn read(&mut self, octets: &[u8]) -> Vec<Said> {
        self.rest.extend_from_slice(octets);
        let mut said = Vec::new();
        let mut at = 0;
        if !self.started && self.rest.len() >= 8 {
            self.started = true;
            if self.rest.starts_with(b"AMQP") {
                self.refused = true;
                at = 8;
            }
        }
        while let Some(prefix) = self.rest.get(at..at + 7) {
            let kind = prefix[0];
            let channel = u16::from_be_bytes([prefix[1], prefix[2]]);
            let size = u32::from_be_bytes([prefix[3], prefix[4], prefix[5], prefix[6]]) as usize;
            assert!(!self.refused, "frames behind the protocol header");
            let Some(frame) = self.rest.get(at + 7..at + 8 + size) else {
                break;
            };
            assert_eq!(frame[size], 0xCE, "frame end");
            let payload = frame[..size].to_vec();
            at += size + 8;
            assert!(
                self.frame_max == 0 || size + 8 <= self.frame_max || kind == FRAME_HEADER,
                "a frame of {size} octets beyond frame_max"
            );
            // A close that crosses the server's own is answered.
            let answer = kind == FRAME_METHOD && payload == [0, 10, 0, 51];
            assert!(
                !self.ended || answer,
                "a frame behind the end of the connection"
            );
            said.extend(self.frame(kind, channel, payload));
        }
        self.rest.drain(..at);
        said
    }

    /// Nothing is half written.
    pub fn assert_whole(&self) {
        assert!(
            self.rest.is_empty(),
            "half a frame at the end: {:?}",
            self.rest
        );
        assert!(
            self.arriving.is_empty(),
            "half a content at the end: {:?}",
            self.arriving
        );
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: Vec<u8>) -> Option<Said> {
        match kind {
            FRAME_HEARTBEAT => {
                assert!(channel == 0 && payload.is_empty());
                None
            }
            FRAME_METHOD => self.method(channel, &payload),
            FRAME_HEADER => {
                let arriving = self.arriving.get_mut(&channel).expect("a header in place");
                assert!(arriving.size.is_none(), "a second header");
                assert!(payload.len() >= 14, "a short header");
                assert_eq!(payload[..4], [0, 60, 0, 0]);
                let size = u64::from_be_bytes(payload[4..12].try_into().unwrap());
                Properties::read(&payload[12..]).expect("properties that read");
                arriving.size = Some(size);
                arriving.content.properties = payload[12..].to_vec();
                self.complete(channel)
            }
            FRAME_BODY => {
                let arriving = self.arriving.get_mut(&channel).expect("a body in place");
                arriving.content.body.extend_from_slice(&payload);
                let size = arriving.size.expect("a body behind its header");
                assert!(!payload.is_empty(), "an empty body frame");
                assert!(arriving.content.body.len() as u64 <= size, "a long body");
                self.complete(channel)
            }
            other => panic!("frame type {other}"),
        }
    }

    fn complete(&mut self, channel: u16) -> Option<Said> {
        let arriving = self.arriving.get(&channel)?;
        if arriving.size != Some(arriving.content.body.len() as u64) {
            return None;
        }
        let whole = self.arriving.remove(&channel)?;
        Some(Said::Content(
            channel,
            whole.id,
            whole.fields,
            whole.content,
        ))
    }

    fn method(&mut self, channel: u16, payload: &[u8]) -> Option<Said> {
        let mut cursor = Cursor::new(payload);
        let id = (cursor.u16().unwrap(), cursor.u16().unwrap());
        let fields = cursor.rest().to_vec();
        check_fields(id, &fields);
        assert_eq!(channel == 0, id.0 == 10, "{id:?} on channel {channel}");
        assert!(
            !self.arriving.contains_key(&channel),
            "{id:?} in the midst of a content"
        );
        match id {
            (10, 50 | 51) => self.ended = true,
            (20, 11) => {
                self.closed.insert(channel, false);
                self.tags.insert(channel, 0);
            }
            (20, 41) => {
                // It answers a close, also one that crossed the server's own.
                assert!(self.closed.contains_key(&channel));
                self.closed.insert(channel, true);
            }
            _ if channel != 0 => {
                let open = self.closed.get(&channel) == Some(&false);
                assert!(open, "{id:?} on channel {channel}, which is not open");
                if id == (20, 40) {
                    self.closed.insert(channel, true);
                }
            }
            _ => {}
        }
        if !matches!(id, (60, 50 | 60 | 71)) {
            return Some(Said::Method(channel, id, fields));
        }
        if id != (60, 50) {
            self.check_tag(channel, id, &fields);
        }
        self.arriving.insert(
            channel,
            Arriving {
                id,
                fields,
                size: None,
                content: Content::default(),
            },
        );
        None
    }

    /// Tags ascend by one; a direct reply shows the next one without using it up.
    fn check_tag(&mut self, channel: u16, id: (u16, u16), fields: &[u8]) {
        let mut cursor = Cursor::new(fields);
        let direct = id == (60, 60) && cursor.short_string().unwrap().starts_with(DIRECT_TAG);
        let tag = cursor.u64().unwrap();
        let last = self.tags.entry(channel).or_default();
        assert_eq!(tag, *last + 1, "delivery tag on channel {channel}");
        if !direct {
            *last = tag;
        }
    }
}
