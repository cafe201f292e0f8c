"""Fixtures of the aio-pika suite."""

import aio_pika
import broker
import pytest


@pytest.fixture
async def connection():
    async with await aio_pika.connect(broker.AMQP_URL) as connection:
        yield connection


@pytest.fixture
async def channel(connection):
    async with connection.channel(on_return_raises=True) as channel:
        yield channel


@pytest.fixture
async def robust(relay):
    """A connection that restores itself, through a relay that can be cut."""
    url = broker.url(port=relay.port, query="reconnect_interval=0.1")
    connection = await aio_pika.connect_robust(url)
    yield connection
    await connection.close()
