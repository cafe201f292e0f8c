//! Headers, properties and bodies must arrive as they were sent.

use lapin::{
    BasicProperties,
    types::{AMQPValue, DecimalValue, FieldArray, FieldTable},
};

use crate::harness::*;

#[tokio::test]
async fn header_types_round_trip() {
    let (_connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let array = vec![
        AMQPValue::LongInt(1),
        text("two"),
        AMQPValue::FieldArray(FieldArray::from(vec![
            AMQPValue::Boolean(true),
            AMQPValue::Void,
        ])),
        AMQPValue::FieldTable(table([("deep", AMQPValue::LongLongInt(3))])),
    ];
    let headers = table([
        ("true", AMQPValue::Boolean(true)),
        ("false", AMQPValue::Boolean(false)),
        ("i8", AMQPValue::ShortShortInt(-8)),
        ("u8", AMQPValue::ShortShortUInt(200)),
        ("i16", AMQPValue::ShortInt(-1600)),
        ("u16", AMQPValue::ShortUInt(60_000)),
        ("i32", AMQPValue::LongInt(-320_000)),
        ("u32", AMQPValue::LongUInt(4_000_000_000)),
        ("i64", AMQPValue::LongLongInt(-(1 << 62))),
        ("float", AMQPValue::Float(1.5)),
        ("double", AMQPValue::Double(-2.25)),
        (
            "decimal",
            AMQPValue::DecimalValue(DecimalValue {
                scale: 2,
                value: 31_415,
            }),
        ),
        ("string", text("héllo \u{0} wörld")),
        ("empty", text("")),
        ("bytes", AMQPValue::ByteArray(vec![0, 1, 2, 255].into())),
        ("time", AMQPValue::Timestamp(1_700_000_000)),
        ("array", AMQPValue::FieldArray(FieldArray::from(array))),
        (
            "table",
            AMQPValue::FieldTable(table([(
                "none",
                AMQPValue::FieldTable(FieldTable::default()),
            )])),
        ),
        ("void", AMQPValue::Void),
    ]);
    let properties = BasicProperties::default().with_headers(headers.clone());
    send_with(&channel, "", &queue, b"h", properties).await;
    let delivery = take(&mut consume(&channel, &queue, true).await).await;
    assert_eq!(delivery.properties.headers(), &Some(headers));
}

#[tokio::test]
async fn every_property_round_trips() {
    let (_connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let sent = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("gzip".into())
        .with_delivery_mode(2)
        .with_priority(7)
        .with_correlation_id("corr".into())
        .with_reply_to("reply".into())
        .with_expiration("600000".into())
        .with_message_id("id".into())
        .with_timestamp(1_600_000_000)
        .with_type("kind".into())
        .with_user_id("guest".into())
        .with_app_id("app".into())
        .with_cluster_id("cluster".into());
    send_with(&channel, "", &queue, b"{}", sent.clone()).await;
    let delivery = take(&mut consume(&channel, &queue, true).await).await;
    assert_eq!(delivery.properties, sent);
    assert_eq!(
        (delivery.exchange.as_str(), delivery.routing_key.as_str()),
        ("", queue.as_str())
    );
}

#[tokio::test]
async fn bodies_of_every_size_arrive_unchanged() {
    let (connection, channel) = session().await;
    let queue = declare(&channel, FieldTable::default()).await;
    let mut consumer = consume(&channel, &queue, true).await;
    let frame = connection.configuration().frame_max() as usize;
    for size in [
        0,
        1,
        frame - 9,
        frame - 8,
        frame - 7,
        frame,
        2 * frame - 16,
        1 << 20,
        8 << 20,
    ] {
        // A step that is coprime to every frame size, so that swapped frames show.
        let body: Vec<u8> = (0..size)
            .map(|at| (at.wrapping_mul(31) ^ (at >> 8)) as u8)
            .collect();
        send_with(&channel, "", &queue, &body, BasicProperties::default()).await;
        let delivery = take(&mut consumer).await;
        assert!(delivery.data == body, "a body of {size} octets changed");
    }
}
