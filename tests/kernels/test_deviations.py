"""Deviations of pairs, and ratings from them, against loops over a dense matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.deviations import pair_deviations, predict_from_deviations, score_from_deviations
from tests.reference import deviations as reference
from tests.reference.matrices import compress, rated


def pairs(dense: np.ndarray, items: np.ndarray, min_support: int) -> tuple[np.ndarray, ...]:
    """Row pointers, other items, deviations and supports, as the kernel finds them."""
    counts, size = np.zeros(len(items), np.int64), len(items) * dense.shape[1]
    found = np.empty(size, np.int32), np.empty(size, np.float32), np.empty(size, np.int32)
    kept = pair_deviations(items, *compress(dense.T), *compress(dense), min_support, counts, *found)
    assert kept == counts.sum()
    return np.concatenate([[0], np.cumsum(counts)]), *(array[:kept] for array in found)


@given(rated(), st.integers(1, 3), st.data())
def test_pairs(dense: np.ndarray, min_support: int, data: st.DataObject) -> None:
    n = dense.shape[1]
    items = np.array(data.draw(st.lists(st.integers(0, n - 1), unique=True)), np.int64)
    indptr, others, deviations, supports = pairs(dense, items, min_support)
    for place, item in enumerate(items):
        row = slice(indptr[place], indptr[place + 1])
        expected = {other: reference.pair(dense, item, other) for other in range(n) if other != item}
        expected = {other: pair for other, pair in expected.items() if pair[1] >= min_support}
        assert others[row].tolist() == list(expected)
        assert supports[row].tolist() == [support for _, support in expected.values()]
        means = [mean for mean, _ in expected.values()]
        np.testing.assert_allclose(deviations[row], means, rtol=1e-4, atol=2e-3)  # float32 ratings of up to 1e4


@given(rated(), st.integers(1, 2), st.booleans())
def test_predictions(dense: np.ndarray, min_support: int, weighted: bool) -> None:
    n_users, n_items = dense.shape
    table = pairs(dense, np.arange(n_items), min_support)
    profiles = compress(dense)
    expected = [
        [reference.predict(dense, row, item, min_support, weighted) for item in range(n_items)] for row in dense
    ]
    scores = np.empty((n_users, n_items), np.float32)
    for start in range(n_users):
        score_from_deviations(start, start + 1, *profiles, *table, weighted, scores[start : start + 1])
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=4e-3)
    items = np.arange(n_items)[::2]  # each for all users
    starts, rows = np.arange(len(items) + 1) * n_users, np.tile(np.arange(n_users), len(items))
    out = np.empty(len(rows), np.float32)
    for start, stop in ((0, 1), (1, len(items))):
        predict_from_deviations(start, stop, items, starts, rows, *profiles, *table, weighted, out)
    np.testing.assert_allclose(out, np.array(expected)[:, ::2].T.ravel(), rtol=1e-4, atol=4e-3)
