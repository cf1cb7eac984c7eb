"""The end of what takes too long."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from coterie.evaluation.time_limit import OutOfTime, TimeLimit


def busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.005)


def test_time_that_is_up_is_raised_at_once_and_the_alarm_is_gone() -> None:
    before = signal.getsignal(signal.SIGALRM)
    started = time.monotonic()
    with pytest.raises(OutOfTime), TimeLimit(0.1):
        busy(5)
    assert 0.1 <= time.monotonic() - started < 1
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_ends_in_time_is_left_alone() -> None:
    with TimeLimit(0.1):
        pass
    with TimeLimit(None) as never:
        never.check()
    busy(0.15)


def test_it_is_no_exception_that_a_careless_handler_takes() -> None:
    with pytest.raises(OutOfTime), TimeLimit(0.05):
        try:
            busy(5)
        except Exception:
            pytest.fail("taken for an error")


def test_what_is_held_is_done_first() -> None:
    done = []
    with pytest.raises(OutOfTime), TimeLimit(0.05) as limit:
        with limit.held():
            busy(0.2)
            done.append("held")
        done.append("after")
    assert done == ["held"]


def test_nothing_begins_when_the_time_is_up() -> None:
    with pytest.raises(OutOfTime), TimeLimit(-1):
        pytest.fail("began")


def test_a_limit_inside_another_gives_it_back() -> None:
    with pytest.raises(OutOfTime), TimeLimit(0.3):
        with pytest.raises(OutOfTime), TimeLimit(0.1):
            busy(5)
        busy(5)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_in_another_thread_only_check_tells() -> None:
    raised = []

    def work() -> None:
        try:
            with TimeLimit(0.05) as limit:
                busy(0.1)
                raised.append("not yet")
                limit.check()
        except OutOfTime:
            raised.append("then")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert raised == ["not yet", "then"]
