//! Scenarios: bodies, properties and headers as they travel.

use super::conn_start::every_type;
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "content.empty",
        "an empty body has no body frame, in and out",
        "AMQP 0-9-1 4.2.6",
        empty,
    ),
    Scenario::new(
        "content.sizes",
        "bodies around every frame border arrive whole and in frames of at most frame-max",
        "AMQP 0-9-1 4.2.6.2",
        sizes,
    ),
    Scenario::new(
        "content.large",
        "a body of 5 MiB arrives whole",
        "AMQP 0-9-1 4.2.6.2",
        large,
    ),
    Scenario::new(
        "content.large_at_once",
        "a large body that the queue would not keep goes to the consumer that waits",
        "features 1.6, TTL and lengths",
        large_at_once,
    ),
    Scenario::new(
        "content.frame_max_differs",
        "a consumer with a small frame-max gets the body of a publisher with a large one, and back",
        "AMQP 0-9-1 4.2.3",
        frame_max_differs,
    ),
    Scenario::new(
        "content.all_properties",
        "all 14 properties are delivered bit for bit",
        "AMQP 0-9-1 1.8.1; features 1.2",
        all_properties,
    ),
    Scenario::new(
        "content.each_property",
        "each property alone is delivered bit for bit",
        "AMQP 0-9-1 1.8.1",
        each_property,
    ),
    Scenario::new(
        "content.empty_properties",
        "properties that are present but empty stay present",
        "AMQP 0-9-1 4.2.6.1",
        empty_properties,
    ),
    Scenario::new(
        "content.longest_properties",
        "short string properties of 255 bytes are kept",
        "AMQP 0-9-1 4.2.5.3",
        longest_properties,
    ),
    Scenario::new(
        "content.table_types",
        "headers of every table type are delivered bit for bit",
        "AMQP 0-9-1 4.2.5.5; RabbitMQ errata",
        table_types,
    ),
    Scenario::new(
        "content.table_extremes",
        "extreme values of every numeric type are kept",
        "AMQP 0-9-1 4.2.5.5; RabbitMQ errata",
        table_extremes,
    ),
    Scenario::new(
        "content.table_nested",
        "tables in arrays in tables, empty ones too, are kept",
        "AMQP 0-9-1 4.2.5.5",
        table_nested,
    ),
    Scenario::new(
        "content.table_duplicates",
        "duplicate and empty header keys and their order are kept",
        "RabbitMQ keeps properties undecoded",
        table_duplicates,
    ),
    Scenario::new(
        "content.many_headers",
        "three thousand headers are kept",
        "AMQP 0-9-1 4.2.5.5",
        many_headers,
    ),
    Scenario::new(
        "content.args_types",
        "queue, exchange, binding and consumer arguments of every table type are accepted",
        "AMQP 0-9-1 4.2.5.5",
        args_types,
    ),
    Scenario::new(
        "content.get_equals_deliver",
        "get, deliver, redelivery and return carry the same properties and body",
        "AMQP 0-9-1 1.8.3",
        all_ways,
    ),
    Scenario::new(
        "content.fanout_copies",
        "a message in several queues is the same in each",
        "AMQP 0-9-1 3.1.3.2",
        fanout,
    ),
    Scenario::new(
        "content.binary_key",
        "routing keys of 255 bytes of any value are kept",
        "AMQP 0-9-1 4.2.5.3",
        binary_key,
    ),
];

fn made(ctx: &Ctx) -> Result<(Channel, String)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    Ok((ch, q))
}

/// Sends and gets back; raw properties and body must be equal.
fn round_trip(ch: &Channel, q: &str, props: &Props, body: &[u8]) -> Result<Delivery> {
    ch.publish_with(&Publish::to_queue(q).props(props.clone()).body(body))?;
    let d = ch.wait_get(q)?;
    check_eq!(d.content.raw_props, props.encode());
    check!(
        d.body == body,
        "body of {} bytes came as {} bytes",
        body.len(),
        d.body.len()
    );
    ch.ack(d.tag)?;
    Ok(d)
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count)
        .map(|n| (n % 256) as u8 ^ (n / 256) as u8)
        .collect()
}

fn empty(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let d = round_trip(&ch, &q, &Props::new(), b"")?;
    check!(d.content.body_frames.is_empty());
    Ok(())
}

fn sizes(ctx: &mut Ctx) -> Result {
    let ch = ctx
        .connect_with(&Options {
            frame_max: Some(4096),
            ..Options::default()
        })?
        .channel(1)?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for size in [1, 4087, 4088, 4089, 8175, 8176, 8177, 40_880, 100_000] {
        let d = round_trip(&ch, &q, &Props::new(), &bytes(size))?;
        check!(
            d.content.body_frames.iter().all(|n| *n > 0 && *n <= 4088),
            "{d:?}"
        );
    }
    Ok(())
}

fn large(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    round_trip(&ch, &q, &Props::persistent(), &bytes(5 << 20)).map(drop)
}

fn large_at_once(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let plain = ctx.queue("plain");
    ch.declare_with(Queue::new(&plain))?;
    let short = ctx.queue("short");
    ch.declare_with(Queue::new(&short).arg("x-message-ttl", 0))?;
    let narrow = ctx.queue("narrow");
    ch.declare_with(Queue::new(&narrow).arg("x-max-length-bytes", 1_000))?;
    let none = ctx.queue("none");
    ch.declare_with(Queue::new(&none).arg("x-max-length", 0))?;
    for (q, props) in [
        (&plain, Props::persistent().expiration("0")),
        (&short, Props::persistent()),
        (&narrow, Props::persistent()),
        (&none, Props::persistent()),
    ] {
        ch.consume(q)?;
        ch.publish_with(&Publish::to_queue(q).props(props).body(bytes(3 << 20)))?;
        let d = ch.delivery()?;
        check!(d.body == bytes(3 << 20), "{q}: the body differs");
        ch.ack(d.tag)?;
    }
    ch.sync()?;
    Ok(())
}

fn frame_max_differs(ctx: &mut Ctx) -> Result {
    let (large, q) = made(ctx)?;
    let small = ctx
        .connect_with(&Options {
            frame_max: Some(4096),
            ..Options::default()
        })?
        .channel(1)?;
    for (from, to, limit) in [(&large, &small, 4088), (&small, &large, 131_064)] {
        from.publish_with(&Publish::to_queue(&q).body(bytes(200_000)))?;
        let d = to.wait_get(&q)?;
        check!(d.body == bytes(200_000), "the body differs");
        check!(
            d.content.body_frames.iter().all(|n| *n <= limit),
            "{:?}",
            d.content.body_frames
        );
        to.ack(d.tag)?;
        to.sync()?;
    }
    Ok(())
}

fn full() -> Props {
    Props::new()
        .content_type("text/plain")
        .content_encoding("gzip")
        .headers(every_type())
        .delivery_mode(2)
        .priority(255)
        .correlation_id("correlation")
        .reply_to("reply")
        .expiration("3600000")
        .message_id("message")
        .timestamp(u64::MAX)
        .kind("type")
        .user_id("guest")
        .app_id("app")
        .cluster_id("cluster")
}

fn all_properties(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let props = full().user_id(ctx.url().user);
    let d = round_trip(&ch, &q, &props, b"all")?;
    check_eq!(d.props, props);
    Ok(())
}

fn each_property(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    for props in [
        Props::new().content_type("a"),
        Props::new().content_encoding("b"),
        Props::new().headers(Table::new().with("c", 1i32)),
        Props::new().delivery_mode(1),
        Props::new().priority(0),
        Props::new().correlation_id("f"),
        Props::new().reply_to("g"),
        Props::new().expiration("100000"),
        Props::new().message_id("i"),
        Props::new().timestamp(0),
        Props::new().kind("k"),
        Props::new().user_id(ctx.url().user),
        Props::new().app_id("m"),
        Props::new().cluster_id("n"),
    ] {
        round_trip(&ch, &q, &props, b"x")?;
    }
    Ok(())
}

fn empty_properties(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let props = Props::new()
        .content_type("")
        .content_encoding("")
        .headers(Table::new())
        .correlation_id("")
        .reply_to("")
        .message_id("")
        .kind("")
        .app_id("")
        .cluster_id("");
    round_trip(&ch, &q, &props, b"x").map(drop)
}

fn longest_properties(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let long = bytes(255);
    let props = Props::new()
        .content_type(&long)
        .content_encoding(&long)
        .correlation_id(&long)
        .reply_to(&long)
        .message_id(&long)
        .kind(&long)
        .app_id(&long)
        .cluster_id(&long)
        .headers(Table(vec![(vec![b'k'; 255], Value::Str(bytes(100_000)))]));
    round_trip(&ch, &q, &props, b"x").map(drop)
}

fn table_types(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    for entry in every_type().0 {
        round_trip(&ch, &q, &Props::new().headers(Table(vec![entry])), b"x")?;
    }
    round_trip(&ch, &q, &Props::new().headers(every_type()), b"x").map(drop)
}

fn table_extremes(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let values: Vec<Value> = vec![
        false.into(),
        i8::MIN.into(),
        i8::MAX.into(),
        0u8.into(),
        i16::MAX.into(),
        0u16.into(),
        i32::MAX.into(),
        (-1i32).into(),
        0u32.into(),
        i64::MAX.into(),
        (-1i64).into(),
        f32::MAX.into(),
        f32::MIN_POSITIVE.into(),
        (-0.0f32).into(),
        f64::MAX.into(),
        Value::Raw(b't', vec![7]),
        Value::Decimal(255, u32::MAX),
        Value::Timestamp(u64::MAX),
        Value::Timestamp(0),
        Value::Str(vec![]),
        Value::Bytes(vec![]),
    ];
    let mut w = Writer::new();
    for (n, value) in values.iter().enumerate() {
        w.short_str(format!("k{n}").as_bytes());
        value.encode(&mut w);
    }
    let mut raw = Writer::new();
    raw.u16(1 << 13).long_str(&w.0);
    ch.send(&Publish::to_queue(&q).method())?;
    ch.conn.send_frame(&ch.header_frame(0, &raw.0))?;
    check_eq!(ch.wait_get(&q)?.content.raw_props, raw.0);
    Ok(())
}

fn table_nested(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let inner = Table::new()
        .with("empty table", Table::new())
        .with("empty array", Value::Array(vec![]))
        .with(
            "array",
            vec![every_type().into(), Value::Array(vec![every_type().into()])],
        );
    let headers = Table::new()
        .with("inner", inner.clone())
        .with("again", vec![inner.into()]);
    round_trip(&ch, &q, &Props::new().headers(headers), b"x").map(drop)
}

fn table_duplicates(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let headers = Table::new()
        .with("z", 1)
        .with("a", 2)
        .with("z", "again")
        .with("", 3)
        .with("m", 4);
    round_trip(&ch, &q, &Props::new().headers(headers), b"x").map(drop)
}

fn many_headers(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let mut headers = Table::new();
    for n in 0..3000 {
        headers = headers.with(&format!("header-{n}"), i64::from(n));
    }
    round_trip(&ch, &q, &Props::new().headers(headers), b"x").map(drop)
}

fn args_types(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, x, y) = (ctx.queue("q"), ctx.exchange("x"), ctx.exchange("y"));
    ch.declare_with(Queue::new(&q).args(every_type()))?;
    ch.exchange_with(Exchange::new(&x, "fanout").args(every_type()))?;
    ch.exchange(&y, "fanout")?;
    ch.bind_args(&q, &x, "k", every_type())?;
    ch.exchange_bind_args(&x, &y, "k", every_type())?;
    ch.consume_with(Consume::new(&q).args(every_type()))?;
    ch.publish(&y, "k", "m")?;
    ch.expect_delivery("m")?;
    ch.unbind_args(&q, &x, "k", every_type())?;
    ch.publish_with(&Publish::new(&y, "k").mandatory())?;
    check_eq!(ch.returned()?.code, 312);
    Ok(())
}

fn all_ways(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let props = full().user_id(ctx.url().user);
    let d = round_trip(&ch, &q, &props, b"body")?;
    check_eq!(d.props, props);
    ch.publish_with(&Publish::to_queue(&q).props(props.clone()).body("body"))?;
    let got = ch.wait_get(&q)?;
    ch.nack(got.tag, false, true)?;
    ch.consume(&q)?;
    let again = ch.expect_delivery("body")?;
    check_eq!((again.redelivered, &again.content), (true, &got.content));
    let missing = ctx.name("missing");
    ch.publish_with(
        &Publish::to_queue(&missing)
            .mandatory()
            .props(props.clone())
            .body("body"),
    )?;
    let back = ch.returned()?;
    check_eq!((back.props, back.body), (props, b"body".to_vec()));
    Ok(())
}

fn fanout(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "fanout")?;
    let queues: Vec<String> = (0..5).map(|n| ctx.queue(&format!("q{n}"))).collect();
    for q in &queues {
        ch.declare(q)?;
        ch.bind(q, &x, "")?;
    }
    let props = Props::persistent().headers(every_type());
    ch.publish_with(
        &Publish::new(&x, "key")
            .props(props.clone())
            .body(bytes(10_000)),
    )?;
    for q in &queues {
        let d = ch.wait_get(q)?;
        check!(d.body == bytes(10_000), "the body differs");
        check_eq!(
            (d.key.as_str(), &d.content.raw_props),
            ("key", &props.encode())
        );
    }
    Ok(())
}

fn binary_key(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (x, q) = (ctx.exchange("x"), ctx.queue("q"));
    ch.exchange(&x, "fanout")?;
    ch.declare(&q)?;
    ch.bind(&q, &x, "")?;
    let key = bytes(255);
    ch.send(
        &method("basic.publish")
            .set("exchange", &x)
            .set("routing-key", key.clone()),
    )?;
    ch.conn.send_frame(&ch.header_frame(0, &[0, 0]))?;
    ch.wait_messages(&q, 1)?;
    let got = ch.call(&method("basic.get").set("queue", &q))?;
    check_eq!(got.method.bytes("routing-key"), key);
    Ok(())
}
