"""How long a model may take: a limit that ends what runs over."""

from __future__ import annotations

import math
import signal
import threading
import time
from types import FrameType
from typing import Any


class TimeIsUp(BaseException):
    """A `TimeLimit` ran out. Like KeyboardInterrupt it is not for a model's ``except Exception`` to keep."""


class TimeLimit:
    """``with TimeLimit(seconds) as limit:`` raises `TimeIsUp` inside when the time is over.

    In the main thread an alarm of the system (``setitimer``) does so wherever Python is just then: at once in a loop
    of Python's, and elsewhere when the library call that is running comes back, such as an inverse by LAPACK. In
    other threads and on systems without that alarm, only `check` does, so what is inside has to call it between
    steps; `compare` does after the fit and after each block of users. In both cases `TimeIsUp` is raised at the
    latest when the block ends, so that whether a model ran over does not depend on where it was asked.

    Parameters
    ----------
    seconds : float or None
        None: no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = math.inf
        self._inside = False
        self._earlier: Any = None

    def __enter__(self) -> TimeLimit:
        self._inside = True
        if self.seconds is not None:
            self._end = time.monotonic() + self.seconds
            if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
                self._earlier = signal.signal(signal.SIGALRM, self._ring)
                signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self._inside = False  # from here on an alarm that is late rings in vain
        if self._earlier is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._earlier)
            self._earlier = None
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise `TimeIsUp` where the time is over."""
        if time.monotonic() > self._end:
            raise TimeIsUp

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._inside:
            raise TimeIsUp
