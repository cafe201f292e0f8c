"""Consuming: acknowledgements, requeues, prefetch, cancel both ways."""

import threading

import broker
import pika
import pytest
from blocking import bodies, get, pump, until_ready
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker
from waiting import until


def publish(channel, queue, *messages):
    for body in messages:
        channel.basic_publish("", queue, body)
    until_ready(channel, queue, len(messages))


@pytest.fixture
def queue(channel, names):
    name = names.queue()
    channel.queue_declare(name)
    return name


class Collector:
    """A consumer that keeps what it is given and settles nothing itself."""

    def __init__(self, channel, queue, **arguments):
        self.messages = []
        self.tag = channel.basic_consume(queue, self._on_message, **arguments)

    def _on_message(self, _channel, method, properties, body):
        self.messages.append((method, properties, body))

    @property
    def bodies(self):
        return [body for _, _, body in self.messages]

    def tags(self):
        return [method.delivery_tag for method, _, _ in self.messages]


def test_acknowledged_messages_are_gone_and_the_rest_comes_back(connect, channel, queue):
    publish(channel, queue, b"1", b"2", b"3", b"4")
    connection = connect()
    working = connection.channel()
    consumer = Collector(working, queue)
    pump(connection, lambda: len(consumer.messages) == 4, "four deliveries")
    assert [m[0].redelivered for m in consumer.messages] == [False] * 4
    working.basic_ack(2)
    connection.close()
    until_ready(channel, queue, 3)
    for expected in (b"1", b"3", b"4"):
        method, _, body = get(channel, queue)
        assert (body, method.redelivered) == (expected, True)


def test_multiple_ack_settles_all_up_to_the_tag(connect, channel, queue):
    publish(channel, queue, b"1", b"2", b"3", b"4")
    connection = connect()
    working = connection.channel()
    consumer = Collector(working, queue)
    pump(connection, lambda: len(consumer.messages) == 4, "four deliveries")
    working.basic_ack(3, multiple=True)
    working.close()
    assert bodies(channel, queue, 1) == [b"4"]


def test_ack_of_zero_with_multiple_settles_everything(connection, channel, queue):
    publish(channel, queue, b"1", b"2")
    consumer = Collector(channel, queue)
    pump(connection, lambda: len(consumer.messages) == 2, "two deliveries")
    channel.basic_ack(0, multiple=True)
    channel.basic_cancel(consumer.tag)
    channel.close()
    assert bodies(connection.channel(), queue, 0) == []


def test_nack_and_reject_with_requeue_keep_the_position(channel, queue):
    publish(channel, queue, b"1", b"2", b"3")
    first, _, _ = get(channel, queue, auto_ack=False)
    second, _, _ = get(channel, queue, auto_ack=False)
    channel.basic_reject(first.delivery_tag, requeue=True)
    channel.basic_nack(second.delivery_tag, requeue=True)
    until_ready(channel, queue, 3)
    seen = [get(channel, queue) for _ in range(3)]
    assert [body for _, _, body in seen] == [b"1", b"2", b"3"]
    assert [method.redelivered for method, _, _ in seen] == [True, True, False]


def test_multiple_nack_requeues_in_order(channel, queue):
    publish(channel, queue, b"1", b"2", b"3", b"4")
    for _ in range(3):
        method, _, _ = get(channel, queue, auto_ack=False)
    channel.basic_nack(method.delivery_tag, multiple=True, requeue=True)
    until_ready(channel, queue, 4)
    assert bodies(channel, queue, 4) == [b"1", b"2", b"3", b"4"]


def test_reject_without_requeue_drops(channel, queue):
    publish(channel, queue, b"1", b"2")
    method, _, _ = get(channel, queue, auto_ack=False)
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert bodies(channel, queue, 1) == [b"2"]


def test_recover_requeues_everything_unacknowledged(channel, queue):
    publish(channel, queue, b"1", b"2")
    get(channel, queue, auto_ack=False)
    get(channel, queue, auto_ack=False)
    channel.basic_recover(requeue=True)
    until_ready(channel, queue, 2)
    method, _, body = get(channel, queue)
    assert (body, method.redelivered) == (b"1", True)


def test_recover_without_requeue_is_540(channel):
    with pytest.raises(ConnectionClosedByBroker) as error:
        channel.basic_recover(requeue=False)
    assert error.value.reply_code == 540


def test_an_unknown_delivery_tag_is_406_and_a_new_channel_carries_on(connection, channel, queue):
    publish(channel, queue, b"1")
    method, _, _ = get(channel, queue, auto_ack=False)
    channel.basic_ack(method.delivery_tag)
    channel.basic_ack(method.delivery_tag)
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.queue_declare(queue, passive=True)
    assert error.value.reply_code == 406
    assert error.value.reply_text == "PRECONDITION_FAILED - unknown delivery tag 1"
    fresh = connection.channel()
    publish(fresh, queue, b"2")
    assert bodies(fresh, queue, 1) == [b"2"]


def test_get_tells_how_many_remain_and_answers_empty(channel, queue):
    assert channel.basic_get(queue) == (None, None, None)
    publish(channel, queue, b"1", b"2", b"3")
    assert [get(channel, queue)[0].message_count for _ in range(3)] == [2, 1, 0]


def test_prefetch_bounds_each_consumer(connection, channel, queue):
    publish(channel, queue, *(b"%d" % n for n in range(10)))
    channel.basic_qos(prefetch_count=2)
    first, second = Collector(channel, queue), Collector(channel, queue)
    pump(connection, lambda: len(first.messages) + len(second.messages) == 4, "two each")
    # The queue still holds the rest: nothing beyond the limit is on its way.
    assert channel.queue_declare(queue, passive=True).method.message_count == 6
    assert len(first.messages) == len(second.messages) == 2
    channel.basic_ack(first.tags()[0])
    pump(connection, lambda: len(first.messages) == 3, "one more for the first")
    assert channel.queue_declare(queue, passive=True).method.message_count == 5


def test_global_prefetch_is_shared_and_raising_it_reaches_live_consumers(
    connection, channel, queue
):
    publish(channel, queue, *(b"%d" % n for n in range(10)))
    channel.basic_qos(prefetch_count=3, global_qos=True)
    consumers = [Collector(channel, queue), Collector(channel, queue)]

    def delivered():
        return sum(len(one.messages) for one in consumers)

    pump(connection, lambda: delivered() == 3, "three in all")
    assert channel.queue_declare(queue, passive=True).method.message_count == 7
    channel.basic_qos(prefetch_count=5, global_qos=True)
    pump(connection, lambda: delivered() == 5, "five after raising the limit")
    assert channel.queue_declare(queue, passive=True).method.message_count == 5


def test_per_consumer_prefetch_changed_on_a_live_channel(connection, channel, queue):
    """RabbitMQ applies it to later consumers only; Leveret to the running ones
    too, which is what Celery needs (a documented deviation)."""
    product = connection._impl.server_properties["product"]
    publish(channel, queue, *(b"%d" % n for n in range(10)))
    channel.basic_qos(prefetch_count=1)
    running = Collector(channel, queue)
    pump(connection, lambda: len(running.messages) == 1, "one delivery")
    channel.basic_qos(prefetch_count=4)
    expected = 1 if product == "RabbitMQ" else 4
    later = Collector(channel, queue)
    pump(connection, lambda: len(later.messages) == 4, "four for the later consumer")
    pump(connection, lambda: len(running.messages) >= expected, "the running consumer's share")
    remaining = channel.queue_declare(queue, passive=True).method.message_count
    assert (len(running.messages), remaining) == (expected, 6 - expected)


def test_prefetch_does_not_hold_an_auto_ack_consumer(connection, channel, queue):
    publish(channel, queue, *(b"%d" % n for n in range(10)))
    channel.basic_qos(prefetch_count=1)
    consumer = Collector(channel, queue, auto_ack=True)
    pump(connection, lambda: len(consumer.messages) == 10, "all ten")


def test_cancel_returns_what_was_prefetched_to_the_queue(connection, channel, queue):
    publish(channel, queue, b"1", b"2", b"3")
    seen = []
    for method, _, body in channel.consume(queue):
        seen.append(body)
        channel.basic_ack(method.delivery_tag)
        break
    channel.cancel()
    channel.close()
    assert seen == [b"1"]
    assert bodies(connection.channel(), queue, 2) == [b"2", b"3"]


@pytest.mark.parametrize("settled", [True, False], ids=["acked", "unacked"])
@pytest.mark.parametrize("end", ["cancel", "close", "error"])
def test_a_later_consumer_of_the_same_connection_is_served(
    connection, channel, queue, end, settled
):
    """After a consumer ended in any way, the next one gets what it left and
    what is published afterwards."""
    working = connection.channel()
    first = Collector(working, queue)
    channel.basic_publish("", queue, b"1")
    pump(connection, lambda: first.messages, "the first delivery")
    if settled:
        working.basic_ack(first.tags()[0])
    if end == "cancel":
        working.basic_cancel(first.tag)
    elif end == "close":
        working.close()
    else:
        with pytest.raises(ChannelClosedByBroker):
            working.queue_declare(broker.unique("missing"), passive=True)
    # A cancelled consumer's messages stay with its channel, which is open.
    returned = [] if settled or end == "cancel" else [b"1"]
    later = Collector(connection.channel(), queue)
    channel.basic_publish("", queue, b"2")
    pump(connection, lambda: len(later.messages) == len(returned) + 1, "what is left")
    assert later.bodies == [*returned, b"2"]
    assert [method.redelivered for method, _, _ in later.messages] == (
        [True] * len(returned) + [False]
    )


def test_the_consume_generator_ends_by_inactivity(channel, queue):
    publish(channel, queue, b"1", b"2")
    seen = []
    for method, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.3):
        if method is None:
            break
        seen.append(body)
    assert seen == [b"1", b"2"]


def test_start_consuming_runs_until_stopped(channel, queue):
    publish(channel, queue, b"1", b"2", b"stop")
    seen = []

    def on_message(_channel, method, _properties, body):
        seen.append(body)
        channel.basic_ack(method.delivery_tag)
        if body == b"stop":
            channel.stop_consuming()

    channel.basic_consume(queue, on_message)
    channel.start_consuming()
    assert seen == [b"1", b"2", b"stop"]


def test_deleting_the_queue_cancels_its_consumers(connect, connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    cancelled = []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    tags = {Collector(channel, queue).tag for _ in range(2)}
    connect().channel().queue_delete(queue)
    pump(connection, lambda: len(cancelled) == 2, "both cancels")
    assert set(cancelled) == tags
    # The channel outlives its consumers.
    assert channel.queue_declare("", exclusive=True).method.queue


def test_start_consuming_returns_when_the_queue_is_deleted(connection, channel, queue):
    Collector(channel, queue)
    killer = connection.channel()
    connection.call_later(0, lambda: killer._impl.queue_delete(queue))
    channel.start_consuming()
    assert channel.consumer_tags == []


def test_an_exclusive_consumer_shuts_others_out_with_403(connection, channel, queue):
    Collector(channel, queue, exclusive=True)
    with pytest.raises(ChannelClosedByBroker) as error:
        Collector(connection.channel(), queue)
    assert error.value.reply_code == 403
    assert error.value.reply_text == (
        f"ACCESS_REFUSED - queue '{queue}' in vhost '{broker.VHOST}' in exclusive use"
    )


def test_reusing_a_consumer_tag_closes_the_connection_with_530(connection, channel, queue):
    Collector(channel, queue, consumer_tag="mine")
    # pika itself refuses the tag on the same channel object, so the method is
    # written as a client without that check would.
    channel._impl._send_method(pika.spec.Basic.Consume(queue=queue, consumer_tag="mine"))
    with pytest.raises(ConnectionClosedByBroker) as error:
        channel.queue_declare(queue, passive=True)
    assert error.value.reply_code == 530
    assert error.value.reply_text == "NOT_ALLOWED - attempt to reuse consumer tag 'mine'"


def test_consumers_of_higher_priority_are_served_first(connection, channel, queue):
    channel.basic_qos(prefetch_count=2)
    low = Collector(channel, queue, arguments={"x-priority": -1})
    high = Collector(channel, queue, arguments={"x-priority": 10})
    for number in range(3):
        channel.basic_publish("", queue, b"%d" % number)
    pump(connection, lambda: len(low.messages) + len(high.messages) == 3, "three deliveries")
    assert (high.bodies, low.bodies) == ([b"0", b"1"], [b"2"])


def test_equal_consumers_take_turns(connection, channel, queue):
    consumers = [Collector(channel, queue) for _ in range(3)]
    for number in range(9):
        channel.basic_publish("", queue, b"%d" % number)
    pump(connection, lambda: sum(len(c.messages) for c in consumers) == 9, "nine deliveries")
    assert [len(consumer.messages) for consumer in consumers] == [3, 3, 3]


def test_a_single_active_consumer_hands_over_when_cancelled(connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue, arguments={"x-single-active-consumer": True})
    active, waiting = Collector(channel, queue), Collector(channel, queue)
    channel.basic_publish("", queue, b"1")
    pump(connection, lambda: active.bodies == [b"1"], "the active consumer's message")
    channel.basic_cancel(active.tag)
    channel.basic_publish("", queue, b"2")
    pump(connection, lambda: waiting.bodies == [b"2"], "the next consumer's message")
    assert active.bodies == [b"1"]


def test_acknowledging_from_worker_threads(connect, channel, queue):
    """The documented way to work in threads: acks travel back by
    add_callback_threadsafe."""
    connection = connect(heartbeat=5)
    working = connection.channel()
    working.basic_qos(prefetch_count=5)
    acked, threads = [], []

    def acknowledge(tag):
        working.basic_ack(tag)
        acked.append(tag)

    def work(tag):
        connection.add_callback_threadsafe(lambda: acknowledge(tag))

    def on_message(_channel, method, _properties, _body):
        threads.append(threading.Thread(target=work, args=(method.delivery_tag,)))
        threads[-1].start()

    publish(channel, queue, *(b"%d" % n for n in range(50)))
    working.basic_consume(queue, on_message)
    pump(connection, lambda: len(acked) == 50, "fifty acks from threads")
    for thread in threads:
        thread.join()
    connection.close()
    until(
        lambda: channel.queue_declare(queue, passive=True).method.consumer_count == 0,
        "the consumer to go",
    )
    assert bodies(channel, queue, 0) == []
