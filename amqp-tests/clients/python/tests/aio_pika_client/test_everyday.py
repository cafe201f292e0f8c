"""What an asyncio service does with aio-pika on an ordinary day."""

import asyncio
import os

import aio_pika
import broker
import pytest
from aio_pika import DeliveryMode, ExchangeType, Message
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    PublishError,
)
from waiting import until_async


async def test_declare_bind_publish_consume(channel, names):
    exchange = await channel.declare_exchange(names.exchange(), ExchangeType.TOPIC)
    queue = await channel.declare_queue(names.queue(), durable=True)
    await queue.bind(exchange, "log.#")
    confirmation = await exchange.publish(
        Message(b"hello", delivery_mode=DeliveryMode.PERSISTENT, headers={"n": 1}),
        "log.info",
    )
    assert confirmation.delivery_tag == 1
    message = await queue.get(timeout=5)
    assert (message.body, message.headers, message.routing_key) == (
        b"hello",
        {"n": 1},
        "log.info",
    )
    assert message.delivery_mode == DeliveryMode.PERSISTENT
    await message.ack()
    await queue.unbind(exchange, "log.#")
    with pytest.raises(PublishError):
        await exchange.publish(Message(b"unbound"), "log.info")


@pytest.mark.parametrize(
    ("kind", "key", "arguments", "headers"),
    [
        (ExchangeType.DIRECT, "key", None, {}),
        (ExchangeType.FANOUT, "ignored", None, {}),
        (ExchangeType.TOPIC, "a.b", None, {}),
        (ExchangeType.HEADERS, "", {"x-match": "any", "kind": "bill"}, {"kind": "bill"}),
    ],
    ids=lambda value: value.value if isinstance(value, ExchangeType) else "",
)
async def test_each_exchange_type(channel, names, kind, key, arguments, headers):
    exchange = await channel.declare_exchange(names.exchange(), kind, auto_delete=True)
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(exchange, key, arguments=arguments)
    await exchange.publish(Message(b"x", headers=headers), key)
    assert (await queue.get(timeout=5, no_ack=True)).body == b"x"


async def test_iterating_with_process_acknowledges(channel, names):
    queue = await channel.declare_queue(names.queue())
    await channel.set_qos(prefetch_count=3)
    for number in range(20):
        await channel.default_exchange.publish(Message(b"%d" % number), queue.name)
    seen = []
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                seen.append(message.body)
            if len(seen) == 20:
                break
    assert seen == [b"%d" % n for n in range(20)]
    again = await channel.declare_queue(queue.name, passive=True)
    assert again.declaration_result.message_count == 0


async def test_an_exception_in_process_requeues_once(channel, names):
    queue = await channel.declare_queue(names.queue())
    await channel.default_exchange.publish(Message(b"fragile"), queue.name)
    first = await queue.get(timeout=5)
    with pytest.raises(RuntimeError):
        async with first.process(requeue=True):
            raise RuntimeError("on purpose")
    second = await queue.get(timeout=5)
    assert second.redelivered
    with pytest.raises(RuntimeError):
        async with second.process(requeue=True, reject_on_redelivered=True):
            raise RuntimeError("again")
    assert await queue.get(fail=False) is None


async def test_an_unroutable_publish_raises_with_the_returned_message(channel):
    with pytest.raises(PublishError) as error:
        await channel.default_exchange.publish(Message(b"back"), broker.unique("nobody"))
    assert error.value.message.delivery.reply_code == 312
    assert error.value.message.body == b"back"


async def test_returns_without_raising_go_to_the_callback(connection):
    async with connection.channel(on_return_raises=False) as channel:
        returned = []
        channel.return_callbacks.add(lambda _channel, message: returned.append(message.body))
        await channel.default_exchange.publish(Message(b"back"), broker.unique("nobody"))
        await until_async(lambda: returned == [b"back"], "the return")


async def test_a_refused_publish_raises(channel, names):
    queue = await channel.declare_queue(
        names.queue(), arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    await channel.default_exchange.publish(Message(b"1"), queue.name)
    with pytest.raises(DeliveryError):
        await channel.default_exchange.publish(Message(b"2"), queue.name)


async def test_many_publishes_confirmed_concurrently(channel, names):
    queue = await channel.declare_queue(names.queue())
    confirmations = await asyncio.gather(
        *(
            channel.default_exchange.publish(Message(b"%d" % n), queue.name)
            for n in range(1000)
        )
    )
    assert sorted(c.delivery_tag for c in confirmations)[-1] >= 1
    again = await channel.declare_queue(queue.name, passive=True)
    assert again.declaration_result.message_count == 1000


async def test_several_consumers_share_by_prefetch(connection, names):
    name = names.queue()
    seen = {0: [], 1: [], 2: []}

    def collector(worker):
        async def on_message(message):
            async with message.process():
                seen[worker].append(message.body)
                # Lets the others have a turn, as real work would.
                await asyncio.sleep(0)

        return on_message

    for worker in seen:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        queue = await channel.declare_queue(name)
        await queue.consume(collector(worker))
    publisher = await connection.channel()
    for number in range(90):
        await publisher.default_exchange.publish(Message(b"%d" % number), name)
    await until_async(lambda: sum(map(len, seen.values())) == 90, "ninety messages")
    assert sorted(sum(seen.values(), [])) == sorted(b"%d" % n for n in range(90))
    assert all(seen.values()), "each worker had a share"


async def test_cancelling_a_consumer(channel, names):
    queue = await channel.declare_queue(names.queue())
    seen = []

    async def on_message(message):
        seen.append(message.body)
        await message.ack()

    tag = await queue.consume(on_message)
    await channel.default_exchange.publish(Message(b"1"), queue.name)
    await until_async(lambda: seen == [b"1"], "the first message")
    await queue.cancel(tag)
    await channel.default_exchange.publish(Message(b"2"), queue.name)
    assert (await queue.get(timeout=5)).body == b"2"
    assert seen == [b"1"]


async def test_priorities(channel, names):
    queue = await channel.declare_queue(names.queue(), arguments={"x-max-priority": 10})
    for priority in (1, 9, 5):
        await channel.default_exchange.publish(
            Message(b"%d" % priority, priority=priority), queue.name
        )
    order = [(await queue.get(timeout=5, no_ack=True)).body for _ in range(3)]
    assert order == [b"9", b"5", b"1"]


async def test_retry_by_dead_letter_and_ttl(channel, names):
    work, wait = names.queue("work"), names.queue("wait")
    await channel.declare_queue(
        wait,
        arguments={
            "x-message-ttl": 50,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": work,
        },
    )
    queue = await channel.declare_queue(
        work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait}
    )
    counts = []

    async def on_message(message):
        deaths = message.headers.get("x-death", [])
        counts.append(sum(d["count"] for d in deaths if d["queue"] == work))
        if len(counts) < 3:
            await message.reject(requeue=False)
        else:
            await message.ack()

    await queue.consume(on_message)
    await channel.default_exchange.publish(Message(b"try"), work)
    await until_async(lambda: len(counts) == 3, "three attempts")
    assert counts == [0, 1, 2]


async def test_expiration_in_seconds(channel, names):
    queue = await channel.declare_queue(names.queue())
    await channel.default_exchange.publish(Message(b"x", expiration=0.05), queue.name)

    async def empty():
        answer = await channel.declare_queue(queue.name, passive=True)
        return answer.declaration_result.message_count == 0

    await until_async(empty, "the expiry")


async def test_large_bodies_arrive_whole(channel, names):
    queue = await channel.declare_queue(names.queue())
    body = os.urandom(8 << 20)
    await channel.default_exchange.publish(Message(body), queue.name)
    message = await queue.get(timeout=20)
    assert message.body == body
    await message.ack()


async def test_transactions(connection, names):
    async with connection.channel(publisher_confirms=False) as channel:
        queue = await channel.declare_queue(names.queue())
        async with channel.transaction():
            await channel.default_exchange.publish(Message(b"kept"), queue.name)
        with pytest.raises(RuntimeError):
            async with channel.transaction():
                await channel.default_exchange.publish(Message(b"undone"), queue.name)
                raise RuntimeError("roll back")
        assert (await queue.get(timeout=5, no_ack=True)).body == b"kept"
        assert await queue.get(fail=False, no_ack=True) is None


async def test_channel_errors_have_their_own_types_and_a_new_channel_carries_on(
    connection, names
):
    name = names.queue()
    async with connection.channel() as channel:
        await channel.declare_queue(name, durable=True)
    missing = broker.unique("missing")

    channel = await connection.channel()
    with pytest.raises(ChannelNotFoundEntity, match=f"no queue '{missing}' in vhost"):
        await channel.declare_queue(missing, passive=True)
    channel = await connection.channel()
    with pytest.raises(ChannelPreconditionFailed, match="inequivalent arg 'durable'"):
        await channel.declare_queue(name, durable=False)
    channel = await connection.channel()
    with pytest.raises(ChannelAccessRefused, match="reserved prefix"):
        await channel.declare_queue("amq.mine")
    async with connection.channel() as channel:
        assert (await channel.declare_queue(name, durable=True)).name == name


async def test_an_exclusive_queue_is_locked_for_others(connection, channel):
    name = broker.unique("exclusive")
    await channel.declare_queue(name, exclusive=True)
    async with await aio_pika.connect(broker.AMQP_URL) as other:
        with pytest.raises(ChannelLockedResource):
            await (await other.channel()).declare_queue(name, exclusive=True)


async def test_an_idle_connection_with_a_short_heartbeat_stays_open():
    """Longer than twice the interval, so that only heartbeats keep it open."""
    url = broker.url(query="heartbeat=1")
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        loop = asyncio.get_running_loop()
        end = loop.time() + 3.5
        await until_async(lambda: loop.time() > end, "the idle time")
        assert not connection.is_closed
        assert (await channel.declare_queue(exclusive=True)).name
