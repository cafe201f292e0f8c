"""kombu: exchanges, queues, producers, consumers, SimpleQueue, errors."""

import os
import socket
import time

import amqp
import broker
import kombu
import pytest
from waiting import until


def drain(connection, condition, what):
    """Drains events until a condition holds."""

    def step():
        try:
            connection.drain_events(timeout=0.1)
        except socket.timeout:
            pass

    until(condition, what, step=step)


class Collector:
    """Consumes one queue and keeps messages; settles them if told to."""

    def __init__(self, channel, queue, settle=None, **options):
        self.messages = []
        self.settle = settle
        self.consumer = kombu.Consumer(channel, [queue], on_message=self._on, **options)
        self.consumer.consume()

    def _on(self, message):
        self.messages.append(message)
        if self.settle:
            self.settle(message)

    @property
    def payloads(self):
        return [message.payload for message in self.messages]


def test_declare_publish_consume_json(connection, names):
    exchange = kombu.Exchange(names.exchange(), type="direct")
    queue = kombu.Queue(names.queue(), exchange, routing_key="key")
    with connection.Producer() as producer:
        producer.publish(
            {"hello": ["wörld", 1]},
            exchange=exchange,
            routing_key="key",
            declare=[exchange, queue],
            headers={"h": 1},
        )
    collector = Collector(connection.channel(), queue, settle=lambda m: m.ack())
    drain(connection, lambda: collector.messages, "the message")
    (message,) = collector.messages
    assert message.payload == {"hello": ["wörld", 1]}
    assert message.headers["h"] == 1
    assert message.content_type == "application/json"
    assert message.delivery_info["routing_key"] == "key"


@pytest.mark.parametrize(
    ("kind", "binding", "published", "expected"),
    [
        ("direct", {"routing_key": "a"}, {"routing_key": "a"}, 1),
        ("direct", {"routing_key": "a"}, {"routing_key": "b"}, 0),
        ("fanout", {"routing_key": ""}, {"routing_key": "any"}, 1),
        ("topic", {"routing_key": "a.*.#"}, {"routing_key": "a.b.c.d"}, 1),
        ("topic", {"routing_key": "a.*.#"}, {"routing_key": "a"}, 0),
        (
            "headers",
            {"binding_arguments": {"x-match": "all", "k": "v"}},
            {"headers": {"k": "v"}},
            1,
        ),
        (
            "headers",
            {"binding_arguments": {"x-match": "all", "k": "v"}},
            {"headers": {"k": "w"}},
            0,
        ),
    ],
)
def test_routing(names, kind, binding, published, expected):
    with kombu.Connection(
        broker.AMQP_URL, transport_options={"confirm_publish": True}
    ) as connection:
        channel = connection.channel()
        exchange = kombu.Exchange(names.exchange(), type=kind)
        queue = kombu.Queue(names.queue(), exchange, **binding)(channel)
        queue.declare()
        kombu.Producer(channel).publish("x", exchange=exchange, **published)
        assert queue.queue_declare(passive=True).message_count == expected


def test_simple_queue(connection, names):
    simple = connection.SimpleQueue(names.queue())
    for number in range(5):
        simple.put({"n": number})
    seen = []
    for _ in range(5):
        message = simple.get(timeout=5)
        seen.append(message.payload["n"])
        message.ack()
    assert seen == [0, 1, 2, 3, 4]
    with pytest.raises(simple.Empty):
        simple.get(block=False)
    simple.close()


def test_simple_queue_tells_its_size_and_clears(connection, names):
    simple = connection.SimpleQueue(names.queue())
    for number in range(3):
        simple.put(number)
    until(lambda: simple.qsize() == 3, "the size to be told")
    assert simple.clear() == 3
    assert simple.qsize() == 0
    simple.close()


def test_simple_buffer_does_not_acknowledge(connection, names):
    name = names.queue()
    buffer = connection.SimpleBuffer(name)
    buffer.put("transient")
    assert buffer.get(timeout=5).payload == "transient"
    buffer.close()


def test_reject_requeue_and_redelivered(connection, names):
    queue = kombu.Queue(names.queue(), routing_key=None)
    with connection.channel() as channel:
        bound = queue(channel)
        bound.declare()
        kombu.Producer(channel).publish("x", routing_key=queue.name)

        def settle(message):
            if message.delivery_info["redelivered"]:
                message.ack()
            else:
                message.requeue()

        collector = Collector(channel, bound, settle)
        drain(connection, lambda: len(collector.messages) == 2, "the redelivery")
        assert [m.delivery_info["redelivered"] for m in collector.messages] == [False, True]


def test_qos_limits_and_may_be_raised(connection, names):
    """kombu's own way of raising the prefetch of a running consumer."""
    channel = connection.channel()
    queue = kombu.Queue(names.queue())(channel)
    queue.declare()
    producer = kombu.Producer(channel)
    for number in range(6):
        producer.publish(number, routing_key=queue.name)
    collector = Collector(channel, queue, prefetch_count=2)
    drain(connection, lambda: len(collector.messages) == 2, "two messages")
    # What Celery does: global where the broker calls itself RabbitMQ 3.3 or
    # newer, else per consumer, both meant for the running consumer.
    apply_global = not connection.qos_semantics_matches_spec
    if apply_global:
        # The consumer began with a limit of its own, and the lower one rules.
        collector.consumer.cancel()
        collector.consumer.recover(requeue=True)
        collector = Collector(connection.channel(), queue)
        collector.consumer.qos(prefetch_count=1, apply_global=True)
    collector.consumer.qos(prefetch_count=4, apply_global=apply_global)
    drain(connection, lambda: len(collector.messages) >= 4, "four messages")


def test_priorities(connection, names):
    with connection.channel() as channel:
        queue = kombu.Queue(names.queue(), max_priority=10)(channel)
        queue.declare()
        producer = kombu.Producer(channel)
        for priority in (0, 10, 4):
            producer.publish(priority, routing_key=queue.name, priority=priority)
        until(lambda: queue.queue_declare(passive=True).message_count == 3, "three ready")
        collector = Collector(channel, queue, settle=lambda m: m.ack())
        drain(connection, lambda: len(collector.messages) == 3, "three messages")
        assert collector.payloads == [10, 4, 0]


def test_queue_options_expiry_and_limits(connection, names):
    with connection.channel() as channel:
        queue = kombu.Queue(
            names.queue(), expires=60.0, message_ttl=0.05, max_length=10, max_length_bytes=1000
        )(channel)
        queue.declare()
        kombu.Producer(channel).publish("x", routing_key=queue.name)
        until(lambda: queue.queue_declare(passive=True).message_count == 0, "the expiry")


def test_confirmed_publishes_and_a_nack(names):
    options = {"confirm_publish": True}
    with kombu.Connection(broker.AMQP_URL, transport_options=options) as connection:
        channel = connection.channel()
        queue = kombu.Queue(
            names.queue(),
            queue_arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
        )(channel)
        queue.declare()
        producer = kombu.Producer(channel)
        producer.publish("1", routing_key=queue.name)
        with pytest.raises(amqp.exceptions.MessageNacked):
            producer.publish("2", routing_key=queue.name)


def test_returned_messages_reach_on_return(connection):
    returned = []
    channel = connection.channel()
    producer = kombu.Producer(
        channel, on_return=lambda *arguments: returned.append(arguments)
    )
    producer.publish("x", routing_key=broker.unique("nobody"), mandatory=True)
    drain(connection, lambda: returned, "the return")
    error, exchange, _key, message = returned[0]
    assert (error.reply_code, error.reply_text, exchange) == (312, "NO_ROUTE", "")
    assert message.body == "x"


def test_compression_and_other_serializers(connection, names):
    channel = connection.channel()
    queue = kombu.Queue(names.queue())(channel)
    queue.declare()
    producer = kombu.Producer(channel)
    payload = {"text": "abc" * 1000, "set": [1, 2, 3]}
    producer.publish(payload, routing_key=queue.name, compression="zlib", serializer="pickle")
    message = until(
        lambda: queue.get(no_ack=True, accept=["pickle"]), "the compressed message"
    )
    assert message.payload == payload
    assert message.headers["compression"] == "application/x-gzip"


def test_a_large_binary_body(connection, names):
    channel = connection.channel()
    queue = kombu.Queue(names.queue())(channel)
    queue.declare()
    body = os.urandom(4 << 20)
    kombu.Producer(channel).publish(
        body,
        routing_key=queue.name,
        content_type="application/data",
        content_encoding="binary",
    )
    message = until(lambda: queue.get(no_ack=True), "the large message")
    assert message.body == body


@pytest.mark.parametrize(
    ("declare", "error", "code"),
    [
        (lambda ch: kombu.Queue(broker.unique("missing"))(ch).queue_declare(passive=True),
         amqp.exceptions.NotFound, 404),
        (lambda ch: kombu.Queue("amq.mine")(ch).queue_declare(),
         amqp.exceptions.AccessRefused, 403),
        (lambda ch: kombu.Queue(broker.unique("q"), queue_arguments={"x-expires": 0})(
            ch).queue_declare(), amqp.exceptions.PreconditionFailed, 406),
    ],
    ids=["404", "403", "406"],
)
def test_channel_errors_and_carrying_on(connection, declare, error, code):
    channel = connection.channel()
    with pytest.raises(error) as raised:
        declare(channel)
    assert raised.value.reply_code == code
    # py-amqp opens the same channel number again by itself.
    for usable in (channel, connection.channel()):
        queue = kombu.Queue("", exclusive=True)(usable)
        queue.queue_declare()
        assert queue.name.startswith("amq.gen-")


def test_a_wrong_password_and_a_wrong_vhost():
    with kombu.Connection(broker.url(password="wrong")) as connection:
        with pytest.raises(amqp.exceptions.AccessRefused):
            connection.connect()
    with kombu.Connection(broker.url(vhost="no-such-vhost")) as connection:
        with pytest.raises(amqp.exceptions.NotAllowed, match="vhost no-such-vhost not found"):
            connection.connect()


def test_heartbeats_keep_an_idle_connection_open():
    with kombu.Connection(broker.AMQP_URL, heartbeat=2) as connection:
        connection.connect()
        assert connection.connection.heartbeat == 2
        channel = connection.channel()
        end = time.monotonic() + 5.0

        def step():
            connection.heartbeat_check(rate=4)
            try:
                connection.drain_events(timeout=0.5)
            except socket.timeout:
                pass

        until(lambda: time.monotonic() > end, "the idle time", step=step)
        queue = kombu.Queue("", exclusive=True)(channel)
        queue.queue_declare()
        assert connection.connected


def test_exchange_to_exchange_binding(connection, names):
    channel = connection.channel()
    outer = kombu.Exchange(names.exchange(), type="topic")(channel)
    inner = kombu.Exchange(names.exchange(), type="fanout")(channel)
    outer.declare()
    inner.declare()
    inner.bind_to(outer.name, routing_key="log.#")
    queue = kombu.Queue(names.queue(), inner)(channel)
    queue.declare()
    kombu.Producer(channel).publish("x", exchange=outer, routing_key="log.info")
    message = until(lambda: queue.get(no_ack=True), "the message over both exchanges")
    assert message.payload == "x"
    inner.unbind_from(outer.name, routing_key="log.#")


def test_transactions_of_py_amqp(connection, names):
    channel = connection.channel()
    queue = kombu.Queue(names.queue())(channel)
    queue.declare()
    raw = connection.channel()
    raw.tx_select()
    producer = kombu.Producer(raw)
    producer.publish("undone", routing_key=queue.name)
    raw.tx_rollback()
    producer.publish("done", routing_key=queue.name)
    raw.tx_commit()
    message = until(lambda: queue.get(no_ack=True), "the committed message")
    assert message.payload == "done"
    assert queue.get(no_ack=True) is None
