"""Workers that are lost, stopped, cut off or ordered by priority; chords."""


import time

import broker
import kombu
import pika
import pytest
from celery import chord, group
from kombu.transport.native_delayed_delivery import level_name
from waiting import until

WAIT_S = 30


def get(result):
    return result.get(timeout=WAIT_S)


def ready(queue):
    connection = pika.BlockingConnection(pika.URLParameters(broker.AMQP_URL))
    try:
        answer = connection.channel().queue_declare(queue, passive=True)
        return answer.method.message_count
    finally:
        connection.close()


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def test_chords_on_a_file_system_backend(make_suite, tmp_path):
    """A chord counts its header by a task that retries itself (ETA again)."""
    results = tmp_path / "results"
    results.mkdir()
    suite = make_suite(
        result_backend=f"file://{results}", result_chord_retry_interval=0.1
    )
    suite.worker("-P", "threads", "-c", "4")
    add, total = suite.task("add"), suite.task("total")
    assert get(chord((add.s(n, n) for n in range(10)), total.s())()) == 90
    assert get((group(add.s(n, 1) for n in range(5)) | total.s())()) == 15
    nested = chord([chord([add.s(1, 1), add.s(2, 2)], total.s()), add.s(4, 4)], total.s())
    assert get(nested()) == 14
    failing = chord([add.s(1, 1), suite.task("fail").s("in the header")], total.s())()
    with pytest.raises(Exception, match="in the header"):
        get(failing)


def test_priorities_order_waiting_tasks(make_suite, tmp_path):
    suite = make_suite(
        task_queue_max_priority=10,
        task_default_priority=0,
        worker_prefetch_multiplier=1,
        task_acks_late=True,
    )
    path = tmp_path / "order"
    for priority in (0, 9, 5, 9, 1):
        suite.task("note").apply_async((str(path), str(priority)), priority=priority)
    until(lambda: ready(suite.queue) == 5, "five waiting tasks")
    suite.worker("-P", "solo")
    until(lambda: len(lines(path)) == 5, "all tasks")
    assert lines(path) == ["9", "9", "5", "1", "0"]


def test_a_task_whose_pool_process_dies_runs_again(make_suite, tmp_path):
    suite = make_suite(worker_prefetch_multiplier=1)
    suite.worker("-P", "prefork", "-c", "1")
    assert get(suite.task("die_once").delay(str(tmp_path / "died"))) is True


def test_a_task_of_a_killed_worker_runs_on_another(make_suite, tmp_path):
    suite = make_suite(worker_prefetch_multiplier=1)
    first = suite.worker("-P", "solo", name="first")
    begun, release = tmp_path / "begun", tmp_path / "release"
    result = suite.task("hold").delay(str(begun), str(release))
    until(lambda: len(lines(begun)) == 1, "the task to begin")
    first.kill()
    second = suite.worker("-P", "solo", name="second")
    until(lambda: len(lines(begun)) == 2, "the task to begin again")
    release.touch()
    assert get(result) is True, "redelivered"
    assert lines(begun)[1] == str(second.process.pid)


def test_a_warm_shutdown_finishes_its_task_and_returns_the_rest(make_suite, tmp_path):
    suite = make_suite(worker_prefetch_multiplier=4)
    worker = suite.worker("-P", "threads", "-c", "1")
    begun, release = tmp_path / "begun", tmp_path / "release"
    noted = tmp_path / "noted"
    result = suite.task("hold").delay(str(begun), str(release))
    until(lambda: len(lines(begun)) == 1, "the task to begin")
    for number in range(3):
        suite.task("note").delay(str(noted), str(number))
    worker.until_logged("Task note", times=3)
    worker.terminate()
    worker.until_logged("Warm shutdown")
    release.touch()
    assert get(result) is False
    worker.process.wait(timeout=WAIT_S)
    # Whatever the worker did not run is back, in order, for the next one.
    done = len(lines(noted))
    until(lambda: ready(suite.queue) == 3 - done, "the rest to be returned")
    suite.worker("-P", "solo", name="next")
    until(lambda: lines(noted) == ["0", "1", "2"], "the rest to run")


def test_eta_tasks_beyond_the_prefetch_do_not_starve_the_worker(make_suite):
    """The worker raises its prefetch for each task that it holds back. Were the
    new limit not applied to the running consumer, it would sit on its first two
    and take nothing else."""
    suite = make_suite(worker_prefetch_multiplier=1)
    worker = suite.worker("-P", "threads", "-c", "2")
    for _ in range(30):
        suite.task("stamp").apply_async(countdown=3600)
    results = [suite.task("add").delay(n, n) for n in range(30)]
    assert [get(result) for result in results] == [2 * n for n in range(30)]
    inspect = suite.app.control.inspect([worker.hostname], timeout=10)
    assert len(inspect.scheduled()[worker.hostname]) == 30, "all are in the worker"
    worker.terminate()
    assert worker.process.wait(timeout=WAIT_S) == 0
    until(lambda: ready(suite.queue) == 30, "the tasks held back to be returned")


def test_a_worker_goes_on_after_its_connection_is_cut(make_suite, relay):
    suite = make_suite()
    worker = suite.worker(
        *("-P", "threads", "-c", "2"), broker_url=broker.url(port=relay.port)
    )
    assert get(suite.task("add").delay(1, 1)) == 2
    for turn in range(2):
        relay.cut()
        # Each time it connects it mingles and says so again.
        worker.until_logged("Connected to amqp", times=turn + 2)
        assert get(suite.task("add").delay(turn, 1)) == turn + 1


def test_tasks_on_a_worker_that_speaks_heartbeats_while_busy(make_suite, tmp_path):
    suite = make_suite(broker_heartbeat=2)
    # Mingling waits for a second of silence, which the broker's heartbeats,
    # one a second here, never give.
    worker = suite.worker("-P", "prefork", "-c", "1", "--without-mingle")
    begun, release = tmp_path / "begun", tmp_path / "release"
    result = suite.task("hold").delay(str(begun), str(release))
    until(lambda: len(lines(begun)) == 1, "the task to begin")
    end = time.monotonic() + 5
    until(lambda: time.monotonic() > end, "more than two heartbeat intervals")
    release.touch()
    assert get(result) is False
    assert worker.text().count("Connected to amqp") == 1, worker.text()


def test_reject_sends_a_task_to_the_dead_letter_queue(make_suite, names):
    dead = names.queue("dead")
    suite = make_suite(
        queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    )
    with suite.app.connection() as connection:
        kombu.Queue(dead)(connection.default_channel).queue_declare()
    suite.worker("-P", "solo")
    suite.task("refuse").delay()
    until(lambda: ready(dead) == 1, "the dead letter")


def test_quorum_queues_with_native_delays(make_suite):
    """Celery's mode for quorum queues: no global prefetch, delays by expiring
    queues. Their names are fixed by Celery, so they are deleted afterwards."""
    suite = make_suite(
        task_default_queue_type="quorum",
        task_default_exchange_type="topic",
        worker_detect_quorum_queues=True,
        broker_native_delayed_delivery_queue_type="classic",
        broker_transport_options={"confirm_publish": True},
    )
    try:
        worker = suite.worker("-P", "threads", "-c", "2", "--without-mingle")
        assert get(suite.task("add").delay(1, 2)) == 3
        result = suite.task("add").apply_async((4, 5), countdown=2)
        assert get(result) == 9
        assert get(suite.task("flaky").delay(2, 1)) == 2
        worker.terminate()
        worker.process.wait(timeout=WAIT_S)
    finally:
        connection = pika.BlockingConnection(pika.URLParameters(broker.AMQP_URL))
        channel = connection.channel()
        for level in range(28):
            channel.queue_delete(level_name(level))
            channel.exchange_delete(level_name(level))
        channel.exchange_delete("celery_delayed_delivery")
        connection.close()


def test_two_workers_share_and_gossip(make_suite):
    suite = make_suite(worker_prefetch_multiplier=1)
    first = suite.worker("-P", "solo", name="first")
    second = suite.worker("-P", "solo", name="second")
    second.until_logged("mingle: sync with 1 nodes")
    replies = suite.app.control.ping(timeout=5, limit=2)
    assert sorted(next(iter(reply)) for reply in replies) == sorted(
        [first.hostname, second.hostname]
    )
    results = [suite.task("add").delay(n, 0) for n in range(100)]
    assert [get(result) for result in results] == list(range(100))
    for worker in (first, second):
        assert worker.text().count("succeeded in") > 0, "each had a share"
    suite.app.control.shutdown()
    for worker in (first, second):
        assert worker.process.wait(timeout=WAIT_S) == 0
