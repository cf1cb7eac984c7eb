"""One pool of threads for serial kernels over row ranges, with BLAS held to one thread inside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from coterie.errors import ParameterError

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


@cache
def _libraries(scipy: bool) -> ThreadpoolController:
    """The BLAS libraries of this process. Looking for them takes milliseconds; SciPy may bring one of its own."""
    return ThreadpoolController()


def run_blocks(work: Callable[[int, int], T], n: int, size: int, threads: int | None = None) -> list[T]:
    """`work(start, stop)` for every block of rows, on all threads or `threads` of them; results in block order.

    `work` should spend its time in kernels or BLAS, which let go of the interpreter. What a block
    computes must not depend on the other blocks, so that any number of threads gives the same result.
    """
    ranges = list(blocks(n, size))
    workers = min(threads or thread_count(), len(ranges))
    with _libraries("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        if workers <= 1:
            return [work(*r) for r in ranges]
        with ThreadPoolExecutor(workers, thread_name_prefix="coterie") as pool:
            return list(pool.map(lambda r: work(*r), ranges))
