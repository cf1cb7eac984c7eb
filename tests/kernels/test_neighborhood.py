"""Averages over nearest raters against loops over a dense matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.neighborhood import average_raters, nearest_raters
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
