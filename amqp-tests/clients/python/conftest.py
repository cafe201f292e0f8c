"""Fixtures that every client's suite shares."""

import os

import broker
import pika
import pytest
import relay as relay_module


class Names:
    """Hands out names of queues and exchanges, and deletes what bears them
    when the test ends, whatever became of the test's own connection."""

    def __init__(self):
        self._queues = []
        self._exchanges = []

    def queue(self, what="queue"):
        self._queues.append(broker.unique(what))
        return self._queues[-1]

    def exchange(self, what="exchange"):
        self._exchanges.append(broker.unique(what))
        return self._exchanges[-1]

    def delete_all(self):
        if not self._queues and not self._exchanges:
            return
        connection = pika.BlockingConnection(pika.URLParameters(broker.url()))
        try:
            channel = connection.channel()
            for name in self._queues:
                channel.queue_delete(name)
            # kombu's SimpleQueue declares an exchange of the queue's name too.
            for name in self._exchanges + self._queues:
                channel.exchange_delete(name)
        finally:
            connection.close()


@pytest.fixture
def names():
    names = Names()
    yield names
    names.delete_all()


@pytest.fixture
def relay():
    """A relay to the broker that this test may cut or freeze."""
    relay = relay_module.Relay()
    yield relay
    relay.stop()


def pytest_collection_modifyitems(items):
    """TLS tests run where a TLS listener is told, and are named where not."""
    mutual = all(os.environ.get(name) for name in ("TLS_CERT", "TLS_KEY"))
    for item in items:
        if item.get_closest_marker("tls") and not broker.AMQPS_URL:
            item.add_marker(pytest.mark.skip(reason="no AMQPS_URL and TLS_CA given"))
        if item.get_closest_marker("mutual_tls") and not (broker.AMQPS_URL and mutual):
            item.add_marker(pytest.mark.skip(reason="no TLS_CERT and TLS_KEY given"))


def pytest_configure(config):
    config.addinivalue_line("markers", "tls: needs AMQPS_URL and TLS_CA")
    config.addinivalue_line("markers", "mutual_tls: needs TLS_CERT and TLS_KEY as well")
