"""aio-pika's own patterns: RPC, Master/Worker, pools."""

import asyncio

import aio_pika
import broker
import pytest
from aio_pika.patterns import RPC, Master, NackMessage, RejectMessage
from aio_pika.pool import Pool
from waiting import until_async


@pytest.fixture
async def rpc(connection):
    channel = await connection.channel()
    rpc = await RPC.create(channel)
    yield rpc
    await rpc.close()


async def test_rpc_calls_in_parallel(rpc, names):
    async def multiply(x, y):
        return x * y

    method = names.queue("rpc")
    await rpc.register(method, multiply, auto_delete=True)
    results = await asyncio.gather(
        *(rpc.call(method, kwargs={"x": n, "y": 3}) for n in range(50))
    )
    assert results == [3 * n for n in range(50)]


async def test_rpc_carries_exceptions_back(rpc, names):
    async def fail():
        raise ValueError("from the other side")

    method = names.queue("rpc")
    await rpc.register(method, fail, auto_delete=True)
    with pytest.raises(ValueError, match="from the other side"):
        await rpc.call(method)


async def test_an_rpc_to_nobody_fails_by_the_return(rpc):
    with pytest.raises(aio_pika.exceptions.MessageProcessError):
        await rpc.call(broker.unique("nobody"))


async def test_an_expired_rpc_fails_by_the_dead_letter(connection, rpc, names):
    """The request expires in the queue and comes back by the DLX that RPC
    declares; nobody serves the queue."""
    method = names.queue("rpc")
    channel = await connection.channel()
    await channel.declare_queue(
        method, arguments={"x-dead-letter-exchange": RPC.DLX_NAME}
    )
    with pytest.raises((TimeoutError, asyncio.TimeoutError, asyncio.CancelledError)):
        await rpc.call(method, expiration=0.1)


async def test_direct_reply_to_by_hand(connection, names):
    server, client = await connection.channel(), await connection.channel()
    queue = await server.declare_queue(names.queue("rpc"))

    async def on_request(message):
        async with message.process():
            await server.default_exchange.publish(
                aio_pika.Message(message.body.upper(), correlation_id=message.correlation_id),
                message.reply_to,
            )

    await queue.consume(on_request)
    replies = {}
    pseudo = await client.get_queue("amq.rabbitmq.reply-to", ensure=False)

    async def on_reply(message):
        replies[message.correlation_id] = message.body

    await pseudo.consume(on_reply, no_ack=True)
    for word in ("one", "two"):
        await client.default_exchange.publish(
            aio_pika.Message(
                word.encode(), reply_to="amq.rabbitmq.reply-to", correlation_id=word
            ),
            queue.name,
        )
    await until_async(lambda: len(replies) == 2, "both replies")
    assert replies == {"one": b"ONE", "two": b"TWO"}


async def test_master_and_workers(connection, names):
    name = names.queue("tasks")
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=5)
    master = Master(channel)
    done, attempts = [], {}

    async def work(*, task_id):
        attempts[task_id] = attempts.get(task_id, 0) + 1
        if task_id == 3 and attempts[task_id] == 1:
            raise NackMessage(requeue=True)
        if task_id == 4:
            raise RejectMessage(requeue=False)
        done.append(task_id)

    worker = await master.create_worker(name, work, auto_delete=False)
    await asyncio.gather(*(master.create_task(name, {"task_id": n}) for n in range(20)))
    await until_async(lambda: len(done) == 19, "all tasks but the rejected one")
    await worker.close()
    assert sorted(done) == [n for n in range(20) if n != 4]
    assert attempts[3] == 2


async def test_pools_of_connections_and_channels(names):
    async def get_connection():
        return await aio_pika.connect(broker.AMQP_URL)

    async with Pool(get_connection, max_size=2) as connections:

        async def get_channel():
            async with connections.acquire() as connection:
                return await connection.channel()

        async with Pool(get_channel, max_size=10) as channels:
            name = names.queue()
            async with channels.acquire() as channel:
                queue = await channel.declare_queue(name)

            async def publish(number):
                async with channels.acquire() as channel:
                    await channel.default_exchange.publish(
                        aio_pika.Message(b"%d" % number), name
                    )

            await asyncio.gather(*(publish(n) for n in range(100)))
            async with channels.acquire() as channel:
                queue = await channel.declare_queue(name, passive=True)
                assert queue.declaration_result.message_count == 100
