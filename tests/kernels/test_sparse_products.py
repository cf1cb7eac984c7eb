"""Products of sparse matrices and dense blocks against their twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.sparse_products import GramProduct, Sparse, aligned, times
from coterie.kernels.tiles import NARROW
from tests.reference import sparse_products as reference
from tests.reference.matrices import compress, rated


def block_of(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, columns)).astype(np.float32)


@given(rated(), st.sampled_from([1, 15, 16, 17, 40]))
def test_a_sparse_matrix_times_a_dense_one(dense: np.ndarray, k: int) -> None:
    block = block_of(dense.shape[1], k)
    found = times(Sparse.of(*compress(dense), dense.shape[1]), block)
    assert (found.shape, found.dtype) == ((len(dense), k), np.float32)
    expected = reference.times(dense, block)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(np.nan_to_num(dense)).max())


@given(rated())
def test_a_gram_matrix_times_a_block(dense: np.ndarray) -> None:
    block = block_of(dense.shape[1], NARROW)
    product = GramProduct(Sparse.of(*compress(dense), dense.shape[1]))
    scale = np.square(np.nan_to_num(dense).astype(np.float64)).sum()
    for _ in range(2):  # nothing is left over from the first time
        np.testing.assert_allclose(product(block), reference.gram_product(dense, block), rtol=1e-4, atol=1e-5 * scale)


def test_the_transpose_has_the_columns_as_rows() -> None:
    dense = np.array([[1, np.nan, 2, np.nan], [np.nan, np.nan, 3, 4]], np.float32)
    found = Sparse.of(*compress(dense), 4).transposed()
    assert (found.n_rows, found.n_columns) == (4, 2)
    for got, expected in zip(found[:3], compress(dense.T), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_many_rows_give_the_same_bytes_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    dense = np.where(random.random((3000, 9)) < 0.3, random.random((3000, 9)), np.nan).astype(np.float32)
    matrix, found = Sparse.of(*compress(dense), 9), set()
    for threads in "123":
        monkeypatch.setenv("COTERIE_THREADS", threads)
        found.add((times(matrix, block_of(9, 20)).tobytes(), GramProduct(matrix)(block_of(9, NARROW)).tobytes()))
    assert len(found) == 1


def test_aligned_zeros_start_where_a_line_of_memory_does() -> None:
    for n in (1, 7, 100):
        made = aligned(n, 2 * NARROW)
        assert made.shape == (n, 2 * NARROW) and not made.any()
        assert made.ctypes.data % 64 == 0
