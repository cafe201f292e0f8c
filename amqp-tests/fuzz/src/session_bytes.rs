//! The target of hostile octets: a session that is sent anything at all.

use leveret::amqp::constants::{FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD};

use crate::peer::Peer;
use crate::wire;
use crate::world::{FRAME_MAX, World};

/// Frames from the input's own bytes: each is a kind, a channel, a length and that many octets of
/// payload, so that a mutation need not guess lengths and end octets.
fn framed(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = data;
    while let [kind, channel, len, tail @ ..] = rest {
        let kinds = [FRAME_METHOD, FRAME_HEADER, FRAME_BODY, FRAME_METHOD];
        let kind = match kind {
            0xFF => FRAME_HEARTBEAT,
            kind => kinds[usize::from(*kind) & 3],
        };
        let (payload, behind) = tail.split_at(usize::from(*len).min(tail.len()));
        wire::frame(&mut out, kind, u16::from(channel & 3), payload);
        rest = behind;
    }
    out
}

/// What a client has ready on channel 1 before the hostile octets.
fn prepared() -> Vec<u8> {
    use leveret::amqp::Table;
    let mut out = wire::handshake(FRAME_MAX);
    wire::Method::new((20, 10)).short(b"").send(&mut out, 1);
    wire::Method::new((50, 10))
        .number(0)
        .short(b"a")
        .octet(0)
        .table(&Table::default())
        .send(&mut out, 1);
    out
}

/// The first octet says what comes before the rest (nothing, a handshake, an open channel with a
/// queue), whether the rest is put into frames, and how it is cut into reads. The session may
/// refuse what it likes; its output must be well formed, bounded, and leave nothing behind.
pub fn session_bytes(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else {
        return;
    };
    // Such a client may well ask for dead letters that wait for their next try.
    let mut world = World::new();
    world.retries = true;
    let piece = [0, 0, 1, 7, 64, 4096, 0, 3][usize::from(how >> 3) & 7];
    let mut said = Vec::new();
    let frame_max = if how & 3 == 0 { 0 } else { FRAME_MAX };
    let mut peer = Peer::new(&world, frame_max, 0);
    peer.input = match how & 3 {
        0 => Vec::new(),
        1 => wire::handshake(FRAME_MAX),
        _ => prepared(),
    };
    peer.pump(&mut said);
    peer.piece = piece;
    if how & 4 != 0 {
        peer.input.extend(framed(rest));
    } else {
        peer.input.extend_from_slice(rest);
    }
    peer.pump(&mut said);
    world.tick();
    peer.reads = how & 0x40 == 0;
    if peer.session.on_time() {
        peer.pump(&mut said);
    }
    if peer.reads {
        peer.frames.assert_whole();
    }
    if how & 0x80 != 0 {
        world
            .broker
            .connections
            .close_all("the end of the broker, which is near");
        peer.pump(&mut said);
    }
    peer.end();
    world.end();
}
