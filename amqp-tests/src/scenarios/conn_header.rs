//! Scenarios: the protocol header.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "conn.header.wrong",
        "a header that is not AMQP is answered with AMQP 0 0 9 1 and the end of the stream",
        "AMQP 0-9-1 2.2.4, 4.2.2",
        |ctx| refused_header(ctx, b"GET / HT"),
    ),
    Scenario::new(
        "conn.header.amqp10",
        "the AMQP 1.0 header is answered with AMQP 0 0 9 1 and the end of the stream",
        "RabbitMQ without its 1.0 plugin",
        |ctx| refused_header(ctx, b"AMQP\x00\x01\x00\x00"),
    ),
    Scenario::new(
        "conn.header.sasl10",
        "the AMQP 1.0 SASL header is answered with AMQP 0 0 9 1 and the end of the stream",
        "RabbitMQ without its 1.0 plugin",
        |ctx| refused_header(ctx, b"AMQP\x03\x01\x00\x00"),
    ),
    Scenario::new(
        "conn.header.tls",
        "a TLS client hello on the plain port is answered with AMQP 0 0 9 1 and the end of the stream",
        "AMQP 0-9-1 4.2.2",
        |ctx| refused_header(ctx, b"\x16\x03\x01\x02\x00\x01\x00\x01"),
    ),
    Scenario::new(
        "conn.header.091",
        "the header AMQP 0 0 9 1 is answered with connection.start of version 0-9",
        "AMQP 0-9-1 4.2.2",
        header_091,
    ),
    Scenario::new(
        "conn.header.split",
        "a header that arrives byte by byte is as good as one in one piece",
        "AMQP 0-9-1 4.2.2",
        header_split,
    ),
    Scenario::new(
        "conn.header.unread",
        "a connection that sends nothing and closes does not disturb others",
        "RabbitMQ",
        header_nothing,
    ),
    Scenario::new(
        "trap.06.header_08",
        "AMQP 1 1 8 0 and AMQP 1 1 9 1 get a start of version 8-0 on RabbitMQ",
        "trap 6",
        |ctx| {
            old_header(ctx, [1, 1, 8, 0], (8, 0))?;
            old_header(ctx, [1, 1, 9, 1], (8, 0))
        },
    )
    .deviation("protocol 0-8/0-9 refused (RULINGS 22 c)"),
    Scenario::new(
        "trap.06.header_09",
        "AMQP 1 1 0 9 gets a start of version 0-9 on RabbitMQ",
        "trap 6",
        |ctx| old_header(ctx, [1, 1, 0, 9], (0, 9)),
    )
    .deviation("protocol 0-8/0-9 refused (RULINGS 22 c)"),
    Scenario::new(
        "trap.06.second_header",
        "a second protocol header ends the stream",
        "trap 6",
        second_header,
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
];

fn header_091(ctx: &mut Ctx) -> Result {
    let start = Conn::tcp(&ctx.url())?.start()?;
    check_eq!(
        (start.num("version-major"), start.num("version-minor")),
        (0, 9)
    );
    Ok(())
}

fn header_split(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    for byte in b"AMQP\x00\x00\x09\x01" {
        conn.send_raw(&[*byte])?;
    }
    conn.wait_method(0, "connection.start").map(drop)
}

fn header_nothing(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.shutdown_write()?;
    conn.expect_end()?;
    ctx.connect()?.expect_alive()
}

fn old_header(ctx: &mut Ctx, version: [u8; 4], answered: (u8, u8)) -> Result {
    let header = [b"AMQP", &version[..]].concat();
    if !ctx.is_rabbit() {
        return refused_header(ctx, &header);
    }
    let conn = Conn::tcp(&ctx.url())?;
    conn.send_raw(&header)?;
    let Recv::Frame(frame) = conn.recv_frame(WAIT)? else {
        return fail("no start");
    };
    check_eq!(frame.payload[..6], [0, 10, 0, 10, answered.0, answered.1]);
    Ok(())
}

fn second_header(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    conn.send_raw(b"AMQP\x00\x00\x09\x01")?;
    silent_or_closed(ctx, &conn, &[501, 502, 503, 504, 505])
}

/// An error in the handshake: RabbitMQ ends the stream without a word (after
/// three seconds); Leveret says why first.
pub fn silent_or_closed(ctx: &Ctx, conn: &Conn, codes: &[u16]) -> Result {
    if ctx.is_rabbit() {
        return conn.expect_end();
    }
    conn.expect_close_code(codes)?;
    conn.expect_end()
}

fn refused_header(ctx: &mut Ctx, header: &[u8]) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.send_raw(header)?;
    check_eq!(conn.recv_raw(8)?, b"AMQP\x00\x00\x09\x01".to_vec());
    conn.expect_end()
}
