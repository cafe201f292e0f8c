"""What most pika BlockingConnection tests do to observe a queue."""

from waiting import until


def get(channel, queue, auto_ack=True):
    """The next message of a queue; waits for one. (method, properties, body)"""

    def attempt():
        message = channel.basic_get(queue, auto_ack=auto_ack)
        return message if message[0] is not None else None

    return until(attempt, f"a message in {queue}")


def bodies(channel, queue, count):
    """Exactly ``count`` bodies, in order, and nothing behind them."""
    found = [get(channel, queue)[2] for _ in range(count)]
    assert channel.basic_get(queue)[0] is None, f"more than {count} in {queue}"
    return found


def ready(channel, queue):
    """How many messages are ready, as a passive declare tells it."""
    return channel.queue_declare(queue, passive=True).method.message_count


def until_ready(channel, queue, count):
    until(
        lambda: ready(channel, queue) == count, f"{count} ready messages in {queue}"
    )


def pump(connection, condition, what, bound_s=20):
    """Runs a connection's events until a condition holds."""
    return until(
        condition,
        what,
        bound_s,
        step=lambda: connection.process_data_events(time_limit=0.05),
    )
