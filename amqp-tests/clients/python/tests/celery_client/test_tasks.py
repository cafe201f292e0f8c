"""Tasks, retries, ETA, remote control and events on one worker, with results
by the rpc backend. One worker of four threads serves the whole file."""

import threading
import time

import celery_worker
import pytest
from celery import chain, group
from celery.exceptions import MaxRetriesExceededError, TaskRevokedError
from waiting import until

pytestmark = pytest.mark.xdist_group("celery_tasks")

WAIT_S = 20
# Two for each of the four threads: the worker's first prefetch.
PREFETCH = 8


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    suite = celery_worker.Suite(
        tmp_path_factory.mktemp("celery"), worker_prefetch_multiplier=2
    )
    try:
        suite.running = suite.worker("-P", "threads", "-c", "4", "-E")
        yield suite
    finally:
        suite.close()


def get(result):
    return result.get(timeout=WAIT_S)


def test_a_task_returns_its_result(suite):
    assert get(suite.task("add").delay(2, 3)) == 5


def test_many_tasks_at_once(suite):
    results = [suite.task("add").delay(n, n) for n in range(200)]
    assert [get(result) for result in results] == [2 * n for n in range(200)]


def test_a_group_collects_its_results(suite):
    add = suite.task("add")
    assert get(group(add.s(n, 1) for n in range(20))()) == list(range(1, 21))


def test_a_chain_passes_results_on(suite):
    add = suite.task("add")
    assert get(chain(add.s(1, 2), add.s(3), add.s(4))()) == 10


def test_an_exception_travels_back(suite):
    with pytest.raises(ValueError, match="sorry"):
        get(suite.task("fail").delay("sorry"))


def test_a_task_retries_until_it_succeeds(suite):
    assert get(suite.task("flaky").delay(3)) == 3


def test_a_task_gives_up_after_its_retries(suite):
    with pytest.raises(Exception, match="for good") as error:
        get(suite.task("hopeless").delay())
    assert not isinstance(error.value, MaxRetriesExceededError)


def test_a_large_argument(suite):
    assert get(suite.task("length").delay("x" * (3 << 20))) == 3 << 20


def test_link_runs_a_callback_task(suite, tmp_path):
    path = tmp_path / "linked"
    suite.task("add").apply_async(
        (1, 1), link=suite.task("note").si(str(path), "called")
    )
    until(lambda: path.exists() and path.read_text() == "called\n", "the callback")


def test_eta_tasks_beyond_the_prefetch_run_when_due(suite):
    before = time.time()
    held = [suite.task("stamp").apply_async(countdown=2) for _ in range(3 * PREFETCH)]
    assert all(get(result) >= before + 2 for result in held), "none ran early"


def test_an_expired_task_is_discarded(suite):
    result = suite.task("stamp").apply_async(countdown=1, expires=0.2)
    with pytest.raises(TaskRevokedError, match="expired"):
        get(result)


def test_ping(suite):
    hostname = suite.running.hostname
    assert suite.app.control.ping(timeout=5, destination=[hostname]) == [
        {hostname: {"ok": "pong"}}
    ]


def test_a_broadcast_ping_reaches_every_worker(suite):
    assert suite.app.control.ping(timeout=1) == [{suite.running.hostname: {"ok": "pong"}}]


def test_inspect_registered_queues_and_stats(suite):
    hostname = suite.running.hostname
    inspect = suite.app.control.inspect([hostname], timeout=5)
    assert "add" in inspect.registered()[hostname]
    assert [q["name"] for q in inspect.active_queues()[hostname]] == [suite.queue]
    assert inspect.stats()[hostname]["broker"]["transport"] == "amqp"


def test_revoking_a_task_that_is_held_back(suite):
    result = suite.task("stamp").apply_async(countdown=60)

    def scheduled():
        found = suite.app.control.inspect([suite.running.hostname], timeout=2).scheduled()
        return any(
            task["request"]["id"] == result.id for task in found[suite.running.hostname]
        )

    until(scheduled, "the task to be held")
    result.revoke()
    until(
        lambda: result.id
        in suite.app.control.inspect([suite.running.hostname], timeout=2).revoked()[
            suite.running.hostname
        ],
        "the revocation to arrive",
    )


def test_a_queue_can_be_added_and_removed_at_run_time(suite, names):
    control, hostname = suite.app.control, suite.running.hostname
    queue = names.queue("extra")
    reply = control.add_consumer(queue, destination=[hostname], reply=True, timeout=5)
    assert "ok" in reply[0][hostname]
    assert get(suite.task("add").apply_async((1, 2), queue=queue)) == 3
    reply = control.cancel_consumer(queue, destination=[hostname], reply=True, timeout=5)
    assert "ok" in reply[0][hostname]
    with suite.app.connection() as connection:
        connection.default_channel.exchange_delete(queue)


def test_events_of_a_task_and_heartbeats_of_the_worker(suite):
    """A monitor such as Flower: it asks for heartbeats and then listens."""
    seen = []
    connection = suite.app.connection()
    receiver = suite.app.events.Receiver(connection, handlers={"*": seen.append})
    monitor = threading.Thread(target=receiver.capture, daemon=True)
    monitor.start()
    try:
        until(
            lambda: any(event["type"] == "worker-heartbeat" for event in seen),
            "a heartbeat event",
        )
        result = suite.task("add").delay(1, 1)
        get(result)

        def kinds():
            return [event["type"] for event in seen if event.get("uuid") == result.id]

        until(lambda: "task-succeeded" in kinds(), "the events")
        assert kinds() == ["task-received", "task-started", "task-succeeded"]
    finally:
        receiver.should_stop = True
        monitor.join(timeout=WAIT_S)
        connection.release()
