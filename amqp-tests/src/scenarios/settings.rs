//! Scenarios that need a broker with settings of their own.

use super::conn_header::silent_or_closed;
use crate::prelude::*;
use std::sync::Arc;
use std::time::Instant;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "conf.tune_offer",
        "channel_max, frame_max and heartbeat of the configuration are offered",
        "RabbitMQ configuration",
        tune_offer,
    ),
    Scenario::new(
        "conf.tune_refused",
        "values above the configured limits are refused",
        "RabbitMQ configuration",
        tune_refused,
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "conf.mechanisms",
        "auth_mechanisms limits what is offered and accepted",
        "RabbitMQ configuration",
        mechanisms,
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "conf.handshake_timeout",
        "a client that does not finish the handshake is disconnected after handshake_timeout",
        "RabbitMQ configuration; features 1.1",
        handshake_timeout,
    ),
    Scenario::new(
        "conf.max_message_size",
        "a body above max_message_size is 406 on the channel, one of that size passes",
        "features 1.4 row 311",
        max_message_size,
    ),
    Scenario::new(
        "conf.listeners",
        "several listeners, IPv6 among them, serve the same broker",
        "RabbitMQ configuration; features 1.1",
        listeners,
    )
    .seconds(120),
    Scenario::new(
        "conf.initial_frame",
        "a frame of 64 KiB before tuning is refused",
        "RabbitMQ initial_frame_max; RULINGS 18",
        initial_frame,
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "proxy.v1",
        "PROXY protocol v1 for TCP4 and TCP6 is taken off",
        "features 1.1",
        proxy_v1,
    ),
    Scenario::new(
        "proxy.v2",
        "PROXY protocol v2 for TCP4 and TCP6 is taken off",
        "features 1.1",
        proxy_v2,
    ),
    Scenario::new(
        "proxy.missing",
        "with proxy_protocol a connection without its header is ended",
        "features 1.1",
        proxy_missing,
    ),
    Scenario::new(
        "proxy.unknown",
        "PROXY UNKNOWN (v1) and LOCAL (v2), which health checks send, are taken off",
        "PROXY protocol 2.1, 2.2",
        proxy_unknown,
    )
    .deviation("RabbitMQ's reader crashes (RULINGS 22 a)"),
    Scenario::new(
        "proxy.split",
        "a PROXY header that comes in pieces is taken off",
        "PROXY protocol 2.1",
        proxy_split,
    )
    .deviation(
        "RabbitMQ ends the stream unless the pieces happen to arrive together (RULINGS 22 a)",
    ),
    Scenario::new(
        "proxy.guest",
        "loopback_users looks at the socket, not at the PROXY header's source",
        "RabbitMQ 3.10.8 rabbit_net",
        proxy_guest,
    ),
    Scenario::new(
        "alarm.blocked",
        "under a memory alarm a client with connection.blocked is told after its first publish",
        "features 1.1",
        blocked,
    )
    .seconds(120),
    Scenario::new(
        "alarm.consumers_served",
        "under a memory alarm connections that do not publish are served",
        "features 1.1",
        consumers_served,
    )
    .seconds(120),
    Scenario::new(
        "alarm.without_capability",
        "under a memory alarm a client without connection.blocked is told nothing",
        "features 1.1",
        without_capability,
    )
    .seconds(120),
    Scenario::new(
        "alarm.heartbeats",
        "a blocked connection still gets heartbeats and is not taken for dead",
        "RULINGS 9; RabbitMQ",
        blocked_heartbeats,
    )
    .seconds(120),
    Scenario::new(
        "alarm.unblocked",
        "when the alarm clears connection.unblocked is sent and the publishes are served",
        "features 1.1",
        unblocked,
    )
    .seconds(180),
    Scenario::new(
        "alarm.transient_backlog",
        "a backlog of transient messages larger than the memory limit goes to files: it is \
         confirmed without an alarm, and delivered whole and in order",
        "RabbitMQ: lazy queues, memory use",
        transient_backlog,
    )
    .seconds(240),
];

const LIMITS: &str = "channel_max = 3\nframe_max = 8192\nheartbeat = 7\n\
handshake_timeout = 1500\nmax_message_size = 100000\nauth_mechanisms.1 = PLAIN";

fn limited(ctx: &Ctx) -> Result<Arc<Broker>> {
    ctx.private(LIMITS, "")
}

fn tune_offer(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&limited(ctx)?.url)?;
    conn.start()?;
    conn.start_ok(&Options::default())?;
    let tune = conn.tune(&Options::default())?;
    let offered = (
        tune.num("channel-max"),
        tune.num("frame-max"),
        tune.num("heartbeat"),
    );
    check_eq!(offered, (3, 8192, 7));
    conn.open_vhost("/")?;
    for id in 1..=3 {
        conn.channel(id)?;
    }
    conn.send(4, &method("channel.open"))?;
    let text = "number of channels opened (3) has reached the negotiated channel_max (3)";
    conn.expect_close(530, (0, 0), text)
}

fn tune_refused(ctx: &mut Ctx) -> Result {
    let broker = limited(ctx)?;
    for (channels, frame) in [(4, 8192), (3, 8193), (0, 8192), (3, 0)] {
        let conn = Conn::tcp(&broker.url)?;
        conn.start()?;
        conn.start_ok(&Options::default())?;
        conn.wait_method(0, "connection.tune")?;
        conn.send(0, &tune_ok(channels, frame, 0))?;
        silent_or_closed(ctx, &conn, &[530])?;
    }
    Ok(())
}

fn mechanisms(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&limited(ctx)?.url)?;
    check_eq!(conn.start()?.str("mechanisms"), "PLAIN");
    let mut w = Writer::new();
    Table::new()
        .with("LOGIN", "guest")
        .with("PASSWORD", "guest")
        .encode(&mut w);
    let options = Options {
        mechanism: "AMQPLAIN".into(),
        response: Some(w.0[4..].to_vec()),
        ..Options::default()
    };
    conn.start_ok(&options)?;
    silent_or_closed(ctx, &conn, &[403, 502, 503, 504, 530, 540])
}

fn handshake_timeout(ctx: &mut Ctx) -> Result {
    let broker = limited(ctx)?;
    let silent = Conn::tcp(&broker.url)?;
    let started = Conn::tcp(&broker.url)?;
    started.start()?;
    for conn in [silent, started] {
        if conn.wait_end(WAIT)? == Recv::Timeout {
            return fail("still connected");
        }
    }
    Ok(())
}

fn max_message_size(ctx: &mut Ctx) -> Result {
    let ch = limited(ctx)?.connect()?.channel(1)?;
    let q = ch.declare_with(Queue::new("").exclusive())?.queue;
    ch.publish_with(&Publish::to_queue(&q).body(vec![1; 100_000]))?;
    check_eq!(ch.wait_get(&q)?.body.len(), 100_000);
    ch.publish_with(&Publish::to_queue(&q).body(vec![1; 100_001]))?;
    let text = "message size 100001 is larger than configured max size 100000";
    ch.expect_close(406, (60, 40), text)?;
    ch.conn.expect_alive()
}

fn listeners(ctx: &mut Ctx) -> Result {
    let port = amqp_port()?;
    let v6 = std::net::TcpListener::bind(("::1", 0)).is_ok();
    let host = if v6 { "::1" } else { "127.0.0.1" };
    let broker = ctx.private_own(&format!("listeners.tcp.other = {host}:{port}"), "")?;
    let first = broker.connect()?.channel(1)?;
    let mut url = broker.url.clone();
    url.host = host.into();
    url.port = port;
    let second = Conn::open(&url)?.channel(1)?;
    first.declare("q")?;
    second.publish("", "q", "m")?;
    check_eq!(first.wait_get("q")?.text(), "m");
    Ok(())
}

fn amqp_port() -> Result<u16> {
    crate::suite::free_port()
}

fn initial_frame(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    let properties = all_capabilities().with("pad", "x".repeat(65_536));
    conn.start_ok(&Options {
        properties,
        ..Options::default()
    })?;
    if ctx.is_rabbit() {
        return conn.expect_end();
    }
    // The refusal may be lost when what was not read resets the socket.
    let _ = conn.expect_close_code(&[501]);
    conn.wait_end(WAIT).and_then(|end| {
        if end == Recv::Timeout {
            fail("accepted")
        } else {
            Ok(())
        }
    })
}

fn proxied(ctx: &Ctx) -> Result<Arc<Broker>> {
    let definitions = Definitions::new()
        .user("far")
        .permission("far", "/", ".*", ".*", ".*")
        .json();
    // Booting waits for a port that accepts, no handshake is needed for that.
    ctx.private("proxy_protocol = true", &definitions)
}

fn through(ctx: &Ctx, user: &str, password: &str, preamble: &[u8]) -> Result<Conn> {
    let url = proxied(ctx)?.url_for(user, password, "/");
    Conn::open_with(
        &url,
        &Options {
            preamble: preamble.to_vec(),
            ..Options::default()
        },
    )
}

const V1_FAR: &[u8] = b"PROXY TCP4 203.0.113.7 198.51.100.1 40000 5672\r\n";

fn proxy_v1(ctx: &mut Ctx) -> Result {
    for header in [V1_FAR, b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 5672\r\n"] {
        through(ctx, "far", "secret", header)?.expect_alive()?;
    }
    Ok(())
}

fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.raw(b"\r\n\r\n\0\r\nQUIT\n").u8(0x20 | command).u8(family);
    w.u16(addresses.len() as u16).raw(addresses);
    w.0
}

fn v2_far() -> Vec<u8> {
    v2(
        1,
        0x11,
        &[203, 0, 113, 7, 198, 51, 100, 1, 0x9c, 0x40, 0x16, 0x28],
    )
}

fn proxy_v2(ctx: &mut Ctx) -> Result {
    let mut six = [0u8; 36];
    six[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
    six[16..20].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
    for header in [v2_far(), v2(1, 0x21, &six)] {
        through(ctx, "far", "secret", &header)?.expect_alive()?;
    }
    Ok(())
}

fn proxy_missing(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&proxied(ctx)?.url)?;
    conn.send_raw(b"AMQP\x00\x00\x09\x01")?;
    conn.expect_end()
}

fn proxy_split(ctx: &mut Ctx) -> Result {
    let broker = proxied(ctx)?;
    for header in [V1_FAR.to_vec(), v2_far()] {
        let conn = Conn::tcp(&broker.url_for("far", "secret", "/"))?;
        for byte in header {
            conn.send_raw(&[byte])?;
        }
        match conn.start() {
            Err(_) if ctx.is_rabbit() => continue,
            start => start?,
        };
        conn.start_ok(&Options::default())?;
        conn.tune(&Options::default())?;
        conn.open_vhost("/")?;
    }
    Ok(())
}

fn proxy_guest(ctx: &mut Ctx) -> Result {
    through(ctx, "guest", "guest", V1_FAR)?.expect_alive()
}

fn proxy_unknown(ctx: &mut Ctx) -> Result {
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), v2(0, 0, &[])] {
        if ctx.is_rabbit() {
            let conn = Conn::tcp(&proxied(ctx)?.url)?;
            conn.send_raw(&header)?;
            conn.expect_end()?;
        } else {
            through(ctx, "far", "secret", &header)?.expect_alive()?;
        }
    }
    Ok(())
}

const LOW_MEMORY: &str = "vm_memory_high_watermark.absolute = 1MiB";

/// Publishes 64 KiB bodies until the broker says connection.blocked. RabbitMQ's
/// alarm is on from the start; another broker may need something to hold.
fn publish_until_blocked(ch: &Channel, q: &str) -> Result<Method> {
    let publish = ch.publish_bytes(&Publish::to_queue(q).body(vec![7; 65_536]));
    for _ in 0..1024 {
        if ch.conn.send_some(&publish, Duration::from_millis(500))? < publish.len() {
            break;
        }
        let blocked = |m: &Msg| m.method.name() == "connection.blocked";
        if let Some(msg) = ch.conn.find(0, Duration::from_millis(2), blocked)? {
            return Ok(msg.method);
        }
    }
    ch.conn.wait_method(0, "connection.blocked")
}

/// A broker under alarm: something has been blocked there.
fn alarmed(ctx: &Ctx) -> Result<(Arc<Broker>, Channel, String)> {
    let broker = ctx.private(LOW_MEMORY, "")?;
    let ch = broker.connect()?.channel(1)?;
    let q = ctx.name("q");
    ch.declare(&q)?;
    publish_until_blocked(&ch, &q)?;
    Ok((broker, ch, q))
}

fn blocked(ctx: &mut Ctx) -> Result {
    let broker = ctx.private(LOW_MEMORY, "")?;
    let ch = broker.connect()?.channel(1)?;
    let q = ctx.name("q");
    ch.declare(&q)?;
    ch.expect_silence()?;
    check_eq!(
        publish_until_blocked(&ch, &q)?.str("reason"),
        "low on memory"
    );
    // Nothing else is said, and it is said once.
    check_eq!(
        ch.conn.recv_frame(Duration::from_millis(500))?,
        Recv::Timeout
    );
    Ok(())
}

fn consumers_served(ctx: &mut Ctx) -> Result {
    let (broker, _held, q) = alarmed(ctx)?;
    let ch = broker.connect()?.channel(1)?;
    let own = ch.declare_with(Queue::new("").exclusive())?.queue;
    ch.bind(&own, "amq.direct", "k")?;
    ch.consume(&q)?;
    ch.depth(&q)?;
    ch.conn.expect_alive()?;
    ch.conn.close()
}

fn without_capability(ctx: &mut Ctx) -> Result {
    let (broker, _held, q) = alarmed(ctx)?;
    let options = Options {
        properties: Table::new(),
        ..Options::default()
    };
    let ch = Conn::open_with(&broker.url, &options)?.channel(1)?;
    ch.publish("", &q, "m")?;
    // Another connection is told, so this one would have been by then.
    let other = broker.connect()?.channel(1)?;
    publish_until_blocked(&other, &q)?;
    check_eq!(
        ch.conn.recv_frame(Duration::from_millis(500))?,
        Recv::Timeout
    );
    Ok(())
}

fn blocked_heartbeats(ctx: &mut Ctx) -> Result {
    let broker = ctx.private(LOW_MEMORY, "")?;
    let options = Options {
        heartbeat: 1,
        ..Options::default()
    };
    let ch = Conn::open_with(&broker.url, &options)?.channel(1)?;
    let q = ctx.name("q");
    ch.declare(&q)?;
    publish_until_blocked(&ch, &q)?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        match ch.conn.recv_frame(WAIT)? {
            Recv::Frame(f) => check_eq!(f.kind, FRAME_HEARTBEAT),
            other => return fail(format!("{other:?} on a blocked connection")),
        }
    }
    Ok(())
}

fn transient_backlog(ctx: &mut Ctx) -> Result {
    // RabbitMQ itself takes most of so small a limit.
    let (limit, count) = if ctx.is_rabbit() {
        ("vm_memory_high_watermark.absolute = 1GB", 40u32)
    } else {
        ("vm_memory_high_watermark.absolute = 200MiB", 400)
    };
    let broker = ctx.private_own(limit, "")?;
    let ch = broker.connect()?.channel(1)?;
    let q = ctx.name("q");
    ch.declare(&q)?;
    ch.confirm_select()?;
    let body = |number: u32| {
        let mut body = vec![number as u8; 1 << 20];
        body[..4].copy_from_slice(&number.to_be_bytes());
        body
    };
    for number in 0..count {
        ch.publish_with(&Publish::to_queue(&q).body(body(number)))?;
        ch.confirms(u64::from(number) + 1, u64::from(number) + 1)?;
    }
    let blocked = |m: &Msg| m.method.name() == "connection.blocked";
    check!(
        ch.conn.find(0, Duration::ZERO, blocked)?.is_none(),
        "the publisher was blocked"
    );
    for number in 0..count {
        let found = ch.get_no_ack(&q)?;
        check!(
            found.is_some_and(|d| d.body == body(number)),
            "message {number} is missing or not what was published"
        );
    }
    Ok(())
}

fn unblocked(ctx: &mut Ctx) -> Result {
    let broker = ctx.private_own(LOW_MEMORY, "")?;
    let ch = broker.connect()?.channel(1)?;
    let q = ctx.name("q");
    ch.declare(&q)?;
    publish_until_blocked(&ch, &q)?;
    let other = broker.connect()?.channel(1)?;
    let words = ["set_vm_memory_high_watermark", "0.8"].map(String::from);
    let run = broker.cli("rabbitmqctl", &words)?;
    check!(run.output.status.success(), "{:?}", run.output);
    ch.conn.wait_method(0, "connection.unblocked")?;
    let own = ctx.name("own");
    ch.declare(&own)?;
    ch.publish("", &own, "served")?;
    check_eq!(other.wait_get(&own)?.text(), "served");
    Ok(())
}
