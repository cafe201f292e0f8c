"""The Celery application of the suite: the same tasks in the tests' process
and, configured through the environment, in each worker process.

A test passes its own configuration (queue names are unique to it), so nothing
is shared between workers of different tests.
"""

import json
import os
import signal
import time

from celery import Celery, Task
from celery.exceptions import Reject
from kombu import Exchange, Queue

CONFIGURATION = "CELERY_SUITE_CONFIGURATION"


class Flaky(Exception):
    """The error that a retried task raises until it succeeds."""


def make_app(configuration):
    configuration = dict(configuration)
    queue_arguments = configuration.pop("queue_arguments", None)
    app = Celery("suite", set_as_current=False)
    app.conf.update(configuration)
    if queue_arguments:
        name = configuration["task_default_queue"]
        app.conf.task_queues = [
            Queue(name, Exchange(name), routing_key=name, queue_arguments=queue_arguments)
        ]

    def task(name, **options):
        # Shared tasks would be registered in every application of the process.
        return app.task(name=name, shared=False, **options)

    @task("add")
    def add(x, y):
        return x + y

    @task("total")
    def total(numbers):
        return sum(numbers)

    @task("length")
    def length(text):
        return len(text)

    @task("fail")
    def fail(text):
        raise ValueError(text)

    @task("flaky", bind=True, max_retries=5)
    def flaky(self: Task, succeed_at, countdown=0.05):
        """Retries until its attempt has this number; returns it."""
        if self.request.retries < succeed_at:
            raise self.retry(exc=Flaky(), countdown=countdown)
        return self.request.retries

    @task("hopeless", bind=True, max_retries=2)
    def hopeless(self):
        raise self.retry(exc=Flaky("for good"), countdown=0.05)

    @task("stamp")
    def stamp():
        return time.time()

    @task("note", acks_late=True)
    def note(path, text):
        """Appends a line: shows the order of execution."""
        with open(path, "a", encoding="utf-8") as out:
            out.write(f"{text}\n")

    @task("hold", bind=True, acks_late=True)
    def hold(self, begun, release):
        """Tells that it runs, waits for a file; returns whether redelivered."""
        with open(begun, "a", encoding="utf-8") as out:
            out.write(f"{os.getpid()}\n")
        while not os.path.exists(release):
            time.sleep(0.02)
        return self.request.delivery_info["redelivered"]

    @task("die_once", bind=True, acks_late=True, reject_on_worker_lost=True)
    def die_once(self, marker):
        """Kills its own pool process the first time."""
        if not os.path.exists(marker):
            with open(marker, "w", encoding="utf-8"):
                pass
            os.kill(os.getpid(), signal.SIGKILL)
        return self.request.delivery_info["redelivered"]

    @task("refuse", bind=True, acks_late=True)
    def refuse(self):
        """Dead-letters its message."""
        raise Reject("on purpose", requeue=False)

    return app


if CONFIGURATION in os.environ:
    app = make_app(json.loads(os.environ[CONFIGURATION]))
