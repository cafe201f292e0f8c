"""Opening, negotiating, failing, closing and reconnecting."""

import logging
import threading
import time

import broker
import pika
import pytest
from blocking import bodies, get, pump
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)
from waiting import until


def test_server_properties_tell_what_clients_look_for(connection):
    properties = connection._impl.server_properties
    assert properties["product"] and properties["version"] and properties["platform"]
    # Clients compare the version as numbers.
    assert [int(part) for part in properties["version"].split(".")[:2]] >= [3, 3]
    capabilities = properties["capabilities"]
    for name in (
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ):
        assert capabilities[name] is True, name
    assert connection.basic_nack_supported
    assert connection.consumer_cancel_notify_supported
    assert connection.publisher_confirms_supported


def test_a_wrong_password_is_403(connect):
    with pytest.raises(ProbableAuthenticationError) as error:
        connect(credentials=pika.PlainCredentials(broker.USER, "wrong"))
    assert "(403) 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN." in str(
        error.value
    )


def test_an_unknown_vhost_is_530(connect):
    with pytest.raises((ProbableAccessDeniedError, ConnectionClosedByBroker)) as error:
        connect(virtual_host="no-such-vhost")
    assert "NOT_ALLOWED - vhost no-such-vhost not found" in str(error.value)


def test_a_named_connection_and_its_client_properties(connect):
    connection = connect(client_properties={"connection_name": broker.unique("named")})
    assert connection.channel().queue_declare("", exclusive=True).method.queue


@pytest.mark.parametrize(
    ("asked", "expected"), [(5, 5), (0, 0), (3600, 3600)]
)
def test_the_clients_heartbeat_is_taken(connect, asked, expected):
    connection = connect(heartbeat=asked)
    assert connection._impl.params.heartbeat == expected
    assert connection.channel().is_open


def test_the_lower_frame_max_is_taken(connect):
    assert connect(frame_max=4096)._impl.params.frame_max == 4096
    assert connect(frame_max=131072)._impl.params.frame_max == 131072


def test_a_channel_beyond_the_negotiated_count_is_refused(connect):
    connection = connect(channel_max=3)
    for _ in range(3):
        connection.channel()
    with pytest.raises(pika.exceptions.NoFreeChannels):
        connection.channel()
    # pika counts by itself; made to forget, it learns it from the broker.
    connection._impl.params.channel_max = 100
    with pytest.raises(ConnectionClosedByBroker) as error:
        connection.channel()
    assert error.value.reply_code == 530
    assert error.value.reply_text == (
        "NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)"
    )


def test_high_channel_numbers_and_reuse(connection):
    channel = connection.channel(channel_number=2000)
    channel.close()
    again = connection.channel(channel_number=2000)
    assert again.queue_declare("", exclusive=True).method.queue


def test_many_channels_open_and_close(connection):
    channels = [connection.channel() for _ in range(200)]
    queues = [c.queue_declare("", exclusive=True).method.queue for c in channels[:20]]
    for channel in channels:
        channel.close()
    assert len(set(queues)) == 20
    assert connection.channel().is_open


def test_an_idle_connection_with_a_short_heartbeat_stays_open(connect):
    """Nothing but heartbeats passes for several intervals."""
    connection = connect(heartbeat=1)
    channel = connection.channel()
    received_before = connection._impl._heartbeat_checker._heartbeat_frames_received
    checker = connection._impl._heartbeat_checker
    pump(
        connection,
        lambda: checker._heartbeat_frames_received >= received_before + 3,
        "three heartbeats from the broker",
    )
    assert connection.is_open
    assert channel.queue_declare("", exclusive=True).method.queue


def test_a_client_that_stops_beating_is_dropped(connect):
    """The client sleeps past its own heartbeats; the broker lets go of it."""
    queue = broker.unique("silent")
    silent, other = connect(heartbeat=1), connect()
    silent.channel().queue_declare(queue, exclusive=True)

    def free():
        probe = other.channel()
        try:
            probe.queue_declare(queue, exclusive=True)
        except ChannelClosedByBroker as error:
            assert error.reply_code == 405
            return False
        return True

    until(free, "the silent client's exclusive queue to be released")
    with pytest.raises(AMQPConnectionError):
        pump(silent, lambda: False, "the end of the silent connection")


def test_a_broker_behind_a_silent_network_lets_go_of_the_client(connect, relay):
    """The client beats, but nothing arrives; both sockets stay open."""
    queue = broker.unique("frozen")
    connection, other = connect(port=relay.port, heartbeat=1), connect()
    connection.channel().queue_declare(queue, exclusive=True)
    relay.freeze()

    def gone():
        probe = other.channel()
        with pytest.raises(ChannelClosedByBroker) as error:
            probe.queue_declare(queue, passive=True)
        assert error.value.reply_code in (404, 405)
        return error.value.reply_code == 404

    pump(connection, gone, "the broker to notice")
    relay.thaw()
    with pytest.raises(AMQPConnectionError):
        pump(connection, lambda: False, "the client to learn of it")


def test_a_connection_error_on_one_channel_ends_them_all_with_its_code(connection, channel):
    other = connection.channel()
    with pytest.raises(ConnectionClosedByBroker) as error:
        other.basic_qos(prefetch_size=10)
    assert error.value.reply_code == 540
    assert error.value.reply_text == "NOT_IMPLEMENTED - prefetch_size!=0 (10)"
    assert connection.is_closed and channel.is_closed and other.is_closed
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        channel.queue_declare("", exclusive=True)


def test_a_channel_error_leaves_the_other_channels_working(connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    seen = []
    channel.basic_consume(queue, lambda *message: seen.append(message[3]), auto_ack=True)
    for _ in range(10):
        failing = connection.channel()
        with pytest.raises(ChannelClosedByBroker):
            failing.queue_declare(broker.unique("missing"), passive=True)
    channel.basic_publish("", queue, b"still here")
    pump(connection, lambda: seen == [b"still here"], "the delivery")


def test_flow_active_is_answered_and_inactive_is_540(connection, channel):
    assert channel.flow(True) is True
    with pytest.raises(ConnectionClosedByBroker) as error:
        channel.flow(False)
    assert error.value.reply_code == 540


def test_closing_is_orderly_and_final(connect):
    connection = connect()
    channel = connection.channel()
    connection.close(reply_code=320, reply_text="that is all")
    assert connection.is_closed and channel.is_closed
    with pytest.raises(pika.exceptions.ConnectionWrongStateError):
        connection.channel()


def test_a_cut_connection_returns_its_messages_and_a_new_one_gets_them(
    connect, channel, names, relay
):
    queue = names.queue()
    channel.queue_declare(queue)
    doomed = connect(port=relay.port)
    worker = doomed.channel()
    worker.basic_qos(prefetch_count=3)
    taken = []
    worker.basic_consume(queue, lambda *message: taken.append(message[3]))
    for number in range(5):
        channel.basic_publish("", queue, b"%d" % number)
    pump(doomed, lambda: len(taken) == 3, "three deliveries")
    relay.cut()
    with pytest.raises(AMQPConnectionError):
        pump(doomed, lambda: False, "the cut")
    seen = []
    for _ in range(5):
        # The two that were never delivered may be taken before the rest is back.
        method, _, body = get(channel, queue)
        seen.append((body, method.redelivered))
    assert sorted(seen) == [
        (b"0", True), (b"1", True), (b"2", True), (b"3", False), (b"4", False)
    ]


def test_a_consumer_that_reconnects_in_a_loop_misses_nothing(connect, channel, names, relay):
    """The recipe of pika's documentation: a loop around connect and consume."""
    queue = names.queue()
    channel.queue_declare(queue)
    seen, connections, cuts = set(), [], []
    logging.getLogger("pika").setLevel(logging.CRITICAL)

    def consume():
        while len(seen) < 60:
            try:
                connection = pika.BlockingConnection(
                    pika.URLParameters(broker.url(port=relay.port))
                )
                connections.append(connection)
                working = connection.channel()
                working.basic_qos(prefetch_count=10)

                def on_message(_channel, method, _properties, body, working=working):
                    working.basic_ack(method.delivery_tag)
                    seen.add(body)
                    if len(seen) == 60:
                        working.stop_consuming()

                working.basic_consume(queue, on_message)
                working.start_consuming()
                connection.close()
            except AMQPConnectionError:
                continue

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    for number in range(60):
        channel.basic_publish("", queue, b"%d" % number)
        if number % 20 == 10:
            waiting_for = len(cuts) + 1
            until(lambda n=waiting_for: len(connections) >= n, "the consumer's connection")
            until(lambda n=number: len(seen) > n - 5, "some progress")
            relay.cut()
            cuts.append(number)
    consumer.join(timeout=20)
    assert not consumer.is_alive()
    assert seen == {b"%d" % n for n in range(60)}
    assert len(connections) == 4


def test_connecting_retries_until_the_broker_is_there(relay):
    relay.refuse()
    threading.Timer(0.5, relay.listen).start()
    parameters = pika.URLParameters(broker.url(port=relay.port))
    parameters.connection_attempts = 50
    parameters.retry_delay = 0.1
    connection = pika.BlockingConnection(parameters)
    assert connection.is_open
    connection.close()


def test_several_hosts_are_tried_in_turn(relay):
    relay.refuse()
    dead = pika.URLParameters(broker.url(port=relay.port))
    connection = pika.BlockingConnection([dead, pika.URLParameters(broker.url())])
    assert connection.is_open
    connection.close()


def test_messages_and_queues_survive_reconnecting(connect, names):
    queue = names.queue()
    first = connect()
    channel = first.channel()
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"waits", pika.BasicProperties(delivery_mode=2))
    first.close()
    assert bodies(connect().channel(), queue, 1) == [b"waits"]


def test_timers_run_while_a_connection_is_idle(connection):
    fired = []
    connection.call_later(0.05, lambda: fired.append(time.monotonic()))
    pump(connection, lambda: fired, "the timer")
    assert connection.is_open
