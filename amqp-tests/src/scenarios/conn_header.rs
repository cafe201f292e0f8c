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
];

fn refused_header(ctx: &mut Ctx, header: &[u8]) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.send_raw(header)?;
    check_eq!(conn.recv_raw(8)?, b"AMQP\x00\x00\x09\x01".to_vec());
    conn.expect_end()
}
