//! What every test shares: connections, names that no other run uses, and
//! waits that are bounded by [`PATIENCE`].

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_lite::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Error, ErrorKind,
    message::Delivery,
    options::*,
    types::{AMQPValue, FieldTable},
};

/// Long enough for a loaded machine, never a delay.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn url() -> String {
    std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into())
}

/// A name that no other run uses.
pub fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(
        "rust.{what}.{}.{}.{next}",
        std::process::id(),
        now.as_micros()
    )
}

/// Awaits with the bound that every wait has.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"))
}

/// Polls a condition until it holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn connect() -> Connection {
    connect_to(&url()).await
}

pub async fn connect_to(url: &str) -> Connection {
    let properties = ConnectionProperties::default().with_connection_name("lapin suite".into());
    soon("connection", Connection::connect(url, properties))
        .await
        .unwrap()
}

/// A connection with one channel.
pub async fn session() -> (Connection, Channel) {
    let connection = connect().await;
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

pub fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key.into(), value);
    }
    table
}

pub fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// A queue that ends with its connection.
pub async fn declare(channel: &Channel, arguments: FieldTable) -> String {
    let name = unique("q");
    channel
        .queue_declare(
            name.as_str().into(),
            QueueDeclareOptions::exclusive(),
            arguments,
        )
        .await
        .unwrap();
    name
}

/// A durable queue; it expires by itself when a failed test leaves it behind.
pub async fn durable(channel: &Channel, mut arguments: FieldTable) -> String {
    let name = unique("q");
    arguments.insert("x-expires".into(), AMQPValue::LongInt(60_000));
    channel
        .queue_declare(
            name.as_str().into(),
            QueueDeclareOptions::durable(),
            arguments,
        )
        .await
        .unwrap();
    name
}

/// An exchange; it goes with its last binding, as the queues go with their connection.
pub async fn exchange(
    channel: &Channel,
    kind: lapin::ExchangeKind,
    arguments: FieldTable,
) -> String {
    let name = unique("x");
    let options = ExchangeDeclareOptions {
        auto_delete: true,
        ..Default::default()
    };
    channel
        .exchange_declare(name.as_str().into(), kind, options, arguments)
        .await
        .unwrap();
    name
}

pub async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
    arguments: FieldTable,
) {
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            QueueBindOptions::default(),
            arguments,
        )
        .await
        .unwrap();
}

pub async fn send(channel: &Channel, exchange: &str, key: &str, body: &str) {
    send_with(
        channel,
        exchange,
        key,
        body.as_bytes(),
        BasicProperties::default(),
    )
    .await;
}

pub async fn send_with(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) {
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish(exchange.into(), key.into(), options, body, properties)
        .await;
    drop(confirm.unwrap());
}

pub async fn consume(channel: &Channel, queue: &str, no_ack: bool) -> Consumer {
    consume_as(channel, queue, "", no_ack, FieldTable::default()).await
}

pub async fn consume_as(
    channel: &Channel,
    queue: &str,
    tag: &str,
    no_ack: bool,
    arguments: FieldTable,
) -> Consumer {
    let options = BasicConsumeOptions {
        no_ack,
        ..Default::default()
    };
    channel
        .basic_consume(queue.into(), tag.into(), options, arguments)
        .await
        .unwrap()
}

/// The next delivery of a consumer.
pub async fn take(consumer: &mut Consumer) -> Delivery {
    soon("delivery", consumer.next())
        .await
        .expect("the consumer ended")
        .unwrap()
}

pub async fn texts(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut out = Vec::new();
    while out.len() < count {
        out.push(String::from_utf8(take(consumer).await.data).unwrap());
    }
    out
}

/// Everything that reached a queue before this call, sorted: a marker that
/// follows through the queue proves what is absent.
pub async fn arrived(channel: &Channel, queue: &str) -> String {
    let mut consumer = consume(channel, queue, true).await;
    send(channel, "", queue, "end").await;
    let mut seen = Vec::new();
    loop {
        let body = String::from_utf8(take(&mut consumer).await.data).unwrap();
        if body == "end" {
            seen.sort();
            return seen.join(" ");
        }
        seen.push(body);
    }
}

/// The number of ready messages.
pub async fn depth(channel: &Channel, queue: &str) -> u32 {
    inspect(channel, queue).await.unwrap().message_count()
}

pub async fn inspect(channel: &Channel, queue: &str) -> lapin::Result<lapin::Queue> {
    let options = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    soon(
        "passive declare",
        channel.queue_declare(queue.into(), options, FieldTable::default()),
    )
    .await
}

pub async fn prefetch(channel: &Channel, count: u16, global: bool) {
    channel
        .basic_qos(count, BasicQosOptions { global })
        .await
        .unwrap();
}

/// Requires an error of the broker with this code and exactly this text.
#[track_caller]
pub fn fails(error: &Error, code: u16, text: &str) {
    let ErrorKind::ProtocolError(failure) = error.kind() else {
        panic!("got {error}, want {code} {text}");
    };
    assert_eq!(
        (failure.get_id(), failure.get_message().as_str()),
        (code, text)
    );
}
