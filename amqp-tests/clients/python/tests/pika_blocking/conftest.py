"""Fixtures of the BlockingConnection suite."""

import broker
import pika
import pytest


@pytest.fixture
def connect():
    """Opens connections; each is closed when the test ends, if still open."""
    opened = []

    def open_connection(**changes):
        parameters = pika.URLParameters(broker.url(port=changes.pop("port", broker.PORT)))
        for name, value in changes.items():
            setattr(parameters, name, value)
        opened.append(pika.BlockingConnection(parameters))
        return opened[-1]

    yield open_connection
    for connection in opened:
        if connection.is_open:
            connection.close()


@pytest.fixture
def connection(connect):
    return connect()


@pytest.fixture
def channel(connection):
    return connection.channel()
