"""Celery workers as processes of their own, as they run in production."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import broker
import celery_tasks
import pika
from waiting import until

HERE = pathlib.Path(__file__).parent


class Suite:
    """One application (queues of its own) and the workers that serve it."""

    def __init__(self, folder, **changes):
        self.folder = pathlib.Path(folder)
        self.name = broker.unique("celery")
        self.configuration = {
            "broker_url": broker.AMQP_URL,
            "broker_connection_retry_on_startup": True,
            "worker_cancel_long_running_tasks_on_connection_loss": False,
            "worker_hijack_root_logger": False,
            "result_backend": "rpc://",
            "result_expires": 60,
            "task_default_queue": f"{self.name}.tasks",
            "task_default_exchange": f"{self.name}.tasks",
            "task_default_routing_key": f"{self.name}.tasks",
            "control_exchange": f"{self.name}.control",
            "event_exchange": f"{self.name}.events",
            **changes,
        }
        self.queue = self.configuration["task_default_queue"]
        self.app = celery_tasks.make_app(self.configuration)
        self._workers = []

    def task(self, name):
        return self.app.tasks[name]

    def worker(self, *options, name="worker", **changes):
        """Starts a worker and waits until it says that it is ready."""
        worker = Worker(self, name, options, {**self.configuration, **changes})
        self._workers.append(worker)
        worker.until_logged(" ready.")
        return worker

    def close(self):
        for worker in self._workers:
            worker.kill()
        self.app.close()
        connection = pika.BlockingConnection(pika.URLParameters(broker.AMQP_URL))
        try:
            channel = connection.channel()
            channel.queue_delete(self.queue)
            control = self.configuration["control_exchange"]
            for exchange in (
                self.configuration["task_default_exchange"],
                self.configuration["event_exchange"],
                f"{control}.pidbox",
                f"reply.{control}.pidbox",
            ):
                channel.exchange_delete(exchange)
        finally:
            connection.close()


class Worker:
    """A ``celery worker`` process and its log."""

    def __init__(self, suite, name, options, configuration):
        self.hostname = f"{name}@{suite.name}"
        self.log = suite.folder / f"{self.hostname}.log"
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            celery_tasks.CONFIGURATION: json.dumps(configuration),
        }
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "celery_tasks", "worker"),
                    *("-l", "info", "-n", self.hostname, *options),
                ],
                cwd=suite.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, so that pool processes can be ended too.
                start_new_session=True,
            )

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until_logged(self, text, times=1):
        def logged():
            found = self.text().count(text) >= times
            ended = self.process.poll()
            assert found or ended is None, f"the worker ended with {ended}"
            return found

        try:
            until(logged, f"{text!r} in the worker's log", bound_s=40)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()[-4000:]}") from None

    def terminate(self):
        """A warm shutdown: what runs is finished, the rest is returned."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """The machine is gone: no goodbye, pool processes included."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
