"""One pool of threads for serial kernels over row ranges, with BLAS held to one thread inside it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from coterie.errors import ParameterError

Array = np.ndarray[Any, np.dtype[Any]]
T = TypeVar("T")


def thread_count() -> int:
    """Threads to use: COTERIE_THREADS where it is set, else the processors this process may run on."""
    setting = os.environ.get("COTERIE_THREADS")
    if setting:
        if not setting.isdecimal() or int(setting) < 1:
            raise ParameterError(f"COTERIE_THREADS must be a whole number from 1, not {setting!r}")
        return int(setting)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def blocks(n: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges [start, stop) of at most `size` rows that make up n rows."""
    return ((start, min(start + size, n)) for start in range(0, n, size))


def equal_work(indptr: Array, parts: int) -> Array:
    """Bounds, int64 (parts + 1,), of ranges of compressed rows with about as many entries each."""
    bounds = np.searchsorted(indptr, np.linspace(0, indptr[-1], parts + 1))
    bounds[[0, -1]] = 0, len(indptr) - 1
    return np.asarray(bounds)


@cache
def _libraries(scipy: bool) -> list[Any]:
    """The BLAS libraries of this process. Looking for them takes milliseconds; SciPy may bring one of its own."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


class _OneBlasThread:
    """Holds BLAS to one thread while anybody is inside: the first in sets the limit, the last out lifts it.

    The setting belongs to the process. Callers that each put back what they had found would, when they overlap,
    put back each other's limit for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[tuple[Any, int]] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_others_behind)

    def _leave_others_behind(self) -> None:
        """In a process forked off while threads were inside, none of them is left to lift the limit."""
        self._lock = threading.Lock()
        if self._inside:
            self._inside = 0
            _set_threads(self._before)

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = [(each, each.num_threads) for each in _libraries("scipy.linalg" in sys.modules)]
                _set_threads([(library, 1) for library, before in self._before if before != 1])
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside = max(0, self._inside - 1)  # 0 before, where it was forked off inside
            if not self._inside:
                _set_threads([(library, before) for library, before in self._before if before != 1])


def _set_threads(wanted: list[tuple[Any, int]]) -> None:
    """Newer versions of threadpoolctl let nobody but the thread that set a limit lift it; ours may have left first."""
    for library, threads in wanted:
        library.set_num_threads(threads)
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


#: ``with one_blas_thread:`` costs 15 microseconds; a second thread would often be waited for longer.
one_blas_thread = _OneBlasThread()


def run_blocks(work: Callable[[int, int], T], n: int, size: int, threads: int | None = None) -> list[T]:
    """`work(start, stop)` for every block of rows, on all threads or `threads` of them; results in block order.

    `work` should spend its time in kernels or BLAS, which let go of the interpreter. What a block
    computes must not depend on the other blocks, so that any number of threads gives the same result.
    """
    ranges = list(blocks(n, size))
    workers = min(threads or thread_count(), len(ranges))
    with one_blas_thread:
        if workers <= 1:
            return [work(*r) for r in ranges]
        with ThreadPoolExecutor(workers, thread_name_prefix="coterie") as pool:
            return list(pool.map(lambda r: work(*r), ranges))


def run_light_blocks(work: Callable[[int, int], None], n: int, size: int) -> None:
    """The same for work without BLAS that gives nothing back; of one block only, nothing is set up."""
    if n <= size:
        work(0, n)
    else:
        run_blocks(work, n, size)
