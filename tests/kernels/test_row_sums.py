"""Scores of many profiles against sums an entry at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels import row_sums
from tests.reference import row_sums as reference
from tests.reference.matrices import HALF_STARS, compress, rated


def weights_for(n: int, seed: int, share: float) -> np.ndarray:
    """Weights float32 (n, n) with both signs, NaN where there is none."""
    random = np.random.default_rng(seed)
    return np.where(random.random((n, n)) < share, random.integers(-8, 9, (n, n)) / 4, np.nan).astype(np.float32)


@given(rated(st.just(HALF_STARS)), st.integers(0, 99), st.sampled_from([0.0, 0.3, 1.0]), st.integers(1, 3))
def test_sparse_sums_are_those_of_the_twin(dense: np.ndarray, seed: int, share: float, threads: int) -> None:
    weights = weights_for(dense.shape[1], seed, share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_sums, "_ROWS", 2)
        patch.setenv("COTERIE_THREADS", str(threads))
        found = row_sums.sparse_sums(*compress(dense), *compress(weights))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, reference.row_sums(dense, weights))  # quarters add up exactly


@given(rated(st.just(HALF_STARS), max_columns=11), st.integers(0, 99), st.sampled_from([1, 3, 512]), st.integers(1, 3))
def test_dense_sums_are_those_of_the_twin(dense: np.ndarray, seed: int, panel: int, threads: int) -> None:
    weights = weights_for(dense.shape[1], seed, 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_sums, "PANEL", panel)
        patch.setenv("COTERIE_THREADS", str(threads))
        found = row_sums.dense_sums(*compress(dense), weights)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.nan_to_num(reference.row_sums(dense, weights)))
