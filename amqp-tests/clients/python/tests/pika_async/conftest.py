"""Both callback-driven adapters of pika under the same tests."""

import asyncio
import time

import broker
import pika
import pytest
from pika.adapters.asyncio_connection import AsyncioConnection

TICK_S = 0.01
BOUND_S = 20


class Driver:
    """Starts connections of one adapter and runs its loop until a condition
    holds; everything else is pika's own callback interface."""

    def __init__(self):
        self._opened = []

    def connect(self, **changes):
        """Begins to open a connection and waits for it to succeed."""
        connection, outcome = self.begin(**changes)
        self.until(lambda: outcome, "the connection to open or fail")
        assert outcome == ["open"], outcome
        return connection

    def begin(self, **changes):
        """Begins to open a connection; the outcome arrives in the list."""
        parameters = pika.URLParameters(broker.url(port=changes.pop("port", broker.PORT)))
        for name, value in changes.items():
            setattr(parameters, name, value)
        outcome = []
        connection = self.make(
            parameters,
            lambda _connection: outcome.append("open"),
            lambda _connection, error: outcome.append(error),
            lambda _connection, reason: outcome.append(reason),
        )
        connection.outcome = outcome
        self._opened.append(connection)
        return connection, outcome

    def channel(self, connection):
        opened = []
        connection.channel(on_open_callback=opened.append)
        self.until(lambda: opened, "the channel to open")
        channel = opened[0]
        channel.reasons = []
        channel.add_on_close_callback(lambda _channel, reason: channel.reasons.append(reason))
        return channel

    def call(self, method, *arguments, **named):
        """Calls a synchronous AMQP method and returns its answer."""
        answers = []
        method(*arguments, **named, callback=answers.append)
        self.until(lambda: answers, f"the answer to {method.__name__}")
        return answers[0].method

    def until(self, condition, what):
        end = time.monotonic() + BOUND_S
        failure = []

        def check():
            if condition():
                self.stop()
            elif time.monotonic() > end:
                failure.append(f"not within {BOUND_S} s: {what}")
                self.stop()
            else:
                self.later(TICK_S, check)

        self.later(0, check)
        self.run()
        assert not failure, failure[0]

    def finish(self):
        for connection in self._opened:
            if connection.is_open:
                connection.close()
            if not (connection.is_closed or connection.is_closing):
                continue
            self.until(lambda c=connection: c.is_closed, "the connection to close")
        self.dispose()


class SelectDriver(Driver):
    def __init__(self):
        super().__init__()
        self.loop = pika.adapters.select_connection.IOLoop()

    def make(self, parameters, on_open, on_open_error, on_close):
        return pika.SelectConnection(
            parameters, on_open, on_open_error, on_close, custom_ioloop=self.loop
        )

    def later(self, seconds, callback):
        self.loop.call_later(seconds, callback)

    def run(self):
        self.loop.start()

    def stop(self):
        self.loop.stop()

    def dispose(self):
        self.loop.close()


class AsyncioDriver(Driver):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def make(self, parameters, on_open, on_open_error, on_close):
        return AsyncioConnection(
            parameters, on_open, on_open_error, on_close, custom_ioloop=self.loop
        )

    def later(self, seconds, callback):
        self.loop.call_later(seconds, callback)

    def run(self):
        self.loop.run_forever()

    def stop(self):
        self.loop.stop()

    def dispose(self):
        self.loop.close()


@pytest.fixture(params=[SelectDriver, AsyncioDriver], ids=["select", "asyncio"])
def driver(request):
    driver = request.param()
    yield driver
    driver.finish()
