"""Request and reply, both ways people do it."""

import pika
import pytest
from blocking import get, pump
from pika.exceptions import ChannelClosedByBroker

DIRECT = "amq.rabbitmq.reply-to"


@pytest.fixture
def server(connect, names):
    """A doubling service on a connection of its own; the caller pumps both."""
    queue = names.queue("rpc")
    connection = connect()
    channel = connection.channel()
    channel.queue_declare(queue)
    channel.basic_qos(prefetch_count=1)

    def on_request(_channel, method, properties, body):
        channel.basic_publish(
            "",
            properties.reply_to,
            b"%d" % (2 * int(body)),
            pika.BasicProperties(correlation_id=properties.correlation_id),
        )
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, on_request)
    return queue, connection


def call_many(connection, channel, server, reply_to, replies):
    queue, serving = server
    for number in range(30):
        channel.basic_publish(
            "",
            queue,
            b"%d" % number,
            pika.BasicProperties(reply_to=reply_to, correlation_id=f"call-{number}"),
        )

    def answered():
        serving.process_data_events(time_limit=0)
        return len(replies) == 30

    pump(connection, answered, "thirty replies")
    assert replies == {f"call-{n}": b"%d" % (2 * n) for n in range(30)}


def test_rpc_by_an_exclusive_reply_queue(connection, channel, server):
    replies = {}
    reply_queue = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_consume(
        reply_queue,
        lambda _channel, _method, properties, body: replies.update(
            {properties.correlation_id: body}
        ),
        auto_ack=True,
    )
    call_many(connection, channel, server, reply_queue, replies)


def test_rpc_by_direct_reply_to(connection, channel, server):
    replies, methods = {}, []

    def on_reply(_channel, method, properties, body):
        methods.append(method)
        replies[properties.correlation_id] = body

    channel.basic_consume(DIRECT, on_reply, auto_ack=True)
    call_many(connection, channel, server, DIRECT, replies)
    assert all(method.exchange == "" for method in methods)
    assert all(method.routing_key.startswith(f"{DIRECT}.") for method in methods)


def test_the_server_sees_a_generated_reply_name_it_can_check(connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    channel.basic_consume(DIRECT, lambda *_: None, auto_ack=True)
    channel.basic_publish("", queue, b"?", pika.BasicProperties(reply_to=DIRECT))
    other = connection.channel()
    _, properties, _ = get(other, queue)
    assert properties.reply_to.startswith(f"{DIRECT}.")
    # A server may ask whether the caller is still there.
    answer = other.queue_declare(properties.reply_to, passive=True).method
    assert (answer.message_count, answer.consumer_count) == (0, 1)
    channel.close()
    with pytest.raises(ChannelClosedByBroker) as error:
        other.queue_declare(properties.reply_to, passive=True)
    assert error.value.reply_code == 404


def test_direct_reply_to_with_manual_ack_is_406(channel):
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.basic_consume(DIRECT, lambda *_: None, auto_ack=False)
    assert error.value.reply_code == 406
    assert error.value.reply_text == "PRECONDITION_FAILED - reply consumer cannot acknowledge"


def test_direct_reply_to_without_a_consumer_is_406(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    channel.confirm_delivery()
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.basic_publish("", queue, b"?", pika.BasicProperties(reply_to=DIRECT))
    assert error.value.reply_code == 406
    assert error.value.reply_text == "PRECONDITION_FAILED - fast reply consumer does not exist"


def test_a_reply_to_a_caller_that_left_is_dropped(connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    caller = connection.channel()
    caller.basic_consume(DIRECT, lambda *_: None, auto_ack=True)
    caller.basic_publish("", queue, b"?", pika.BasicProperties(reply_to=DIRECT))
    _, properties, _ = get(channel, queue)
    caller.close()
    channel.confirm_delivery()
    channel.basic_publish("", properties.reply_to, b"late")
    assert connection.is_open and channel.is_open


def test_many_callers_with_their_own_reply_queues(connect, server):
    """Reply queues come and go while the service stays."""
    queue, serving = server
    for number in range(10):
        connection = connect()
        channel = connection.channel()
        reply_queue = channel.queue_declare("", exclusive=True).method.queue
        got = []
        channel.basic_consume(
            reply_queue, lambda *message, got=got: got.append(message[3]), auto_ack=True
        )
        channel.basic_publish(
            "", queue, b"%d" % number, pika.BasicProperties(reply_to=reply_queue)
        )

        def answered(got=got):
            serving.process_data_events(time_limit=0)
            return got

        pump(connection, answered, "the reply")
        assert got == [b"%d" % (2 * number)]
        connection.close()
