//! Every exchange type, from bindings to what arrives.

use lapin::{
    BasicProperties, ExchangeKind,
    options::*,
    types::{AMQPValue, FieldArray, FieldTable},
};

use crate::harness::*;

#[tokio::test]
async fn the_default_exchange_routes_by_queue_name() {
    let (_connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let other = declare(&channel, FieldTable::default()).await;
    send(&channel, "", &queue, "a").await;
    assert_eq!(arrived(&channel, &queue).await, "a");
    assert_eq!(arrived(&channel, &other).await, "");
}

#[tokio::test]
async fn a_direct_exchange_routes_by_exact_key() {
    let (_connection, channel) = session().await;
    let source = exchange(&channel, ExchangeKind::Direct, FieldTable::default()).await;
    let red = declare(&channel, FieldTable::default()).await;
    let both = declare(&channel, FieldTable::default()).await;
    for (queue, key) in [(&red, "red"), (&both, "red"), (&both, "blue")] {
        bind(&channel, queue, &source, key, FieldTable::default()).await;
    }
    for key in ["red", "blue", "Red", ""] {
        send(&channel, &source, key, &format!("[{key}]")).await;
    }
    assert_eq!(arrived(&channel, &red).await, "[red]");
    assert_eq!(arrived(&channel, &both).await, "[blue] [red]");
}

#[tokio::test]
async fn a_fanout_exchange_copies_to_every_queue() {
    let (_connection, channel) = session().await;
    let source = exchange(&channel, ExchangeKind::Fanout, FieldTable::default()).await;
    let mut queues = Vec::new();
    for _ in 0..5 {
        let queue = declare(&channel, FieldTable::default()).await;
        bind(&channel, &queue, &source, "ignored", FieldTable::default()).await;
        queues.push(queue);
    }
    send(&channel, &source, "any", "news").await;
    for queue in queues {
        assert_eq!(arrived(&channel, &queue).await, "news");
    }
}

#[tokio::test]
async fn a_topic_exchange_matches_words() {
    let (_connection, channel) = session().await;
    let source = exchange(&channel, ExchangeKind::Topic, FieldTable::default()).await;
    let cases = [
        ("stock.*.nyse", "stock.ibm.nyse"),
        ("stock.#", "stock stock. stock.ibm stock.ibm.nyse"),
        ("#", " . a stock stock. stock.ibm stock.ibm.nyse"),
        ("*", "a stock"),
        ("*.*", ". stock. stock.ibm"),
        ("#.nyse", "stock.ibm.nyse"),
        ("stock.#.ibm.#", "stock.ibm stock.ibm.nyse"),
        ("no.match", ""),
    ];
    let mut queues = Vec::new();
    for (pattern, _) in cases {
        let queue = declare(&channel, FieldTable::default()).await;
        bind(&channel, &queue, &source, pattern, FieldTable::default()).await;
        queues.push(queue);
    }
    for key in [
        "",
        "a",
        ".",
        "stock",
        "stock.",
        "stock.ibm",
        "stock.ibm.nyse",
    ] {
        send(&channel, &source, key, key).await;
    }
    for ((pattern, want), queue) in cases.iter().zip(queues) {
        assert_eq!(&arrived(&channel, &queue).await, want, "{pattern}");
    }
}

#[tokio::test]
async fn a_headers_exchange_matches_all_and_any() {
    let (_connection, channel) = session().await;
    let source = exchange(&channel, ExchangeKind::Headers, FieldTable::default()).await;
    let kind = || ("kind", text("pdf"));
    let pages = || ("pages", AMQPValue::LongInt(3));
    let mut queues = Vec::new();
    for arguments in [
        table([("x-match", text("all")), kind(), pages()]),
        table([("x-match", text("any")), kind(), pages()]),
        table([("kind", AMQPValue::Void)]),
    ] {
        let queue = declare(&channel, FieldTable::default()).await;
        bind(&channel, &queue, &source, "", arguments).await;
        queues.push(queue);
    }
    for (name, headers) in [
        (
            "both",
            table([
                kind(),
                ("pages", AMQPValue::ShortInt(3)),
                ("extra", text("x")),
            ]),
        ),
        ("kind", table([kind()])),
        ("pages", table([("kind", text("odt")), pages()])),
        ("none", FieldTable::default()),
    ] {
        let properties = BasicProperties::default().with_headers(headers);
        send_with(&channel, &source, "", name.as_bytes(), properties).await;
    }
    for (queue, want) in queues
        .iter()
        .zip(["both", "both kind pages", "both kind pages"])
    {
        assert_eq!(arrived(&channel, queue).await, want);
    }
}

#[tokio::test]
async fn exchanges_bind_to_exchanges() {
    let (_connection, channel) = session().await;
    let source = exchange(&channel, ExchangeKind::Topic, FieldTable::default()).await;
    let middle = exchange(&channel, ExchangeKind::Fanout, FieldTable::default()).await;
    let queue = declare(&channel, FieldTable::default()).await;
    for pattern in ["log.#", "audit.#"] {
        let (to, from) = (middle.as_str().into(), source.as_str().into());
        let options = ExchangeBindOptions::default();
        channel
            .exchange_bind(to, from, pattern.into(), options, FieldTable::default())
            .await
            .unwrap();
    }
    bind(&channel, &queue, &middle, "", FieldTable::default()).await;
    send(&channel, &source, "log.error", "seen").await;
    send(&channel, &source, "metric.cpu", "unseen").await;
    let (to, from) = (middle.as_str().into(), source.as_str().into());
    let options = ExchangeUnbindOptions::default();
    channel
        .exchange_unbind(to, from, "log.#".into(), options, FieldTable::default())
        .await
        .unwrap();
    send(&channel, &source, "log.error", "late").await;
    assert_eq!(arrived(&channel, &queue).await, "seen");
}

#[tokio::test]
async fn an_alternate_exchange_takes_the_unroutable() {
    let (_connection, channel) = session().await;
    let spare = exchange(&channel, ExchangeKind::Fanout, FieldTable::default()).await;
    let arguments = table([("alternate-exchange", text(&spare))]);
    let source = exchange(&channel, ExchangeKind::Direct, arguments).await;
    let wanted = declare(&channel, FieldTable::default()).await;
    let rest = declare(&channel, FieldTable::default()).await;
    bind(&channel, &wanted, &source, "known", FieldTable::default()).await;
    bind(&channel, &rest, &spare, "", FieldTable::default()).await;
    send(&channel, &source, "known", "k").await;
    send(&channel, &source, "strange", "s").await;
    assert_eq!(arrived(&channel, &wanted).await, "k");
    assert_eq!(arrived(&channel, &rest).await, "s");
}

#[tokio::test]
async fn carbon_copies_reach_other_keys() {
    let (_connection, channel) = session().await;
    let source = exchange(&channel, ExchangeKind::Direct, FieldTable::default()).await;
    let mut queues = Vec::new();
    for key in ["to", "cc", "bcc"] {
        let queue = declare(&channel, FieldTable::default()).await;
        bind(&channel, &queue, &source, key, FieldTable::default()).await;
        queues.push(queue);
    }
    let list = |key| AMQPValue::FieldArray(FieldArray::from(vec![text(key)]));
    let headers = table([("CC", list("cc")), ("BCC", list("bcc"))]);
    let properties = BasicProperties::default().with_headers(headers);
    send_with(&channel, &source, "to", b"m", properties).await;
    for queue in queues {
        let delivery = take(&mut consume(&channel, &queue, true).await).await;
        let headers = delivery.properties.headers().clone().unwrap();
        assert!(
            headers.contains_key("CC") && !headers.contains_key("BCC"),
            "{headers:?}"
        );
    }
}
