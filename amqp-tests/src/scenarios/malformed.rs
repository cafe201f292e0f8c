//! Scenarios: arguments, tables, properties and ids that are wrong.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "trap.03.unknown_class",
        "an unknown class id: RabbitMQ ends the stream, Leveret answers 503",
        "trap 3",
        |ctx| unknown_id(ctx, 70, 10),
    )
    .deviation("silent reset (RULINGS 22 a)"),
    Scenario::new(
        "trap.03.unknown_method",
        "an unknown method id of a known class: RabbitMQ ends the stream, Leveret answers 503",
        "trap 3",
        |ctx| unknown_id(ctx, 50, 99),
    )
    .deviation("silent reset (RULINGS 22 a)"),
    Scenario::new(
        "trap.03.unknown_on_zero",
        "an unknown method on channel 0: RabbitMQ ends the stream, Leveret answers 503",
        "trap 3",
        unknown_on_zero,
    )
    .deviation("silent reset (RULINGS 22 a)"),
    Scenario::new(
        "trap.03.unknown_tag",
        "an unknown table tag in arguments: RabbitMQ ends the stream, Leveret answers 502",
        "trap 3",
        |ctx| bad_table(ctx, &[1, b'a', b'?', 0, 0, 0, 0]),
    )
    .deviation("silent reset (RULINGS 22 a)"),
    Scenario::new(
        "trap.03.truncated_value",
        "a table value cut short: RabbitMQ ends the stream, Leveret answers 502",
        "trap 3",
        |ctx| bad_table(ctx, &[1, b'a', b'I', 0, 0]),
    )
    .deviation("silent reset (RULINGS 22 a)"),
    Scenario::new(
        "trap.03.truncated_key",
        "a table key longer than its table: RabbitMQ ends the stream, Leveret answers 502",
        "trap 3",
        |ctx| bad_table(ctx, &[200, b'a']),
    )
    .deviation("silent reset (RULINGS 22 a)"),
    Scenario::new(
        "malformed.table.array_length",
        "an array longer than its table: RabbitMQ ends the stream, Leveret answers 502",
        "trap 3",
        |ctx| bad_table(ctx, &[1, b'a', b'A', 0, 0, 1, 0, b't', 1]),
    )
    .deviation("silent reset (RULINGS 22 a)"),
    Scenario::new(
        "malformed.table.no_value",
        "a key without a value: RabbitMQ ends the stream, Leveret answers 502",
        "trap 3",
        |ctx| bad_table(ctx, &[1, b'a']),
    )
    .deviation("silent reset (RULINGS 22 a)"),
    Scenario::new(
        "trap.03.truncated_arguments",
        "arguments cut short are 501 cannot decode with the method's ids",
        "trap 3; features 1.4",
        truncated,
    ),
    Scenario::new(
        "trap.03.overlong_arguments",
        "bytes after the last argument are 501 cannot decode with the method's ids",
        "trap 3; features 1.4",
        overlong,
    ),
    Scenario::new(
        "malformed.table_length",
        "a table longer than its method is 501 cannot decode",
        "trap 3",
        table_length,
    ),
    Scenario::new(
        "malformed.no_arguments",
        "a method frame of ids alone, where arguments are due, is 501",
        "trap 3",
        no_arguments,
    ),
    Scenario::new(
        "trap.08.broker_method",
        "queue.declare-ok from a client is 503",
        "trap 8",
        |ctx| broker_method(ctx, &method("queue.declare-ok").set("queue", "q")),
    ),
    Scenario::new(
        "trap.08.cancel_ok",
        "a client that answers basic.cancel with cancel-ok gets 503",
        "trap 8",
        |ctx| broker_method(ctx, &method("basic.cancel-ok").set("consumer-tag", "t")),
    ),
    Scenario::new(
        "malformed.client_open_ok",
        "channel.open-ok from a client is refused on the connection",
        "AMQP 0-9-1 4.2",
        |ctx| broker_method(ctx, &method("channel.open-ok")),
    ),
    Scenario::new(
        "malformed.client_deliver",
        "basic.deliver from a client is refused on the connection",
        "AMQP 0-9-1 4.2",
        client_deliver,
    )
    .deviation("RabbitMQ takes the method alone; both close the connection (RULINGS 22 a)"),
    Scenario::new(
        "trap.16.properties_truncated",
        "properties cut short: 541 or nothing better on RabbitMQ, 502 on Leveret",
        "trap 16",
        |ctx| bad_properties(ctx, &[0x80, 0, 10, b'a']),
    )
    .deviation("541 for bad arguments (RULINGS 22 a)"),
    Scenario::new(
        "trap.16.header_tag",
        "an unknown tag in the headers property: 541 on RabbitMQ, 502 on Leveret",
        "trap 16",
        |ctx| bad_properties(ctx, &[0x20, 0, 0, 0, 0, 3, 1, b'a', b'?']),
    )
    .deviation("541 for bad arguments (RULINGS 22 a)"),
    Scenario::new(
        "trap.16.trailing",
        "bytes after the last property: 541 on RabbitMQ, 502 on Leveret",
        "trap 16",
        |ctx| bad_properties(ctx, &[0x10, 0, 2, 9, 9, 9]),
    )
    .deviation("541 for bad arguments (RULINGS 22 a)"),
    Scenario::new(
        "malformed.nested_1000",
        "a table nested 1,000 deep in arguments: taken by RabbitMQ, 502 on Leveret (limit 64)",
        "RULINGS 18",
        |ctx| nested(ctx, 1000),
    )
    .deviation("RabbitMQ has no limit (RULINGS 18)"),
    Scenario::new(
        "malformed.nested_5000",
        "arrays nested 5,000 deep do no harm",
        "RULINGS 18",
        nested_arrays,
    )
    .deviation("RabbitMQ has no limit (RULINGS 18)"),
    Scenario::new(
        "malformed.nested_60",
        "a table nested 60 deep is accepted in arguments and headers",
        "RULINGS 18",
        nested_60,
    ),
    Scenario::new(
        "trap.14.declare",
        "malformed UTF-8 in queue.declare is 501",
        "trap 14",
        |ctx| bad_utf8(ctx, &method("queue.declare").set("queue", vec![0xc3, 0x28])),
    ),
    Scenario::new(
        "trap.14.exchange_declare",
        "malformed UTF-8 in exchange.declare is 501",
        "trap 14",
        |ctx| {
            let m = method("exchange.declare")
                .set("exchange", vec![0xff])
                .set("type", "direct");
            bad_utf8(ctx, &m)
        },
    ),
    Scenario::new(
        "trap.14.bind",
        "malformed UTF-8 in queue.bind is 501",
        "trap 14",
        |ctx| {
            bad_utf8(
                ctx,
                &method("queue.bind")
                    .set("queue", "q")
                    .set("routing-key", vec![0x80]),
            )
        },
    ),
    Scenario::new(
        "trap.14.consume",
        "malformed UTF-8 in basic.consume is 501",
        "trap 14",
        |ctx| {
            bad_utf8(
                ctx,
                &method("basic.consume").set("consumer-tag", vec![0xc0]),
            )
        },
    ),
    Scenario::new(
        "trap.14.publish_key",
        "malformed UTF-8 is accepted in the routing key of basic.publish and kept",
        "trap 14",
        publish_key,
    ),
    Scenario::new(
        "trap.14.properties",
        "malformed UTF-8 is accepted in short string properties and in header keys and values",
        "trap 14",
        odd_properties,
    ),
    Scenario::new(
        "trap.14.surrogates",
        "encoded surrogates, which are not UTF-8 (RFC 3629), pass in a queue name",
        "trap 14",
        surrogates,
    )
    .deviation(
        "RabbitMQ takes three octets that no UTF-8 decoder accepts; here they are malformed",
    ),
];

fn unknown_id(ctx: &mut Ctx, class: u16, id: u16) -> Result {
    let ch = ctx.channel()?;
    let mut w = Writer::new();
    w.u16(class).u16(id).u16(0);
    ch.conn.send_frame(&Frame::new(FRAME_METHOD, 1, w.0))?;
    if ctx.is_rabbit() {
        return ch.conn.expect_end();
    }
    ch.conn.expect_close(503, (class, id), Text::Any)
}

fn unknown_on_zero(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send_frame(&Frame::new(FRAME_METHOD, 0, [0, 10, 0, 99]))?;
    if ctx.is_rabbit() {
        return conn.expect_end();
    }
    conn.expect_close(503, (10, 99), Text::Any)
}

/// queue.declare with these bytes as the content of its table.
fn declare_raw(table: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.u16(50)
        .u16(10)
        .u16(0)
        .short_str(b"amqp-tests-malformed")
        .u8(2)
        .long_str(table);
    w.0
}

fn bad_table(ctx: &mut Ctx, table: &[u8]) -> Result {
    let ch = ctx.channel()?;
    ch.conn
        .send_frame(&Frame::new(FRAME_METHOD, 1, declare_raw(table)))?;
    if ctx.is_rabbit() {
        return ch.conn.expect_end();
    }
    ch.conn.expect_close(502, (50, 10), Text::Any)
}

fn truncated(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.conn
        .send_frame(&Frame::new(FRAME_METHOD, 1, [0, 50, 0, 10, 0, 0, 5, 1, 2]))?;
    ch.conn
        .expect_close(501, (50, 10), "cannot decode <<0,0,5,1,2>>")
}

fn overlong(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.conn.send_frame(&Frame::new(
        FRAME_METHOD,
        1,
        [0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 9],
    ))?;
    ch.conn
        .expect_close(501, (60, 80), "cannot decode <<0,0,0,0,0,0,0,1,0,9>>")
}

fn table_length(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let mut w = Writer::new();
    w.u16(50).u16(10).u16(0).short_str(&[1]).u8(2).u32(1000);
    ch.conn.send_frame(&Frame::new(FRAME_METHOD, 1, w.0))?;
    ch.conn
        .expect_close(501, (50, 10), "cannot decode <<0,0,1,1,2,0,0,3,232>>")
}

fn no_arguments(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.conn
        .send_frame(&Frame::new(FRAME_METHOD, 1, [0, 60, 0, 10]))?;
    ch.conn.expect_close(501, (60, 10), "cannot decode <<>>")
}

fn broker_method(ctx: &mut Ctx, m: &Method) -> Result {
    let ch = ctx.channel()?;
    ch.send(m)?;
    ch.conn.expect_close(503, m.ids(), "unimplemented method")
}

fn client_deliver(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.send(&method("basic.deliver"))?;
    ch.conn.send_frame(&ch.header_frame(0, &[0, 0]))?;
    ch.conn.expect_close_code(&[503, 505]).map(drop)
}

fn bad_properties(ctx: &mut Ctx, props: &[u8]) -> Result {
    let ch = ctx.channel()?;
    ch.send(&Publish::new("amq.headers", "x").method())?;
    ch.conn.send_frame(&ch.header_frame(1, props))?;
    ch.conn.send_frame(&Frame::new(FRAME_BODY, 1, *b"b"))?;
    if ctx.is_rabbit() {
        return ch.conn.expect_close(541, (0, 0), Text::Any);
    }
    ch.conn.expect_close(502, (60, 40), Text::Any)
}

fn deep_table(depth: usize) -> Table {
    let mut table = Table::new().with("end", 1i32);
    for _ in 0..depth {
        table = Table::new().with("t", table);
    }
    table
}

fn nested(ctx: &mut Ctx, depth: usize) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let declare = Queue::new(&q).arg("deep", deep_table(depth));
    if ctx.is_rabbit() {
        return ch.declare_with(declare).map(drop);
    }
    ch.refused_hard(&declare.method(), 502, Text::Any)
}

fn nested_arrays(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    // Each level: tag A and the length of what is inside.
    let mut inner = vec![b'V'];
    for _ in 0..5000 {
        let mut w = Writer::new();
        w.u8(b'A').long_str(&inner);
        inner = w.0;
    }
    let declare = Queue::new(&q).arg("deep", Value::Raw(inner[0], inner[1..].to_vec()));
    if ctx.is_rabbit() {
        ch.declare_with(declare)?;
    } else {
        ch.refused_hard(&declare.method(), 502, Text::Any)?;
    }
    ctx.connect()?.expect_alive()
}

fn nested_60(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("deep", deep_table(58)))?;
    let props = Props::new().headers(deep_table(58));
    ch.publish_with(&Publish::to_queue(&q).props(props.clone()))?;
    check_eq!(ch.wait_get(&q)?.props, props);
    Ok(())
}

fn bad_utf8(ctx: &mut Ctx, m: &Method) -> Result {
    let ch = ctx.channel()?;
    ch.send(m)?;
    ch.conn
        .expect_close(501, (0, 0), "Malformed UTF-8 in shortstr")
}

fn publish_key(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, x) = (ctx.queue("q"), ctx.exchange("x"));
    ch.declare(&q)?;
    ch.exchange(&x, "fanout")?;
    ch.bind(&q, &x, "")?;
    let publish = method("basic.publish")
        .set("exchange", &x)
        .set("routing-key", vec![0xff, b'k']);
    ch.send(&publish)?;
    ch.conn.send_frame(&ch.header_frame(0, &[0, 0]))?;
    ch.wait_messages(&q, 1)?;
    let got = ch.call(&method("basic.get").set("queue", &q))?;
    check_eq!(got.method.bytes("routing-key"), [0xff, b'k']);
    Ok(())
}

fn odd_properties(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let headers = Table(vec![(vec![0xfe, b'k'], Value::Str(vec![0xc3, 0x28]))]);
    let props = Props::new()
        .content_type([0xff, 0xfe])
        .correlation_id([0x80])
        .message_id([0xc0, 0xaf])
        .app_id([0xed])
        .headers(headers);
    ch.publish_with(&Publish::to_queue(&q).props(props.clone()))?;
    check_eq!(ch.wait_get(&q)?.props, props);
    Ok(())
}

fn surrogates(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let mut name = ctx.name("q").into_bytes();
    name.extend([0xed, 0xa0, 0x80]);
    let declare = method("queue.declare")
        .set("queue", name.clone())
        .set("exclusive", true);
    if !ctx.is_rabbit() {
        ch.send(&declare)?;
        return ch
            .conn
            .expect_close(501, (0, 0), "Malformed UTF-8 in shortstr");
    }
    check_eq!(ch.call(&declare)?.method.bytes("queue"), name);
    Ok(())
}
