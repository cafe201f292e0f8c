//! Scenarios: the framing layer and the order of frames.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "frame.end_marker",
        "a frame without its end octet is 501 invalid_frame_end_marker",
        "AMQP 0-9-1 4.2.3; features 1.4",
        end_marker,
    ),
    Scenario::new(
        "frame.end_marker.long",
        "a long payload is quoted by its first 16 octets in frame errors",
        "RabbitMQ rabbit_reader",
        end_marker_long,
    ),
    Scenario::new(
        "frame.unknown_type",
        "an unknown frame type is 501 unknown_frame",
        "AMQP 0-9-1 4.2.3; features 1.4",
        unknown_type,
    ),
    Scenario::new(
        "frame.unknown_type.channel",
        "an unknown frame type on an open channel is 501 unknown_frame",
        "AMQP 0-9-1 4.2.3; features 1.4",
        unknown_type_channel,
    ),
    Scenario::new(
        "frame.too_large",
        "a frame larger than frame-max is 501 frame_too_large, known from its header alone",
        "AMQP 0-9-1 4.2.3; features 1.4",
        too_large,
    ),
    Scenario::new(
        "frame.max_exact",
        "a payload of frame-max bytes is accepted (eight more than the rule allows), one more is not",
        "AMQP 0-9-1 4.2.3; RabbitMQ",
        max_exact,
    ),
    Scenario::new(
        "frame.huge_size",
        "a frame that announces 4 GiB is 501 at once",
        "RabbitMQ rabbit_reader",
        huge_size,
    ),
    Scenario::new(
        "frame.many_per_segment",
        "many frames in one write are all served, in order",
        "AMQP 0-9-1 4.2.3",
        many_in_one,
    ),
    Scenario::new(
        "frame.byte_by_byte",
        "frames cut into single bytes are as good as whole ones",
        "AMQP 0-9-1 4.2.3",
        byte_by_byte,
    ),
    Scenario::new(
        "trap.07.body_first",
        "a body frame where a method is due is 505 with class 0 and method 0",
        "trap 7; features 1.4",
        |ctx| unexpected(ctx, FRAME_BODY, b"abc"),
    ),
    Scenario::new(
        "trap.07.header_first",
        "a content header where a method is due is 505 with class 0 and method 0",
        "trap 7; features 1.4",
        |ctx| {
            unexpected(
                ctx,
                FRAME_HEADER,
                &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            )
        },
    ),
    Scenario::new(
        "trap.07.method_for_header",
        "a method where a content header is due is 505 with class 60 and method 40",
        "trap 7; features 1.4",
        method_for_header,
    ),
    Scenario::new(
        "trap.07.body_for_header",
        "a body where a content header is due is 505 with class 60 and method 40",
        "trap 7; features 1.4",
        body_for_header,
    ),
    Scenario::new(
        "trap.07.header_of_class",
        "a content header of another class is 505 with both classes named",
        "trap 7; features 1.4",
        header_of_class,
    ),
    Scenario::new(
        "trap.07.method_for_body",
        "a method where a body is due is 505 with class 60 and method 40",
        "trap 7; features 1.4",
        method_for_body,
    ),
    Scenario::new(
        "trap.07.header_for_body",
        "a content header where a body is due is 505 with class 60 and method 40",
        "trap 7; features 1.4",
        header_for_body,
    ),
    Scenario::new(
        "frame.header_on_zero",
        "a content frame on channel 0 is 505",
        "AMQP 0-9-1 4.2.3",
        header_on_zero,
    ),
    Scenario::new(
        "frame.body_excess",
        "more body bytes than announced: RabbitMQ waits for ever, Leveret answers 505",
        "features 1.4 holes",
        body_excess,
    )
    .deviation("RabbitMQ does not answer at all (RULINGS 22 a)"),
    Scenario::new(
        "frame.other_channel_between",
        "frames of other channels may come between the frames of a content",
        "AMQP 0-9-1 4.2.6",
        interleaved,
    ),
    Scenario::new(
        "frame.heartbeat_between",
        "a heartbeat may come between the frames of a content",
        "AMQP 0-9-1 4.2.7",
        heartbeat_between,
    ),
    Scenario::new(
        "frame.heartbeat_payload",
        "a heartbeat with a payload is 501 unknown_frame",
        "RabbitMQ rabbit_reader",
        heartbeat_payload,
    ),
    Scenario::new(
        "frame.empty_method",
        "a method frame too short for its ids is 501 unknown_frame",
        "AMQP 0-9-1 4.2.4",
        empty_method,
    ),
    Scenario::new(
        "frame.short_header",
        "a content header too short for its fields is 501 unknown_frame",
        "AMQP 0-9-1 4.2.6.1",
        short_header,
    ),
    Scenario::new(
        "frame.empty_body_frames",
        "body frames without bytes between others are accepted",
        "RabbitMQ",
        empty_body_frames,
    ),
    Scenario::new(
        "frame.one_byte_bodies",
        "a body cut into single bytes arrives whole",
        "AMQP 0-9-1 4.2.6.2",
        one_byte_bodies,
    ),
    Scenario::new(
        "frame.weight",
        "a content header whose weight is not 0 is no content header: 505",
        "AMQP 0-9-1 4.2.6.1; RabbitMQ",
        weight,
    ),
];

fn end_marker(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    let mut bytes = Frame::method(1, &method("channel.open")).encode();
    *bytes.last_mut().expect("a frame has bytes") = 0;
    conn.send_raw(&bytes)?;
    let text = "type 1, all octets = <<0,20,0,10,0>>: {invalid_frame_end_marker,0}";
    conn.expect_close(501, (0, 0), text)?;
    conn.expect_end()
}

fn end_marker_long(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    let mut bytes = Frame::new(FRAME_BODY, 1, (0..40).collect::<Vec<u8>>()).encode();
    *bytes.last_mut().expect("a frame has bytes") = 0xCD;
    conn.send_raw(&bytes)?;
    // RabbitMQ breaks the line before the number, as Erlang prints long terms.
    let text = "type 3, first 16 octets = <<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>: \
                {invalid_frame_end_marker,";
    conn.expect_close(501, (0, 0), Text::starts(text))
}

fn unknown_type(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send_frame(&Frame::new(9, 0, [1, 2, 3]))?;
    conn.expect_close(501, (0, 0), "type 9, all octets = <<1,2,3>>: unknown_frame")
}

fn unknown_type_channel(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.conn.send_frame(&Frame::new(4, 1, [1, 2, 3]))?;
    ch.conn
        .expect_close(501, (0, 0), "type 4, all octets = <<1,2,3>>: unknown_frame")
}

fn frame_head(kind: u8, channel: u16, size: u32) -> Vec<u8> {
    let mut w = Writer::new();
    w.u8(kind).u16(channel).u32(size);
    w.0
}

fn too_large(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.conn.send_raw(&frame_head(FRAME_BODY, 1, 140_000))?;
    let text = "type 3, all octets = <<>>: {frame_too_large,140000,131064}";
    ch.conn.expect_close(501, (0, 0), text)
}

fn huge_size(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.conn.send_raw(&frame_head(FRAME_METHOD, 1, u32::MAX))?;
    let text = "type 1, all octets = <<>>: {frame_too_large,4294967295,131064}";
    ch.conn.expect_close(501, (0, 0), text)
}

fn max_exact(ctx: &mut Ctx) -> Result {
    let options = Options {
        frame_max: Some(4096),
        ..Options::default()
    };
    let ch = ctx.connect_with(&options)?.channel(1)?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for size in [4088usize, 4096] {
        ch.send(&Publish::to_queue(&q).method())?;
        ch.conn.send_frame(&ch.header_frame(size as u64, &[0, 0]))?;
        ch.conn
            .send_frame(&Frame::new(FRAME_BODY, 1, vec![1; size]))?;
        check_eq!(ch.wait_get(&q)?.body.len(), size);
    }
    ch.conn.send_raw(&frame_head(FRAME_BODY, 1, 4097))?;
    let text = "type 3, all octets = <<>>: {frame_too_large,4097,4088}";
    ch.conn.expect_close(501, (0, 0), text)
}

fn many_in_one(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let mut bytes = Vec::new();
    for n in 0..500 {
        bytes.extend(ch.publish_bytes(&Publish::to_queue(&q).body(n.to_string())));
    }
    let get = method("basic.get").set("queue", &q).set("no-ack", true);
    bytes.extend(Frame::method(1, &get).encode());
    ch.conn.send_raw(&bytes)?;
    let got = ch.wait_method("basic.get-ok")?;
    check_eq!(got.num("message-count"), 499);
    let expected: Vec<String> = (1..500).map(|n| n.to_string()).collect();
    check_eq!(ch.get_all(&q)?, expected);
    Ok(())
}

fn byte_by_byte(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let props = Props::persistent().header("a", "b");
    for byte in ch.publish_bytes(&Publish::to_queue(&q).body("slowly").props(props.clone())) {
        ch.conn.send_raw(&[byte])?;
    }
    let d = ch.wait_get(&q)?;
    check_eq!((d.text().as_str(), &d.props), ("slowly", &props));
    Ok(())
}

fn unexpected(ctx: &mut Ctx, kind: u8, payload: &[u8]) -> Result {
    let ch = ctx.channel()?;
    ch.conn.send_frame(&Frame::new(kind, 1, payload))?;
    ch.conn.expect_close(
        505,
        (0, 0),
        "expected method frame, got non method frame instead",
    )
}

const NO_HEADER: &str =
    "expected content header for class 60, got non content header frame instead";
const NO_BODY: &str = "expected content body, got non content body frame instead";

fn publishing(ctx: &mut Ctx, size: Option<u64>) -> Result<Channel> {
    let ch = ctx.channel()?;
    ch.send(&Publish::new("amq.direct", "x").method())?;
    if let Some(size) = size {
        ch.conn.send_frame(&ch.header_frame(size, &[0, 0]))?;
    }
    Ok(ch)
}

fn method_for_header(ctx: &mut Ctx) -> Result {
    let ch = publishing(ctx, None)?;
    ch.send(&method("tx.select"))?;
    ch.conn.expect_close(505, (60, 40), NO_HEADER)
}

fn body_for_header(ctx: &mut Ctx) -> Result {
    let ch = publishing(ctx, None)?;
    ch.conn.send_frame(&Frame::new(FRAME_BODY, 1, *b"abc"))?;
    ch.conn.expect_close(505, (60, 40), NO_HEADER)
}

fn header_of_class(ctx: &mut Ctx) -> Result {
    let ch = publishing(ctx, None)?;
    let mut header = ch.header_frame(3, &[0, 0]);
    header.payload[1] = 50;
    ch.conn.send_frame(&header)?;
    let text = "expected content header for class 60, got one for class 50 instead";
    ch.conn.expect_close(505, (60, 40), text)
}

fn method_for_body(ctx: &mut Ctx) -> Result {
    let ch = publishing(ctx, Some(5))?;
    ch.send(&method("tx.select"))?;
    ch.conn.expect_close(505, (60, 40), NO_BODY)
}

fn header_for_body(ctx: &mut Ctx) -> Result {
    let ch = publishing(ctx, Some(5))?;
    ch.conn.send_frame(&ch.header_frame(5, &[0, 0]))?;
    ch.conn.expect_close(505, (60, 40), NO_BODY)
}

fn header_on_zero(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send_frame(&Frame::new(FRAME_BODY, 0, [1, 2]))?;
    conn.expect_close(505, (0, 0), "type 3, all octets = <<1,2>>")
}

fn body_excess(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.send(&Publish::to_queue(&q).method())?;
    ch.conn.send_frame(&ch.header_frame(3, &[0, 0]))?;
    ch.conn.send_frame(&Frame::new(FRAME_BODY, 1, *b"four"))?;
    if !ctx.is_rabbit() {
        return ch.conn.expect_close(505, (60, 40), Text::Any);
    }
    check_eq!(ch.conn.channel(2)?.depth(&q)?.messages, 0);
    Ok(())
}

fn interleaved(ctx: &mut Ctx) -> Result {
    let one = ctx.channel()?;
    let two = one.conn.channel(2)?;
    let q = ctx.queue("q");
    one.declare(&q)?;
    one.send(&Publish::to_queue(&q).method())?;
    two.sync()?;
    two.send(&Publish::to_queue(&q).method())?;
    one.conn.send_frame(&one.header_frame(6, &[0, 0]))?;
    two.conn.send_frame(&two.header_frame(3, &[0, 0]))?;
    one.conn.send_frame(&Frame::new(FRAME_BODY, 1, *b"fir"))?;
    two.conn.send_frame(&Frame::new(FRAME_BODY, 2, *b"two"))?;
    two.sync()?;
    one.conn.send_frame(&Frame::new(FRAME_BODY, 1, *b"st!"))?;
    one.wait_messages(&q, 2)?;
    check_eq!(one.get_all(&q)?, ["two", "first!"]);
    Ok(())
}

fn heartbeat_between(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let beat = Frame::heartbeat();
    ch.send(&Publish::to_queue(&q).method())?;
    ch.conn.send_frame(&beat)?;
    ch.conn.send_frame(&ch.header_frame(4, &[0, 0]))?;
    ch.conn.send_frame(&beat)?;
    ch.conn.send_frame(&Frame::new(FRAME_BODY, 1, *b"bo"))?;
    ch.conn.send_frame(&beat)?;
    ch.conn.send_frame(&Frame::new(FRAME_BODY, 1, *b"dy"))?;
    check_eq!(ch.wait_get(&q)?.text(), "body");
    Ok(())
}

fn heartbeat_payload(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send_frame(&Frame::new(FRAME_HEARTBEAT, 0, [1, 2, 3]))?;
    conn.expect_close(501, (0, 0), "type 8, all octets = <<1,2,3>>: unknown_frame")
}

fn empty_method(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.conn.send_frame(&Frame::new(FRAME_METHOD, 1, [0, 20]))?;
    ch.conn
        .expect_close(501, (0, 0), "type 1, all octets = <<0,20>>: unknown_frame")
}

fn short_header(ctx: &mut Ctx) -> Result {
    let ch = publishing(ctx, None)?;
    ch.conn
        .send_frame(&Frame::new(FRAME_HEADER, 1, [0, 60, 0, 0, 0]))?;
    ch.conn.expect_close(
        501,
        (0, 0),
        "type 2, all octets = <<0,60,0,0,0>>: unknown_frame",
    )
}

fn empty_body_frames(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.send(&Publish::to_queue(&q).method())?;
    ch.conn.send_frame(&ch.header_frame(2, &[0, 0]))?;
    for part in ["", "a", "", "", "b"] {
        ch.conn
            .send_frame(&Frame::new(FRAME_BODY, 1, part.as_bytes()))?;
    }
    check_eq!(ch.wait_get(&q)?.text(), "ab");
    Ok(())
}

fn one_byte_bodies(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let body: Vec<u8> = (0..2000u32).map(|n| (n % 251) as u8).collect();
    let mut bytes = Frame::method(1, &Publish::to_queue(&q).method()).encode();
    bytes.extend(ch.header_frame(2000, &[0, 0]).encode());
    for byte in &body {
        bytes.extend(Frame::new(FRAME_BODY, 1, [*byte]).encode());
    }
    ch.conn.send_raw(&bytes)?;
    check_eq!(ch.wait_get(&q)?.body, body);
    Ok(())
}

fn weight(ctx: &mut Ctx) -> Result {
    let ch = publishing(ctx, None)?;
    let mut header = ch.header_frame(2, &[0, 0]);
    header.payload[2..4].copy_from_slice(&[0, 7]);
    ch.conn.send_frame(&header)?;
    ch.conn.expect_close(505, (60, 40), NO_HEADER)
}
