"""Assigning rows to clusters against loops over a dense matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.coclusters import SUMS, assign_rows
from tests.reference import coclusters as reference
from tests.reference.matrices import HALF_STARS, compress, rated


@given(rated(st.just(HALF_STARS)), st.integers(1, 4), st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_rows_take_the_best_cluster(dense: np.ndarray, k: int, m: int, moves: bool, seed: int) -> None:
    n_rows, n_columns = dense.shape
    random = np.random.default_rng(seed)
    row_means, column_means = random.uniform(1, 5, n_rows), random.uniform(1, 5, n_columns)
    levels = random.normal(-3, 1, (k, m))
    columns = random.integers(0, m, n_columns).astype(np.int32)
    before = random.integers(0, k, n_rows).astype(np.int32)
    rows, sums = before.copy(), np.zeros((SUMS, k, m))
    for start, stop in ((0, n_rows // 2), (n_rows // 2, n_rows)):
        assign_rows(
            start, stop, *compress(dense), row_means, column_means, columns, levels, moves, rows, sums
        )  # fmt: skip
    for row in range(n_rows):
        costs = [reference.cost(dense[row], row_means[row], column_means, columns, levels[g]) for g in range(k)]
        if moves:
            np.testing.assert_allclose(costs[rows[row]], min(costs), rtol=1e-9, atol=1e-9)
        else:
            assert rows[row] == before[row]
    expected = reference.sums(dense, row_means, column_means, rows, columns, (k, m))
    np.testing.assert_allclose(sums, expected, rtol=1e-9, atol=1e-9)


def test_a_row_without_ratings_takes_the_first_cluster() -> None:
    rows, sums = np.array([2], np.int32), np.zeros((SUMS, 3, 1))
    nothing = np.empty((1, 1), np.float32) * np.nan
    means = np.zeros(1)
    assign_rows(0, 1, *compress(nothing), means, means, np.zeros(1, np.int32), np.ones((3, 1)), True, rows, sums)
    assert rows[0] == 0 and not sums.any()
