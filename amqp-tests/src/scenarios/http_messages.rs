//! Scenarios: publishing and getting over the management API.

use super::http::{Api, LAG, missing, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.message.properties",
        "a message keeps every property on its way in and out",
        "management 1.5",
        properties,
    ),
    over_http(
        "http.message.encoding",
        "bytes that are no text come as base64, and go in that way",
        "management 1.5",
        encoding,
    ),
    over_http(
        "http.message.ackmodes",
        "requeued messages stay, in place and redelivered; acknowledged and rejected ones go",
        "management 1.5",
        ackmodes,
    ),
    over_http(
        "http.message.truncate",
        "a payload is cut to what is asked for, its size is told as it is",
        "management 1.5",
        truncate,
    ),
    over_http(
        "http.message.purge",
        "a purge takes what is ready and leaves what is unacknowledged",
        "management 1.5",
        purge,
    ),
    over_http(
        "http.message.counts",
        "each counter of a queue, an exchange, a channel and a vhost says what happened",
        "management 1.4",
        counts,
    ),
    over_http(
        "http.message.consumers",
        "consumers are listed with their channel, queue, prefetch and arguments",
        "management 1.5",
        consumers,
    ),
];

fn properties(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    let properties = "{\"content_type\":\"text/plain\",\"content_encoding\":\"gzip\",\
        \"delivery_mode\":2,\"priority\":3,\"correlation_id\":\"c\",\"reply_to\":\"r\",\
        \"expiration\":\"600000\",\"message_id\":\"m\",\"timestamp\":1700000000,\"type\":\"t\",\
        \"user_id\":\"guest\",\"app_id\":\"a\",\
        \"headers\":{\"n\":1,\"s\":\"x\",\"b\":true,\"f\":0.5,\"l\":[1,\"y\"],\"o\":{\"k\":\"v\"}}}";
    let body = format!(
        "{{\"properties\":{properties},\"routing_key\":\"q\",\"payload\":\"p\",\
         \"payload_encoding\":\"string\"}}"
    );
    let to = api.path("exchanges", "amq.default/publish");
    let told = api.http.post(&to, body)?.expect(200)?.json()?;
    check!(told["routed"].is_true(), "{told}");
    let list = api.get("q", 1, "ack_requeue_true")?;
    let Ok(wanted) = crate::http::parse_json(properties) else {
        return fail("bad test");
    };
    let told = &list[0]["properties"];
    for (key, value) in wanted.fields() {
        if key == "headers" {
            for (name, value) in value.fields() {
                check_eq!(&told["headers"][name.as_str()], value, "header {name}");
            }
        } else {
            check_eq!(&told[key.as_str()], value, "{key}");
        }
    }
    check_eq!(list[0]["exchange"].text(), "");
    check_eq!(list[0]["routing_key"].text(), "q");
    check_eq!(list[0]["message_count"].int(), Some(0));
    // A consumer over AMQP sees the same.
    let d = api.channel()?.wait_get("q")?;
    check_eq!(d.text(), "p");
    check_eq!(d.props.delivery_mode, Some(2));
    Ok(())
}

fn encoding(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    let ch = api.channel()?;
    for bytes in [b"caf\xc3\xa9".as_slice(), b"\xff\x00\xfe", b""] {
        let body = format!(
            "{{\"properties\":{{}},\"routing_key\":\"q\",\"payload\":\"{}\",\
             \"payload_encoding\":\"base64\"}}",
            base64(bytes)
        );
        let to = api.path("exchanges", "amq.default/publish");
        api.http.post(&to, body)?.expect(200)?;
        let text = std::str::from_utf8(bytes);
        let wanted = text.map_or_else(|_| (base64(bytes), "base64"), |t| (t.into(), "string"));
        let told = &api.get("q", 1, "ack_requeue_true")?[0];
        check_eq!(told["payload"].text(), wanted.0);
        check_eq!(told["payload_encoding"].text(), wanted.1);
        check_eq!(told["payload_bytes"].int(), Some(bytes.len() as i64));
        let get = "{\"count\":1,\"ackmode\":\"ack_requeue_true\",\"encoding\":\"base64\"}";
        let list = api.http.post(&api.path("queues", "q/get"), get)?;
        let told = &list.expect(200)?.json()?[0];
        check_eq!(told["payload"].text(), base64(bytes));
        check_eq!(told["payload_encoding"].text(), "base64");
        let d = ch.wait_get("q")?;
        check_eq!(d.body, bytes);
        ch.ack(d.tag)?;
        ch.sync()?;
    }
    Ok(())
}

fn ackmodes(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("dead")?;
    api.queue_with(
        "q",
        "{\"x-dead-letter-exchange\":\"\",\"x-dead-letter-routing-key\":\"dead\"}",
    )?;
    for m in ["a", "b", "c", "d"] {
        check!(api.publish("amq.default", "q", m)?);
    }
    let take = |count: usize, mode: &str| -> Result<String> {
        Ok(api.get("q", count, mode)?.each("payload").join(" "))
    };
    let first = api.get("q", 2, "ack_requeue_true")?;
    check_eq!(first.each("payload"), ["a", "b"]);
    check_eq!(first[0]["redelivered"], Json::Bool(false));
    // How many are left behind each of them.
    check_eq!(first[0]["message_count"].int(), Some(3));
    check_eq!(first[1]["message_count"].int(), Some(2));
    let again = api.get("q", 3, "reject_requeue_true")?;
    check_eq!(again.each("payload"), ["a", "b", "c"]);
    check!(
        again[0]["redelivered"].is_true() && !again[2]["redelivered"].is_true(),
        "{again}"
    );
    check_eq!(take(1, "ack_requeue_false")?, "a");
    check_eq!(take(1, "reject_requeue_false")?, "b");
    check_eq!(take(9, "ack_requeue_false")?, "c d");
    check_eq!(api.get("q", 1, "ack_requeue_true")?, Json::List(Vec::new()));
    // What was rejected is dead-lettered.
    let dead = eventually(LAG, || {
        let dead = api.get("dead", 1, "ack_requeue_true")?;
        check_eq!(dead.each("payload"), ["b"]);
        Ok(dead)
    })?;
    let death = &dead[0]["properties"]["headers"]["x-death"][0];
    check_eq!(death["reason"].text(), "rejected");
    check_eq!(death["queue"].text(), "q");
    check_eq!(death["count"].int(), Some(1));
    Ok(())
}

fn truncate(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    check!(api.publish("amq.default", "q", "0123456789")?);
    for (cut, payload) in [(4, "0123"), (10, "0123456789"), (99, "0123456789")] {
        let get = format!(
            "{{\"count\":1,\"ackmode\":\"ack_requeue_true\",\"encoding\":\"auto\",\
             \"truncate\":{cut}}}"
        );
        let list = api.http.post(&api.path("queues", "q/get"), get)?;
        let told = &list.expect(200)?.json()?[0];
        check_eq!(told["payload"].text(), payload);
        check_eq!(told["payload_bytes"].int(), Some(10));
    }
    Ok(())
}

fn purge(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    let ch = api.channel()?;
    for m in ["held", "1", "2"] {
        ch.publish("", "q", m)?;
    }
    ch.wait_messages("q", 3)?;
    let held = ch.wait_get("q")?;
    let path = api.path("queues", "q/contents");
    check!(api.http.delete(&path)?.expect(204)?.body.is_empty());
    check_eq!(ch.depth("q")?.messages, 0);
    ch.nack(held.tag, false, true)?;
    ch.wait_messages("q", 1)?;
    check_eq!(
        api.get("q", 9, "ack_requeue_false")?.each("payload"),
        ["held"]
    );
    missing(api.http.delete(&api.path("queues", "nosuch/contents"))?)
}

/// Fails unless each counter has its number; one that was never counted may
/// be left out where it is 0.
fn counted(stats: &Json, wanted: &[(&str, i64)]) -> Result<()> {
    for (key, number) in wanted {
        check_eq!(stats[*key].int().unwrap_or(0), *number, "{key} of {stats}");
    }
    Ok(())
}

fn counts(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    api.exchange("x", "topic")?;
    api.bind("x", "q", "k")?;
    let ch = api.channel()?;
    ch.confirm_select()?;
    for n in 1..=7 {
        ch.publish("x", "k", "0123456789")?;
        ch.confirms(n, n)?;
    }
    // One is dropped, one comes back.
    ch.publish("x", "nowhere", "lost")?;
    ch.publish_with(&Publish::new("x", "nowhere").mandatory())?;
    ch.returned()?;
    ch.confirms(8, 9)?;
    let taken = ch.wait_get("q")?;
    ch.ack(taken.tag)?;
    let again = ch.wait_get("q")?;
    ch.nack(again.tag, false, true)?;
    ch.get_no_ack("q")?;
    let tag = ch.consume("q")?;
    let deliveries = ch.deliveries(5)?;
    for d in &deliveries[..2] {
        ch.ack(d.tag)?;
    }
    check!(ch.get("q")?.is_none());
    ch.sync()?;
    let family = [
        ("publish", 7),
        ("get", 2),
        ("get_no_ack", 1),
        ("get_empty", 1),
        ("deliver", 5),
        ("deliver_no_ack", 0),
        ("deliver_get", 8),
        ("ack", 3),
        ("redeliver", 1),
    ];
    eventually(LAG, || {
        let q = api.http.json(&api.path("queues", "q"))?;
        counted(&q["message_stats"], &family)?;
        counted(
            &q,
            &[
                ("messages", 3),
                ("messages_ready", 0),
                ("messages_unacknowledged", 3),
                ("message_bytes", 30),
                ("message_bytes_unacknowledged", 30),
                ("consumers", 1),
            ],
        )?;
        let x = api.http.json(&api.path("exchanges", "x"))?;
        counted(
            &x["message_stats"],
            &[("publish_in", 9), ("publish_out", 7)],
        )?;
        let vhost = api.http.json(&format!("/api/vhosts/{}", api.v))?;
        counted(&vhost["message_stats"], &family[1..])?;
        let own = [
            ("publish", 9),
            ("confirm", 9),
            ("return_unroutable", 1),
            ("drop_unroutable", 1),
        ];
        counted(&vhost["message_stats"], &own)?;
        counted(&vhost, &[("messages", 3), ("messages_unacknowledged", 3)])?;
        let channels = api.http.json(&format!("/api/vhosts/{}/channels", api.v))?;
        check_eq!(channels.items().len(), 1);
        counted(&channels[0]["message_stats"], &own)?;
        counted(&channels[0]["message_stats"], &family[1..])?;
        counted(
            &channels[0],
            &[
                ("messages_unacknowledged", 3),
                ("consumer_count", 1),
                ("messages_unconfirmed", 0),
            ],
        )?;
        check!(channels[0]["confirm"].is_true());
        Ok(())
    })?;
    ch.cancel(&tag)?;
    Ok(())
}

fn consumers(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    let ch = api.channel()?;
    ch.qos(7)?;
    ch.consume_with(Consume::new("q").tag("first").arg("x-priority", 5))?;
    ch.consume_with(Consume::new("q").tag("second").no_ack())?;
    let path = api.path("consumers", "");
    eventually(LAG, || {
        let list = api.http.json(&path)?;
        check_eq!(list.items().len(), 2);
        let first = list.find("consumer_tag", "first");
        check_eq!(first["prefetch_count"].int(), Some(7));
        check_eq!(first["arguments"]["x-priority"].int(), Some(5));
        check!(
            first["ack_required"].is_true() && first["active"].is_true(),
            "{first}"
        );
        check!(!first["exclusive"].is_true(), "{first}");
        check_eq!(first["queue"]["name"].text(), "q");
        check_eq!(first["queue"]["vhost"].text(), api.v);
        check_eq!(first["channel_details"]["number"].int(), Some(1));
        check_eq!(first["channel_details"]["user"].text(), "guest");
        let second = list.find("consumer_tag", "second");
        check!(!second["ack_required"].is_true(), "{second}");
        let q = api.http.json(&api.path("queues", "q"))?;
        check_eq!(q["consumers"].int(), Some(2));
        check_eq!(q["consumer_details"].items().len(), 2);
        Ok(())
    })?;
    ch.cancel("first")?;
    ch.conn.close()?;
    eventually(LAG, || {
        check_eq!(api.http.json(&path)?.items().len(), 0);
        Ok(())
    })
}
