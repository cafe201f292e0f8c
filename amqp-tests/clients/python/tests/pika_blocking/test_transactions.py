"""tx.select, commit and rollback."""

import broker
import pytest
from blocking import bodies, get, pump, until_ready
from pika.exceptions import ChannelClosedByBroker


@pytest.fixture
def queue(channel, names):
    name = names.queue()
    channel.queue_declare(name)
    return name


def test_publishes_appear_at_commit(connection, channel, queue):
    other = connection.channel()
    channel.tx_select()
    channel.basic_publish("", queue, b"1")
    channel.basic_publish("", queue, b"2")
    # A synchronous method on the same channel: the publishes have been read.
    assert channel.queue_declare(queue, passive=True).method.message_count == 0
    channel.tx_commit()
    until_ready(other, queue, 2)
    assert bodies(other, queue, 2) == [b"1", b"2"]


def test_rolled_back_publishes_are_gone_and_the_next_transaction_works(channel, queue):
    channel.tx_select()
    channel.basic_publish("", queue, b"undone")
    channel.tx_rollback()
    channel.basic_publish("", queue, b"kept")
    channel.tx_commit()
    until_ready(channel, queue, 1)
    assert get(channel, queue)[2] == b"kept"


def test_acks_count_at_commit_and_a_rollback_undoes_them(connection, channel, queue):
    channel.basic_publish("", queue, b"1")
    until_ready(channel, queue, 1)
    worker = connection.channel()
    worker.tx_select()
    method, _, _ = get(worker, queue, auto_ack=False)
    worker.basic_ack(method.delivery_tag)
    worker.tx_rollback()
    worker.close()
    until_ready(channel, queue, 1)

    worker = connection.channel()
    worker.tx_select()
    method, _, _ = get(worker, queue, auto_ack=False)
    assert method.redelivered
    worker.basic_ack(method.delivery_tag)
    worker.tx_commit()
    worker.close()
    assert bodies(channel, queue, 0) == []


def test_closing_without_commit_undoes_everything(connection, channel, queue):
    unfinished = connection.channel()
    unfinished.tx_select()
    unfinished.basic_publish("", queue, b"never")
    unfinished.close()
    assert bodies(channel, queue, 0) == []


def test_moving_a_message_between_queues_in_one_transaction(connection, channel, queue, names):
    target = names.queue("target")
    channel.queue_declare(target)
    channel.basic_publish("", queue, b"moved")
    until_ready(channel, queue, 1)
    worker = connection.channel()
    worker.tx_select()
    method, _, body = get(worker, queue, auto_ack=False)
    worker.basic_publish("", target, body)
    worker.basic_ack(method.delivery_tag)
    worker.tx_commit()
    worker.close()
    assert bodies(channel, target, 1) == [b"moved"]
    assert bodies(channel, queue, 0) == []


def test_an_unroutable_mandatory_message_returns_at_commit(connection, channel):
    returned = []
    channel.add_on_return_callback(lambda *message: returned.append(message))
    channel.tx_select()
    channel.basic_publish("", broker.unique("nobody"), b"back", mandatory=True)
    assert channel.queue_declare("", exclusive=True).method.queue
    connection.process_data_events(time_limit=0)
    assert returned == [], "nothing returns before the commit"
    channel.tx_commit()
    pump(connection, lambda: returned, "the return")
    assert (returned[0][1].reply_code, returned[0][3]) == (312, b"back")


def test_commit_without_select_is_406(channel):
    with pytest.raises(ChannelClosedByBroker) as error:
        channel.tx_commit()
    assert error.value.reply_code == 406
    assert error.value.reply_text == "PRECONDITION_FAILED - channel is not transactional"


def test_confirm_and_tx_exclude_each_other(connection):
    confirming = connection.channel()
    confirming.confirm_delivery()
    with pytest.raises(ChannelClosedByBroker) as error:
        confirming.tx_select()
    assert error.value.reply_text == "PRECONDITION_FAILED - cannot switch from confirm to tx mode"
    transactional = connection.channel()
    transactional.tx_select()
    with pytest.raises(ChannelClosedByBroker) as error:
        transactional.confirm_delivery()
    assert error.value.reply_text == "PRECONDITION_FAILED - cannot switch from tx to confirm mode"
