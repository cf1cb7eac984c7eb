"""Averages over nearest raters against loops over a dense matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.neighborhood import average_rated, average_raters, nearest_raters
from tests.reference import neighborhood as reference
from tests.reference.matrices import compress, rated

CLOSENESS = st.sampled_from([-np.inf, 0.25, 0.25, 0.5, 1.0])


@given(st.lists(CLOSENESS, min_size=1, max_size=12), st.integers(1, 8), st.data())
def test_nearest_raters(closeness: list[float], k: int, data: st.DataObject) -> None:
    raters = sorted(data.draw(st.sets(st.integers(0, len(closeness) - 1))))
    near, entries = np.empty(k, np.float32), np.empty(k, np.int64)
    close = np.array(closeness, np.float32)
    found = nearest_raters(np.array(raters, np.int32), close, near, entries)
    expected = reference.nearest_raters(raters, close, k)
    assert entries[:found].tolist() == expected
    assert near[:found].tolist() == [close[raters[place]] for place in expected]


@given(rated(), st.integers(1, 4), st.integers(1, 3), st.data())
def test_averages(dense: np.ndarray, k: int, min_neighbors: int, data: st.DataObject) -> None:
    n, m = dense.shape
    close = np.array(data.draw(st.lists(CLOSENESS, min_size=n, max_size=n)), np.float32)
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    weights = random.choice([-1.0, 0.0, 0.5, 0.7], n)
    center, spread = random.normal(size=n).astype(np.float32), random.uniform(0.5, 2, n).astype(np.float32)
    offset = random.normal(size=m).astype(np.float32)
    items = random.permutation(m).astype(np.int64)
    out = np.empty(m, np.float32)
    average_raters(items, *compress(dense.T), close, weights, center, spread, offset, k, min_neighbors, out)
    expected = [
        reference.average(dense, item, close, weights, center, spread, offset, k, min_neighbors) for item in items
    ]
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=2e-3)  # float32 terms of up to 1e4


@given(st.integers(1, 8), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_averages_of_what_one_profile_rated(
    n_items: int, size: int, n_neighbors: int, min_neighbors: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    neighbors = random.integers(0, n_items, (n_items, size)).astype(np.int32)
    weights = random.choice([0.0, -0.5, 0.25, 1.0], (n_items, size)).astype(np.float32)
    neighbors[weights == 0] = -1  # where a list ends, too
    ratings = random.choice([np.nan, 1.0, 3.5, -2.0], n_items).astype(np.float32)
    items = random.permutation(n_items).astype(np.int32)
    out = np.empty(n_items, np.float32)
    average_rated(items, neighbors, weights, ratings, n_neighbors, min_neighbors, out)
    expected = [
        reference.average_of_rated(
            neighbors[i].tolist(), weights[i].tolist(), ratings.tolist(), n_neighbors, min_neighbors
        )
        for i in items
    ]
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-7)
