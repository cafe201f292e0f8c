"""Dead-lettering: the retry with a waiting queue, reasons, x-death."""

import broker
import pika
from blocking import bodies, get, pump, until_ready


def declare(channel, names, **arguments):
    queue = names.queue()
    channel.queue_declare(
        queue, arguments={"x-" + k.replace("_", "-"): v for k, v in arguments.items()}
    )
    return queue


def to_default(target):
    """Dead-letters through the default exchange straight into a queue."""
    return {"dead_letter_exchange": "", "dead_letter_routing_key": target}


def test_a_rejected_message_arrives_with_its_history(channel, names):
    dlx = names.exchange("dlx")
    channel.exchange_declare(dlx, "topic")
    dead = declare(channel, names)
    channel.queue_bind(dead, dlx, "#")
    source = declare(channel, names, dead_letter_exchange=dlx)
    channel.basic_publish(
        "", source, b"bad", pika.BasicProperties(headers={"mine": 1}, delivery_mode=2)
    )
    method, _, _ = get(channel, source, auto_ack=False)
    channel.basic_reject(method.delivery_tag, requeue=False)
    method, properties, body = get(channel, dead)
    assert (method.exchange, method.routing_key, body) == (dlx, source, b"bad")
    headers = properties.headers
    (death,) = headers["x-death"]
    assert death.pop("time")
    assert death == {
        "count": 1,
        "reason": "rejected",
        "queue": source,
        "exchange": "",
        "routing-keys": [source],
    }
    assert headers["mine"] == 1
    assert headers["x-first-death-queue"] == source
    assert headers["x-first-death-reason"] == "rejected"
    assert headers["x-first-death-exchange"] == ""
    assert properties.delivery_mode == 2
    assert method.redelivered is False


def test_nack_with_multiple_dead_letters_all_in_order(channel, names):
    dead = declare(channel, names)
    source = declare(channel, names, **to_default(dead))
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", source, body)
    for _ in range(3):
        method, _, _ = get(channel, source, auto_ack=False)
    channel.basic_nack(method.delivery_tag, multiple=True, requeue=False)
    until_ready(channel, dead, 3)
    assert bodies(channel, dead, 3) == [b"1", b"2", b"3"]


def test_retry_through_a_waiting_queue_counts_its_attempts(connection, channel, names):
    """The usual retry: work -> reject -> waiting queue with TTL -> work."""
    work, wait = names.queue("work"), names.queue("wait")
    channel.queue_declare(
        work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait}
    )
    channel.queue_declare(
        wait,
        arguments={
            "x-message-ttl": 50,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": work,
        },
    )
    attempts = []

    def on_message(_channel, method, properties, _body):
        deaths = (properties.headers or {}).get("x-death", [])
        attempts.append({(d["queue"], d["reason"]): d["count"] for d in deaths})
        newest = deaths[0]["queue"] if deaths else None
        assert newest in (None, wait), "the newest death comes first"
        if len(attempts) < 4:
            channel.basic_reject(method.delivery_tag, requeue=False)
        else:
            channel.basic_ack(method.delivery_tag)

    channel.basic_consume(work, on_message)
    channel.basic_publish("", work, b"try")
    pump(connection, lambda: len(attempts) == 4, "four attempts")
    assert attempts == [{}] + [
        {(work, "rejected"): n, (wait, "expired"): n} for n in (1, 2, 3)
    ]


def test_an_expired_message_keeps_its_original_expiration(channel, names):
    dead = declare(channel, names)
    source = declare(channel, names, **to_default(dead))
    channel.basic_publish("", source, b"old", pika.BasicProperties(expiration="30"))
    _, properties, _ = get(channel, dead)
    (death,) = properties.headers["x-death"]
    assert (death["reason"], death["original-expiration"]) == ("expired", "30")
    assert properties.expiration is None


def test_overflow_dead_letters_the_head(channel, names):
    dead = declare(channel, names)
    source = declare(channel, names, max_length=2, **to_default(dead))
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", source, body)
    _, properties, body = get(channel, dead)
    assert (body, properties.headers["x-death"][0]["reason"]) == (b"1", "maxlen")
    assert bodies(channel, source, 2) == [b"2", b"3"]


def test_reject_publish_dlx_dead_letters_the_newcomer(channel, names):
    dead = declare(channel, names)
    source = declare(
        channel, names, max_length=1, overflow="reject-publish-dlx", **to_default(dead)
    )
    channel.basic_publish("", source, b"1")
    channel.basic_publish("", source, b"2")
    assert get(channel, dead)[2] == b"2"
    assert bodies(channel, source, 1) == [b"1"]


def test_a_cycle_without_a_rejection_is_dropped(channel, names):
    """Expiring into itself for ever would never end, so the second turn drops."""
    queue = names.queue()
    channel.queue_declare(
        queue,
        arguments={
            "x-message-ttl": 30,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue,
        },
    )
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"round")
    until_ready(channel, queue, 0)
    assert bodies(channel, queue, 0) == []


def test_a_missing_dead_letter_exchange_drops_the_message(channel, names):
    source = declare(channel, names, dead_letter_exchange=broker.unique("missing"))
    channel.basic_publish("", source, b"x")
    method, _, _ = get(channel, source, auto_ack=False)
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert bodies(channel, source, 0) == []
    assert channel.is_open


def test_cc_is_kept_in_the_routing_keys_and_removed_where_a_key_is_set(channel, names):
    dead = declare(channel, names)
    source = declare(channel, names, **to_default(dead))
    other = declare(channel, names)
    channel.basic_publish("", source, b"x", pika.BasicProperties(headers={"CC": [other]}))
    method, _, _ = get(channel, source, auto_ack=False)
    channel.basic_reject(method.delivery_tag, requeue=False)
    _, properties, _ = get(channel, dead)
    assert properties.headers["x-death"][0]["routing-keys"] == [source, other]
    assert "CC" not in properties.headers


def test_a_quorum_queue_dead_letters_beyond_its_delivery_limit(channel, names):
    dead = declare(channel, names)
    source = names.queue("quorum")
    channel.queue_declare(
        source,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": 2,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": dead,
        },
    )
    channel.basic_publish("", source, b"poison", pika.BasicProperties(delivery_mode=2))
    counts = []
    for _ in range(3):
        method, properties, _ = get(channel, source, auto_ack=False)
        counts.append((properties.headers or {}).get("x-delivery-count"))
        channel.basic_nack(method.delivery_tag, requeue=True)
    assert counts[1:] == [1, 2]
    _, properties, body = get(channel, dead)
    assert (body, properties.headers["x-death"][0]["reason"]) == (b"poison", "delivery_limit")
