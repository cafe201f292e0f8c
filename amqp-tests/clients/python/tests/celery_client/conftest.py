"""Fixtures of the Celery suite."""

import celery_worker
import pytest


@pytest.fixture
def make_suite(tmp_path):
    """Makes applications with queues of their own; ends their workers."""
    made = []

    def make(**changes):
        made.append(celery_worker.Suite(tmp_path, **changes))
        return made[-1]

    yield make
    for suite in made:
        suite.close()
