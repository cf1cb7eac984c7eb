"""Scores of many profiles against sums an entry at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels import few_sums, row_sums
from tests.reference import row_sums as reference
from tests.reference.matrices import HALF_STARS, compress, rated


def weights_for(n: int, seed: int, share: float, width: int = 7) -> np.ndarray:
    """Weights float32 (n, width) with both signs, NaN where there is none."""
    random = np.random.default_rng(seed)
    chosen = random.random((n, width)) < share
    return np.where(chosen, random.integers(-8, 9, (n, width)) / 4, np.nan).astype(np.float32)


@given(rated(st.just(HALF_STARS)), st.integers(0, 99), st.sampled_from([0.0, 0.3, 1.0]), st.integers(1, 3))
def test_sparse_sums_are_those_of_the_twin(dense: np.ndarray, seed: int, share: float, threads: int) -> None:
    weights = weights_for(dense.shape[1], seed, share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_sums, "_ROWS", 2)
        patch.setenv("COTERIE_THREADS", str(threads))
        many = row_sums.sparse_sums(*compress(dense), *compress(weights), weights.shape[1])
    few = few_sums.few_sparse_sums(*compress(dense), *compress(weights), weights.shape[1])
    assert few.dtype == many.dtype == np.float32
    np.testing.assert_array_equal(many, reference.row_sums(dense, weights))  # quarters add up exactly
    np.testing.assert_array_equal(few, many)


@given(rated(st.just(HALF_STARS), max_columns=11), st.integers(0, 99), st.sampled_from([1, 3, 512]), st.integers(1, 3))
def test_dense_sums_are_those_of_the_twin(dense: np.ndarray, seed: int, panel: int, threads: int) -> None:
    weights = weights_for(dense.shape[1], seed, 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_sums, "PANEL", panel)
        patch.setenv("COTERIE_THREADS", str(threads))
        many = row_sums.dense_sums(*compress(dense), weights)
    few = few_sums.few_dense_sums(*compress(dense), weights)
    assert few.dtype == many.dtype == np.float32
    np.testing.assert_array_equal(many, np.nan_to_num(reference.row_sums(dense, weights)))
    np.testing.assert_array_equal(few, many)


def test_few_and_many_add_in_the_same_order() -> None:
    random = np.random.default_rng(0)
    dense = np.where(random.random((9, 40)) < 0.5, random.random((9, 40)), np.nan).astype(np.float32)
    weights = np.where(random.random((40, 25)) < 0.5, random.random((40, 25)), np.nan).astype(np.float32)
    entries = *compress(dense), *compress(weights), 25
    np.testing.assert_array_equal(few_sums.few_sparse_sums(*entries), row_sums.sparse_sums(*entries))
