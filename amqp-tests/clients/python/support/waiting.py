"""Waiting for a condition, with a bound: the suites never sleep and hope."""

import asyncio
import time

# Far beyond what any step needs, so that a loaded machine does not fail a
# test; only a broker that never gets there does.
BOUND_S = 20


def until(condition, what, bound_s=BOUND_S, step=None):
    """Calls ``condition`` until it returns something true, and returns that.

    ``step`` is what keeps the client alive meanwhile (for example a
    connection's ``process_data_events``); without one the thread naps.
    """
    end = time.monotonic() + bound_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {bound_s} s: {what}")
        if step is None:
            time.sleep(0.02)
        else:
            step()


async def until_async(condition, what, bound_s=BOUND_S):
    """The same on an event loop; ``condition`` may be a coroutine function."""
    end = time.monotonic() + bound_s
    while True:
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {bound_s} s: {what}")
        await asyncio.sleep(0.02)
