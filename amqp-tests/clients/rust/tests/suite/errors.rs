//! What the broker refuses, with which code and text.

use std::future::Future;

use futures_lite::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Event, ExchangeKind,
    Result,
    options::*,
    types::{AMQPValue, FieldTable},
};

use crate::harness::*;

/// Runs a refused operation on a channel of its own.
async fn refused<T, F: Future<Output = Result<T>>>(
    connection: &Connection,
    code: u16,
    text: &str,
    act: impl FnOnce(Channel) -> F,
) {
    let channel = connection.create_channel().await.unwrap();
    match soon(text, act(channel)).await {
        Ok(_) => panic!("succeeded: {text}"),
        Err(error) => fails(&error, code, text),
    }
}

/// What has no answer of its own is refused by closing the channel, which ends
/// the channel's consumers with the broker's error.
async fn refusal(mut consumer: Consumer) -> Result<()> {
    loop {
        match consumer.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => panic!("the consumer ended without an error"),
        }
    }
}

async fn then_closes(
    channel: Channel,
    exchange: &str,
    key: &str,
    properties: BasicProperties,
) -> Result<()> {
    let queue = declare(&channel, FieldTable::default()).await;
    let watcher = consume(&channel, &queue, true).await;
    send_with(&channel, exchange, key, b"x", properties).await;
    refusal(watcher).await
}

#[tokio::test]
async fn missing_things_are_404() {
    let (connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let missing = unique("missing");
    let no_queue = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
    let no_exchange = format!("NOT_FOUND - no exchange '{missing}' in vhost '/'");
    let name = || lapin::types::ShortString::from(missing.as_str());
    refused(&connection, 404, &no_queue, |ch| async move {
        ch.basic_consume(
            name(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
    })
    .await;
    refused(&connection, 404, &no_queue, |ch| async move {
        ch.basic_get(name(), BasicGetOptions::default()).await
    })
    .await;
    refused(&connection, 404, &no_queue, |ch| async move {
        ch.queue_purge(name(), QueuePurgeOptions::default()).await
    })
    .await;
    refused(&connection, 404, &no_exchange, |ch| {
        let queue = queue.as_str().into();
        async move {
            ch.queue_bind(
                queue,
                name(),
                "k".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
        }
    })
    .await;
    refused(&connection, 404, &no_exchange, |ch| async {
        then_closes(ch, &missing, "k", BasicProperties::default()).await
    })
    .await;
    refused(
        &connection,
        404,
        "NOT_FOUND - no previously declared queue",
        |ch| async move { ch.basic_get("".into(), BasicGetOptions::default()).await },
    )
    .await;
}

#[tokio::test]
async fn reserved_names_are_403() {
    let connection = connect().await;
    let text = "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'";
    refused(&connection, 403, text, |ch| async move {
        ch.queue_declare(
            "amq.mine".into(),
            QueueDeclareOptions::exclusive(),
            FieldTable::default(),
        )
        .await
    })
    .await;
    let text = "ACCESS_REFUSED - deletion of system exchange 'amq.fanout' in vhost '/' not allowed";
    refused(&connection, 403, text, |ch| async move {
        ch.exchange_delete("amq.fanout".into(), ExchangeDeleteOptions::default())
            .await
    })
    .await;
    let text = "ACCESS_REFUSED - operation not permitted on the default exchange";
    refused(&connection, 403, text, |ch| async move {
        let queue = declare(&ch, FieldTable::default()).await;
        let options = QueueBindOptions::default();
        ch.queue_bind(
            queue.as_str().into(),
            "".into(),
            "k".into(),
            options,
            FieldTable::default(),
        )
        .await
    })
    .await;
}

#[tokio::test]
async fn broken_preconditions_are_406() {
    let (connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let again = |arguments: FieldTable, options: QueueDeclareOptions| {
        let queue = queue.as_str().into();
        move |ch: Channel| async move { ch.queue_declare(queue, options, arguments).await }
    };
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '{queue}' in vhost '/': \
         received the value '1000' of type 'signedint' but current is none"
    );
    let ttl = table([("x-message-ttl", AMQPValue::LongInt(1000))]);
    refused(
        &connection,
        406,
        &text,
        again(ttl, QueueDeclareOptions::exclusive()),
    )
    .await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue '{queue}' in vhost '/': \
         received 'true' but current is 'false'"
    );
    let options = QueueDeclareOptions::exclusive().auto_delete();
    refused(
        &connection,
        406,
        &text,
        again(FieldTable::default(), options),
    )
    .await;
    let text = "PRECONDITION_FAILED - unknown delivery tag 99";
    refused(&connection, 406, text, |ch| async move {
        let queue = declare(&ch, FieldTable::default()).await;
        let watcher = consume(&ch, &queue, true).await;
        ch.basic_ack(99, BasicAckOptions::default()).await?;
        refusal(watcher).await
    })
    .await;
    let soon_expired = BasicProperties::default().with_expiration("soon".into());
    let text = "PRECONDITION_FAILED - invalid expiration 'soon': no_integer";
    refused(&connection, 406, text, |ch| {
        then_closes(ch, "", &queue, soon_expired)
    })
    .await;
    let mallory = BasicProperties::default().with_user_id("mallory".into());
    let text = "PRECONDITION_FAILED - user_id property set to 'mallory' but authenticated user was 'guest'";
    refused(&connection, 406, text, |ch| {
        then_closes(ch, "", &queue, mallory)
    })
    .await;
    let hasty = BasicProperties::default().with_reply_to("amq.rabbitmq.reply-to".into());
    let text = "PRECONDITION_FAILED - fast reply consumer does not exist";
    refused(&connection, 406, text, |ch| {
        then_closes(ch, "", &queue, hasty)
    })
    .await;
    refused(
        &connection,
        406,
        "PRECONDITION_FAILED - channel is not transactional",
        |ch| async move { ch.tx_commit().await },
    )
    .await;
    refused(
        &connection,
        406,
        "PRECONDITION_FAILED - cannot switch from confirm to tx mode",
        |ch| async move {
            ch.confirm_select(ConfirmSelectOptions::default()).await?;
            ch.tx_select().await
        },
    )
    .await;
}

#[tokio::test]
async fn an_exclusive_consumer_keeps_others_out() {
    let (connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let alone = BasicConsumeOptions {
        exclusive: true,
        ..Default::default()
    };
    let name = || lapin::types::ShortString::from(queue.as_str());
    let _consumer = channel
        .basic_consume(name(), "".into(), alone, FieldTable::default())
        .await
        .unwrap();
    let text = format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use");
    refused(&connection, 403, &text, |ch| async move {
        ch.basic_consume(
            name(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
    })
    .await;
}

#[tokio::test]
async fn connection_errors_end_the_connection() {
    for case in 0..3 {
        let (connection, channel) = session().await;
        let mut events = connection.events_listener();
        let (code, text) = match case {
            0 => {
                let kind = ExchangeKind::Custom("strange".into());
                let options = ExchangeDeclareOptions::default();
                let name = unique("x").as_str().into();
                channel
                    .exchange_declare(name, kind, options, FieldTable::default())
                    .await
                    .unwrap_err();
                (503, "COMMAND_INVALID - unknown exchange type 'strange'")
            }
            1 => {
                let options = BasicPublishOptions {
                    immediate: true,
                    ..Default::default()
                };
                let properties = BasicProperties::default();
                drop(
                    channel
                        .basic_publish("".into(), "k".into(), options, b"x", properties)
                        .await,
                );
                (540, "NOT_IMPLEMENTED - immediate=true")
            }
            _ => {
                let options = BasicRecoverOptions { requeue: false };
                channel.basic_recover(options).await.unwrap_err();
                (540, "NOT_IMPLEMENTED - requeue=false")
            }
        };
        loop {
            match soon(text, events.next()).await.expect("events ended") {
                Event::Error(error) => break fails(&error, code, text),
                other => drop(other),
            }
        }
        until("the connection is closed", || async {
            !connection.status().connected()
        })
        .await;
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_vhost_are_refused() {
    let wrong = url().replacen("guest:guest@", "guest:wrong@", 1);
    assert_ne!(wrong, url(), "this test needs AMQP_URL to name guest:guest");
    let dial = async |address: &str| {
        soon(
            "refusal",
            Connection::connect(address, ConnectionProperties::default()),
        )
        .await
        .err()
        .unwrap()
    };
    let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                For details see the broker logfile.";
    fails(&dial(&wrong).await, 403, text);
    let address = url();
    let elsewhere = format!("{}/no-such-vhost", address.rsplit_once('/').unwrap().0);
    fails(
        &dial(&elsewhere).await,
        530,
        "NOT_ALLOWED - vhost no-such-vhost not found",
    );
}
