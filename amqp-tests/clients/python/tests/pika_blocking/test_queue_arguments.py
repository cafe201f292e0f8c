"""Limits, lifetimes, priorities and queue types."""

import broker
import pika
import pytest
from blocking import bodies, get, ready, until_ready
from pika.exceptions import ChannelClosedByBroker
from waiting import until


def declare(channel, names, durable=False, **arguments):
    """A queue with these x-arguments, and confirms switched on: a publish that
    returned is in the queue, so a count that is read next includes it."""
    queue = names.queue()
    channel.confirm_delivery()
    channel.queue_declare(
        queue,
        durable=durable,
        arguments={"x-" + k.replace("_", "-"): v for k, v in arguments.items()},
    )
    return queue


def send(channel, queue, *messages, **properties):
    for body in messages:
        channel.basic_publish("", queue, body, pika.BasicProperties(**properties))


def test_max_length_drops_from_the_head(channel, names):
    queue = declare(channel, names, max_length=3)
    send(channel, queue, b"1", b"2", b"3", b"4", b"5")
    assert bodies(channel, queue, 3) == [b"3", b"4", b"5"]


def test_max_length_bytes_counts_bodies(channel, names):
    queue = declare(channel, names, max_length_bytes=10)
    send(channel, queue, b"aaaa", b"bbbb", b"cccc")
    assert bodies(channel, queue, 2) == [b"bbbb", b"cccc"]


def test_max_length_does_not_count_unacknowledged(channel, names):
    queue = declare(channel, names, max_length=2)
    send(channel, queue, b"1", b"2")
    get(channel, queue, auto_ack=False)
    get(channel, queue, auto_ack=False)
    send(channel, queue, b"3", b"4")
    assert bodies(channel, queue, 2) == [b"3", b"4"]


def test_queue_ttl_removes_messages(channel, names):
    queue = declare(channel, names, message_ttl=40)
    send(channel, queue, b"1", b"2")
    until_ready(channel, queue, 0)


def test_message_expiration_removes_it_and_keeps_the_rest(channel, names):
    queue = declare(channel, names)
    send(channel, queue, b"short", expiration="40")
    send(channel, queue, b"stays")
    until_ready(channel, queue, 1)
    assert bodies(channel, queue, 1) == [b"stays"]


def test_the_lower_of_both_ttls_wins(channel, names):
    queue = declare(channel, names, message_ttl=600000)
    send(channel, queue, b"x", expiration="40")
    until_ready(channel, queue, 0)


def test_expiration_zero_reaches_a_waiting_consumer_only(connection, channel, names):
    queue = declare(channel, names)
    send(channel, queue, b"nobody waits", expiration="0")
    assert channel.basic_get(queue)[0] is None
    seen = []
    channel.basic_consume(queue, lambda *message: seen.append(message[3]), auto_ack=True)
    send(channel, queue, b"delivered", expiration="0")
    until(lambda: seen, "the delivery", step=lambda: connection.process_data_events(0.05))
    assert seen == [b"delivered"]


def test_an_unused_queue_expires_and_a_used_one_does_not(connection, channel, names):
    unused, used = declare(channel, names, expires=200), declare(channel, names, expires=200)
    channel.basic_consume(used, lambda *_: None)

    def gone():
        probe = connection.channel()
        try:
            # Watched by binding: a declare would renew the lease.
            probe.queue_unbind(unused, "amq.direct", "none")
            probe.queue_bind(unused, "amq.direct", "none")
        except ChannelClosedByBroker as error:
            assert error.reply_code == 404
            return True
        probe.close()
        return False

    until(gone, "the unused queue to expire")
    channel.queue_declare(used, passive=True)


def test_priorities_order_the_queue_and_equal_ones_keep_their_order(channel, names):
    queue = declare(channel, names, max_priority=5)
    for body, priority in (
        (b"none", None),
        (b"1", 1),
        (b"5a", 5),
        (b"3", 3),
        (b"9 is 5", 9),
        (b"0", 0),
        (b"5b", 5),
    ):
        send(channel, queue, body, priority=priority)
    until_ready(channel, queue, 7)
    assert bodies(channel, queue, 7) == [b"5a", b"9 is 5", b"5b", b"3", b"1", b"none", b"0"]


def test_a_requeued_priority_message_returns_to_its_place(channel, names):
    queue = declare(channel, names, max_priority=5)
    send(channel, queue, b"high", priority=5)
    send(channel, queue, b"low", priority=1)
    until_ready(channel, queue, 2)
    method, _, _ = get(channel, queue, auto_ack=False)
    send(channel, queue, b"mid", priority=3)
    channel.basic_reject(method.delivery_tag, requeue=True)
    until_ready(channel, queue, 3)
    assert bodies(channel, queue, 3) == [b"high", b"mid", b"low"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-queue-mode": "lazy"},
        {"x-queue-type": "classic"},
        {"x-queue-version": 2},
        {"x-single-active-consumer": True},
        {"x-max-priority": 255},
        {"x-my-own-annotation": "kept"},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_a_queue_with_this_argument_works(channel, names, arguments):
    queue = names.queue()
    channel.queue_declare(queue, durable=True, arguments=arguments)
    send(channel, queue, b"1", b"2", delivery_mode=2)
    assert bodies(channel, queue, 2) == [b"1", b"2"]


def test_a_quorum_queue_keeps_order_and_redelivers_with_a_count(channel, names):
    queue = declare(channel, names, durable=True, queue_type="quorum")
    send(channel, queue, b"1", b"2", b"3", delivery_mode=2)
    until(lambda: ready(channel, queue) == 3, "three ready messages")
    method, _, body = get(channel, queue, auto_ack=False)
    assert body == b"1"
    channel.basic_nack(method.delivery_tag, requeue=True)
    # A quorum queue requeues at the end.
    assert [get(channel, queue)[2] for _ in range(2)] == [b"2", b"3"]
    method, properties, body = get(channel, queue)
    assert (body, method.redelivered) == (b"1", True)
    assert properties.headers["x-delivery-count"] == 1


def test_a_quorum_queue_must_be_durable(channel):
    queue = broker.unique("quorum")
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.queue_declare(queue, arguments={"x-queue-type": "quorum"})
    assert error.value.reply_code == 406
    assert error.value.reply_text == (
        f"PRECONDITION_FAILED - invalid property 'non-durable' for queue '{queue}' in vhost"
        f" '{broker.VHOST}'"
    )


@pytest.mark.parametrize(
    ("argument", "value", "text"),
    [
        ("x-message-ttl", -1, "{value_negative,-1}"),
        ("x-max-priority", 256, "{max_value_exceeded,256}"),
        ("x-overflow", "explode", "invalid_overflow"),
    ],
)
def test_invalid_values_are_406(channel, argument, value, text):
    queue = broker.unique("invalid")
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.queue_declare(queue, arguments={argument: value})
    assert error.value.reply_code == 406
    assert f"invalid arg '{argument}' for queue '{queue}'" in error.value.reply_text
    assert text in error.value.reply_text
