"""Cells, and the steps of gradient descent in them, against loops that take the papers at their word."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.errors import MemoryBudgetError
from coterie.kernels.sgd import BLOCKS, Cells, cut_into_cells, descend_cell, descend_users, run_epoch
from tests.reference import sgd as reference
from tests.reference.matrices import HALF_STARS, compress, rated

RATE, LAM = 0.05, 0.1


def start(n: int, m: int, k: int, seed: int) -> list[np.ndarray]:
    """Factors of users and items, then their biases, float64."""
    random = np.random.default_rng(seed)
    return [random.normal(0, 0.3, shape) for shape in ((n, k), (m, k), n, m)]


def cut(dense: np.ndarray, seed: int, blocks: int = BLOCKS) -> Cells:
    return cut_into_cells(*compress(dense), dense.shape[1], np.random.default_rng(seed), blocks)


@given(rated(), st.integers(0, 99), st.integers(1, BLOCKS))
def test_every_rating_is_in_one_cell(dense: np.ndarray, seed: int, n: int) -> None:
    cells = cut(dense, seed, n)
    assert cells.users[0] == 0 and cells.users[-1] == len(dense) and (np.diff(cells.users) >= 0).all()
    assert ((cells.blocks >= 0) & (cells.blocks < n)).all()
    for u, row in enumerate(dense):
        for block in range(n):
            part = slice(cells.starts[u, block], cells.starts[u, block + 1])
            expected = [i for i in np.flatnonzero(~np.isnan(row)) if cells.blocks[i] == block]
            assert cells.items[part].tolist() == expected
            assert cells.values[part].tolist() == row[expected].tolist()


def test_blocks_hold_about_as_many_ratings_each() -> None:
    dense = np.where(np.random.default_rng(0).random((300, 400)) < 0.2, 3.0, np.nan)
    cells = cut(dense, 0)
    of_users = [
        cells.starts[b - 1, -1] - cells.starts[a, 0] for a, b in zip(cells.users, cells.users[1:], strict=False)
    ]
    of_items = np.bincount(cells.blocks[cells.items])
    for counts in (of_users, of_items):
        assert max(counts) < 1.15 * min(counts)
    assert len(of_items) == BLOCKS


@pytest.mark.parametrize("threads", ["1", "3"])
def test_an_epoch_runs_every_cell_once_and_none_beside_one_it_shares_with(
    threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTERIE_THREADS", threads)
    cells = cut(np.ones((40, 40), np.float32), 0)
    seen, numbers, running, lock = [], [], [], threading.Lock()

    def work(first: int, last: int, block: int, number: int) -> float:
        with lock:
            assert all(first != other[0] and block != other[1] for other in running)
            running.append((first, block))
        with lock:
            running.remove((first, block))
            seen.append((first, last, block))
            numbers.append(number)
        return 0.5

    assert run_epoch(cells, np.random.default_rng(1), work) == 0.5 * BLOCKS**2
    assert len(set(seen)) == len(seen) == BLOCKS**2
    assert sorted(numbers) == list(range(BLOCKS**2))


@given(rated(st.just(HALF_STARS)), st.integers(0, 99), st.integers(1, 5))
def test_descent_in_a_cell(dense: np.ndarray, seed: int, k: int) -> None:
    cells, expected = cut(dense, seed, 2), start(*dense.shape, k, seed)
    found = [part.astype(np.float32) for part in expected]
    for users, items in ((0, 1), (1, 0), (1, 1), (0, 0)):
        first, last = cells.users[users : users + 2]
        pairs = reference.cells(dense, cells.users, cells.blocks, users, items)
        squares = descend_cell(
            int(first), int(last), items, *cells[2:], *found, np.float32(RATE), np.float32(LAM)
        )  # fmt: skip
        assert squares == pytest.approx(reference.descend(dense, pairs, *expected, RATE, LAM), rel=1e-4, abs=1e-6)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)


@given(rated(st.just(HALF_STARS)), st.integers(0, 99), st.integers(1, 5))
def test_descent_of_users_is_that_of_every_single_rating(dense: np.ndarray, seed: int, k: int) -> None:
    p, q, b, c = start(*dense.shape, k, seed)
    y = np.random.default_rng(seed + 1).normal(0, 0.3, q.shape)
    expected: list[Any] = [p, y, q, b, c]
    found = [part.astype(np.float32) for part in expected]
    for _ in range(2):
        squares = descend_users(*compress(dense), *found, np.float32(RATE), np.float32(LAM))
        assert squares == pytest.approx(reference.descend_plus_plus(dense, *expected, RATE, LAM), rel=1e-4, abs=1e-6)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)


def test_what_pads_the_factors_stays_zero() -> None:
    dense = np.array([[4, 2, np.nan], [1, np.nan, 5]], np.float32)
    arrays = [part.astype(np.float32) for part in start(2, 3, 4, 0)]
    arrays[0][:, 2:], arrays[1][:, 2:] = 0, 0
    cells = cut(dense, 0, 1)
    descend_cell(0, 2, 0, *cells[2:], *arrays, np.float32(RATE), np.float32(LAM))
    assert not arrays[0][:, 2:].any() and not arrays[1][:, 2:].any()


def test_memory_is_asked_for_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "1e-7")
    with pytest.raises(MemoryBudgetError, match="the ratings in the order of cells would take"):
        cut(np.ones((4, 4), np.float32), 0)
