//! Scenarios: server properties, SASL and failed logins.

use super::conn_header::silent_or_closed;
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "conn.start.capabilities",
        "server-properties announce RabbitMQ's nine capabilities, all true",
        "RabbitMQ; features 1.1",
        capabilities,
    ),
    Scenario::new(
        "conn.start.properties",
        "server-properties carry product, version, platform, copyright, information, cluster_name",
        "RabbitMQ; features 1.1",
        properties,
    ),
    Scenario::new(
        "conn.start.mechanisms",
        "PLAIN and AMQPLAIN are offered, and the locale en_US",
        "RabbitMQ; features 1.1",
        mechanisms,
    ),
    Scenario::new("conn.sasl.plain", "PLAIN logs in", "RFC 4616", |ctx| {
        ctx.connect()?.expect_alive()
    }),
    Scenario::new(
        "conn.sasl.amqplain",
        "AMQPLAIN takes LOGIN and PASSWORD from a table without length",
        "AMQP 0-8; RabbitMQ",
        amqplain,
    ),
    Scenario::new(
        "conn.sasl.amqplain_order",
        "AMQPLAIN entries may come in any order and with others between",
        "RabbitMQ",
        amqplain_order,
    ),
    Scenario::new(
        "conn.sasl.plain_authzid",
        "PLAIN with an authorization id is refused as a malformed response",
        "RabbitMQ rabbit_auth_mechanism_plain",
        |ctx| malformed_login(ctx, "PLAIN", b"other\0guest\0guest"),
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "conn.sasl.plain_malformed",
        "a PLAIN response without its two zeros is a protocol error",
        "RabbitMQ rabbit_auth_mechanism_plain",
        |ctx| malformed_login(ctx, "PLAIN", b"guest guest"),
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "conn.sasl.amqplain_malformed",
        "an AMQPLAIN response without PASSWORD is a protocol error",
        "RabbitMQ rabbit_auth_mechanism_amqplain",
        |ctx| malformed_login(ctx, "AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest"),
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "conn.auth.wrong_password",
        "wrong credentials close with 403 when the client knows authentication_failure_close",
        "RabbitMQ; features 1.1",
        |ctx| wrong_login(ctx, "PLAIN", b"\0guest\0wrong"),
    ),
    Scenario::new(
        "conn.auth.unknown_user",
        "an unknown user gets the same answer as a wrong password",
        "RabbitMQ; features 1.1",
        |ctx| wrong_login(ctx, "PLAIN", b"\0nobody-like-this\0wrong"),
    ),
    Scenario::new(
        "conn.auth.empty_password",
        "an empty password never logs in",
        "RabbitMQ",
        |ctx| wrong_login(ctx, "PLAIN", b"\0guest\0"),
    ),
    Scenario::new(
        "conn.auth.amqplain_wrong",
        "wrong AMQPLAIN credentials close with 403 that names the mechanism",
        "RabbitMQ",
        |ctx| wrong_login(ctx, "AMQPLAIN", &amqplain_response("guest", "wrong")),
    ),
    Scenario::new(
        "trap.02.silent_login",
        "wrong credentials without authentication_failure_close end the stream in silence",
        "trap 2",
        silent_login,
    ),
    Scenario::new(
        "trap.02.bad_mechanism",
        "an unknown mechanism ends the stream",
        "trap 2",
        bad_mechanism,
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "trap.02.wrong_order",
        "connection.open before start-ok ends the stream",
        "trap 2",
        wrong_order,
    )
    .deviation("RabbitMQ ends the stream in silence (RULINGS 22 a)"),
    Scenario::new(
        "conn.start_ok.properties",
        "client properties of every table type are accepted",
        "AMQP 0-9-1 1.4.2.2",
        client_properties,
    ),
    Scenario::new(
        "conn.start_ok.locale",
        "any locale is accepted",
        "RabbitMQ",
        locale,
    ),
    Scenario::new(
        "conn.start_ok.capability_types",
        "capabilities that are not a table of booleans do not break the login",
        "RabbitMQ",
        odd_capabilities,
    ),
];

const CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

fn capabilities(ctx: &mut Ctx) -> Result {
    let start = Conn::tcp(&ctx.url())?.start()?;
    for name in CAPABILITIES {
        check!(
            has_capability(start.table("server-properties"), name),
            "{name} is missing"
        );
    }
    let table = start
        .table("server-properties")
        .get("capabilities")
        .and_then(Value::as_table);
    check_eq!(table.map(Table::len), Some(CAPABILITIES.len()));
    Ok(())
}

fn properties(ctx: &mut Ctx) -> Result {
    let start = Conn::tcp(&ctx.url())?.start()?;
    let table = start.table("server-properties");
    for key in [
        "product",
        "version",
        "platform",
        "copyright",
        "information",
        "cluster_name",
    ] {
        let text = table.get(key).and_then(Value::as_str);
        check!(
            text.is_some_and(|t| !t.is_empty()),
            "{key} is {:?}",
            table.get(key)
        );
    }
    let product = table.get("product").and_then(Value::as_str);
    check_eq!(product.as_deref(), Some(ctx.on("RabbitMQ", "Leveret")));
    Ok(())
}

fn mechanisms(ctx: &mut Ctx) -> Result {
    let start = Conn::tcp(&ctx.url())?.start()?;
    let offered = start.str("mechanisms");
    let offered: Vec<&str> = offered.split(' ').collect();
    check!(
        offered.contains(&"PLAIN") && offered.contains(&"AMQPLAIN"),
        "{offered:?}"
    );
    check!(
        !offered.contains(&"ANONYMOUS"),
        "ANONYMOUS is offered unasked"
    );
    check_eq!(start.str("locales"), "en_US");
    Ok(())
}

fn amqplain_response(user: &str, password: &str) -> Vec<u8> {
    strip_length(&Table::new().with("LOGIN", user).with("PASSWORD", password))
}

/// A table's entries without the table's length.
fn strip_length(table: &Table) -> Vec<u8> {
    let mut w = Writer::new();
    table.encode(&mut w);
    w.0[4..].to_vec()
}

fn login(mechanism: &str, response: &[u8]) -> Options {
    Options {
        mechanism: mechanism.into(),
        response: Some(response.to_vec()),
        ..Options::default()
    }
}

fn amqplain(ctx: &mut Ctx) -> Result {
    let url = ctx.url();
    let response = amqplain_response(&url.user, &url.password);
    ctx.connect_with(&login("AMQPLAIN", &response))?
        .expect_alive()
}

fn amqplain_order(ctx: &mut Ctx) -> Result {
    let url = ctx.url();
    let table = Table::new()
        .with("PASSWORD", url.password.as_str())
        .with("x", 1i32)
        .with("LOGIN", url.user.as_str());
    ctx.connect_with(&login("AMQPLAIN", &strip_length(&table)))?
        .expect_alive()
}

fn start_with(ctx: &Ctx, options: &Options) -> Result<Conn> {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    conn.start_ok(options)?;
    Ok(conn)
}

fn malformed_login(ctx: &mut Ctx, mechanism: &str, response: &[u8]) -> Result {
    let conn = start_with(ctx, &login(mechanism, response))?;
    silent_or_closed(ctx, &conn, &[403, 502])
}

fn wrong_login(ctx: &mut Ctx, mechanism: &str, response: &[u8]) -> Result {
    let conn = start_with(ctx, &login(mechanism, response))?;
    conn.expect_close(
        403,
        (0, 0),
        format!(
            "Login was refused using authentication mechanism {mechanism}. \
             For details see the broker logfile."
        ),
    )
}

fn silent_login(ctx: &mut Ctx) -> Result {
    let mut options = login("PLAIN", b"\0guest\0wrong");
    options.properties = Table::new();
    start_with(ctx, &options)?.expect_end()
}

fn bad_mechanism(ctx: &mut Ctx) -> Result {
    let conn = start_with(ctx, &login("KERBEROS_V4", b"x"))?;
    silent_or_closed(ctx, &conn, &[403, 502, 503, 504, 530, 540])
}

fn wrong_order(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    conn.send(0, &method("connection.open").set("virtual-host", "/"))?;
    silent_or_closed(ctx, &conn, &[501, 503, 504, 505, 530])
}

/// A table with one value of every type.
pub fn every_type() -> Table {
    Table::new()
        .with("t", true)
        .with("b", -128i8)
        .with("B", 255u8)
        .with("s", -32768i16)
        .with("u", 65535u16)
        .with("I", i32::MIN)
        .with("i", u32::MAX)
        .with("l", i64::MIN)
        .with("f", 1.5f32)
        .with("d", -2.25f64)
        .with("D", Value::Decimal(2, 12345))
        .with("S", "text")
        .with("x", Value::Bytes(vec![0, 255, 128]))
        .with(
            "A",
            vec![Value::I32(1), Value::Str(b"two".to_vec()), Value::Void],
        )
        .with("T", Value::Timestamp(1_700_000_000))
        .with(
            "F",
            Table::new().with("inner", Table::new().with("deep", 1i64)),
        )
        .with("V", Value::Void)
}

fn client_properties(ctx: &mut Ctx) -> Result {
    let properties = all_capabilities().with("all", every_type());
    ctx.connect_with(&Options {
        properties,
        ..Options::default()
    })?
    .expect_alive()
}

fn locale(ctx: &mut Ctx) -> Result {
    let conn = Conn::tcp(&ctx.url())?;
    conn.start()?;
    let start_ok = method("connection.start-ok")
        .set("mechanism", "PLAIN")
        .set("response", "\0guest\0guest")
        .set("locale", "tlh");
    conn.send(0, &start_ok)?;
    conn.wait_method(0, "connection.tune").map(drop)
}

fn odd_capabilities(ctx: &mut Ctx) -> Result {
    let properties = Table::new().with(
        "capabilities",
        Table::new().with("basic.nack", 1i32).with("other", "yes"),
    );
    ctx.connect_with(&Options {
        properties,
        ..Options::default()
    })?
    .expect_alive()
}
