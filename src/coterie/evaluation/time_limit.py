"""An end to what takes too long, at a moment that is set beforehand."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self


class OutOfTime(BaseException):
    """The time is up. Like `KeyboardInterrupt` no `Exception`: who handles errors must not take it for one."""


class TimeLimit:
    """Raises `OutOfTime` in what is done ``with`` it once `seconds` have passed (None: never) since that began first.

    In the main thread an alarm of the system does so, wherever the program is; only a single call of compiled code ends
    first. In other threads, and where there are no such alarms (Windows), only `check` does.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._end: float | None = None
        self._held = self._due = False
        self._earlier: Any = None
        self._earlier_left = self._armed_at = 0.0

    def __enter__(self) -> Self:
        if self._end is None and self._seconds is not None:
            self._end = time.monotonic() + self._seconds
        self.check()
        if self._end is None or not _alarms():
            return self
        self._armed_at = time.monotonic()
        self._earlier = signal.signal(signal.SIGALRM, self._expired) or signal.SIG_DFL
        self._earlier_left = signal.setitimer(signal.ITIMER_REAL, max(self._end - self._armed_at, 1e-6))[0]
        return self

    def __exit__(self, *error: object) -> None:
        self._disarm()

    def check(self) -> None:
        """Raise where the time is up."""
        if self._end is not None and time.monotonic() >= self._end:
            raise OutOfTime

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is done inside is done to its end; the time may be up after it."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._due:
            self._due = False
            raise OutOfTime

    def _expired(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._due = True
            return
        self._disarm()  # here, since the end of the block may be where it comes to
        raise OutOfTime

    def _disarm(self) -> None:
        """The alarm is again whose it was, with what is left of its time."""
        if self._earlier is None:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._earlier)
        self._earlier = None
        if self._earlier_left:
            passed = time.monotonic() - self._armed_at
            signal.setitimer(signal.ITIMER_REAL, max(self._earlier_left - passed, 1e-6))


def _alarms() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
