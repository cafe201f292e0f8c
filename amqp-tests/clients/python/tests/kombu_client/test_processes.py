"""kombu for whole processes: ConsumerMixin, reconnecting, pidbox, delays."""

import socket
import threading

import broker
import kombu
import pytest
from kombu.mixins import ConsumerMixin, ConsumerProducerMixin
from kombu.pidbox import Mailbox
from kombu.transport.native_delayed_delivery import (
    MAX_NUMBER_OF_BITS_TO_USE,
    bind_queue_to_native_delayed_delivery_exchange,
    calculate_routing_key,
    declare_native_delayed_delivery_exchanges_and_queues,
    level_name,
)
from waiting import until


class Worker(ConsumerMixin):
    """A consumer process in a thread."""

    def __init__(self, connection, queue):
        self.connection = connection
        self.queue = queue
        self.seen = []
        self.consuming = 0

    def get_consumers(self, Consumer, channel):
        return [Consumer(queues=[self.queue], callbacks=[self.on_task], prefetch_count=5)]

    def on_consume_ready(self, connection, channel, consumers, **kwargs):
        self.consuming += 1

    def on_task(self, body, message):
        self.seen.append(body)
        message.ack()


@pytest.fixture
def run():
    """Runs mixins in threads and stops them with the test."""
    running = []

    def start(mixin):
        thread = threading.Thread(target=mixin.run, daemon=True)
        thread.start()
        running.append((mixin, thread))
        return mixin

    yield start
    for mixin, thread in running:
        mixin.should_stop = True
    for _, thread in running:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_a_consumer_mixin_survives_cuts(run, relay, names, connection):
    queue = kombu.Queue(names.queue(), durable=True)
    worker = run(Worker(kombu.Connection(broker.url(port=relay.port)), queue))
    producer = connection.Producer()
    for turn in range(3):
        until(lambda t=turn: worker.consuming == t + 1, f"consuming for the {turn}. time")
        producer.publish(turn, routing_key=queue.name)
        until(lambda t=turn: t in worker.seen, f"the message of turn {turn}")
        if turn < 2:
            relay.cut()
    assert sorted(set(worker.seen)) == [0, 1, 2]


def test_a_consumer_mixin_comes_back_when_its_queue_was_deleted(run, names, connection):
    """The broker's cancel makes kombu reconnect and declare the queue again."""
    queue = kombu.Queue(names.queue(), durable=True)
    worker = run(Worker(kombu.Connection(broker.AMQP_URL), queue))
    until(lambda: worker.consuming == 1, "the first time")
    queue(connection.channel()).delete()
    until(lambda: worker.consuming == 2, "the second time")
    connection.Producer().publish("again", routing_key=queue.name)
    until(lambda: worker.seen == ["again"], "the message")


def test_rpc_with_the_producer_mixin(run, names, connection):
    requests = kombu.Queue(names.queue("rpc"))

    class Server(ConsumerProducerMixin):
        def __init__(self):
            self.connection = kombu.Connection(broker.AMQP_URL)

        def get_consumers(self, Consumer, channel):
            return [
                Consumer(queues=[requests], on_message=self.on_request, prefetch_count=1)
            ]

        def on_request(self, message):
            self.producer.publish(
                {"result": message.payload["n"] ** 2},
                exchange="",
                routing_key=message.properties["reply_to"],
                correlation_id=message.properties["correlation_id"],
                serializer="json",
                retry=True,
            )
            message.ack()

    run(Server())
    channel = connection.channel()
    reply_queue = kombu.Queue(broker.unique("reply"), exclusive=True, auto_delete=True)(channel)
    reply_queue.declare()
    replies = {}

    def on_reply(message):
        replies[message.properties["correlation_id"]] = message.payload["result"]

    with kombu.Consumer(channel, [reply_queue], on_message=on_reply, no_ack=True):
        for n in range(10):
            connection.Producer().publish(
                {"n": n},
                exchange="",
                routing_key=requests.name,
                declare=[requests],
                reply_to=reply_queue.name,
                correlation_id=str(n),
            )
        until(lambda: len(replies) == 10, "ten replies", step=lambda: drain(connection))
    assert replies == {str(n): n**2 for n in range(10)}


def drain(connection):
    try:
        connection.drain_events(timeout=0.1)
    except socket.timeout:
        pass


def test_ensure_republishes_after_a_cut(relay, names, connection):
    queue = kombu.Queue(names.queue(), durable=True)
    with kombu.Connection(broker.url(port=relay.port)) as fragile:
        producer = fragile.Producer()
        policy = {"interval_start": 0, "interval_step": 0.1, "max_retries": 20}
        producer.publish(1, routing_key=queue.name, declare=[queue], retry=True)
        bound = queue(connection.channel())
        # Unconfirmed, so the cut could take it along.
        until(
            lambda: bound.queue_declare(passive=True).message_count == 1, "the first message"
        )
        relay.cut()

        def lost():
            try:
                fragile.drain_events(timeout=0.1)
            except socket.timeout:
                return False
            except fragile.connection_errors:
                return True
            return False

        until(lost, "the cut to be noticed")
        producer.publish(2, routing_key=queue.name, retry=True, retry_policy=policy)
    seen = [until(lambda: bound.get(no_ack=True), "a message").payload for _ in range(2)]
    assert seen == [1, 2]


def test_failover_to_the_next_url(relay):
    relay.refuse()
    urls = f"{broker.url(port=relay.port)};{broker.AMQP_URL}"
    with kombu.Connection(urls) as connection:
        connection.ensure_connection(max_retries=3, interval_start=0)
        assert connection.connected


def test_pidbox_call_cast_and_multi_call(connection):
    """Celery's remote control: a fanout mailbox with replies."""
    namespace = broker.unique("mailbox")
    mailbox = Mailbox(namespace, type="fanout", accept=["json"])
    casts = []
    for name in ("one", "two"):
        channel = connection.channel()
        node = mailbox(connection).Node(
            hostname=name,
            state=name,
            channel=channel,
            handlers={
                "whoami": lambda state: {"i am": state},
                "note": lambda state, text: casts.append((state, text)),
            },
        )
        node.listen(channel=channel)
    stop, failed = threading.Event(), []

    def serve():
        try:
            while not stop.is_set():
                drain(connection)
        except Exception as error:
            failed.append(error)

    server = threading.Thread(target=serve)
    server.start()
    try:
        with kombu.Connection(broker.AMQP_URL) as asking:
            client = Mailbox(namespace, type="fanout", accept=["json"])(asking)
            replies = client.multi_call("whoami", timeout=5, limit=2)
            assert sorted(next(iter(r.values()))["i am"] for r in replies) == ["one", "two"]
            (only,) = client.call(["two"], "whoami", timeout=5)
            assert only == {"two": {"i am": "two"}}
            client.abcast("note", {"text": "hello"})
            until(lambda: len(casts) == 2, "both casts")
            assert sorted(casts) == [("one", "hello"), ("two", "hello")]
    finally:
        stop.set()
        server.join()
        channel = connection.channel()
        channel.exchange_delete(mailbox.exchange.name)
        channel.exchange_delete(mailbox.reply_exchange.name)
    assert not failed


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_native_delayed_delivery(connection, names, queue_type):
    """Celery's delays without ETA: 28 queues that expire into one another, a
    topic exchange each. A delay of three seconds passes two of them."""
    prefix = broker.unique("delay")
    channel = connection.channel()
    try:
        declare_native_delayed_delivery_exchanges_and_queues(connection, queue_type, prefix)
        exchange = kombu.Exchange(names.exchange(), type="topic")
        queue = kombu.Queue(
            names.queue(),
            exchange,
            routing_key="job",
            queue_arguments={"x-queue-type": queue_type},
        )
        queue(channel).declare()
        bind_queue_to_native_delayed_delivery_exchange(connection, queue, prefix)
        first = kombu.Exchange(level_name(27, prefix), type="topic")
        producer = connection.Producer()
        producer.publish(
            "later", exchange=first, routing_key=calculate_routing_key(3, "job")
        )
        producer.publish(
            "sooner", exchange=first, routing_key=calculate_routing_key(1, "job")
        )
        seen = []

        def on_message(message):
            seen.append(message)
            message.ack()

        with kombu.Consumer(channel, [queue], on_message=on_message):
            until(lambda: len(seen) == 2, "both messages", step=lambda: drain(connection))
        assert [message.payload for message in seen] == ["sooner", "later"]
        deaths = {d["queue"]: d["count"] for d in seen[1].headers["x-death"]}
        assert deaths == {level_name(0, prefix): 1, level_name(1, prefix): 1}
    finally:
        cleaning = connection.channel()
        for level in range(MAX_NUMBER_OF_BITS_TO_USE):
            cleaning.queue_delete(level_name(level, prefix))
            cleaning.exchange_delete(level_name(level, prefix))
        cleaning.exchange_delete(f"{prefix}_celery_delayed_delivery")
