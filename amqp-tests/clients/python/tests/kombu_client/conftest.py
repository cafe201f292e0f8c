"""Fixtures of the kombu suite (its transport is py-amqp)."""

import broker
import kombu
import pytest


@pytest.fixture
def connection():
    with kombu.Connection(broker.AMQP_URL) as connection:
        yield connection
