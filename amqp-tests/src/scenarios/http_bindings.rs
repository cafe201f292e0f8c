//! Scenarios: exchanges, bindings and the keys that name them.

use super::http::{Api, missing, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.bindings.between_missing",
        "between ends of which one is not there are no bindings, which is no error",
        "RabbitMQ 3.10.8",
        between_missing,
    ),
    over_http(
        "http.binding.location",
        "a new binding's Location ends in its properties key, which finds and deletes it",
        "management 1.5",
        location,
    ),
    over_http(
        "http.binding.lists",
        "bindings are listed by vhost, queue, source, destination and pair, implicit ones too",
        "management 1.5",
        lists,
    ),
    over_http(
        "http.binding.exchanges",
        "exchanges are bound to exchanges, and unbound",
        "management 1.5",
        exchanges,
    ),
    over_http(
        "http.exchange.fields",
        "an exchange is told as it was declared; the default exchange is amq.default in paths",
        "management 1.5",
        fields,
    ),
    over_http(
        "http.exchange.types",
        "every type that can be declared is listed in the overview",
        "management 1.5",
        types,
    ),
];

fn between_missing(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    for ends in [
        "e/amq.topic/q/nosuch",
        "e/nosuch/q/q",
        "e/amq.topic/e/nosuch",
    ] {
        let told = api.http.json(&api.path("bindings", ends))?;
        check_eq!(told.to_string(), "[]", "{ends}");
    }
    Ok(())
}

fn location(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    api.exchange("x", "topic")?;
    let pair = api.path("bindings", "e/x/q/q");
    for (key, arguments, expected) in [
        ("", "{}", "~"),
        ("a.*", "{}", "a.%2A"),
        ("a b#~/", "{}", "a+b%23%7E%2F"),
        ("é", "{}", "%C3%A9"),
        ("k", "{\"x\":1}", "k~"),
        ("", "{\"x\":1}", "~"),
        ("k", "{\"x\":\"1\"}", "k~"),
    ] {
        let body = format!("{{\"routing_key\":\"{key}\",\"arguments\":{arguments}}}");
        let answer = api.http.post(&pair, body.clone())?.expect(201)?;
        let list = api.http.json(&pair)?;
        check_eq!(list.items().len(), 1, "{key}");
        let properties = list[0]["properties_key"].text().to_string();
        if arguments == "{}" {
            check_eq!(properties, expected);
        } else {
            let hash = properties.strip_prefix(expected).unwrap_or("");
            check!(
                !hash.is_empty() && !hash.contains(['/', '~', '+']),
                "{properties}"
            );
        }
        let told = answer.header("location").unwrap_or("").to_string();
        check_eq!(told, format!("q/{}", segment_once(&properties)));
        // The same binding again is the same.
        api.http.post(&pair, body)?.expect(201)?;
        check_eq!(api.http.json(&pair)?.items().len(), 1);
        let path = format!("{pair}/{}", segment_once(&properties));
        let one = api.http.json(&path)?;
        check_eq!(one["routing_key"].text(), key);
        check_eq!(one["arguments"].to_string(), arguments);
        api.http.delete(&path)?.expect(204)?;
        missing(api.http.get(&path)?)?;
        missing(api.http.delete(&path)?)?;
    }
    Ok(())
}

/// A properties key in a path or a Location: `%` and `+` are encoded once more.
fn segment_once(properties: &str) -> String {
    properties.replace('%', "%25").replace('+', "%2B")
}

fn lists(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    for q in ["one", "two"] {
        api.queue(q)?;
    }
    api.exchange("x", "direct")?;
    api.bind("x", "one", "a")?;
    api.bind("x", "one", "b")?;
    api.bind("x", "two", "a")?;
    let count = |path: String| -> Result<usize> { Ok(api.http.json(&path)?.items().len()) };
    // Each queue is bound to the default exchange by its name.
    check_eq!(count(api.path("bindings", ""))?, 5);
    check_eq!(count(api.path("queues", "one/bindings"))?, 3);
    check_eq!(count(api.path("exchanges", "x/bindings/source"))?, 3);
    check_eq!(count(api.path("exchanges", "x/bindings/destination"))?, 0);
    check_eq!(
        count(api.path("exchanges", "amq.default/bindings/source"))?,
        2
    );
    check_eq!(count(api.path("bindings", "e/x/q/one"))?, 2);
    let implicit = api
        .http
        .json(&api.path("bindings", "e/amq.default/q/one"))?;
    let item = &implicit[0];
    check_eq!(item["source"].text(), "");
    for key in ["destination", "routing_key", "properties_key"] {
        check_eq!(item[key].text(), "one", "{key}");
    }
    check_eq!(item["destination_type"].text(), "queue");
    check_eq!(item["vhost"].text(), api.v);
    let all = api.http.json("/api/bindings")?;
    let ours = all.items().iter().filter(|b| b["vhost"].text() == api.v);
    check_eq!(ours.count(), 5);
    api.http.delete(&api.path("queues", "one"))?.expect(204)?;
    check_eq!(count(api.path("bindings", ""))?, 2);
    Ok(())
}

fn exchanges(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    for x in ["from", "to"] {
        api.exchange(x, "fanout")?;
    }
    api.queue("q")?;
    api.bind("to", "q", "")?;
    check!(!api.publish("from", "k", "m")?);
    let pair = api.path("bindings", "e/from/e/to");
    let body = "{\"routing_key\":\"k\",\"arguments\":{}}";
    let answer = api.http.post(&pair, body)?.expect(201)?;
    check_eq!(answer.header("location"), Some("to/k"));
    check!(api.publish("from", "k", "m")?);
    let told = api
        .http
        .json(&api.path("exchanges", "to/bindings/destination"))?;
    check_eq!(told.each("source"), ["from"]);
    check_eq!(told.each("destination_type"), ["exchange"]);
    api.http.delete(&format!("{pair}/k"))?.expect(204)?;
    check_eq!(api.http.json(&pair)?.items().len(), 0);
    check!(!api.publish("from", "k", "m")?);
    Ok(())
}

fn fields(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let body = "{\"type\":\"headers\",\"durable\":true,\"auto_delete\":true,\"internal\":true,\
                \"arguments\":{\"alternate-exchange\":\"amq.fanout\"}}";
    let path = api.path("exchanges", "x");
    api.http.put(&path, body)?.expect(201)?;
    api.http.put(&path, body)?.expect(204)?;
    let told = api.http.json(&path)?;
    for flag in ["durable", "auto_delete", "internal"] {
        check!(told[flag].is_true(), "{flag}");
    }
    check_eq!(told["type"].text(), "headers");
    check_eq!(told["arguments"]["alternate-exchange"].text(), "amq.fanout");
    let by = told["user_who_performed_action"].text();
    check_eq!(by, "guest");
    let default = api.http.json(&api.path("exchanges", "amq.default"))?;
    check_eq!(
        (default["name"].text(), default["type"].text()),
        ("", "direct")
    );
    let match_ = api.http.json(&api.path("exchanges", "amq.match"))?;
    check_eq!(match_["type"].text(), "headers");
    let trace = api
        .http
        .json(&api.path("exchanges", "amq.rabbitmq.trace"))?;
    check!(trace["internal"].is_true(), "{trace}");
    api.http.delete(&path)?.expect(204)?;
    missing(api.http.get(&path)?)
}

fn types(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let overview = api.http.json("/api/overview")?;
    let types = overview["exchange_types"].items();
    check!(types.len() >= 4, "{}", overview["exchange_types"]);
    for kind in types {
        check!(kind["enabled"].is_true(), "{kind}");
        let name = kind["name"].text();
        let body =
            format!("{{\"type\":\"{name}\",\"arguments\":{{\"x-delayed-type\":\"topic\"}}}}");
        let path = api.path("exchanges", &format!("of.{name}"));
        api.http.put(&path, body)?.expect(201)?;
    }
    Ok(())
}
