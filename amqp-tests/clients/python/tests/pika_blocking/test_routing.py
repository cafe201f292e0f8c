"""Every exchange type, bindings between exchanges, and copies by header."""

import pika
import pytest
from blocking import bodies, get, until_ready


@pytest.fixture
def queues(channel, names):
    """Declares queues under unique names and returns them in order."""

    def declare(count):
        made = [names.queue() for _ in range(count)]
        for queue in made:
            channel.queue_declare(queue)
        return made

    return declare


def routed(channel, exchange, queues, key, headers=None):
    """Publishes once and tells which of the queues received it. Publisher
    confirms make the answer complete when the publish returns."""

    properties = pika.BasicProperties(headers=headers) if headers is not None else None
    channel.basic_publish(exchange, key, b"?", properties)
    return [
        index
        for index, queue in enumerate(queues)
        if channel.basic_get(queue, auto_ack=True)[0] is not None
    ]


def test_default_exchange_routes_by_queue_name(channel, queues):
    first, second = queues(2)
    channel.basic_publish("", first, b"one")
    channel.basic_publish("", second, b"two")
    assert bodies(channel, first, 1) == [b"one"]
    assert bodies(channel, second, 1) == [b"two"]


def test_direct_routes_by_equal_key_and_many_keys_may_share_a_queue(
    channel, queues, names
):
    exchange = names.exchange()
    targets = queues(2)
    channel.confirm_delivery()
    channel.exchange_declare(exchange, "direct")
    channel.queue_bind(targets[0], exchange, "info")
    channel.queue_bind(targets[0], exchange, "error")
    channel.queue_bind(targets[1], exchange, "error")
    assert routed(channel, exchange, targets, "info") == [0]
    assert routed(channel, exchange, targets, "error") == [0, 1]
    assert routed(channel, exchange, targets, "Error") == []
    channel.queue_unbind(targets[0], exchange, "error")
    assert routed(channel, exchange, targets, "error") == [1]


def test_fanout_ignores_the_key_and_gives_one_copy_to_each_queue(
    channel, queues, names
):
    exchange = names.exchange()
    targets = queues(3)
    channel.exchange_declare(exchange, "fanout")
    for queue in targets:
        channel.queue_bind(queue, exchange, "one")
        channel.queue_bind(queue, exchange, "two")
    channel.basic_publish(exchange, "any", b"to all")
    for queue in targets:
        assert bodies(channel, queue, 1) == [b"to all"]


TOPIC_PATTERNS = ["*.orange.*", "*.*.rabbit", "lazy.#", "#", "#.end", "*", "a.#.b"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("quick.orange.rabbit", [0, 1, 3]),
        ("lazy.orange.elephant", [0, 2, 3]),
        ("quick.brown.fox", [3]),
        ("lazy", [2, 3, 5]),
        ("lazy.pink.rabbit", [1, 2, 3]),
        ("orange", [3, 5]),
        ("quick.orange.new.rabbit", [3]),
        ("end", [3, 4, 5]),
        ("x.end", [3, 4]),
        ("a.b", [3, 6]),
        ("a.x.y.b", [3, 6]),
        ("a..b", [3, 6]),
        (".orange.", [0, 3]),
        ("", [3]),
    ],
)
def test_topic_patterns(channel, queues, names, key, expected):
    exchange = names.exchange()
    targets = queues(len(TOPIC_PATTERNS))
    channel.confirm_delivery()
    channel.exchange_declare(exchange, "topic")
    for queue, pattern in zip(targets, TOPIC_PATTERNS, strict=True):
        channel.queue_bind(queue, exchange, pattern)
    assert routed(channel, exchange, targets, key) == expected


HEADER_BINDINGS = [
    {"x-match": "all", "format": "pdf", "size": 10},
    {"x-match": "any", "format": "pdf", "size": 10},
    {"format": "pdf"},
    {"x-match": "all-with-x", "x-kind": "report"},
    {"x-match": "any", "present": None},
]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"format": "pdf", "size": 10}, [0, 1, 2]),
        ({"format": "pdf", "size": 11}, [1, 2]),
        ({"size": 10, "format": "odt"}, [1]),
        ({"format": "PDF"}, []),
        ({"x-kind": "report"}, [3]),
        ({"present": "whatever"}, [4]),
        ({}, []),
    ],
)
def test_headers_matching(channel, queues, names, headers, expected):
    exchange = names.exchange()
    targets = queues(len(HEADER_BINDINGS))
    channel.confirm_delivery()
    channel.exchange_declare(exchange, "headers")
    for queue, arguments in zip(targets, HEADER_BINDINGS, strict=True):
        channel.queue_bind(queue, exchange, "", arguments)
    assert routed(channel, exchange, targets, "", headers) == expected


def test_exchange_to_exchange_bindings(channel, queues, names):
    outer, inner = names.exchange("outer"), names.exchange("inner")
    targets = queues(1)
    channel.confirm_delivery()
    channel.exchange_declare(outer, "topic")
    channel.exchange_declare(inner, "fanout", internal=True)
    channel.exchange_bind(inner, outer, "log.#")
    channel.queue_bind(targets[0], inner)
    assert routed(channel, outer, targets, "log.error") == [0]
    assert routed(channel, outer, targets, "audit") == []
    channel.exchange_unbind(inner, outer, "log.#")
    assert routed(channel, outer, targets, "log.error") == []


def test_an_alternate_exchange_takes_what_matches_nothing(channel, queues, names):
    exchange, alternate = names.exchange(), names.exchange("alternate")
    targets = queues(2)
    channel.confirm_delivery()
    channel.exchange_declare(alternate, "fanout")
    channel.exchange_declare(
        exchange, "direct", arguments={"alternate-exchange": alternate}
    )
    channel.queue_bind(targets[0], exchange, "known")
    channel.queue_bind(targets[1], alternate)
    assert routed(channel, exchange, targets, "known") == [0]
    assert routed(channel, exchange, targets, "unknown") == [1]


def test_cc_and_bcc_add_routing_keys(channel, queues):

    first, second, third = queues(3)
    channel.basic_publish(
        "",
        first,
        b"copied",
        pika.BasicProperties(headers={"CC": [second], "BCC": [third]}),
    )
    for queue in (first, second, third):
        _, properties, body = get(channel, queue)
        assert body == b"copied"
        assert properties.headers == {"CC": [second]}, "BCC is removed, CC stays"


def test_consistent_hash_gives_each_message_to_one_queue(channel, queues, names):
    exchange = names.exchange("hash")
    targets = queues(3)
    channel.confirm_delivery()
    channel.exchange_declare(exchange, "x-consistent-hash")
    for queue in targets:
        channel.queue_bind(queue, exchange, "10")
    for number in range(120):
        channel.basic_publish(exchange, f"key-{number}", str(number % 60).encode())
    counts = [channel.queue_purge(queue).method.message_count for queue in targets]
    assert sum(counts) == 120
    assert all(counts), f"every queue takes a share: {counts}"


def test_one_key_always_hashes_to_one_queue(channel, queues, names):
    exchange = names.exchange("hash")
    targets = queues(3)
    channel.confirm_delivery()
    channel.exchange_declare(exchange, "x-consistent-hash")
    for queue in targets:
        channel.queue_bind(queue, exchange, "10")
    for _ in range(20):
        channel.basic_publish(exchange, "the same key", b"x")
    counts = sorted(channel.queue_purge(queue).method.message_count for queue in targets)
    assert counts == [0, 0, 20]


def test_predeclared_exchanges_route(channel, queues):
    (queue,) = queues(1)
    channel.queue_bind(queue, "amq.direct", queue)
    channel.queue_bind(queue, "amq.topic", f"{queue}.#")
    channel.queue_bind(queue, "amq.headers", "", {"to": queue})
    channel.queue_bind(queue, "amq.match", "", {"to": queue})

    channel.basic_publish("amq.direct", queue, b"direct")
    channel.basic_publish("amq.topic", f"{queue}.x", b"topic")
    to_queue = pika.BasicProperties(headers={"to": queue})
    channel.basic_publish("amq.headers", "", b"headers", to_queue)
    channel.basic_publish("amq.match", "", b"match", to_queue)
    until_ready(channel, queue, 4)
    assert bodies(channel, queue, 4) == [b"direct", b"topic", b"headers", b"match"]
