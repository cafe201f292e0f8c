//! Scenarios: pages, names, order and columns of the management API's lists.

use super::http::{Api, LAG, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.list.pages",
        "a page tells how many there are, passed the filter, and stand on it",
        "management 1.3",
        pages,
    ),
    over_http(
        "http.list.bad_pages",
        "pages that are none, beyond the last or too large are 400, each in its own words",
        "management 1.3",
        bad_pages,
    ),
    over_http(
        "http.list.name",
        "the name filters pages only, as a part of any case or as a regular expression",
        "management 1.3",
        by_name,
    ),
    over_http(
        "http.list.sort",
        "lists are in order of vhost and name, or of the column asked for, either way round",
        "management 1.3",
        sort,
    ),
    over_http(
        "http.list.columns",
        "columns choose keys, also below others, in lists and single objects",
        "management 1.3",
        columns,
    ),
    over_http(
        "http.list.totals_only",
        "disable_stats with enable_queue_totals gives what a queue is and its three lengths",
        "management 1.3",
        totals_only,
    ),
    over_http(
        "http.list.ranges",
        "ages and increments give samples, an average and a rate; too many points are 400",
        "management 1.3, 1.4",
        ranges,
    ),
    over_http(
        "http.list.encoded",
        "vhosts and names with slashes, spaces, percent signs and other scripts are found again",
        "management 1.1",
        encoded,
    ),
];

fn some_queues(ctx: &Ctx) -> Result<Api> {
    let api = Api::new(ctx)?;
    for name in ["orders", "Other", "backlog", "events", "bulk"] {
        api.queue(name)?;
    }
    for (queue, count) in [("bulk", 3), ("orders", 1)] {
        for _ in 0..count {
            check!(api.publish("amq.default", queue, "m")?);
        }
        api.wait_messages(queue, count)?;
    }
    Ok(api)
}

/// The four counts of a page.
fn counts(page: &Json) -> Vec<Option<i64>> {
    ["total_count", "filtered_count", "item_count", "page_count"]
        .iter()
        .map(|key| page[*key].int())
        .collect()
}

fn pages(ctx: &mut Ctx) -> Result {
    let api = some_queues(ctx)?;
    let ask = |query: &str| api.http.json(&api.path("queues", query));
    let page = ask("?page=1&page_size=2&pagination=true")?;
    check_eq!(counts(&page), [Some(5), Some(5), Some(2), Some(3)]);
    check_eq!(
        (page["page"].int(), page["page_size"].int()),
        (Some(1), Some(2))
    );
    let mut names: Vec<String> = Vec::new();
    for at in 1..=3 {
        let page = ask(&format!("?page={at}&page_size=2"))?;
        names.extend(page["items"].each("name").iter().map(|n| n.to_string()));
    }
    check_eq!(names, ["Other", "backlog", "bulk", "events", "orders"]);
    let page = ask("?page=1")?;
    check_eq!(page["page_size"].int(), Some(100));
    check_eq!(counts(&page), [Some(5), Some(5), Some(5), Some(1)]);
    // A vhost without queues has one page with nothing on it.
    let empty = ctx.name("empty");
    let put = api.http.put(&format!("/api/vhosts/{empty}"), "{}")?;
    put.expect(201)?;
    let none = api.http.json(&format!("/api/queues/{empty}?page=1"))?;
    check_eq!(counts(&none)[..2], [Some(0), Some(0)]);
    check_eq!(none["items"], Json::List(Vec::new()));
    Ok(())
}

fn bad_pages(ctx: &mut Ctx) -> Result {
    let api = some_queues(ctx)?;
    for (query, error, reason) in [
        (
            "?page=0",
            "invalid_pagination_parameters",
            "Invalid pagination parameters: page number 0, page size undefined",
        ),
        (
            "?page=1&page_size=501",
            "invalid_pagination_parameters",
            "Invalid pagination parameters: page number 1, page size 501",
        ),
        (
            "?page=abc",
            "bad_request",
            "Pagination parameters are invalid",
        ),
        (
            "?page=1&name=(&use_regex=true",
            "bad_request",
            "Pagination parameters are invalid",
        ),
        (
            "?page=99",
            "page_out_of_range",
            "Page out of range, page: 99 page size: 100, len: 5",
        ),
        (
            "?page=2&page_size=500",
            "page_out_of_range",
            "Page out of range, page: 2 page size: 500, len: 5",
        ),
    ] {
        api.http
            .get(&api.path("queues", query))?
            .refused(400, error, reason)?;
    }
    api.http
        .json(&api.path("queues", "?page=1&page_size=500"))?;
    Ok(())
}

fn by_name(ctx: &mut Ctx) -> Result {
    let api = some_queues(ctx)?;
    let names = |query: &str| -> Result<String> {
        let page = api.http.json(&api.path("queues", query))?;
        let list = if page["items"] == Json::Null {
            &page
        } else {
            &page["items"]
        };
        Ok(list.each("name").join(" "))
    };
    check_eq!(names("?page=1&name=o")?, "Other backlog orders");
    check_eq!(names("?page=1&name=ORD&use_regex=false")?, "orders");
    check_eq!(names("?page=1&name=%5Eo&use_regex=true")?, "Other orders");
    check_eq!(
        names("?page=1&name=(rd%7Cul)&use_regex=true")?,
        "bulk orders"
    );
    check_eq!(names("?page=1&name=(rd")?, "");
    // Without a page there is no filter.
    check_eq!(names("?name=ord")?, "Other backlog bulk events orders");
    let page = api
        .http
        .json(&api.path("queues", "?page=1&page_size=1&name=o"))?;
    check_eq!(counts(&page), [Some(5), Some(3), Some(1), Some(3)]);
    Ok(())
}

fn sort(ctx: &mut Ctx) -> Result {
    let api = some_queues(ctx)?;
    let names = |query: &str| -> Result<Vec<String>> {
        let list = api.http.json(&api.path("queues", query))?;
        Ok(list.each("name").iter().map(|n| n.to_string()).collect())
    };
    let by_name = ["Other", "backlog", "bulk", "events", "orders"];
    check_eq!(names("")?, by_name);
    check_eq!(names("?sort=name")?, by_name);
    let mut turned = by_name;
    turned.reverse();
    check_eq!(names("?sort=name&sort_reverse=true")?, turned);
    check_eq!(names("?sort=messages")?[3..], ["orders", "bulk"]);
    let most = names("?sort=messages&sort_reverse=true")?;
    check_eq!(most[..2], ["bulk", "orders"]);
    check_eq!(names("?sort=nosuch.column")?.len(), 5);
    check_eq!(names("?sort=")?.len(), 5);
    let nested = names("?sort=message_stats.publish&sort_reverse=true&columns=name")?;
    check_eq!(nested[..2], ["bulk", "orders"]);
    let exchanges = api.http.json(&api.path("exchanges", ""))?;
    let names = exchanges.each("name").join(" ");
    let expected = " amq.direct amq.fanout amq.headers amq.match amq.rabbitmq.trace amq.topic";
    check_eq!(names, expected);
    Ok(())
}

fn keys(item: &Json) -> String {
    let mut keys: Vec<&str> = item.fields().iter().map(|(k, _)| k.as_str()).collect();
    keys.sort_unstable();
    keys.join(" ")
}

fn columns(ctx: &mut Ctx) -> Result {
    let api = some_queues(ctx)?;
    let chosen = "columns=name,messages,message_stats.publish_details.rate";
    let list = eventually(LAG, || {
        let list = api.http.json(&api.path("queues", &format!("?{chosen}")))?;
        let stats = &list.find("name", "bulk")["message_stats"];
        check_eq!(keys(stats), "publish_details", "{stats}");
        Ok(list)
    })?;
    let bulk = list.find("name", "bulk");
    check_eq!(keys(bulk), "message_stats messages name");
    check_eq!(keys(&bulk["message_stats"]["publish_details"]), "rate");
    check_eq!(bulk["messages"].int(), Some(3));
    // What is not there is left out, or an empty list instead of an object.
    let idle = list.find("name", "events");
    check!(
        idle["message_stats"]["publish_details"].fields().len() <= 1,
        "{idle}"
    );
    check_eq!(idle["messages"].int(), Some(0));
    let one = api
        .http
        .json(&api.path("queues", "orders?columns=name,consumers"))?;
    check_eq!(keys(&one), "consumers name");
    let page = api
        .http
        .json(&api.path("queues", "?page=1&page_size=2&columns=name"))?;
    check_eq!(keys(&page["items"][1]), "name");
    check_eq!(counts(&page)[0], Some(5));
    let none = api
        .http
        .json(&api.path("queues", "orders?columns=nosuch"))?;
    check_eq!(keys(&none), "");
    Ok(())
}

fn totals_only(ctx: &mut Ctx) -> Result {
    let api = some_queues(ctx)?;
    let list = api
        .http
        .json(&api.path("queues", "?disable_stats=true&enable_queue_totals=true"))?;
    let bulk = list.find("name", "bulk");
    for key in [
        "arguments",
        "auto_delete",
        "durable",
        "exclusive",
        "messages",
        "messages_ready",
        "messages_unacknowledged",
        "name",
        "node",
        "state",
        "type",
        "vhost",
    ] {
        check!(bulk.get(key).is_some(), "no {key} in {bulk}");
    }
    check_eq!(bulk["messages"].int(), Some(3));
    check_eq!(bulk["type"].text(), "classic");
    for key in ["message_stats", "messages_details", "backing_queue_status"] {
        check!(bulk.get(key).is_none(), "{key} in {bulk}");
    }
    Ok(())
}

fn ranges(ctx: &mut Ctx) -> Result {
    let api = some_queues(ctx)?;
    let query = "bulk?lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5";
    let path = api.path("queues", query);
    eventually(LAG, || {
        let q = api.http.json(&path)?;
        let lengths = &q["messages_details"];
        let samples = lengths["samples"].items();
        check!(samples.len() >= 2, "{lengths}");
        // Newest first, five seconds apart, in milliseconds.
        let at = |n: usize| samples[n]["timestamp"].int().unwrap_or(0);
        check_eq!(at(0) - at(1), 5000, "{lengths}");
        check!(samples[0]["sample"].int() == Some(3), "{lengths}");
        for key in ["rate", "avg_rate", "avg"] {
            check!(lengths[key].number().is_some(), "no {key} in {lengths}");
        }
        let publish = &q["message_stats"]["publish_details"];
        check!(publish["samples"].items().len() >= 2, "{publish}");
        check_eq!(q["message_stats"]["publish"].int(), Some(3));
        Ok(())
    })?;
    for object in ["overview".into(), format!("queues/{}/bulk", api.v)] {
        api.http
            .get(&format!("/api/{object}?lengths_age=60000&lengths_incr=1"))?
            .refused(
                400,
                "bad_request",
                "Invalid range parameters: age 60000, incr 1",
            )?;
    }
    Ok(())
}

fn encoded(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let vhost = format!("{}/ü %2F", ctx.name("odd"));
    let at = format!("/api/vhosts/{}", segment(&vhost));
    api.http.put(&at, "{}")?.expect(201)?;
    check_eq!(api.http.json(&at)?["name"].text(), vhost);
    for name in [
        "a/b", "50%", "a b", "q?x#y", "日本", "a+b", "%2F", "x;y&z=1",
    ] {
        let path = format!("/api/queues/{}/{}", segment(&vhost), segment(name));
        api.http.put(&path, "{\"durable\":true}")?.expect(201)?;
        let told = api.http.json(&path)?;
        check_eq!(
            (told["name"].text(), told["vhost"].text()),
            (name, vhost.as_str())
        );
        api.http.delete(&path)?.expect(204)?;
    }
    api.http.delete(&at)?.expect(204).map(drop)
}
