//! Scenarios: closing connections, in order and otherwise.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "conn.close.client",
        "a client's connection.close is answered with close-ok",
        "AMQP 0-9-1 1.4.2.9",
        |ctx| ctx.connect()?.close(),
    ),
    Scenario::new(
        "trap.01.after_close_ok",
        "after close-ok the broker leaves it to the client to end the stream, for half a second at least",
        "trap 1",
        after_close_ok,
    ),
    Scenario::new(
        "trap.01.after_error",
        "after an error close the stream ends once the client has sent close-ok",
        "trap 1",
        after_error,
    ),
    Scenario::new(
        "conn.close.ignores_rest",
        "frames that follow connection.close are ignored",
        "AMQP 0-9-1 4.2.6",
        ignores_rest,
    ),
    Scenario::new(
        "conn.close.after_error_ignored",
        "after the broker's connection.close it ignores methods until close-ok",
        "AMQP 0-9-1 4.2.6",
        after_error_ignored,
    ),
    Scenario::new(
        "conn.close.cross",
        "connection.close is answered with close-ok even while the broker waits for its own",
        "RabbitMQ rabbit_reader",
        cross,
    ),
    Scenario::new(
        "conn.close.exclusive_gone",
        "exclusive queues are gone when close-ok arrives",
        "RULINGS 20; RabbitMQ",
        exclusive_gone,
    ),
    Scenario::new(
        "conn.close.unacked_requeued",
        "unacknowledged messages return to the queue, flagged redelivered, when the socket ends",
        "AMQP 0-9-1 4.7; RabbitMQ",
        unacked_back,
    ),
    Scenario::new(
        "conn.close.reset_exclusive",
        "a socket that ends without a word takes its exclusive queues with it",
        "AMQP 0-9-1 1.7.2.1",
        reset_exclusive,
    ),
    Scenario::new(
        "conn.close.reply_text",
        "any reply code and text in a client's close are accepted",
        "AMQP 0-9-1 1.4.2.9",
        any_close_text,
    ),
    Scenario::new(
        "conn.close.sigterm",
        "SIGTERM closes every connection with 320 'shutdown' and the broker exits 0",
        "RabbitMQ; features 1.4 row 320",
        sigterm,
    )
    .seconds(180),
    Scenario::new(
        "conn.open.twice",
        "a second connection.open on an open connection is no valid method there",
        "RabbitMQ rabbit_reader",
        open_twice,
    ),
    Scenario::new(
        "conn.close.bad_utf8",
        "connection.close with a reply text that is not UTF-8 is 501",
        "RabbitMQ",
        bad_close_text,
    ),
    Scenario::new(
        "conn.channel0.method",
        "a method of another class on channel 0 is refused on the connection",
        "AMQP 0-9-1 4.2.3",
        channel_zero,
    ),
    Scenario::new(
        "conn.client_sends_start",
        "a broker-only connection method sent by the client is refused on the connection",
        "AMQP 0-9-1 4.2",
        client_sends_start,
    ),
];

fn after_close_ok(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.close()?;
    check_eq!(conn.recv_frame(Duration::from_millis(400))?, Recv::Timeout);
    conn.shutdown_write()?;
    conn.expect_end()
}

fn fail_hard(ch: &Channel) -> Result {
    // A reused consumer number would need a queue; an unknown exchange type does not.
    ch.send(&Exchange::new("amqp-tests-never", "no-such-type").method())
}

fn after_error(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    fail_hard(&ch)?;
    ch.conn.expect_close_code(&[503])?;
    ch.conn.expect_end()
}

fn ignores_rest(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.conn
        .send(0, &method("connection.close").set("reply-code", 200))?;
    ch.send(&Queue::new(&q).method())?;
    ch.conn.wait_method(0, "connection.close-ok")?;
    ch.conn.shutdown_write()?;
    ch.conn.expect_end()?;
    let other = ctx.channel()?;
    other.refused(
        &Queue::new(&q).passive().method(),
        404,
        format!("no queue '{q}' in vhost '{}'", ctx.vhost()),
    )
}

fn after_error_ignored(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    fail_hard(&ch)?;
    ch.send(&Queue::new(&q).method())?;
    ch.conn.expect_close_code(&[503])?;
    ch.conn.expect_end()?;
    let gone = Queue::new(&q).passive().method();
    ctx.channel()?.refused(&gone, 404, Text::Any)
}

fn cross(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    fail_hard(&ch)?;
    ch.conn.read_close()?;
    ch.conn
        .send(0, &method("connection.close").set("reply-code", 200))?;
    ch.conn.send(0, &method("connection.close-ok"))?;
    let mut ok = false;
    while let Recv::Frame(f) = ch.conn.recv_frame(WAIT)? {
        ok |= f == Frame::method(0, &method("connection.close-ok"));
    }
    check!(ok, "no close-ok");
    Ok(())
}

fn exclusive_gone(ctx: &mut Ctx) -> Result {
    let other = ctx.channel()?;
    for round in 0..10 {
        let ch = ctx.channel()?;
        let q = ctx.queue(&format!("q{round}"));
        ch.declare_with(Queue::new(&q).exclusive())?;
        ch.conn.close()?;
        let passive = Queue::new(&q).passive().method();
        other.refused(
            &passive,
            404,
            format!("no queue '{q}' in vhost '{}'", ctx.vhost()),
        )?;
        other.reopen()?;
    }
    Ok(())
}

fn unacked_back(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for n in 0..3 {
        ch.publish("", &q, &n.to_string())?;
    }
    let worker = ctx.channel()?;
    worker.wait_depth(&q, |d| d.messages == 3)?;
    worker.consume(&q)?;
    worker.deliveries(3)?;
    worker.conn.drop_socket();
    ch.wait_messages(&q, 3)?;
    for n in 0..3 {
        let Some(d) = ch.get_no_ack(&q)? else {
            return fail("message lost");
        };
        check_eq!((d.text(), d.redelivered), (n.to_string(), true));
    }
    Ok(())
}

fn reset_exclusive(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).exclusive())?;
    ch.conn.drop_socket();
    let other = ctx.channel()?;
    let mut rounds = 0;
    loop {
        // While it is there it is locked (405), then it is gone (404).
        other.send(&Queue::new(&q).passive().method())?;
        let close = Closed::of(&other.wait_method("channel.close")?);
        other.send(&method("channel.close-ok"))?;
        other.reopen()?;
        rounds += 1;
        match close.code {
            404 => return Ok(()),
            405 if rounds < 1000 => std::thread::sleep(Duration::from_millis(5)),
            _ => return fail(format!("{close}")),
        }
    }
}

fn any_close_text(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    let close = method("connection.close")
        .set("reply-code", 65_535)
        .set("reply-text", vec![b'x'; 255])
        .set("class-id", 999)
        .set("method-id", 1);
    conn.send(0, &close)?;
    conn.wait_method(0, "connection.close-ok").map(drop)
}

fn sigterm(ctx: &mut Ctx) -> Result {
    let broker = ctx.private_own("", "")?;
    let idle = broker.connect()?;
    let ch = broker.connect()?.channel(1)?;
    ch.declare("q")?;
    ch.consume("q")?;
    broker.terminate();
    for conn in [&idle, &ch.conn] {
        let text = "broker forced connection closure with reason 'shutdown'";
        conn.expect_close(320, (0, 0), text)?;
        conn.expect_end()?;
    }
    check_eq!(broker.wait_exit(Duration::from_secs(30))?, 0);
    Ok(())
}

fn bad_close_text(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send(
        0,
        &method("connection.close").set("reply-text", vec![0xff; 5]),
    )?;
    conn.expect_close(501, (10, 50), "Malformed UTF-8 in shortstr")
}

fn open_twice(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send(0, &method("connection.open").set("virtual-host", "/"))?;
    conn.expect_close(
        504,
        (10, 40),
        "unexpected method in connection state running",
    )
}

fn channel_zero(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send(0, &method("channel.open"))?;
    conn.expect_close(
        504,
        (20, 10),
        "unexpected method in connection state running",
    )
}

fn client_sends_start(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    conn.send(0, &method("connection.tune"))?;
    conn.expect_close(
        504,
        (10, 30),
        "unexpected method in connection state running",
    )
}
