"""Hits and pairs against their slow twins."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels import judging
from tests.reference import judging as reference


def rows(sets: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    indptr = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    return indptr, np.array([item for s in sets for item in sorted(s)], np.int32)


@given(st.data(), st.integers(0, 5), st.integers(1, 4), st.integers(1, 6))
def test_hits_are_those_of_the_twin(data: st.DataObject, n: int, k: int, m: int) -> None:
    items = [data.draw(st.lists(st.integers(-1, m - 1), min_size=k, max_size=k)) for _ in range(n)]
    liked = [data.draw(st.sets(st.integers(0, m - 1))) for _ in range(n)]
    found = judging.find_hits(np.array(items, np.int32).reshape(n, k), *rows(liked))
    np.testing.assert_array_equal(found, reference.find_hits(items, liked).reshape(n, k))


@given(st.data(), st.integers(0, 5), st.integers(1, 7))
def test_shares_of_pairs_are_those_of_the_twin(data: st.DataObject, n: int, m: int) -> None:
    values = st.sampled_from([0.0, 1.0, 2.0, -np.inf, np.inf, np.nan])
    scores = np.array([[data.draw(values) for _ in range(m)] for _ in range(n)], np.float32).reshape(n, m)
    parts = [data.draw(st.lists(st.integers(0, 2), min_size=m, max_size=m)) for _ in range(n)]
    liked = [{i for i, part in enumerate(row) if part == 1} for row in parts]
    seen = [{i for i, part in enumerate(row) if part == 2} for row in parts]
    expected = reference.pair_shares(scores, liked, seen)
    found = judging.pair_shares(scores, rows(liked), rows(seen))
    np.testing.assert_allclose(found, np.array(expected, float), rtol=1e-12)


def test_rows_keep_their_own_items_across_blocks() -> None:
    n = 3 * judging._TASK + 5
    items = np.arange(n, dtype=np.int32)[:, None] % 7
    indptr = np.arange(n + 1, dtype=np.int64)
    hits = judging.find_hits(items, indptr, np.arange(n, dtype=np.int32) % 5)
    np.testing.assert_array_equal(hits[:, 0], np.arange(n) % 7 == np.arange(n) % 5)
