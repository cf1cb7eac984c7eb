"""Inverses against elimination, whatever the blocks, and against the identity where there are many blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coterie.kernels import dense_inverse
from coterie.kernels.dense_inverse import invert_symmetric
from tests.reference import dense_inverse as reference

Array = np.ndarray[Any, np.dtype[Any]]

CELLS = st.integers(-4, 4).map(float)
WIDE = st.integers(1, 14).flatmap(lambda n: arrays(np.float32, (n + 3, n), elements=CELLS))
TILES = st.sampled_from([(1, 1), (2, 1), (4, 2), (6, 2), (1152, 384)])


def garbled(matrix: Array) -> Array:
    """With what memory may have held above the diagonal: numbers that are none, too large, or make a signal."""
    out = np.tril(matrix).astype(np.float32)
    bits = np.array([0x7FC00000, 0x7F7FFFFF, 0x7FA00000], np.uint32).view(np.float32)
    above = np.triu_indices(len(out), 1)
    out[above] = bits[np.arange(len(above[0])) % 3]
    return out


@given(WIDE, TILES, st.integers(1, 3))
def test_inverses_are_those_of_elimination(wide: Array, tiles: tuple[int, int], threads: int) -> None:
    matrix = wide.T @ wide + 8 * np.eye(wide.shape[1], dtype=np.float32)
    found = garbled(matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense_inverse, "BLOCK", tiles[0])
        patch.setattr(dense_inverse, "TILE", tiles[1])
        patch.setenv("COTERIE_THREADS", str(threads))
        with np.errstate(all="raise", under="ignore"):
            assert invert_symmetric(found)
    np.testing.assert_allclose(np.tril(found), np.tril(reference.invert_symmetric(matrix)), rtol=1e-3, atol=2e-5)


def large(n: int) -> Array:
    wide = np.random.default_rng(n).normal(size=(n + 50, n)).astype(np.float32)
    return wide.T @ wide + np.float32(100) * np.eye(n, dtype=np.float32)


@pytest.mark.parametrize("n", [1151, 1152, 1153, 2400])
def test_several_blocks_times_the_matrix_are_ones(n: int) -> None:
    matrix = large(n)
    found = garbled(matrix)
    assert invert_symmetric(found)
    inverse = np.tril(found) + np.tril(found, -1).T
    np.testing.assert_allclose(inverse.astype(np.float64) @ matrix, np.eye(n), atol=2e-5)


def test_any_number_of_threads_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, found = large(2400), set()
    for threads in (1, 2, 5):
        monkeypatch.setenv("COTERIE_THREADS", str(threads))
        inverse = matrix.copy()
        assert invert_symmetric(inverse)
        found.add(np.tril(inverse).tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("at", [0, 700, 1299])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_what_is_not_positive_definite_is_told(at: int, value: float) -> None:
    matrix = np.eye(1300, dtype=np.float32)
    matrix[at, at] = value
    assert not invert_symmetric(matrix)


def test_of_nothing_there_is_an_inverse() -> None:
    assert invert_symmetric(np.empty((0, 0), np.float32))
