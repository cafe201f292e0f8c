//! Expected answers were seen on RabbitMQ 3.10.8.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Columns, Listing};
use crate::management::error::ApiError;
use crate::management::query::Params;

fn exchanges() -> Vec<Value> {
    [
        ("amq.topic", "topic", 3),
        ("", "direct", 0),
        ("amq.match", "headers", 7),
        ("amq.direct", "direct", 7),
    ]
    .into_iter()
    .map(|(name, kind, rate)| {
        let mut item = json!({ "name": name, "vhost": "/", "type": kind });
        if rate > 0 {
            item["message_stats"] = json!({ "publish_in": rate, "publish_out": 1 });
        }
        item
    })
    .collect()
}

fn ask(query: &str) -> Result<Value, ApiError> {
    Listing::of(&Params::parse(query))?.answer(exchanges(), &["vhost", "name"])
}

fn names(answer: &Value) -> Vec<&str> {
    let items = answer.get("items").unwrap_or(answer).as_array().unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[test]
fn without_parameters_the_list_comes_in_its_default_order() {
    let answer = ask("").unwrap();
    assert_eq!(names(&answer), ["", "amq.direct", "amq.match", "amq.topic"]);
    // A name filters pages only.
    assert_eq!(ask("name=topic").unwrap(), answer);
    assert_eq!(ask("page_size=2").unwrap(), answer);
}

#[test]
fn pages_say_how_much_there_is() {
    let answer = ask("page=2&page_size=3&columns=name").unwrap();
    assert_eq!(
        answer,
        json!({ "total_count": 4, "filtered_count": 4, "item_count": 1, "page": 2,
                "page_size": 3, "page_count": 2, "items": [{ "name": "amq.topic" }] })
    );
    let nothing = ask("page=1&name=zzz").unwrap();
    assert_eq!(nothing["page_count"], 0);
    assert_eq!(nothing["total_count"], 4);
    assert_eq!(nothing["items"], json!([]));
}

#[test]
fn names_are_filtered_without_regard_to_case() {
    let found = |query: &str| {
        let answer = ask(query).unwrap();
        names(&answer)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(found("page=1&name=DIRECT"), ["amq.direct"]);
    assert_eq!(found("page=1&name=D%5BI%5D&use_regex=true"), ["amq.direct"]);
    assert_eq!(
        found("page=1&name=%5Eamq.*[hc]%24&use_regex=true"),
        ["amq.match", "amq.topic"]
    );
    assert_eq!(found("page=1&name=D%5BI%5D"), Vec::<String>::new());
}

#[test]
fn any_field_sorts_and_what_lacks_it_counts_as_nothing() {
    let sorted = ask("sort=message_stats.publish_in").unwrap();
    assert_eq!(names(&sorted), ["", "amq.topic", "amq.direct", "amq.match"]);
    let reverse = ask("sort=type&sort_reverse=true").unwrap();
    assert_eq!(
        names(&reverse),
        ["amq.topic", "amq.match", "amq.direct", ""]
    );
    assert_eq!(
        names(&ask("sort=nosuch").unwrap()),
        names(&ask("").unwrap())
    );
    assert_eq!(
        names(&ask("sort=").unwrap()),
        ["amq.topic", "", "amq.match", "amq.direct"]
    );
}

#[test]
fn wrong_pages_are_refused_in_rabbitmqs_words() {
    let refusal = |query: &str| ask(query).unwrap_err();
    let number = |number: &str, size: &str| {
        ApiError::refused_as(
            "invalid_pagination_parameters",
            format!("Invalid pagination parameters: page number {number}, page size {size}"),
        )
    };
    assert_eq!(refusal("page=0"), number("0", "undefined"));
    assert_eq!(refusal("page=-1"), number("-1", "undefined"));
    assert_eq!(refusal("page=1&page_size=501"), number("1", "501"));
    assert_eq!(refusal("page=1&page_size=0"), number("1", "0"));
    let invalid = ApiError::bad_request("Pagination parameters are invalid");
    for query in [
        "page=abc",
        "page=",
        "page=1&page_size=x",
        "page=1&name=(&use_regex=true",
    ] {
        assert_eq!(refusal(query), invalid, "{query}");
    }
    assert_eq!(
        refusal("page=99"),
        ApiError::refused_as(
            "page_out_of_range",
            "Page out of range, page: 99 page size: 100, len: 4"
        )
    );
    assert_eq!(refusal("page=99").status(), StatusCode::BAD_REQUEST);
}

#[test]
fn columns_keep_the_parents_of_what_is_chosen() {
    let columns = |text: &str| Columns::of(&Params::parse(&format!("columns={text}")));
    let item = json!({ "name": "a", "vhost": "/",
                       "message_stats": { "publish": 1, "publish_details": { "rate": 2.0 } },
                       "list": [{ "x": 1, "y": 2 }] });
    assert_eq!(
        columns("name,message_stats.publish_details.rate").apply(item.clone()),
        json!({ "name": "a", "message_stats": { "publish_details": { "rate": 2.0 } } })
    );
    assert_eq!(
        columns("list.x").apply(item.clone()),
        json!({ "list": [{ "x": 1 }] })
    );
    // What is left empty is an empty list in RabbitMQ.
    assert_eq!(
        columns("message_stats.ack").apply(item.clone()),
        json!({ "message_stats": [] })
    );
    assert_eq!(columns("").apply(item.clone()), json!([]));
    assert_eq!(
        columns("message_stats,message_stats.publish").apply(item.clone())["message_stats"],
        item["message_stats"]
    );
    assert!(columns("a.b,c").wants("a") && !columns("a.b,c").wants("b"));
    assert!(Columns::default().wants("b"));
    assert_eq!(Columns::default().apply(item.clone()), item);
}

#[test]
fn only_the_page_is_built() {
    let built = std::cell::Cell::new(0);
    let listing = Listing::of(&Params::parse("page=2&page_size=2&name=q")).unwrap();
    let things: Vec<u32> = (0..10).collect();
    let answer = listing
        .answer_built(
            things,
            &["name"],
            |n| format!("{}{n}", if n % 2 == 0 { "q" } else { "x" }),
            |n| {
                built.set(built.get() + 1);
                json!({ "name": n })
            },
        )
        .unwrap();
    assert_eq!(answer["items"], json!([{ "name": 4 }, { "name": 6 }]));
    assert_eq!(
        (&answer["total_count"], &answer["filtered_count"]),
        (&json!(10), &json!(5))
    );
    assert_eq!(built.get(), 2);
}
