"""connect_robust: what was declared and consumed comes back after a loss."""

import aio_pika
import broker
import pytest
from aio_pika import Message
from waiting import until_async


async def reconnected(connection, relay, count):
    await until_async(
        lambda: relay.accepted >= count and connection.connected.is_set(),
        "the connection to be restored",
    )


async def publish(url, queue, *messages):
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for body in messages:
            await channel.default_exchange.publish(Message(body), queue)


async def test_a_consumer_is_restored_after_each_cut(robust, relay, names):
    name = names.queue()
    channel = await robust.channel()
    await channel.set_qos(prefetch_count=5)
    queue = await channel.declare_queue(name, durable=True)
    seen = []

    async def on_message(message):
        seen.append(message.body)
        await message.ack()

    await queue.consume(on_message)
    for turn in range(3):
        await publish(broker.AMQP_URL, name, b"%d" % turn)
        await until_async(lambda t=turn: b"%d" % t in seen, f"the message of turn {turn}")
        relay.cut()
        await reconnected(robust, relay, turn + 2)
    await publish(broker.AMQP_URL, name, b"last")
    await until_async(lambda: b"last" in seen, "the last message")
    assert sorted(set(seen)) == [b"0", b"1", b"2", b"last"]


async def test_exclusive_queues_exchanges_and_bindings_are_declared_again(
    robust, relay, names
):
    """They died with the connection (queue) or auto-deleted (exchange)."""
    exchange_name = names.exchange()
    channel = await robust.channel()
    exchange = await channel.declare_exchange(
        exchange_name, aio_pika.ExchangeType.DIRECT, auto_delete=True
    )
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(exchange, "key")
    seen = []

    async def on_message(message):
        seen.append(message.body)
        await message.ack()

    await queue.consume(on_message)
    await exchange.publish(Message(b"before"), "key")
    await until_async(lambda: seen == [b"before"], "the first message")
    relay.cut()
    await reconnected(robust, relay, 2)

    async def arrives():
        try:
            await exchange.publish(Message(b"after"), "key")
        except (aio_pika.exceptions.AMQPError, RuntimeError):
            # The channel is restored after the connection is.
            return False
        return b"after" in seen

    await until_async(arrives, "a message over the restored binding")


async def test_unacknowledged_messages_are_redelivered_after_a_cut(robust, relay, names):
    name = names.queue()
    channel = await robust.channel()
    await channel.set_qos(prefetch_count=1)
    queue = await channel.declare_queue(name, durable=True)
    seen = []

    async def on_message(message):
        seen.append((message.body, message.redelivered))
        if message.redelivered:
            await message.ack()

    await queue.consume(on_message)
    await publish(broker.AMQP_URL, name, b"once more")
    await until_async(lambda: seen == [(b"once more", False)], "the first delivery")
    relay.cut()
    await until_async(lambda: len(seen) == 2, "the redelivery")
    assert seen[1] == (b"once more", True)


async def test_the_broker_being_away_for_a_while(robust, relay, names):
    name = names.queue()
    channel = await robust.channel()
    await channel.declare_queue(name, durable=True)
    relay.refuse()
    relay.cut()
    await until_async(lambda: not robust.connected.is_set(), "the loss to be noticed")
    relay.listen()
    await reconnected(robust, relay, 2)

    async def published():
        try:
            await channel.default_exchange.publish(Message(b"x"), name)
        except (aio_pika.exceptions.AMQPError, RuntimeError):
            return False
        return True

    await until_async(published, "a publish on the restored channel")


async def test_a_connection_error_by_the_broker_is_recovered_from(robust, relay, names):
    """An unknown exchange type closes the whole connection with 503; the
    consumer on its other channel is restored."""
    name = names.queue()
    channel, failing = await robust.channel(), await robust.channel()
    queue = await channel.declare_queue(name, durable=True)
    seen = []

    async def on_message(message):
        seen.append(message.body)
        await message.ack()

    await queue.consume(on_message)
    underlay = await failing.get_underlay_channel()
    with pytest.raises(aio_pika.exceptions.AMQPError):
        await underlay.exchange_declare(broker.unique("bad"), exchange_type="no-such-type")
    await reconnected(robust, relay, 2)
    await publish(broker.AMQP_URL, name, b"after")
    await until_async(lambda: seen == [b"after"], "the consumer to be restored")


async def test_a_deleted_queue_does_not_take_the_connection_along(robust, names):
    name = names.queue()
    channel = await robust.channel()
    queue = await channel.declare_queue(name, durable=True)

    async def on_message(message):
        await message.ack()

    await queue.consume(on_message)
    async with await aio_pika.connect(broker.AMQP_URL) as other:
        await (await other.channel()).queue_delete(name)
    other_channel = await robust.channel()
    assert (await other_channel.declare_queue(exclusive=True)).name
    assert not robust.is_closed
