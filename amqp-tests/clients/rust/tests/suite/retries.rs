//! Dead letters, expiry and remote calls.

use lapin::{
    BasicProperties, ExchangeKind,
    message::Delivery,
    options::*,
    types::{AMQPValue, FieldTable},
};

use crate::harness::*;

fn word(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::FieldArray(list) => list
            .as_slice()
            .iter()
            .map(word)
            .collect::<Vec<_>>()
            .join(","),
        other => panic!("unexpected type: {other:?}"),
    }
}

fn header(delivery: &Delivery, name: &str) -> Option<String> {
    delivery
        .properties
        .headers()
        .as_ref()?
        .inner()
        .get(name)
        .map(word)
}

/// Each death as "reason queue exchange keys count".
fn deaths(delivery: &Delivery) -> Vec<String> {
    let headers = delivery.properties.headers().clone().unwrap_or_default();
    let Some(AMQPValue::FieldArray(list)) = headers.inner().get("x-death") else {
        return Vec::new();
    };
    let facts = |entry: &AMQPValue| {
        let AMQPValue::FieldTable(entry) = entry else {
            panic!("{entry:?}")
        };
        ["reason", "queue", "exchange", "routing-keys", "count"]
            .map(|key| word(&entry.inner()[key]))
            .join(" ")
    };
    list.as_slice().iter().map(facts).collect()
}

#[tokio::test]
async fn a_retry_through_a_delay_queue_counts_its_deaths() {
    let (_connection, channel) = session().await;
    let jobs = exchange(&channel, ExchangeKind::Direct, FieldTable::default()).await;
    let delays = exchange(&channel, ExchangeKind::Direct, FieldTable::default()).await;
    let work = declare(&channel, table([("x-dead-letter-exchange", text(&delays))])).await;
    let ttl = ("x-message-ttl", AMQPValue::LongInt(30));
    let wait = declare(
        &channel,
        table([("x-dead-letter-exchange", text(&jobs)), ttl]),
    )
    .await;
    bind(&channel, &work, &jobs, "job", FieldTable::default()).await;
    bind(&channel, &wait, &delays, "job", FieldTable::default()).await;
    let mut consumer = consume(&channel, &work, false).await;
    send(&channel, &jobs, "job", "w").await;
    for attempt in 0..4 {
        let delivery = take(&mut consumer).await;
        if attempt == 0 {
            assert!(deaths(&delivery).is_empty());
        } else {
            let expired = format!("expired {wait} {delays} job {attempt}");
            let rejected = format!("rejected {work} {jobs} job {attempt}");
            assert_eq!(deaths(&delivery), [expired, rejected]);
            assert_eq!(
                header(&delivery, "x-first-death-reason").unwrap(),
                "rejected"
            );
            assert_eq!(header(&delivery, "x-first-death-queue").unwrap(), work);
            assert_eq!(header(&delivery, "x-first-death-exchange").unwrap(), jobs);
        }
        if attempt < 3 {
            delivery.nack(BasicNackOptions::default()).await.unwrap();
        } else {
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_expired_message_loses_its_expiration() {
    let (_connection, channel) = session().await;
    let dead = declare(&channel, FieldTable::default()).await;
    let to_dead = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead)),
    ];
    let queue = declare(&channel, table(to_dead)).await;
    let properties = BasicProperties::default().with_expiration("20".into());
    send_with(&channel, "", &queue, b"late", properties).await;
    let letter = take(&mut consume(&channel, &dead, true).await).await;
    assert_eq!(letter.properties.expiration(), &None);
    assert_eq!(letter.routing_key.as_str(), dead);
    assert_eq!(deaths(&letter), [format!("expired {queue}  {queue} 1")]);
}

#[tokio::test]
async fn overflow_dead_letters_the_head() {
    let (_connection, channel) = session().await;
    let dead = declare(&channel, FieldTable::default()).await;
    let arguments = table([
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead)),
        ("x-max-length", AMQPValue::LongInt(1)),
    ]);
    let queue = declare(&channel, arguments).await;
    send(&channel, "", &queue, "a").await;
    send(&channel, "", &queue, "b").await;
    let letter = take(&mut consume(&channel, &dead, true).await).await;
    assert_eq!(letter.data, b"a");
    assert_eq!(deaths(&letter), [format!("maxlen {queue}  {queue} 1")]);
}

#[tokio::test]
async fn a_quorum_queue_stops_a_poison_message() {
    let (_connection, channel) = session().await;
    let dead = declare(&channel, FieldTable::default()).await;
    let arguments = table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongInt(2)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead)),
    ]);
    let queue = durable(&channel, arguments).await;
    send(&channel, "", &queue, "poison").await;
    let mut consumer = consume(&channel, &queue, false).await;
    for attempt in 0..3 {
        let delivery = take(&mut consumer).await;
        if attempt > 0 {
            assert_eq!(
                header(&delivery, "x-delivery-count").unwrap(),
                attempt.to_string()
            );
        }
        delivery
            .nack(BasicNackOptions {
                requeue: true,
                ..Default::default()
            })
            .await
            .unwrap();
    }
    let letter = take(&mut consume(&channel, &dead, true).await).await;
    assert_eq!(
        deaths(&letter),
        [format!("delivery_limit {queue}  {queue} 1")]
    );
    channel
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn remote_calls_through_direct_reply_to() {
    const PSEUDO: &str = "amq.rabbitmq.reply-to";
    let (_serving, server) = session().await;
    let (_calling, client) = session().await;
    let queue = declare(&server, FieldTable::default()).await;
    let mut requests = consume(&server, &queue, true).await;
    let mut replies = consume(&client, PSEUDO, true).await;
    for n in 0..100 {
        let id = format!("c{n}");
        let asking = BasicProperties::default()
            .with_reply_to(PSEUDO.into())
            .with_correlation_id(id.as_str().into());
        send_with(&client, "", &queue, b"?", asking).await;
        let request = take(&mut requests).await;
        let back = request.properties.reply_to().clone().unwrap();
        assert!(
            back.as_str().starts_with("amq.rabbitmq.reply-to."),
            "{back}"
        );
        let answering = BasicProperties::default()
            .with_correlation_id(request.properties.correlation_id().clone().unwrap());
        send_with(&server, "", back.as_str(), b"!", answering).await;
        let reply = take(&mut replies).await;
        assert_eq!(
            reply.properties.correlation_id().as_ref().unwrap().as_str(),
            id
        );
        assert_eq!(reply.data, b"!");
    }
}
