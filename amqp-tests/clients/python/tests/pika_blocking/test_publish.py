"""Publishing: confirms, returns, properties, bodies of every size."""

import datetime
import os

import broker
import pika
import pytest
from blocking import bodies, get, pump, until_ready
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    NackError,
    UnroutableError,
)


def test_a_confirmed_message_is_in_the_queue(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    channel.confirm_delivery()
    for number in range(50):
        channel.basic_publish("", queue, str(number).encode())
        assert channel.queue_declare(queue, passive=True).method.message_count == number + 1
    assert bodies(channel, queue, 50) == [str(n).encode() for n in range(50)]


def test_a_confirmed_persistent_message_in_a_durable_queue(channel, names):
    queue = names.queue()
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    persistent = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)
    for number in range(20):
        channel.basic_publish("", queue, str(number).encode(), persistent)
    method, properties, body = get(channel, queue)
    assert (body, properties.delivery_mode, method.message_count) == (b"0", 2, 19)


def test_an_unroutable_mandatory_message_is_returned_before_its_confirm(channel):
    channel.confirm_delivery()
    key = broker.unique("nobody")
    with pytest.raises(UnroutableError) as error:
        channel.basic_publish(
            "amq.direct",
            key,
            b"come back",
            pika.BasicProperties(message_id="m1", headers={"n": 1}),
            mandatory=True,
        )
    (returned,) = error.value.messages
    assert returned.method.reply_code == 312
    assert returned.method.reply_text == "NO_ROUTE"
    assert (returned.method.exchange, returned.method.routing_key) == ("amq.direct", key)
    assert returned.body == b"come back"
    assert (returned.properties.message_id, returned.properties.headers) == ("m1", {"n": 1})


def test_an_unroutable_message_without_mandatory_is_confirmed(channel):
    channel.confirm_delivery()
    channel.basic_publish("amq.direct", broker.unique("nobody"), b"dropped")


def test_returns_without_confirms_reach_the_callback(connection, channel):
    returned = []
    channel.add_on_return_callback(lambda *message: returned.append(message))
    channel.basic_publish("", broker.unique("nobody"), b"1", mandatory=True)
    channel.basic_publish("", broker.unique("nobody"), b"2", mandatory=True)
    pump(connection, lambda: len(returned) == 2, "two returns")
    assert [message[3] for message in returned] == [b"1", b"2"]


def test_a_full_reject_publish_queue_nacks(channel, names):
    queue = names.queue()
    channel.queue_declare(
        queue, arguments={"x-max-length": 2, "x-overflow": "reject-publish"}
    )
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"1")
    channel.basic_publish("", queue, b"2")
    with pytest.raises(NackError):
        channel.basic_publish("", queue, b"3")
    get(channel, queue)
    channel.basic_publish("", queue, b"4")
    assert bodies(channel, queue, 2) == [b"2", b"4"]


def test_all_fourteen_properties_and_every_header_type_survive(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    stamp = datetime.datetime(2024, 2, 29, 12, 0, 1, tzinfo=datetime.UTC)
    headers = {
        "text": "größer",
        "octets": b"\x00\xff",
        "true": True,
        "int": -5,
        "long": 2**40,
        "nothing": None,
        "time": stamp,
        "list": ["a", 1, [2, {"deep": "er"}]],
        "table": {"in": {"in": "side"}},
        "empty": {},
        "none": [],
    }
    sent = pika.BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        headers=headers,
        delivery_mode=1,
        priority=7,
        correlation_id="c-1",
        reply_to="some.queue",
        expiration="60000",
        message_id="m-1",
        timestamp=1700000000,
        type="kind",
        user_id=broker.USER,
        app_id="app",
        cluster_id="cluster",
    )
    channel.basic_publish("", queue, b"{}", sent)
    method, received, _ = get(channel, queue)
    assert (method.exchange, method.routing_key) == ("", queue)
    assert vars(received) == vars(sent)


def test_a_message_without_properties_has_none(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    channel.basic_publish("", queue, b"bare")
    _, properties, _ = get(channel, queue)
    assert all(value is None for value in vars(properties).values())


# Around the frame size: 131072 is the frame, 8 its overhead.
@pytest.mark.parametrize("size", [0, 1, 131063, 131064, 131065, 262128, 1 << 20])
def test_bodies_around_the_frame_size(channel, names, size):
    queue = names.queue()
    body = os.urandom(size)
    channel.queue_declare(queue)
    channel.basic_publish("", queue, body)
    assert bodies(channel, queue, 1) == [body]


def test_several_large_bodies_confirmed_and_consumed_whole(connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    sent = [os.urandom(6 << 20) + bytes([n]) for n in range(3)]
    for body in sent:
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2))
    received = []
    consumer = connection.channel()
    consumer.basic_qos(prefetch_count=1)

    def on_message(_channel, method, _properties, body):
        received.append(body)
        consumer.basic_ack(method.delivery_tag)

    consumer.basic_consume(queue, on_message)
    pump(connection, lambda: len(received) == 3, "three large bodies", bound_s=40)
    assert received == sent


def test_a_small_negotiated_frame_still_carries_a_large_body(connect, names):
    queue = names.queue()
    channel = connect(frame_max=8192).channel()
    channel.queue_declare(queue)
    body = os.urandom(300_000)
    channel.basic_publish("", queue, body)
    assert bodies(channel, queue, 1) == [body]


def test_another_users_id_is_406(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    channel.confirm_delivery()
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.basic_publish("", queue, b"x", pika.BasicProperties(user_id="somebody"))
    assert error.value.reply_code == 406
    assert error.value.reply_text == (
        "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was"
        f" '{broker.USER}'"
    )


@pytest.mark.parametrize(
    ("expiration", "reason"),
    [("soon", "no_integer"), ("-1", "{value_negative,-1}")],
)
def test_an_invalid_expiration_is_406(channel, names, expiration, reason):
    queue = names.queue()
    channel.queue_declare(queue)
    channel.confirm_delivery()
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.basic_publish("", queue, b"x", pika.BasicProperties(expiration=expiration))
    assert error.value.reply_code == 406
    assert error.value.reply_text == (
        f"PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}"
    )


def test_publishing_to_an_internal_exchange_is_403(channel, names):
    exchange = names.exchange()
    channel.exchange_declare(exchange, "fanout", internal=True)
    channel.confirm_delivery()
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.basic_publish(exchange, "", b"x")
    assert error.value.reply_code == 403
    assert error.value.reply_text == (
        f"ACCESS_REFUSED - cannot publish to internal exchange '{exchange}' in vhost"
        f" '{broker.VHOST}'"
    )


def test_immediate_closes_the_connection_with_540(connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    # pika has no immediate argument; the method is written as it would be.
    channel._impl._send_method(
        pika.spec.Basic.Publish(exchange="", routing_key=queue, immediate=True),
        (pika.BasicProperties(), b"x"),
    )
    with pytest.raises(ConnectionClosedByBroker) as error:
        channel.queue_declare(queue, passive=True)
    assert error.value.reply_code == 540
    assert error.value.reply_text == "NOT_IMPLEMENTED - immediate=true"


def test_interleaved_publishes_on_many_channels_of_one_connection(connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    channels = [connection.channel() for _ in range(20)]
    for round_number in range(10):
        for one in channels:
            one.basic_publish("", queue, b"%d" % round_number)
    until_ready(channel, queue, 200)
    for one in channels:
        one.close()
    assert channel.queue_purge(queue).method.message_count == 200
