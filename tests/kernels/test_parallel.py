"""The pool of threads: order, errors, how many, and BLAS held back inside it."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from coterie.errors import ParameterError
from coterie.kernels.parallel import blocks, equal_work, one_blas_thread, run_blocks, run_light_blocks, thread_count


def test_blocks_make_up_all_rows() -> None:
    assert list(blocks(7, 3)) == [(0, 3), (3, 6), (6, 7)]
    assert list(blocks(6, 3)) == [(0, 3), (3, 6)]
    assert list(blocks(0, 3)) == []


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_blocks(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setenv("COTERIE_THREADS", str(threads))
    seen: set[str] = set()

    def work(start: int, stop: int) -> int:
        seen.add(threading.current_thread().name)
        time.sleep(0.003 * (stop % 3))
        return start

    assert run_blocks(work, 24, 2) == list(range(0, 24, 2))
    assert len(seen) <= threads
    assert (threading.current_thread().name in seen) == (threads == 1)


def test_an_error_in_a_block_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_THREADS", "2")

    def work(start: int, stop: int) -> None:
        if start == 4:
            raise ZeroDivisionError(start)

    with pytest.raises(ZeroDivisionError, match="4"):
        run_blocks(work, 8, 2)
    assert run_blocks(lambda a, b: b, 0, 2) == []


def blas() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize("threads", ["1", "2"])
def test_blas_has_one_thread_inside_and_its_own_again_after(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    monkeypatch.setenv("COTERIE_THREADS", threads)
    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas()
    assert before
    for inside in run_blocks(lambda a, b: blas(), 4, 1):
        assert set(inside) == {1}
    assert blas() == before


def test_blas_has_its_threads_again_after_callers_that_overlapped() -> None:
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def first(start: int, stop: int) -> list[int]:
        first_in.set()
        second_in.wait(10)
        return blas()

    def second(start: int, stop: int) -> list[int]:
        second_in.set()
        first_out.wait(10)
        return blas()

    before = blas()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(run_blocks, first, 1, 1)
        first_in.wait(10)
        two = pool.submit(run_blocks, second, 1, 1)
        assert set(one.result()[0]) == {1}
        first_out.set()
        assert set(two.result()[0]) == {1}
    assert blas() == before


def test_how_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTERIE_THREADS", raising=False)
    assert 1 <= thread_count() <= (os.cpu_count() or 1)
    monkeypatch.setenv("COTERIE_THREADS", "5")
    assert thread_count() == 5


@pytest.mark.parametrize("setting", ["0", "-1", "two", "1.5", "²"])
def test_a_bad_number_of_threads_is_named(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("COTERIE_THREADS", setting)
    with pytest.raises(ParameterError, match="COTERIE_THREADS.*" + setting):
        thread_count()


@pytest.mark.parametrize("n", [0, 1, 64, 65, 1000])
def test_light_blocks_are_all_the_rows_once(n: int) -> None:
    done = np.zeros(n, int)

    def work(start: int, stop: int) -> None:
        done[start:stop] += 1

    run_light_blocks(work, n, 64)
    assert (done == 1).all()


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 9))
def test_ranges_of_equal_work_are_all_rows_in_order(lengths: list[int], parts: int) -> None:
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    bounds = equal_work(indptr, parts)
    assert (bounds[0], bounds[-1], len(bounds)) == (0, len(lengths), parts + 1)
    assert (np.diff(bounds) >= 0).all()
    assert np.diff(indptr[bounds]).max() <= indptr[-1] / parts + max(lengths, default=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked off on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_forked_off_inside_has_all_threads_of_blas() -> None:
    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before = threads()
    with one_blas_thread:
        child = os.fork()
        if not child:
            first = threads() == before
            with one_blas_thread:
                held = threads() == [1] * len(before)
            os._exit(0 if first and held and threads() == before else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert threads() == before
