"""The heap of best pairs against a sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.heap import push, sort_best_first, worse
from tests.reference.heap import best_pairs

LAST = np.iinfo(np.int32).max


@given(st.lists(st.sampled_from([-np.inf, -2.0, 0.0, 0.5, 0.5, 1.0, np.inf]), max_size=30), st.integers(1, 12))
def test_what_is_kept_does_not_depend_on_the_order_of_arrival(values: list[float], k: int) -> None:
    pairs = list(zip(values, range(len(values)), strict=True))
    expected = best_pairs(pairs, k)
    for arrival in (pairs, pairs[::-1]):
        best, rows = np.full(k, -np.inf, np.float32), np.full(k, LAST, np.int32)
        for value, index in arrival:
            if worse(best[0], rows[0], np.float32(value), index):
                push(best, rows, np.float32(value), index)
        sort_best_first(best, rows)
        kept = [pair for pair in zip(best.tolist(), rows.tolist(), strict=True) if pair[1] < LAST]
        assert kept == expected
