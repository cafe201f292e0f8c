"""One BlockingConnection that publishes and consumes far more than all the
buffers between it and the broker hold. A broker that stops reading while its
own output is full would never let this end."""

import pika
import pytest
from blocking import pump

# Together about 64 MiB each way; socket buffers on both ends hold a few MiB.
PIPELINE_MESSAGES = 8_000
PIPELINE_BODY = b"p" * 8192
SMALL_MESSAGES = 40_000


@pytest.mark.timeout(120)
def test_publishing_from_the_consumer_callback_through_two_queues(connection, names):
    """Each delivery is published on to a second queue that the same channel
    consumes, while the first queue is still being filled."""
    first, second = names.queue("first"), names.queue("second")
    channel = connection.channel()
    channel.queue_declare(first)
    channel.queue_declare(second)
    arrived = []

    def forward(_channel, method, _properties, body):
        channel.basic_publish("", second, body)
        channel.basic_ack(method.delivery_tag)

    def arrive(_channel, method, _properties, body):
        channel.basic_ack(method.delivery_tag)
        arrived.append(len(body))

    channel.basic_consume(first, forward)
    channel.basic_consume(second, arrive)
    for number in range(PIPELINE_MESSAGES):
        channel.basic_publish("", first, PIPELINE_BODY)
        # Letting events run now and then is what keeps pika's own memory small.
        if number % 500 == 0:
            connection.process_data_events(time_limit=0)
    pump(
        connection, lambda: len(arrived) == PIPELINE_MESSAGES, "all arrivals", bound_s=100
    )
    assert set(arrived) == {len(PIPELINE_BODY)}


@pytest.mark.timeout(120)
def test_publishing_all_before_consuming_anything(connection, names):
    """The deliveries of an auto-ack consumer pile up towards a client that
    does nothing but publish."""
    queue = names.queue()
    channel = connection.channel()
    channel.queue_declare(queue)
    received = []
    channel.basic_consume(
        queue, lambda *message: received.append(len(message[3])), auto_ack=True
    )
    for _ in range(PIPELINE_MESSAGES):
        channel.basic_publish("", queue, PIPELINE_BODY)
    pump(connection, lambda: len(received) == PIPELINE_MESSAGES, "everything", bound_s=100)


@pytest.mark.timeout(120)
def test_many_small_messages_both_ways_in_order(connection, names):
    queue = names.queue()
    channel = connection.channel()
    channel.queue_declare(queue)
    channel.basic_qos(prefetch_count=500)
    received = []

    def on_message(_channel, method, _properties, body):
        received.append(int(body))
        if method.delivery_tag % 100 == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)

    channel.basic_consume(queue, on_message)
    for number in range(SMALL_MESSAGES):
        channel.basic_publish("", queue, b"%d" % number)
        if number % 200 == 0:
            connection.process_data_events(time_limit=0)
    pump(connection, lambda: len(received) == SMALL_MESSAGES, "everything", bound_s=100)
    assert received == list(range(SMALL_MESSAGES))


def test_a_slow_consumer_with_prefetch_does_not_stop_its_own_publishes(connection, names):
    """Deliveries wait unacknowledged while thousands of confirmed publishes
    pass on another channel of the same connection."""
    queue, other = names.queue("held"), names.queue("busy")
    holding, busy = connection.channel(), connection.channel()
    holding.queue_declare(queue)
    busy.queue_declare(other)
    busy.confirm_delivery()
    holding.basic_qos(prefetch_count=1)
    held = []
    holding.basic_consume(queue, lambda *message: held.append(message[1].delivery_tag))
    for _ in range(100):
        holding.basic_publish("", queue, b"h" * 1000)
    pump(connection, lambda: len(held) == 1, "the held delivery")
    for _ in range(1000):
        busy.basic_publish("", other, b"b", pika.BasicProperties())
    assert busy.queue_declare(other, passive=True).method.message_count == 1000
    assert len(held) == 1
    holding.basic_ack(held[0])
    pump(connection, lambda: len(held) == 2, "the next delivery")
