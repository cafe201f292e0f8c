//! Acknowledging, giving back, prefetch, and who gets what.

use futures_lite::StreamExt;
use lapin::{Channel, message::Delivery, options::*, types::AMQPValue, types::FieldTable};

use crate::harness::*;

async fn fill(channel: &Channel, queue: &str, bodies: &[&str]) {
    for body in bodies {
        send(channel, "", queue, body).await;
    }
}

fn seen(delivery: &Delivery) -> String {
    format!(
        "{} {}",
        String::from_utf8_lossy(&delivery.data),
        delivery.redelivered
    )
}

#[tokio::test]
async fn acks_remove_and_the_rest_comes_back_redelivered() {
    let (connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    fill(&channel, &queue, &["a", "b", "c", "d"]).await;
    let mut consumer = consume(&channel, &queue, false).await;
    let mut held = Vec::new();
    for want in ["a false", "b false", "c false", "d false"] {
        held.push(take(&mut consumer).await);
        assert_eq!(seen(held.last().unwrap()), want);
    }
    held[1]
        .ack(BasicAckOptions { multiple: true })
        .await
        .unwrap();
    held[3].ack(BasicAckOptions::default()).await.unwrap();
    channel.close(200, "done".into()).await.unwrap();
    let next = connection.create_channel().await.unwrap();
    let mut rest = consume(&next, &queue, false).await;
    assert_eq!(seen(&take(&mut rest).await), "c true");
}

#[tokio::test]
async fn nack_and_reject_requeue_in_place() {
    let (_connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    fill(&channel, &queue, &["a", "b", "c", "d"]).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let options = BasicGetOptions::default();
        held.push(
            channel
                .basic_get(queue.as_str().into(), options)
                .await
                .unwrap()
                .unwrap(),
        );
    }
    assert_eq!(held[2].message_count, 1);
    let back = BasicNackOptions {
        requeue: true,
        ..Default::default()
    };
    held[1].nack(back).await.unwrap();
    held[0]
        .reject(BasicRejectOptions { requeue: true })
        .await
        .unwrap();
    held[2].reject(BasicRejectOptions::default()).await.unwrap();
    let mut consumer = consume(&channel, &queue, true).await;
    for want in ["a true", "b true", "d false"] {
        assert_eq!(seen(&take(&mut consumer).await), want);
    }
}

#[tokio::test]
async fn nack_multiple_and_recover_give_back_what_is_unacked() {
    let (_connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    fill(&channel, &queue, &["a", "b", "c"]).await;
    let mut consumer = consume(&channel, &queue, false).await;
    texts(&mut consumer, 3).await;
    channel
        .basic_nack(
            2,
            BasicNackOptions {
                multiple: true,
                requeue: true,
            },
        )
        .await
        .unwrap();
    assert_eq!(texts(&mut consumer, 2).await, ["a", "b"]);
    channel
        .basic_recover(BasicRecoverOptions { requeue: true })
        .await
        .unwrap();
    for want in ["a true", "b true", "c true"] {
        assert_eq!(seen(&take(&mut consumer).await), want);
    }
}

#[tokio::test]
async fn prefetch_holds_back_until_acks() {
    let (connection, channel) = session().await;
    let watch = connection.create_channel().await.unwrap();
    let queue = declare(&channel, FieldTable::default()).await;
    prefetch(&channel, 2, false).await;
    let mut consumer = consume(&channel, &queue, false).await;
    fill(&channel, &queue, &["a", "b", "c", "d", "e"]).await;
    let first = take(&mut consumer).await;
    take(&mut consumer).await;
    until("the rest stays queued", || async {
        depth(&watch, &queue).await == 3
    })
    .await;
    first.ack(BasicAckOptions::default()).await.unwrap();
    assert_eq!(texts(&mut consumer, 1).await, ["c"]);
    assert_eq!(depth(&watch, &queue).await, 2);
}

#[tokio::test]
async fn global_prefetch_is_shared_by_the_channel() {
    let (connection, channel) = session().await;
    let watch = connection.create_channel().await.unwrap();
    let one = declare(&channel, FieldTable::default()).await;
    let two = declare(&channel, FieldTable::default()).await;
    fill(&channel, &one, &["a", "b", "c"]).await;
    fill(&channel, &two, &["d", "e", "f"]).await;
    prefetch(&channel, 3, true).await;
    let mut left = consume(&channel, &one, false).await;
    let mut right = consume(&channel, &two, false).await;
    assert_eq!(texts(&mut left, 3).await, ["a", "b", "c"]);
    assert_eq!(depth(&watch, &two).await, 3); // the first consumer took the whole limit
    channel
        .basic_ack(0, BasicAckOptions { multiple: true })
        .await
        .unwrap();
    assert_eq!(texts(&mut right, 3).await, ["d", "e", "f"]);
}

#[tokio::test]
async fn consumer_priority_is_served_first() {
    let (_connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let priority = |value| table([("x-priority", AMQPValue::LongInt(value))]);
    let mut low = consume_as(&channel, &queue, "low", true, priority(-1)).await;
    let mut high = consume_as(&channel, &queue, "high", true, priority(5)).await;
    fill(&channel, &queue, &["a", "b"]).await;
    assert_eq!(texts(&mut high, 2).await, ["a", "b"]);
    channel
        .basic_cancel("high".into(), BasicCancelOptions::default())
        .await
        .unwrap();
    fill(&channel, &queue, &["c"]).await;
    assert_eq!(texts(&mut low, 1).await, ["c"]);
}

#[tokio::test]
async fn a_single_active_consumer_hands_over() {
    let (_connection, channel) = session().await;
    let arguments = table([("x-single-active-consumer", AMQPValue::Boolean(true))]);
    let queue = declare(&channel, arguments).await;
    let mut first = consume_as(&channel, &queue, "first", true, FieldTable::default()).await;
    let mut second = consume_as(&channel, &queue, "second", true, FieldTable::default()).await;
    fill(&channel, &queue, &["a", "b"]).await;
    assert_eq!(texts(&mut first, 2).await, ["a", "b"]);
    channel
        .basic_cancel("first".into(), BasicCancelOptions::default())
        .await
        .unwrap();
    fill(&channel, &queue, &["c"]).await;
    assert_eq!(texts(&mut second, 1).await, ["c"]);
}

#[tokio::test]
async fn consumers_are_told_when_their_queue_goes() {
    let (connection, channel) = session().await;
    let other = connection.create_channel().await.unwrap();
    let queue = durable(&channel, FieldTable::default()).await;
    let mut consumer = consume(&channel, &queue, false).await;
    other
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    assert!(soon("end of the stream", consumer.next()).await.is_none());
    let fresh = declare(&channel, FieldTable::default()).await;
    assert_eq!(depth(&channel, &fresh).await, 0);
}
