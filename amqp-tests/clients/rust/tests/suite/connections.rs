//! Many channels, broken and forced connections, alarms, TLS.

use futures_lite::{StreamExt, future};
use lapin::{
    Connection, ConnectionProperties, Event, ExchangeKind,
    options::*,
    tcp::{OwnedIdentity, OwnedTLSConfig},
    types::FieldTable,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::harness::*;

async fn echo(connection: &Connection, body: &str) {
    let channel = connection.create_channel().await.unwrap();
    let queue = declare(&channel, FieldTable::default()).await;
    let mut consumer = consume(&channel, &queue, true).await;
    send(&channel, "", &queue, body).await;
    assert_eq!(take(&mut consumer).await.data, body.as_bytes());
    channel.close(200, "done".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_channels_on_one_connection() {
    let connection = std::sync::Arc::new(connect().await);
    let mut tasks = Vec::new();
    for n in 0..300 {
        let connection = connection.clone();
        tasks.push(tokio::spawn(async move {
            echo(&connection, &format!("channel {n}")).await
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn several_consumers_on_one_connection_keep_their_order() {
    let (connection, channel) = session().await;
    let mut pairs = Vec::new();
    for _ in 0..20 {
        let queue = declare(&channel, FieldTable::default()).await;
        let own = connection.create_channel().await.unwrap();
        let consumer = consume(&own, &queue, true).await;
        pairs.push((queue, consumer));
    }
    for n in 0..50 {
        for (queue, _) in &pairs {
            send(&channel, "", queue, &format!("{queue}:{n}")).await;
        }
    }
    for (queue, consumer) in &mut pairs {
        let want: Vec<_> = (0..50).map(|n| format!("{queue}:{n}")).collect();
        assert_eq!(texts(consumer, 50).await, want);
    }
}

/// Alarms cannot be raised by a client; here the listener must be accepted and
/// stay quiet while publishing goes on.
#[tokio::test]
async fn the_blocked_listener_stays_quiet_without_an_alarm() {
    let (connection, channel) = session().await;
    let mut events = connection.events_listener();
    let queue = declare(&channel, FieldTable::default()).await;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    send(&channel, "", &queue, "x").await;
    soon("confirms", channel.wait_for_confirms()).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
    while let Some(Some(event)) = future::poll_once(events.next()).await {
        assert!(
            !matches!(
                event,
                Event::ConnectionBlocked(_) | Event::ConnectionUnblocked
            ),
            "{event:?}"
        );
    }
}

/// A connection ended by the broker leaves a durable queue with everything
/// unacknowledged; a new one carries on.
#[tokio::test]
async fn a_new_connection_carries_on_after_the_broker_closed_the_old_one() {
    let (connection, channel) = session().await;
    let queue = durable(&channel, FieldTable::default()).await;
    for body in ["a", "b", "c"] {
        send(&channel, "", &queue, body).await;
    }
    let mut consumer = consume(&channel, &queue, false).await;
    take(&mut consumer)
        .await
        .ack(BasicAckOptions::default())
        .await
        .unwrap();
    texts(&mut consumer, 2).await;
    let kind = ExchangeKind::Custom("strange".into());
    let options = ExchangeDeclareOptions::default();
    let name = unique("x").as_str().into();
    channel
        .exchange_declare(name, kind, options, FieldTable::default())
        .await
        .unwrap_err();
    until("the connection is closed", || async {
        !connection.status().connected()
    })
    .await;

    let (_next, channel) = session().await;
    let mut consumer = consume(&channel, &queue, false).await;
    for want in ["b", "c"] {
        let delivery = take(&mut consumer).await;
        assert_eq!(
            (
                String::from_utf8_lossy(&delivery.data).as_ref(),
                delivery.redelivered
            ),
            (want, true)
        );
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    channel
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
}

/// Relays to the broker; every change of the returned value cuts all sockets.
async fn relay() -> (String, watch::Sender<u32>) {
    let address = url();
    let (head, rest) = address.split_once('@').unwrap();
    let (broker, vhost) = rest.split_once('/').unwrap();
    let broker = if broker.contains(':') {
        broker.to_owned()
    } else {
        format!("{broker}:5672")
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (cut, cuts) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (broker, mut cuts) = (broker.clone(), cuts.clone());
            cuts.mark_unchanged();
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(broker).await else {
                    return;
                };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                    _ = cuts.changed() => {}
                }
            });
        }
    });
    (format!("{head}@127.0.0.1:{port}/{vhost}"), cut)
}

/// lapin's own recovery must find its consumer again after a broken socket.
#[tokio::test]
async fn the_client_recovers_from_a_broken_socket() {
    let (address, cut) = relay().await;
    let properties = ConnectionProperties::default().enable_auto_recover();
    let connection = soon("connection", Connection::connect(&address, properties))
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let (_steady, sender) = session().await;
    let queue = durable(&sender, FieldTable::default()).await;
    let mut consumer = consume(&channel, &queue, false).await;
    send(&sender, "", &queue, "before").await;
    assert_eq!(take(&mut consumer).await.data, b"before");
    cut.send(1).unwrap();
    send(&sender, "", &queue, "after").await;
    // Nothing was acknowledged: both come to the recovered consumer, in order.
    let mut seen = Vec::new();
    while seen != ["before", "after"] {
        match soon("redelivery", consumer.next())
            .await
            .expect("the consumer ended")
        {
            Ok(delivery) if delivery.redelivered || !seen.is_empty() => {
                seen.push(String::from_utf8(delivery.data).unwrap());
            }
            Ok(_swallowed) => {} // "after" may have reached the dying socket first
            Err(error) => assert!(error.can_be_recovered(), "{error}"),
        }
    }
    sender
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn tls() {
    let address =
        std::env::var("AMQPS_URL").expect("AMQPS_URL; the run script skips this test without it");
    let read = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|path| std::fs::read(path).unwrap())
    };
    let config = |trusted: bool| OwnedTLSConfig {
        identity: read("TLS_CERT")
            .zip(read("TLS_KEY"))
            .map(|(pem, key)| OwnedIdentity::PKCS8 { pem, key }),
        cert_chain: read("TLS_CA")
            .filter(|_| trusted)
            .map(|pem| String::from_utf8(pem).unwrap()),
    };
    let dial = async |trusted: bool| {
        let runtime = lapin::runtime::default_runtime().unwrap();
        let properties = ConnectionProperties::default();
        soon(
            "connection",
            Connection::connect_with_config(&address, properties, config(trusted), runtime),
        )
        .await
    };
    echo(&dial(true).await.unwrap(), &"secret ".repeat(100_000)).await;
    assert!(
        dial(false).await.is_err(),
        "an untrusted certificate was accepted"
    );
}
