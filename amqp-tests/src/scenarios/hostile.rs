//! Scenarios: peers that are hostile or unlucky. After each the broker must
//! serve others as before.

use crate::prelude::*;
use crate::suite::random_hex;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "hostile.channel_churn",
        "10,000 channels opened and closed on one connection",
        "STYLE 6",
        channel_churn,
    )
    .seconds(180),
    Scenario::new(
        "hostile.connection_churn",
        "300 connections opened and dropped without a word",
        "STYLE 6",
        connection_churn,
    ),
    Scenario::new(
        "hostile.half_open",
        "300 connections stuck at every step of the handshake do not hinder others",
        "features 1.1 handshake_timeout",
        half_open,
    ),
    Scenario::new(
        "hostile.announced_bodies",
        "bodies of up to 2^63 bytes announced and never sent cost nothing",
        "STYLE 6",
        announced_bodies,
    ),
    Scenario::new(
        "hostile.cut_content",
        "sockets that end in the middle of a content leave nothing behind",
        "AMQP 0-9-1 4.2.6",
        cut_content,
    ),
    Scenario::new(
        "hostile.garbage",
        "random bytes after the handshake end that connection only",
        "STYLE 6",
        garbage,
    )
    .seconds(180),
    Scenario::new(
        "hostile.random_frames",
        "well-framed random payloads end that connection only",
        "STYLE 6",
        random_frames,
    )
    .seconds(180),
    Scenario::new(
        "hostile.mutated_methods",
        "real methods with one byte changed are refused or served, and nobody else is hurt",
        "STYLE 6",
        mutated,
    )
    .seconds(180),
    Scenario::new(
        "hostile.pipelined",
        "5,000 declares sent before an answer is read are all answered in order",
        "AMQP 0-9-1 4.7",
        pipelined,
    )
    .seconds(180),
    Scenario::new(
        "hostile.slow_reader",
        "a consumer that does not read does not hinder another",
        "STYLE 6; RULINGS 9",
        slow_reader,
    )
    .seconds(180),
    Scenario::new(
        "hostile.wide_tables",
        "arrays and tables of 20,000 entries in arguments are taken or refused in order",
        "STYLE 6",
        wide_tables,
    ),
    Scenario::new(
        "hostile.error_flood",
        "1,000 channel errors on one connection are all answered",
        "STYLE 6",
        error_flood,
    ),
    Scenario::new(
        "hostile.no_close_ok",
        "a client that never answers connection.close is disconnected",
        "RabbitMQ rabbit_reader",
        no_close_ok,
    )
    .seconds(180),
];

fn channel_churn(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    let (open, close) = (method("channel.open"), method("channel.close"));
    for batch in 0..20u32 {
        let mut bytes = Vec::new();
        for n in 0..500u32 {
            let id = (batch * 500 + n) as u16 % 2000 + 1;
            bytes.extend(Frame::method(id, &open).encode());
            bytes.extend(Frame::method(id, &close).encode());
        }
        conn.send_raw(&bytes)?;
        for n in 0..500u32 {
            let id = (batch * 500 + n) as u16 % 2000 + 1;
            conn.wait_method(id, "channel.open-ok")?;
            conn.wait_method(id, "channel.close-ok")?;
        }
    }
    conn.expect_alive()
}

fn others_live(ctx: &Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("others");
    ch.declare(&q)?;
    ch.publish("", &q, "m")?;
    check_eq!(ch.wait_get(&q)?.text(), "m");
    ch.delete(&q)?;
    ch.conn.close()
}

fn connection_churn(ctx: &mut Ctx) -> Result {
    for n in 0..300 {
        let conn = Conn::tcp(&ctx.url())?;
        if n % 2 == 0 {
            conn.start()?;
        }
        conn.drop_socket();
    }
    others_live(ctx)
}

fn half_open(ctx: &mut Ctx) -> Result {
    let mut held = Vec::new();
    for n in 0..300 {
        let conn = Conn::tcp(&ctx.url())?;
        match n % 4 {
            0 => {}
            1 => conn.send_raw(b"AMQ")?,
            2 => drop(conn.start()?),
            _ => {
                conn.start()?;
                conn.start_ok(&Options::default())?;
                conn.wait_method(0, "connection.tune")?;
            }
        }
        held.push(conn);
    }
    others_live(ctx)
}

fn announced_bodies(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    for (n, size) in [1 << 20, 1 << 32, 1 << 40, 1 << 62, i64::MAX as u64]
        .iter()
        .enumerate()
    {
        let ch = conn.channel(n as u16 + 1)?;
        ch.send(&Publish::new("amq.fanout", "").method())?;
        conn.send_frame(&ch.header_frame(*size, &[0, 0]))?;
        conn.send_frame(&Frame::new(FRAME_BODY, ch.id, vec![1; 1000]))?;
    }
    conn.expect_alive()?;
    others_live(ctx)
}

fn cut_content(ctx: &mut Ctx) -> Result {
    let q = ctx.queue("q");
    ctx.channel()?.declare(&q)?;
    for n in 0..30 {
        let ch = ctx.channel()?;
        let bytes = ch.publish_bytes(&Publish::to_queue(&q).body(vec![1; 500]));
        ch.conn.send_raw(&bytes[..bytes.len() * n / 30])?;
        ch.conn.drop_socket();
    }
    check_eq!(ctx.channel()?.depth(&q)?.messages, 0);
    others_live(ctx)
}

/// Deterministic random numbers from a seed that a failure names.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// AMQP_TESTS_SEED (hexadecimal) repeats a run.
fn seed() -> u64 {
    let text = std::env::var("AMQP_TESTS_SEED").unwrap_or_else(|_| random_hex());
    u64::from_str_radix(&text, 16).unwrap_or(1) | 1 << 40
}

/// The connection must end or still work; then others must be served.
fn ends_or_lives(conn: &Conn, seed: u64) -> Result {
    conn.send(4000, &method("channel.open"))?;
    loop {
        match conn.recv_frame(WAIT)? {
            Recv::Eof | Recv::Reset => return Ok(()),
            Recv::Frame(f) if f.kind == FRAME_METHOD => match Method::decode(&f.payload)?.name() {
                "connection.close" => conn.send(0, &method("connection.close-ok"))?,
                "channel.open-ok" if f.channel == 4000 => return Ok(()),
                _ => {}
            },
            Recv::Frame(_) => {}
            Recv::Timeout => {
                return fail(format!("no end and no answer, AMQP_TESTS_SEED={seed:x}"));
            }
        }
    }
}

fn garbage(ctx: &mut Ctx) -> Result {
    let seed = seed();
    let mut random = Random(seed);
    let mut held = Vec::new();
    for _ in 0..40 {
        let ch = ctx.channel()?;
        let count = random.next() as usize % 3000 + 8;
        ch.conn.send_raw(&random.bytes(count))?;
        ch.conn.shutdown_write()?;
        held.push(ch.conn);
    }
    // RabbitMQ keeps each for three seconds; together they take no longer.
    for conn in held {
        if conn.wait_end(WAIT)? == Recv::Timeout {
            return fail(format!("still open, AMQP_TESTS_SEED={seed:x}"));
        }
    }
    others_live(ctx)
}

fn random_frames(ctx: &mut Ctx) -> Result {
    let seed = seed();
    let mut random = Random(seed);
    for _ in 0..60 {
        let ch = ctx.channel()?;
        let kind =
            [FRAME_METHOD, FRAME_METHOD, FRAME_HEADER, FRAME_BODY][random.next() as usize % 4];
        let count = random.next() as usize % 60;
        let mut payload = random.bytes(count);
        if kind == FRAME_METHOD && payload.len() > 4 {
            let specs = all_methods();
            let spec = &specs[random.next() as usize % specs.len()];
            payload[..4].copy_from_slice(&[0, spec.class as u8, 0, spec.id as u8]);
        }
        ch.conn.send_frame(&Frame::new(kind, 1, payload))?;
        ends_or_lives(&ch.conn, seed)?;
    }
    others_live(ctx)
}

fn mutated(ctx: &mut Ctx) -> Result {
    let seed = seed();
    let mut random = Random(seed);
    let table = super::conn_start::every_type();
    let sources = [
        Queue::new(ctx.queue("m"))
            .exclusive()
            .args(table.clone())
            .method(),
        Exchange::new(ctx.exchange("m"), "headers")
            .auto_delete()
            .args(table.clone())
            .method(),
        method("queue.bind")
            .set("exchange", "amq.headers")
            .set("arguments", table.clone()),
        Consume::new("none").args(table).method(),
        Publish::new("amq.topic", "a.b.c").mandatory().method(),
        method("basic.ack")
            .set("delivery-tag", 1)
            .set("multiple", true),
    ];
    for round in 0..90 {
        let ch = ctx.channel()?;
        let mut payload = sources[round % sources.len()].encode();
        let at = random.next() as usize % payload.len();
        payload[at] = random.next() as u8;
        ch.conn.send_frame(&Frame::new(FRAME_METHOD, 1, payload))?;
        ends_or_lives(&ch.conn, seed)?;
    }
    others_live(ctx)
}

fn pipelined(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let mut bytes = Vec::new();
    for n in 0..5000 {
        let m = if n % 2 == 0 {
            Queue::new(&q).method()
        } else {
            Exchange::new("amq.direct", "direct").passive().method()
        };
        bytes.extend(Frame::method(1, &m).encode());
    }
    ch.conn.send_raw(&bytes)?;
    for n in 0..5000 {
        let name = if n % 2 == 0 {
            "queue.declare-ok"
        } else {
            "exchange.declare-ok"
        };
        check_eq!(ch.recv()?.method.name(), name);
    }
    Ok(())
}

fn slow_reader(ctx: &mut Ctx) -> Result {
    let slow = ctx.channel()?;
    let fast = ctx.channel()?;
    let (x, q, r) = (ctx.exchange("x"), ctx.queue("slow"), ctx.queue("fast"));
    fast.exchange(&x, "fanout")?;
    for name in [&q, &r] {
        fast.declare(name)?;
        fast.bind(name, &x, "")?;
    }
    slow.consume_with(Consume::new(&q).no_ack())?;
    fast.consume_with(Consume::new(&r).no_ack())?;
    // 32 MiB: more than any socket buffer takes.
    let publisher = ctx.channel()?;
    publisher.confirm_select()?;
    for n in 1..=256 {
        publisher.publish_with(&Publish::new(&x, "").body(vec![n as u8; 131_072]))?;
        match fast.delivery() {
            Ok(d) => check_eq!(d.body.len(), 131_072),
            Err(e) => return fail(format!("the fast one, message {n}: {e}")),
        }
    }
    publisher.confirms(1, 256)?;
    // Nothing was lost for the slow one either.
    for n in 1..=256 {
        match slow.delivery() {
            Ok(d) => check_eq!(d.body.first(), Some(&(n as u8))),
            Err(e) => return fail(format!("the slow one, message {n}: {e}")),
        }
    }
    Ok(())
}

fn wide_tables(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let array = Value::Array(vec![Value::Void; 100_000]);
    ch.declare_with(Queue::new(&q).arg("wide", array))?;
    let r = ctx.queue("r");
    let mut table = Table::new();
    for n in 0..10_000 {
        table = table.with(&format!("{n}"), Value::Void);
    }
    ch.declare_with(Queue::new(&r).args(table))?;
    others_live(ctx)
}

fn error_flood(ctx: &mut Ctx) -> Result {
    let mut ch = ctx.channel()?;
    let passive = Queue::new(ctx.name("missing")).passive().method();
    for _ in 0..1000 {
        ch.refused(&passive, 404, Text::Any)?;
        ch = ch.reopen()?;
    }
    Ok(())
}

fn no_close_ok(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send_frame(&Frame::new(FRAME_BODY, 0, [1]))?;
    conn.read_close()?;
    match conn.wait_end(Duration::from_secs(35))? {
        Recv::Timeout => fail("still connected 35 s after connection.close"),
        _ => Ok(()),
    }
}
