//! Scenarios: what the firehose tells while it is on.

use super::http::{Api, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.firehose.told",
        "while a vhost is traced, publishes and deliveries are told of at amq.rabbitmq.trace",
        "RabbitMQ: firehose",
        told,
    ),
    over_http(
        "http.firehose.switched",
        "switching the firehose on and off acts on a publisher that is at work",
        "RabbitMQ: firehose",
        switched,
    ),
];

fn trace(api: &Api, on: bool) -> Result<()> {
    let body = format!("{{\"tracing\":{on}}}");
    let path = format!("/api/vhosts/{}", api.v);
    api.http.put(&path, body)?.expect(204).map(drop)
}

fn told(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let ch = api.channel()?;
    ch.declare("seen")?;
    ch.bind("seen", "amq.rabbitmq.trace", "#")?;
    ch.declare("work")?;
    ch.bind("work", "amq.direct", "k")?;
    trace(&api, true)?;
    ch.publish("amq.direct", "k", "body")?;
    ch.wait_messages("seen", 1)?;
    check_eq!(ch.get_all("work")?, ["body"]);
    ch.wait_messages("seen", 2)?;
    trace(&api, false)?;
    for (key, queues) in [("publish.amq.direct", true), ("deliver.work", false)] {
        let got = ch.wait_get("seen")?;
        check_eq!(got.key, key);
        check_eq!(got.text(), "body");
        let headers = got.props.headers.unwrap_or_default();
        for (name, value) in [
            ("exchange_name", "amq.direct"),
            ("vhost", api.v.as_str()),
            ("user", "guest"),
        ] {
            check_eq!(headers.get(name), Some(&Value::from(value)), "{name}");
        }
        check_eq!(headers.get("routed_queues").is_some(), queues);
        check_eq!(headers.get("redelivered").is_some(), !queues);
    }
    Ok(())
}

fn switched(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let ch = api.channel()?;
    ch.declare("seen")?;
    ch.bind("seen", "amq.rabbitmq.trace", "publish.#")?;
    ch.declare("work")?;
    // The route to it is remembered by now.
    for _ in 0..3 {
        ch.publish("", "work", "before")?;
    }
    ch.wait_messages("work", 3)?;
    trace(&api, true)?;
    ch.publish("", "work", "during")?;
    ch.wait_messages("seen", 1)?;
    trace(&api, false)?;
    ch.publish("", "work", "after")?;
    ch.wait_messages("work", 5)?;
    check_eq!(ch.get_all("seen")?, ["during"]);
    Ok(())
}
