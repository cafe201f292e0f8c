"""Declaring, binding, purging and deleting, and what refuses them."""

import broker
import pika
import pytest
from blocking import bodies, until_ready
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker
from waiting import until


def refused(code, text, call, *arguments, **named):
    """Asserts that a call closes the channel with this code and whole text."""
    with pytest.raises(ChannelClosedByBroker) as error:
        call(*arguments, **named)
    assert (error.value.reply_code, error.value.reply_text) == (code, text)


def test_declare_answers_with_name_and_counts(channel, names):
    queue = names.queue()
    answer = channel.queue_declare(queue).method
    assert (answer.queue, answer.message_count, answer.consumer_count) == (queue, 0, 0)
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", queue, body)
    until_ready(channel, queue, 3)
    channel.basic_consume(queue, lambda *_: None)
    assert channel.queue_declare(queue).method.consumer_count == 1


def test_server_named_queue_is_usable_by_its_name_and_as_the_last_declared(channel):
    name = channel.queue_declare("", exclusive=True).method.queue
    assert name.startswith("amq.gen-")
    channel.queue_bind("", "amq.direct", "")
    channel.basic_publish("amq.direct", name, b"by routing key")
    assert bodies(channel, name, 1) == [b"by routing key"]


def test_two_server_named_queues_differ(channel):
    first = channel.queue_declare("", exclusive=True).method.queue
    assert first != channel.queue_declare("", exclusive=True).method.queue


def test_passive_declare_of_a_missing_queue_is_404_and_a_new_channel_carries_on(
    connection, channel
):
    queue = broker.unique("missing")
    refused(
        404,
        f"NOT_FOUND - no queue '{queue}' in vhost '{broker.VHOST}'",
        channel.queue_declare,
        queue,
        passive=True,
    )
    assert channel.is_closed and connection.is_open
    fresh = connection.channel()
    assert fresh.queue_declare("", exclusive=True).method.queue


def test_passive_declare_of_a_missing_exchange_is_404(channel):
    exchange = broker.unique("missing")
    refused(
        404,
        f"NOT_FOUND - no exchange '{exchange}' in vhost '{broker.VHOST}'",
        channel.exchange_declare,
        exchange,
        passive=True,
    )


def test_redeclare_with_another_flag_is_406(channel, names):
    queue = names.queue()
    channel.queue_declare(queue, durable=True)
    refused(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{queue}' in vhost"
        f" '{broker.VHOST}': received 'false' but current is 'true'",
        channel.queue_declare,
        queue,
        durable=False,
    )


def test_redeclare_with_another_argument_is_406(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    refused(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '{queue}' in vhost"
        f" '{broker.VHOST}': received the value '1000' of type 'signedint' but current is none",
        channel.queue_declare,
        queue,
        arguments={"x-message-ttl": 1000},
    )


def test_redeclare_an_exchange_with_another_type_is_406(channel, names):
    exchange = names.exchange()
    channel.exchange_declare(exchange, "direct")
    refused(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'type' for exchange '{exchange}' in vhost"
        f" '{broker.VHOST}': received 'fanout' but current is 'direct'",
        channel.exchange_declare,
        exchange,
        "fanout",
    )


def test_an_invalid_argument_is_406(channel):
    queue = broker.unique("invalid")
    refused(
        406,
        f"PRECONDITION_FAILED - invalid arg 'x-expires' for queue '{queue}' in vhost"
        f" '{broker.VHOST}': {{value_zero,0}}",
        channel.queue_declare,
        queue,
        arguments={"x-expires": 0},
    )


def test_reserved_names_are_403(connection):
    refused(
        403,
        "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'",
        connection.channel().queue_declare,
        "amq.mine",
    )
    refused(
        403,
        "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'",
        connection.channel().exchange_declare,
        "amq.mine",
    )


def test_the_default_exchange_refuses_binds_with_403(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    refused(
        403,
        "ACCESS_REFUSED - operation not permitted on the default exchange",
        channel.queue_bind,
        queue,
        "",
        "key",
    )


def test_an_unknown_exchange_type_closes_the_connection_with_503(connection, channel):
    with pytest.raises(ConnectionClosedByBroker) as error:
        channel.exchange_declare(broker.unique("bad"), "no-such-type")
    assert error.value.reply_code == 503
    assert error.value.reply_text == "COMMAND_INVALID - unknown exchange type 'no-such-type'"
    assert connection.is_closed


def test_binding_to_a_missing_exchange_is_404(channel, names):
    queue = names.queue()
    exchange = broker.unique("missing")
    channel.queue_declare(queue)
    refused(
        404,
        f"NOT_FOUND - no exchange '{exchange}' in vhost '{broker.VHOST}'",
        channel.queue_bind,
        queue,
        exchange,
        "key",
    )


def test_purge_tells_how_many_it_removed(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    for _ in range(5):
        channel.basic_publish("", queue, b"x")
    until_ready(channel, queue, 5)
    assert channel.queue_purge(queue).method.message_count == 5
    assert channel.queue_purge(queue).method.message_count == 0


def test_delete_tells_how_many_it_removed_and_is_idempotent(channel, names):
    queue = names.queue()
    channel.queue_declare(queue)
    channel.basic_publish("", queue, b"x")
    until_ready(channel, queue, 1)
    assert channel.queue_delete(queue).method.message_count == 1
    assert channel.queue_delete(queue).method.message_count == 0


def test_delete_if_empty_and_if_unused_refuse_with_406(connection, names):
    queue = names.queue()
    keeper = connection.channel()
    keeper.queue_declare(queue)
    keeper.basic_publish("", queue, b"x")
    until_ready(keeper, queue, 1)
    refused(
        406,
        f"PRECONDITION_FAILED - queue '{queue}' in vhost '{broker.VHOST}' not empty",
        connection.channel().queue_delete,
        queue,
        if_empty=True,
    )
    keeper.basic_consume(queue, lambda *_: None)
    refused(
        406,
        f"PRECONDITION_FAILED - queue '{queue}' in vhost '{broker.VHOST}' in use",
        connection.channel().queue_delete,
        queue,
        if_unused=True,
    )


def test_exchange_delete_if_unused_refuses_while_bound(connection, channel, names):
    exchange, queue = names.exchange(), names.queue()
    channel.exchange_declare(exchange, "direct")
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange, "key")
    refused(
        406,
        f"PRECONDITION_FAILED - exchange '{exchange}' in vhost '{broker.VHOST}' in use",
        connection.channel().exchange_delete,
        exchange,
        if_unused=True,
    )
    channel.queue_unbind(queue, exchange, "key")
    channel.exchange_delete(exchange, if_unused=True)


def test_an_auto_delete_queue_goes_with_its_last_consumer(connection, channel, names):
    queue = names.queue()
    channel.queue_declare(queue, auto_delete=True)
    tags = [channel.basic_consume(queue, lambda *_: None) for _ in range(2)]
    channel.basic_cancel(tags[0])
    channel.queue_declare(queue, passive=True)
    channel.basic_cancel(tags[1])
    refused(
        404,
        f"NOT_FOUND - no queue '{queue}' in vhost '{broker.VHOST}'",
        channel.queue_declare,
        queue,
        passive=True,
    )


def test_an_auto_delete_exchange_goes_with_its_last_binding(channel, names):
    exchange, queue = names.exchange(), names.queue()
    channel.exchange_declare(exchange, "fanout", auto_delete=True)
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange)
    channel.exchange_declare(exchange, passive=True)
    channel.queue_unbind(queue, exchange)
    refused(
        404,
        f"NOT_FOUND - no exchange '{exchange}' in vhost '{broker.VHOST}'",
        channel.exchange_declare,
        exchange,
        passive=True,
    )


def test_an_exclusive_queue_is_locked_for_others_and_ends_with_its_owner(connect):
    queue = broker.unique("exclusive")
    owner, other = connect(), connect()
    owner.channel().queue_declare(queue, exclusive=True)
    refused(
        405,
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost"
        f" '{broker.VHOST}'. It could be originally declared on another connection or the"
        " exclusive property value does not match that of the original declaration.",
        other.channel().queue_declare,
        queue,
        exclusive=True,
    )
    refused_again = other.channel()
    with pytest.raises(ChannelClosedByBroker) as error:
        refused_again.basic_consume(queue, lambda *_: None)
    assert error.value.reply_code == 405
    owner.close()
    # The owner is gone, so the name is free for another connection.
    until(lambda: _declares(other, queue), "the exclusive queue to go")


def _declares(connection, queue):
    try:
        connection.channel().queue_declare(queue, exclusive=True)
    except ChannelClosedByBroker as error:
        assert error.reply_code == 405
        return False
    return True


def test_consuming_from_or_getting_a_missing_queue_is_404(connection):
    queue = broker.unique("missing")
    text = f"NOT_FOUND - no queue '{queue}' in vhost '{broker.VHOST}'"
    refused(404, text, connection.channel().basic_get, queue)
    refused(404, text, connection.channel().basic_consume, queue, lambda *_: None)
    refused(404, text, connection.channel().queue_purge, queue)


def test_publishing_to_a_missing_exchange_closes_the_channel_later(connection, channel):
    exchange = broker.unique("missing")
    closed = []
    channel._impl.add_on_close_callback(lambda _channel, reason: closed.append(reason))
    channel.basic_publish(exchange, "key", b"lost")
    with pytest.raises(pika.exceptions.AMQPChannelError):
        channel.queue_declare("", exclusive=True)
    assert closed[0].reply_code == 404
    assert closed[0].reply_text == (
        f"NOT_FOUND - no exchange '{exchange}' in vhost '{broker.VHOST}'"
    )
    assert connection.is_open
