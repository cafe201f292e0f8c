//! Confirms, returns, transactions.

use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm, Result, options::*, types::AMQPValue,
    types::FieldTable,
};

use crate::harness::*;

async fn confirming() -> (lapin::Connection, Channel) {
    let (connection, channel) = session().await;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    (connection, channel)
}

async fn publish(
    channel: &Channel,
    key: &str,
    body: &str,
    mandatory: bool,
) -> Result<PublisherConfirm> {
    let options = BasicPublishOptions {
        mandatory,
        ..Default::default()
    };
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(body.into());
    channel
        .basic_publish("".into(), key.into(), options, body.as_bytes(), properties)
        .await
}

#[tokio::test]
async fn thousands_of_confirms_in_flight() {
    const COUNT: u32 = 10_000;
    let (_connection, channel) = confirming().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let mut pending = Vec::new();
    for n in 0..COUNT {
        pending.push(
            publish(&channel, &queue, &n.to_string(), false)
                .await
                .unwrap(),
        );
    }
    for confirm in pending {
        assert_eq!(
            soon("confirm", confirm).await.unwrap(),
            Confirmation::Ack(None)
        );
    }
    assert_eq!(depth(&channel, &queue).await, COUNT);
}

#[tokio::test]
async fn persistent_messages_to_a_durable_queue_are_confirmed() {
    let (_connection, channel) = confirming().await;
    let queue = durable(&channel, FieldTable::default()).await;
    for n in 0..200 {
        drop(
            publish(&channel, &queue, &n.to_string(), false)
                .await
                .unwrap(),
        );
    }
    assert!(
        soon("confirms", channel.wait_for_confirms())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(depth(&channel, &queue).await, 200);
    channel
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
}

/// lapin hands a return out with its confirm, which works only when the
/// return came first.
#[tokio::test]
async fn mandatory_returns_come_before_their_confirms() {
    let (_connection, channel) = confirming().await;
    let missing = unique("missing");
    for n in 0..100 {
        let confirm = publish(&channel, &missing, &n.to_string(), true)
            .await
            .unwrap();
        let Confirmation::Ack(Some(back)) = soon("confirm", confirm).await.unwrap() else {
            panic!("message {n} was confirmed without its return");
        };
        assert_eq!(
            (back.reply_code, back.reply_text.as_str()),
            (312, "NO_ROUTE")
        );
        assert_eq!(back.delivery.routing_key.as_str(), missing);
        assert_eq!(back.delivery.data, n.to_string().into_bytes());
    }
}

#[tokio::test]
async fn a_routed_mandatory_message_is_not_returned() {
    let (_connection, channel) = confirming().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let confirm = publish(&channel, &queue, "m", true).await.unwrap();
    assert_eq!(
        soon("confirm", confirm).await.unwrap(),
        Confirmation::Ack(None)
    );
}

#[tokio::test]
async fn reject_publish_nacks_what_does_not_fit() {
    let (_connection, channel) = confirming().await;
    let arguments = table([
        ("x-max-length", AMQPValue::LongInt(2)),
        ("x-overflow", text("reject-publish")),
    ]);
    let queue = declare(&channel, arguments).await;
    for want in [
        Confirmation::Ack(None),
        Confirmation::Ack(None),
        Confirmation::Nack(None),
        Confirmation::Nack(None),
    ] {
        let confirm = publish(&channel, &queue, "m", false).await.unwrap();
        assert_eq!(soon("confirm", confirm).await.unwrap(), want);
    }
    assert_eq!(depth(&channel, &queue).await, 2);
}

#[tokio::test]
async fn transactions_commit_and_roll_back() {
    let (connection, channel) = session().await;
    let watch = connection.create_channel().await.unwrap();
    let queue = declare(&channel, FieldTable::default()).await;
    channel.tx_select().await.unwrap();
    send(&channel, "", &queue, "kept").await;
    assert_eq!(depth(&watch, &queue).await, 0);
    channel.tx_commit().await.unwrap();
    until("the commit publishes", || async {
        depth(&watch, &queue).await == 1
    })
    .await;
    send(&channel, "", &queue, "dropped").await;
    channel.tx_rollback().await.unwrap();

    let held = take(&mut consume(&channel, &queue, false).await).await;
    held.ack(BasicAckOptions::default()).await.unwrap();
    channel.tx_rollback().await.unwrap();
    channel.close(200, "done".into()).await.unwrap();
    until("the rolled-back ack returns the message", || async {
        depth(&watch, &queue).await == 1
    })
    .await;
    let options = || BasicGetOptions { no_ack: true };
    let again = watch
        .basic_get(queue.as_str().into(), options())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (again.delivery.data.as_slice(), again.delivery.redelivered),
        (&b"kept"[..], true)
    );
    assert!(
        watch
            .basic_get(queue.as_str().into(), options())
            .await
            .unwrap()
            .is_none()
    );
}
