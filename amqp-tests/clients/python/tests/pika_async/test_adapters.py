"""The callback interface: declare, confirm, return, consume, fail, reconnect."""

import os

import broker
import pika
import pytest


@pytest.fixture
def connection(driver):
    return driver.connect()


@pytest.fixture
def channel(driver, connection):
    return driver.channel(connection)


@pytest.fixture
def queue(driver, channel, names):
    name = names.queue()
    driver.call(channel.queue_declare, name)
    return name


class Confirms:
    """Keeps the numbers that are acked and nacked, in whatever order and
    grouping the broker settles them."""

    def __init__(self, driver, channel):
        self.acked, self.nacked = set(), set()
        answers = []
        channel.confirm_delivery(self._on_confirm, callback=answers.append)
        driver.until(lambda: answers, "confirm.select-ok")

    def _on_confirm(self, frame):
        method = frame.method
        numbers = {method.delivery_tag}
        if method.multiple:
            # Those up to this one that nothing has settled yet.
            numbers = set(range(1, method.delivery_tag + 1)) - self.acked - self.nacked
        assert not numbers & (self.acked | self.nacked), "a number is settled once"
        target = self.acked if isinstance(method, pika.spec.Basic.Ack) else self.nacked
        target |= numbers


def test_declare_bind_publish_get(driver, channel, queue):
    driver.call(channel.queue_bind, queue, "amq.topic", f"{queue}.*")
    channel.basic_publish("amq.topic", f"{queue}.key", b"hello")
    got = []

    def fetch():
        if not got:
            channel.basic_get(queue, lambda *message: got.append(message[3]), auto_ack=True)

    channel.add_callback(lambda _frame: fetch(), [pika.spec.Basic.GetEmpty], one_shot=False)
    fetch()
    driver.until(lambda: got, "the message")
    assert got == [b"hello"]


def test_a_window_of_confirms(driver, channel, queue):
    confirms = Confirms(driver, channel)
    for number in range(2000):
        channel.basic_publish(
            "", queue, b"%d" % number, pika.BasicProperties(delivery_mode=2)
        )
    driver.until(lambda: len(confirms.acked) == 2000, "2000 confirms")
    assert (confirms.acked, confirms.nacked) == (set(range(1, 2001)), set())
    answer = driver.call(channel.queue_declare, queue, passive=True)
    assert answer.message_count == 2000


def test_refused_publishes_are_nacked(driver, channel, names):
    queue = names.queue()
    driver.call(
        channel.queue_declare,
        queue,
        arguments={"x-max-length": 5, "x-overflow": "reject-publish"},
    )
    confirms = Confirms(driver, channel)
    for _ in range(8):
        channel.basic_publish("", queue, b"x")
    driver.until(lambda: len(confirms.acked | confirms.nacked) == 8, "eight confirms")
    assert (confirms.acked, confirms.nacked) == ({1, 2, 3, 4, 5}, {6, 7, 8})


def test_returns_come_before_their_confirm(driver, channel):
    order = []
    channel.add_on_return_callback(lambda *message: order.append(("return", message[3])))
    answers = []
    channel.confirm_delivery(
        lambda frame: order.append(("confirm", frame.method.delivery_tag)),
        callback=answers.append,
    )
    driver.until(lambda: answers, "confirm.select-ok")
    channel.basic_publish("", broker.unique("nobody"), b"back", mandatory=True)
    driver.until(lambda: len(order) == 2, "return and confirm")
    assert order == [("return", b"back"), ("confirm", 1)]


def test_consume_with_acks_prefetch_and_requeue(driver, channel, queue):
    driver.call(channel.basic_qos, prefetch_count=10)
    seen = []

    def on_message(_channel, method, _properties, body):
        seen.append((body, method.redelivered))
        if body == b"7" and not method.redelivered:
            channel.basic_nack(method.delivery_tag, requeue=True)
        else:
            channel.basic_ack(method.delivery_tag)

    driver.call(channel.basic_consume, queue, on_message)
    for number in range(100):
        channel.basic_publish("", queue, b"%d" % number)
    driver.until(lambda: len(seen) == 101, "one hundred messages and a redelivery")
    assert {body for body, _ in seen} == {b"%d" % n for n in range(100)}
    assert [body for body, redelivered in seen if redelivered] == [b"7"]


def test_the_broker_cancels_when_the_queue_goes(driver, connection, channel, queue):
    cancelled = []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    answer = driver.call(channel.basic_consume, queue, lambda *_: None)
    other = driver.channel(connection)
    driver.call(other.queue_delete, queue)
    driver.until(lambda: cancelled, "the cancel")
    assert cancelled == [answer.consumer_tag]
    assert channel.is_open


def test_cancel_is_answered_and_stops_deliveries(driver, channel, queue):
    seen = []
    answer = driver.call(
        channel.basic_consume, queue, lambda *message: seen.append(message[3]), auto_ack=True
    )
    assert driver.call(channel.basic_cancel, answer.consumer_tag).consumer_tag == (
        answer.consumer_tag
    )
    confirms = Confirms(driver, channel)
    channel.basic_publish("", queue, b"for nobody")
    driver.until(lambda: confirms.acked, "the confirm")
    assert driver.call(channel.queue_declare, queue, passive=True).message_count == 1
    assert seen == []


def test_rpc_by_direct_reply_to(driver, connection, channel, queue):
    serving = driver.channel(connection)

    def on_request(_channel, method, properties, body):
        serving.basic_publish(
            "",
            properties.reply_to,
            body[::-1],
            pika.BasicProperties(correlation_id=properties.correlation_id),
        )
        serving.basic_ack(method.delivery_tag)

    driver.call(serving.basic_consume, queue, on_request)
    replies = {}
    driver.call(
        channel.basic_consume,
        "amq.rabbitmq.reply-to",
        lambda _c, _m, properties, body: replies.update({properties.correlation_id: body}),
        auto_ack=True,
    )
    for word in (b"abc", b"defg", b"hi"):
        channel.basic_publish(
            "",
            queue,
            word,
            pika.BasicProperties(
                reply_to="amq.rabbitmq.reply-to", correlation_id=word.decode()
            ),
        )
    driver.until(lambda: len(replies) == 3, "three replies")
    assert replies == {"abc": b"cba", "defg": b"gfed", "hi": b"ih"}


def test_a_large_body_in_many_frames(driver, channel, queue):
    body = os.urandom(5 << 20)
    seen = []
    driver.call(
        channel.basic_consume, queue, lambda *message: seen.append(message[3]), auto_ack=True
    )
    channel.basic_publish("", queue, body)
    channel.basic_publish("", queue, b"behind it")
    driver.until(lambda: len(seen) == 2, "both messages")
    assert seen == [body, b"behind it"]


def test_a_channel_error_names_its_reason_and_a_new_channel_carries_on(
    driver, connection, channel
):
    missing = broker.unique("missing")
    channel.queue_declare(missing, passive=True)
    driver.until(lambda: channel.reasons, "the channel to close")
    (reason,) = channel.reasons
    assert isinstance(reason, pika.exceptions.ChannelClosedByBroker)
    assert (reason.reply_code, reason.reply_text) == (
        404,
        f"NOT_FOUND - no queue '{missing}' in vhost '{broker.VHOST}'",
    )
    fresh = driver.channel(connection)
    assert driver.call(fresh.queue_declare, "", exclusive=True).queue


def test_a_connection_error_closes_every_channel_with_its_code(driver, connection, channel):
    other = driver.channel(connection)
    other.exchange_declare(broker.unique("bad"), "no-such-type")
    driver.until(lambda: len(connection.outcome) == 2, "the connection to close")
    reason = connection.outcome[1]
    assert isinstance(reason, pika.exceptions.ConnectionClosedByBroker)
    assert reason.reply_code == 503
    assert channel.reasons and other.reasons


def test_a_wrong_password_fails_to_open(driver):
    _, outcome = driver.begin(credentials=pika.PlainCredentials(broker.USER, "wrong"))
    driver.until(lambda: outcome, "the refusal")
    assert "ACCESS_REFUSED" in str(outcome[0]) or "Authentication" in str(outcome[0])


def test_a_client_close_is_reported_with_its_own_code(driver, connection, channel):
    connection.close(200, "thank you")
    driver.until(lambda: len(connection.outcome) == 2, "close-ok")
    reason = connection.outcome[1]
    assert isinstance(reason, pika.exceptions.ConnectionClosedByClient)
    assert (reason.reply_code, reason.reply_text) == (200, "thank you")


def test_reconnecting_from_the_close_callback(driver, channel, queue, relay):
    """A consumer that opens a new connection whenever the old one is lost."""
    seen = []

    def start():
        connection = driver.connect(port=relay.port)
        working = driver.channel(connection)
        driver.call(working.basic_qos, prefetch_count=5)

        def on_message(_channel, method, _properties, body):
            seen.append(body)
            working.basic_ack(method.delivery_tag)

        driver.call(working.basic_consume, queue, on_message)
        return connection

    connection = start()
    for turn in range(3):
        for number in range(10):
            channel.basic_publish("", queue, b"%d-%d" % (turn, number))
        wanted = {b"%d-%d" % (turn, n) for n in range(10)}
        driver.until(lambda w=wanted: w <= set(seen), f"turn {turn}")
        relay.cut()
        driver.until(lambda c=connection: c.is_closed, "the loss to be noticed")
        connection = start()
    assert relay.accepted == 4


def test_publishing_under_back_pressure_while_consuming(driver, connection, channel, queue):
    """The loop writes only as fast as the broker reads; deliveries of the same
    connection come in between."""
    received = []
    consumer = driver.channel(connection)
    driver.call(
        consumer.basic_consume, queue, lambda *m: received.append(len(m[3])), auto_ack=True
    )
    body = b"b" * 65536
    for _ in range(600):
        channel.basic_publish("", queue, body)
    driver.until(lambda: len(received) == 600, "600 deliveries of 64 KiB")
    assert set(received) == {65536}


def test_transactions(driver, connection, channel, queue):
    driver.call(channel.tx_select)
    channel.basic_publish("", queue, b"undone")
    driver.call(channel.tx_rollback)
    channel.basic_publish("", queue, b"done")
    driver.call(channel.tx_commit)
    seen = []
    other = driver.channel(connection)
    driver.call(other.basic_consume, queue, lambda *m: seen.append(m[3]), auto_ack=True)
    driver.until(lambda: seen, "the committed message")
    assert seen == [b"done"]
