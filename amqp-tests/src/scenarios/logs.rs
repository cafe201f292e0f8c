//! Scenarios: lines of the log that operators look for. Both brokers write them in the same words;
//! process ids, ports and times are blanked before they are compared.

use crate::prelude::*;
use std::time::Instant;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "logs.connection",
        "a connection is logged when it is accepted, named, logged in and closed",
        "RabbitMQ log",
        connection,
    ),
    Scenario::new(
        "logs.login_refused",
        "a wrong password is logged with the user's name",
        "RabbitMQ log",
        login_refused,
    ),
    Scenario::new(
        "logs.vhost_missing",
        "a login to a virtual host that is not there is logged",
        "RabbitMQ log",
        vhost_missing,
    ),
    Scenario::new(
        "logs.channel_error",
        "an error that closes a channel is logged with its method",
        "RabbitMQ log",
        channel_error,
    ),
    Scenario::new(
        "logs.connection_error",
        "an error that closes a connection is logged with its method and channel",
        "RabbitMQ log",
        connection_error,
    ),
    Scenario::new(
        "logs.gone",
        "a client that leaves without a word is logged as a warning",
        "RabbitMQ log",
        gone,
    ),
    Scenario::new(
        "logs.bad_header",
        "another protocol's first octets are logged",
        "RabbitMQ log",
        bad_header,
    ),
    Scenario::new(
        "logs.heartbeats",
        "missed heartbeats are logged with the timeout",
        "RabbitMQ log",
        heartbeats,
    ),
    Scenario::new(
        "logs.alarm",
        "the memory alarm is logged in a block that nobody overlooks",
        "RabbitMQ log",
        alarm,
    ),
    Scenario::new(
        "logs.ready",
        "the end of the start is logged, which scripts wait for",
        "RabbitMQ log",
        ready,
    ),
    Scenario::new(
        "logs.json",
        "with the json formatter each line is an object with time, level, msg, domain and pid",
        "RabbitMQ log",
        json,
    ),
    Scenario::new(
        "logs.category",
        "a category's level holds in place of the output's",
        "RabbitMQ log",
        category,
    ),
    Scenario::new(
        "logs.exchange",
        "with log.exchange lines are messages of amq.rabbitmq.log, their level the routing key",
        "RabbitMQ log",
        exchange,
    ),
    Scenario::new(
        "logs.exchange_json",
        "the exchange's lines may be JSON",
        "RabbitMQ log",
        exchange_json,
    ),
    Scenario::new(
        "logs.events",
        "with log.events.file what happens is written down, under the names of RabbitMQ's events",
        "RabbitMQ event exchange",
        events,
    )
    .deviation("an extension: RabbitMQ has no such key and refuses to start with it"),
];

const CONSOLE: &str = "log.console = true\n";

fn broker(ctx: &Ctx) -> Result<std::sync::Arc<Broker>> {
    ctx.private(CONSOLE, "")
}

/// A named connection: its lines are found by that name.
fn named(name: &str, options: Options) -> Options {
    let properties = options.properties.with("connection_name", name);
    Options {
        properties,
        ..options
    }
}

/// `<0.814.0>` becomes `<P>`, `127.0.0.1:4321` becomes `A`; the time goes.
fn blank(line: &str) -> String {
    let rest = line.splitn(3, ' ').nth(2).unwrap_or_default();
    let mut out = String::new();
    let mut rest = rest;
    while let Some(c) = rest.chars().next() {
        if let Some(behind) = after_pid(rest) {
            out.push_str("<P>");
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("127.0.0.1:") {
            out.push('A');
            rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn after_pid(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('<')?;
    let (pid, behind) = inner.split_once('>')?;
    let parts: Vec<&str> = pid.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(number)).then_some(behind)
}

fn lines(broker: &Broker) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(broker.log())?;
    // The last line may be half written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    Ok(whole.lines().map(plain).collect())
}

/// The line without the colours that RabbitMQ gives it.
fn plain(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        let behind = part.split_once('m').map_or("", |(_, behind)| behind);
        out + behind
    })
}

/// Waits until these lines stand in the log, in this order, others between them; blanked.
fn expect(broker: &Broker, wanted: &[&str]) -> Result {
    expect_with(broker, wanted, blank)
}

fn expect_with(broker: &Broker, wanted: &[&str], read: impl Fn(&str) -> String) -> Result {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let lines: Vec<String> = lines(broker)?.iter().map(|line| read(line)).collect();
        let mut rest = lines.iter();
        let missing = wanted.iter().find(|text| !rest.any(|line| line == *text));
        let Some(missing) = missing else {
            return Ok(());
        };
        if Instant::now() > deadline {
            return fail(format!("{missing:?} is not in\n{}", lines.join("\n")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn connection(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let name = ctx.name("c");
    let conn = Conn::open_with(&broker.url, &named(&name, Options::default()))?;
    conn.close()?;
    // RabbitMQ waits for the stream's end.
    drop(conn);
    expect(
        &broker,
        &[
            "[info] <P> accepting AMQP connection <P> (A -> A)",
            &format!("[info] <P> connection <P> (A -> A) has a client-provided name: {name}"),
            &format!(
                "[info] <P> connection <P> (A -> A - {name}): user 'guest' authenticated and \
                 granted access to vhost '/'"
            ),
            &format!(
                "[info] <P> closing AMQP connection <P> (A -> A - {name}, vhost: '/', user: \
                 'guest')"
            ),
        ],
    )
}

fn login_refused(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let name = ctx.name("c");
    let url = broker.url_for("guest", "wrong", "/");
    let refused = Conn::open_with(&url, &named(&name, Options::default()));
    check!(refused.is_err(), "logged in");
    expect(
        &broker,
        &[
            "[error] <P> Error on AMQP connection <P> (A -> A, state: starting):",
            "[error] <P> PLAIN login refused: user 'guest' - invalid credentials",
            &format!("[info] <P> closing AMQP connection <P> (A -> A - {name})"),
        ],
    )
}

fn vhost_missing(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let (name, vhost) = (ctx.name("c"), ctx.name("v"));
    let url = broker.url_for("guest", "guest", &vhost);
    let refused = Conn::open_with(&url, &named(&name, Options::default()));
    check!(refused.is_err(), "opened");
    drop(refused);
    expect(
        &broker,
        &[
            &format!(
                "[error] <P> Error on AMQP connection <P> (A -> A - {name}, user: 'guest', state: \
                 opening):"
            ),
            &format!("[error] <P> vhost {vhost} not found"),
            &format!(
                "[info] <P> closing AMQP connection <P> (A -> A - {name}, vhost: 'none', user: \
                 'guest')"
            ),
        ],
    )
}

fn channel_error(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let queue = ctx.name("q");
    let ch = broker.connect()?.channel(3)?;
    let passive = method("queue.declare")
        .set("queue", &queue)
        .set("passive", true);
    check!(ch.call(&passive).is_err(), "declared");
    expect(
        &broker,
        &[
            "[error] <P> Channel error on connection <P> (A -> A, vhost: '/', user: 'guest'), \
             channel 3:",
            &format!(
                "[error] <P> operation queue.declare caused a channel exception not_found: no \
                 queue '{queue}' in vhost '/'"
            ),
        ],
    )
}

fn connection_error(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let (name, kind) = (ctx.name("c"), ctx.name("kind"));
    let conn = Conn::open_with(&broker.url, &named(&name, Options::default()))?;
    let ch = conn.channel(5)?;
    let declare = method("exchange.declare")
        .set("exchange", ctx.name("x"))
        .set("type", &kind);
    check!(ch.call(&declare).is_err(), "declared");
    expect(
        &broker,
        &[
            &format!(
                "[error] <P> Error on AMQP connection <P> (A -> A - {name}, vhost: '/', user: \
                 'guest', state: running), channel 5:"
            ),
            &format!(
                "[error] <P>  operation exchange.declare caused a connection exception \
                 command_invalid: \"unknown exchange type '{kind}'\""
            ),
        ],
    )
}

fn gone(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let name = ctx.name("c");
    let conn = Conn::open_with(&broker.url, &named(&name, Options::default()))?;
    conn.drop_socket();
    expect(
        &broker,
        &[
            &format!(
                "[warning] <P> closing AMQP connection <P> (A -> A - {name}, vhost: '/', user: \
                 'guest'):"
            ),
            "[warning] <P> client unexpectedly closed TCP connection",
        ],
    )
}

fn bad_header(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let conn = Conn::tcp(&broker.url)?;
    conn.send_raw(b"HARE/1.0\r\n")?;
    expect(
        &broker,
        &[
            "[info] <P> accepting AMQP connection <P> (A -> A)",
            "[error] <P> closing AMQP connection <P> (A -> A):",
            "[error] <P> {bad_header,<<\"HARE/1.0\">>}",
        ],
    )
}

fn heartbeats(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let name = ctx.name("c");
    let options = Options {
        heartbeat: 1,
        ..Options::default()
    };
    let _silent = Conn::open_with(&broker.url, &named(&name, options))?;
    expect(
        &broker,
        &[
            &format!("[error] <P> closing AMQP connection <P> (A -> A - {name}):"),
            "[error] <P> missed heartbeats from client, timeout: 1s",
        ],
    )
}

fn alarm(ctx: &mut Ctx) -> Result {
    let conf = format!("{CONSOLE}vm_memory_high_watermark.absolute = 1000\n");
    let broker = ctx.private(&conf, "")?;
    // The node's name and the memory used differ.
    let words = |line: &str| {
        let line = blank(line);
        if line.contains("alarm set on node ") {
            return line
                .split(" on node ")
                .next()
                .unwrap_or_default()
                .to_owned();
        }
        line
    };
    expect_with(
        &broker,
        &[
            "[warning] <P> memory resource limit alarm set",
            "[warning] <P> ",
            "[warning] <P> **********************************************************",
            "[warning] <P> *** Publishers will be blocked until this alarm clears ***",
            "[warning] <P> **********************************************************",
        ],
        words,
    )
}

fn ready(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let begin = |line: &str| {
        let line = blank(line);
        line.split(';').next().unwrap_or_default().to_owned()
    };
    expect_with(&broker, &["[info] <P> Server startup complete"], begin)?;
    let listening = format!("started TCP listener on 127.0.0.1:{}", broker.url.port);
    let any = format!("started TCP listener on [::]:{}", broker.url.port);
    let all = lines(&broker)?;
    let found = all
        .iter()
        .any(|line| line.ends_with(&listening) || line.ends_with(&any));
    check!(found, "{listening:?} is not in {all:?}");
    Ok(())
}

fn json(ctx: &mut Ctx) -> Result {
    let broker = ctx.private(&format!("{CONSOLE}log.console.formatter = json\n"), "")?;
    let name = ctx.name("c");
    let conn = Conn::open_with(&broker.url, &named(&name, Options::default()))?;
    conn.drop_socket();
    let text = |line: &str| match crate::http::parse_json(line) {
        Ok(object) => format!(
            "{} {} {}",
            object["level"].text(),
            object["domain"].text(),
            // Blanks what a line of text begins with, too.
            blank(&format!("d t {}", object["msg"].text().replace('\n', "|")))
        ),
        Err(_) => String::new(),
    };
    let wanted = format!(
        "warning rabbitmq.connection closing AMQP connection <P> (A -> A - {name}, vhost: '/', \
         user: 'guest'):|client unexpectedly closed TCP connection"
    );
    expect_with(&broker, &[&wanted], text)?;
    let all = lines(&broker)?;
    let line = all.iter().find(|line| line.contains(&name));
    let line = line.map_or("", String::as_str);
    let Ok(object) = crate::http::parse_json(line) else {
        return fail(format!("no object: {line}"));
    };
    let time = object["time"].text();
    check!(time.len() == 32 && &time[10..11] == " ", "{time}");
    check!(after_pid(object["pid"].text()) == Some(""), "{object:?}");
    Ok(())
}

fn category(ctx: &mut Ctx) -> Result {
    let conf = format!("{CONSOLE}log.connection.level = warning\nlog.console.level = error\n");
    let broker = ctx.private(&conf, "")?;
    let name = ctx.name("c");
    let conn = Conn::open_with(&broker.url, &named(&name, Options::default()))?;
    conn.drop_socket();
    let gone = format!(
        "[warning] <P> closing AMQP connection <P> (A -> A - {name}, vhost: '/', user: 'guest'):"
    );
    expect(&broker, &[&gone])?;
    let all = lines(&broker)?;
    let accepted = all
        .iter()
        .find(|line| line.contains("accepting AMQP connection"));
    check!(accepted.is_none(), "{accepted:?}");
    Ok(())
}

/// A broker that publishes its log, and the message of a client called `name` that left without a
/// word.
fn published(ctx: &mut Ctx, conf: &str, name: &str) -> Result<(std::sync::Arc<Broker>, Delivery)> {
    let broker = ctx.private(&format!("{CONSOLE}log.exchange = true\n{conf}"), "")?;
    let conn = Conn::open(&broker.url)?;
    // Others may use the same broker.
    let warnings = ctx.name("warnings");
    // RabbitMQ declares it a while after it has begun to serve clients.
    let ch = eventually(Duration::from_secs(60), || {
        let ch = conn.channel(1)?;
        ch.declare(&warnings)?;
        let bound = ch.bind(&warnings, "amq.rabbitmq.log", "warning");
        if bound.is_err() {
            ch.expect_close_any(&[404], (50, 20))?;
        }
        bound.map(|()| ch)
    })?;
    ch.publish("amq.rabbitmq.log", "warning", "a client's")?;
    ch.expect_close(403, (60, 40), Text::contains("internal exchange"))?;
    let leaving = Conn::open_with(&broker.url, &named(name, Options::default()))?;
    leaving.drop_socket();
    let ch = conn.channel(2)?;
    loop {
        let message = ch.wait_get(&warnings)?;
        if message.text().contains(name) {
            return Ok((broker, message));
        }
    }
}

fn exchange(ctx: &mut Ctx) -> Result {
    let name = ctx.name("c");
    let (_broker, got) = published(ctx, "", &name)?;
    let text = got.text();
    let lines: Vec<String> = text.lines().map(blank).collect();
    let closing = format!(
        "[warning] <P> closing AMQP connection <P> (A -> A - {name}, vhost: '/', user: 'guest'):"
    );
    let gone = "[warning] <P> client unexpectedly closed TCP connection".to_owned();
    check_eq!(lines, [closing, gone]);
    check!(text.ends_with('\n'), "{text:?}");
    check_eq!(
        (got.exchange.as_str(), got.key.as_str()),
        ("amq.rabbitmq.log", "warning")
    );
    let props = got.props;
    check_eq!(props.content_type.as_deref(), Some(&b"text/plain"[..]));
    check_eq!(props.delivery_mode, None);
    check!(
        props
            .timestamp
            .is_some_and(|seconds| seconds > 1_700_000_000),
        "{props:?}"
    );
    let headers = props.headers.unwrap_or_default();
    check!(
        matches!(headers.get("node"), Some(Value::Str(_))),
        "{headers:?}"
    );
    Ok(())
}

fn exchange_json(ctx: &mut Ctx) -> Result {
    let name = ctx.name("c");
    let (_broker, got) = published(ctx, "log.exchange.formatter = json\n", &name)?;
    let content_type = got.props.content_type.clone();
    check_eq!(content_type.as_deref(), Some(&b"application/json"[..]));
    let text = got.text();
    let Ok(object) = crate::http::parse_json(text.trim_end()) else {
        return fail(format!("no object: {text}"));
    };
    check_eq!(object["level"].text(), "warning");
    check!(object["msg"].text().contains(&name), "{object:?}");
    Ok(())
}

fn events(ctx: &mut Ctx) -> Result {
    let conf = format!("{CONSOLE}log.events.file = events.jsonl\n");
    if ctx.is_rabbit() {
        check!(ctx.private_own(&conf, "").is_err(), "it started");
        return Ok(());
    }
    let broker = ctx.private(&conf, "")?;
    let queue = ctx.name("q");
    let conn = Conn::open(&broker.url)?;
    let ch = conn.channel(1)?;
    ch.declare(&queue)?;
    ch.bind(&queue, "amq.direct", "k")?;
    let tag = ch.consume(&queue)?;
    ch.cancel(&tag)?;
    ch.consume(&queue)?;
    ch.delete(&queue)?;
    let wanted = [
        "queue.created",
        "binding.created",
        "consumer.created",
        "consumer.deleted",
        "consumer.created",
        "queue.deleted",
        "binding.deleted",
        "consumer.deleted",
    ];
    eventually(Duration::from_secs(60), || {
        let text = std::fs::read_to_string(broker.data().join("events.jsonl"))?;
        let mut told = Vec::new();
        for line in text.lines().filter(|line| line.contains(&queue)) {
            let Ok(event) = crate::http::parse_json(line) else {
                return fail(format!("no object: {line}"));
            };
            check!(event["timestamp_in_ms"].int().is_some(), "{line}");
            told.push(event["event"].text().to_owned());
        }
        check_eq!(told, wanted);
        Ok(())
    })
}
