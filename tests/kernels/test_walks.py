"""Walks of three steps against whole matrices of probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels import walks
from tests.reference.heap import best_pairs
from tests.reference.matrices import POSITIVE, compress, rated


@given(rated(POSITIVE, max_rows=9), st.integers(1, 4), st.integers(0, 99), st.integers(1, 3))
def test_the_k_likeliest_ends_are_those_of_the_matrix(dense: np.ndarray, k: int, seed: int, threads: int) -> None:
    random = np.random.default_rng(seed)
    scales = random.integers(1, 4, (2, dense.shape[1])).astype(np.float64)
    users, items = compress(dense), compress(dense.T)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COTERIE_THREADS", str(threads))
        patch.setattr(walks, "_BLOCK", 2)
        found, values = walks.top_k_walks(items[0], items[1], *users, *scales, k)
    steps = np.nan_to_num(dense.astype(np.float64))
    reach = scales[0][:, None] * ((~np.isnan(dense)).T.astype(np.float64) @ steps) * scales[1]
    for item, line in enumerate(reach.astype(np.float32)):
        pairs = best_pairs([(float(v), j) for j, v in enumerate(line) if v > 0 and j != item], k)
        assert list(zip(values[item].tolist(), found[item].tolist(), strict=True))[: len(pairs)] == pairs
        assert (found[item, len(pairs) :] == -1).all()
        assert (values[item, len(pairs) :] == 0).all()
