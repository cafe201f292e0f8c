//! Queue kinds, limits, priorities and lifetimes.

use lapin::{
    BasicProperties,
    options::*,
    types::{AMQPValue, FieldTable},
};

use crate::harness::*;

#[tokio::test]
async fn server_named_queues() {
    let (_connection, channel) = session().await;
    let options = QueueDeclareOptions::exclusive();
    let queue = channel
        .queue_declare("".into(), options, FieldTable::default())
        .await
        .unwrap();
    let suffix = queue
        .name()
        .as_str()
        .strip_prefix("amq.gen-")
        .unwrap()
        .to_owned();
    assert_eq!(suffix.len(), 22, "{suffix}");
    // The empty name now means the queue declared last on this channel.
    bind(&channel, "", "amq.direct", &suffix, FieldTable::default()).await;
    send(&channel, "amq.direct", &suffix, "x").await;
    assert_eq!(arrived(&channel, queue.name().as_str()).await, "x");
}

#[tokio::test]
async fn priorities_are_served_highest_first() {
    let (_connection, channel) = session().await;
    let queue = declare(
        &channel,
        table([("x-max-priority", AMQPValue::LongInt(10))]),
    )
    .await;
    for (n, priority) in [0, 5, 1, 10, 5, 200, 1].into_iter().enumerate() {
        let properties = BasicProperties::default().with_priority(priority);
        send_with(&channel, "", &queue, n.to_string().as_bytes(), properties).await;
    }
    let mut consumer = consume(&channel, &queue, true).await;
    assert_eq!(texts(&mut consumer, 7).await.concat(), "3514260");
}

#[tokio::test]
async fn max_length_drops_the_oldest() {
    let (_connection, channel) = session().await;
    let queue = declare(&channel, table([("x-max-length", AMQPValue::LongInt(3))])).await;
    for body in ["a", "b", "c", "d", "e"] {
        send(&channel, "", &queue, body).await;
    }
    assert_eq!(
        texts(&mut consume(&channel, &queue, true).await, 3).await,
        ["c", "d", "e"]
    );
}

#[tokio::test]
async fn purge_and_delete_return_counts() {
    let (_connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let name = || queue.as_str().into();
    for body in ["a", "b", "c"] {
        send(&channel, "", &queue, body).await;
    }
    assert_eq!(
        channel
            .queue_purge(name(), QueuePurgeOptions::default())
            .await
            .unwrap(),
        3
    );
    send(&channel, "", &queue, "d").await;
    assert_eq!(
        channel
            .queue_delete(name(), QueueDeleteOptions::default())
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        channel
            .queue_delete(name(), QueueDeleteOptions::default())
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn an_exclusive_queue_locks_others_out_and_ends_with_its_connection() {
    let (owner, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let whole = format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'. It could be \
         originally declared on another connection or the exclusive property value does not match that of the \
         original declaration."
    );
    let text = if whole.len() > 255 {
        format!("{}...", &whole[..252])
    } else {
        whole
    };
    let other = connect().await;
    let fresh = other.create_channel().await.unwrap();
    fails(&inspect(&fresh, &queue).await.unwrap_err(), 405, &text);
    let fresh = other.create_channel().await.unwrap();
    let refused = fresh
        .basic_get(queue.as_str().into(), BasicGetOptions::default())
        .await;
    fails(&refused.unwrap_err(), 405, &text);
    owner.close(200, "done".into()).await.unwrap();
    until("the queue is gone", || async {
        let fresh = other.create_channel().await.unwrap();
        match inspect(&fresh, &queue).await.unwrap_err().kind() {
            lapin::ErrorKind::ProtocolError(failure) => failure.get_id() == 404,
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn auto_delete_and_expiring_queues_go() {
    let (connection, channel) = session().await;
    let short = unique("q");
    let options = QueueDeclareOptions {
        auto_delete: true,
        ..Default::default()
    };
    channel
        .queue_declare(short.as_str().into(), options, FieldTable::default())
        .await
        .unwrap();
    consume_as(&channel, &short, "only", false, FieldTable::default()).await;
    assert_eq!(inspect(&channel, &short).await.unwrap().consumer_count(), 1);
    channel
        .basic_cancel("only".into(), BasicCancelOptions::default())
        .await
        .unwrap();
    let brief = declare(&channel, table([("x-expires", AMQPValue::LongInt(150))])).await;
    for queue in [short, brief] {
        until("the queue is gone", || async {
            let fresh = connection.create_channel().await.unwrap();
            fresh
                .queue_purge(queue.as_str().into(), QueuePurgeOptions::default())
                .await
                .is_err()
        })
        .await;
    }
}
