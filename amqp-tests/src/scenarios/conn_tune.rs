//! Scenarios: tuning, vhosts, heartbeats, update-secret.

use super::conn_header::silent_or_closed;
use crate::prelude::*;
use std::time::Instant;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "conn.tune.offer",
        "tune offers channel-max 2047, frame-max 131072, heartbeat 60",
        "RabbitMQ; features 1.1",
        offer,
    ),
    Scenario::new(
        "conn.tune.lower",
        "lower channel-max and frame-max are accepted and kept by the broker",
        "AMQP 0-9-1 4.2.3",
        lower,
    ),
    Scenario::new(
        "conn.tune.frame_min",
        "frame-max 4096 is the least that is accepted",
        "AMQP 0-9-1 4.2.3; RabbitMQ rabbit_reader",
        frame_min,
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "conn.tune.frame_high",
        "a frame-max above the offer is refused",
        "RabbitMQ rabbit_reader",
        |ctx| bad_tune(ctx, 2047, 131_073),
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "conn.tune.channel_high",
        "a channel-max above the offer is refused",
        "RabbitMQ rabbit_reader",
        |ctx| bad_tune(ctx, 2048, 131_072),
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "trap.05.channel_zero",
        "channel-max 0 (no limit) exceeds the offer and is refused",
        "trap 5",
        |ctx| bad_tune(ctx, 0, 131_072),
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "trap.05.frame_zero",
        "frame-max 0 (no limit) exceeds the offer and is refused",
        "trap 5",
        |ctx| bad_tune(ctx, 2047, 0),
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "trap.04.count",
        "channel-max counts open channels: number 5 with channel-max 2 opens, the third is 530",
        "trap 4",
        channel_count,
    ),
    Scenario::new(
        "trap.04.reuse",
        "a closed channel no longer counts towards channel-max",
        "trap 4",
        channel_reuse,
    ),
    Scenario::new(
        "conn.tune.high_number",
        "channel 65535 opens although channel-max is 2047",
        "RabbitMQ; features 1.1",
        |ctx| ctx.connect()?.channel(65_535)?.close(),
    ),
    Scenario::new(
        "conn.open.unknown_vhost",
        "an unknown vhost is 530 vhost not found",
        "RabbitMQ; features 1.1",
        unknown_vhost,
    ),
    Scenario::new(
        "conn.open.reserved",
        "the reserved fields of connection.open are ignored",
        "AMQP 0-9-1 1.4.2.7",
        open_reserved,
    ),
    Scenario::new(
        "conn.heartbeat.sent",
        "a broker with heartbeat 1 sends heartbeats to a client that only listens",
        "AMQP 0-9-1 4.2.7",
        heartbeats_come,
    ),
    Scenario::new(
        "conn.heartbeat.dead",
        "a client that is silent for more than two intervals is disconnected",
        "AMQP 0-9-1 4.2.7; features 1.1",
        dead_peer,
    ),
    Scenario::new(
        "conn.heartbeat.alive",
        "heartbeats alone keep a connection alive",
        "AMQP 0-9-1 4.2.7",
        heartbeats_keep,
    ),
    Scenario::new(
        "conn.heartbeat.traffic",
        "any traffic counts as a heartbeat",
        "AMQP 0-9-1 4.2.7",
        traffic_keeps,
    ),
    Scenario::new(
        "conn.heartbeat.zero",
        "heartbeat 0 in tune-ok turns heartbeats off",
        "AMQP 0-9-1 4.2.7",
        no_heartbeats,
    ),
    Scenario::new(
        "conn.heartbeat.wrong_channel",
        "a heartbeat on another channel than 0 is no orderly frame",
        "AMQP 0-9-1 4.2.7",
        heartbeat_channel,
    ),
    Scenario::new(
        "conn.heartbeat.before_open",
        "a heartbeat during the handshake does no harm",
        "RabbitMQ",
        heartbeat_early,
    ),
    Scenario::new(
        "conn.update_secret",
        "update-secret with the internal backend is answered with update-secret-ok",
        "RabbitMQ extension; features 1.1",
        update_secret,
    ),
];

fn offer(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    conn.start_ok(&Options::default())?;
    let tune = conn.wait_method(0, "connection.tune")?;
    let offered = (
        tune.num("channel-max"),
        tune.num("frame-max"),
        tune.num("heartbeat"),
    );
    check_eq!(offered, (2047, 131_072, 60));
    Ok(())
}

fn lower(ctx: &mut Ctx) -> Result {
    let options = Options {
        channel_max: Some(10),
        frame_max: Some(5000),
        ..Options::default()
    };
    let ch = ctx.connect_with(&options)?.channel(1)?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.publish_with(&Publish::to_queue(&q).body(vec![7; 20_000]))?;
    let d = ch.wait_get(&q)?;
    check_eq!(d.body, vec![7; 20_000]);
    check!(
        d.content.body_frames.iter().all(|n| *n <= 4992),
        "{:?}",
        d.content.body_frames
    );
    Ok(())
}

fn tuning(ctx: &Ctx, channel_max: u16, frame_max: u32) -> Result<Conn> {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    conn.start_ok(&Options::default())?;
    conn.wait_method(0, "connection.tune")?;
    conn.send(0, &tune_ok(channel_max, frame_max, 0))?;
    conn.send(
        0,
        &method("connection.open").set("virtual-host", ctx.vhost()),
    )?;
    Ok(conn)
}

fn bad_tune(ctx: &mut Ctx, channel_max: u16, frame_max: u32) -> Result {
    let conn = tuning(ctx, channel_max, frame_max)?;
    silent_or_closed(ctx, &conn, &[530])
}

fn frame_min(ctx: &mut Ctx) -> Result {
    tuning(ctx, 2047, 4096)?.wait_method(0, "connection.open-ok")?;
    bad_tune(ctx, 2047, 4095)
}

fn channel_count(ctx: &mut Ctx) -> Result {
    let options = Options {
        channel_max: Some(2),
        ..Options::default()
    };
    let conn = ctx.connect_with(&options)?;
    conn.channel(5)?;
    conn.channel(9)?;
    conn.send(1, &method("channel.open"))?;
    conn.expect_close(
        530,
        (0, 0),
        "number of channels opened (2) has reached the negotiated channel_max (2)",
    )
}

fn channel_reuse(ctx: &mut Ctx) -> Result {
    let options = Options {
        channel_max: Some(1),
        ..Options::default()
    };
    let conn = ctx.connect_with(&options)?;
    for id in 1..20 {
        conn.channel(id)?.close()?;
    }
    Ok(())
}

fn unknown_vhost(ctx: &mut Ctx) -> Result {
    let vhost = ctx.name("vhost");
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    conn.start_ok(&Options::default())?;
    conn.tune(&Options::default())?;
    conn.send(0, &method("connection.open").set("virtual-host", &vhost))?;
    conn.expect_close(530, (10, 40), format!("vhost {vhost} not found"))
}

fn open_reserved(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    conn.start_ok(&Options::default())?;
    conn.tune(&Options::default())?;
    let open = method("connection.open").set("virtual-host", ctx.vhost());
    conn.send(0, &open.set("reserved-1", "caps").set("reserved-2", true))?;
    conn.wait_method(0, "connection.open-ok").map(drop)
}

fn beating(ctx: &Ctx, heartbeat: u16) -> Result<Conn> {
    ctx.connect_with(&Options {
        heartbeat,
        ..Options::default()
    })
}

fn heartbeats_come(ctx: &mut Ctx) -> Result {
    let conn = beating(ctx, 1)?;
    let Recv::Frame(frame) = conn.recv_frame(WAIT)? else {
        return fail("no heartbeat");
    };
    check_eq!(frame, Frame::heartbeat());
    Ok(())
}

fn dead_peer(ctx: &mut Ctx) -> Result {
    let conn = beating(ctx, 1)?;
    match conn.wait_end(WAIT)? {
        Recv::Timeout => fail("a silent client is still connected"),
        _ => Ok(()),
    }
}

/// Talks by `say` for four seconds; then the connection must still work.
fn stays(conn: &Conn, say: impl Fn() -> Result) -> Result {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        say()?;
        // The heartbeat that comes each half second paces us.
        if let Recv::Frame(f) = conn.recv_frame(WAIT)? {
            check!(f.kind == FRAME_HEARTBEAT || f.kind == FRAME_METHOD, "{f:?}");
        } else {
            return fail("the stream ended");
        }
    }
    Ok(())
}

fn heartbeats_keep(ctx: &mut Ctx) -> Result {
    let conn = beating(ctx, 1)?;
    stays(&conn, || conn.send_frame(&Frame::heartbeat()))?;
    conn.expect_alive()
}

fn traffic_keeps(ctx: &mut Ctx) -> Result {
    let conn = beating(ctx, 1)?;
    conn.channel(1)?;
    let ask = Exchange::new("amq.direct", "direct").passive().method();
    stays(&conn, || {
        conn.send(1, &ask)?;
        while let Recv::Frame(f) = conn.recv_frame(WAIT)? {
            if f.kind == FRAME_METHOD {
                return Ok(());
            }
        }
        fail("no answer")
    })?;
    conn.expect_alive()
}

fn no_heartbeats(ctx: &mut Ctx) -> Result {
    let conn = beating(ctx, 0)?;
    check_eq!(conn.recv_frame(Duration::from_millis(2500))?, Recv::Timeout);
    conn.expect_alive()
}

fn heartbeat_channel(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send_frame(&Frame::new(FRAME_HEARTBEAT, 1, []))?;
    conn.expect_close(505, (0, 0), "type 8, all octets = <<>>")
}

fn heartbeat_early(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    conn.send_frame(&Frame::heartbeat())?;
    conn.start_ok(&Options::default())?;
    conn.tune(&Options::default())?;
    conn.send_frame(&Frame::heartbeat())?;
    conn.open_vhost(ctx.vhost())?;
    conn.expect_alive()
}

fn update_secret(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    let update = method("connection.update-secret")
        .set("new-secret", "x")
        .set("reason", "renewal");
    conn.send(0, &update)?;
    conn.wait_method(0, "connection.update-secret-ok")?;
    conn.expect_alive()
}
