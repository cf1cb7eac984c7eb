"""Chosen lists, by NumPy for few people and by the compiled loops, against the slow twin; rules that always hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels import reranking
from coterie.kernels.reranking import Pools, Steps, fill_lists
from tests.reference import reranking as reference


class Case:
    """People, items and steps at random, for the kernel and for its twin."""

    def __init__(self, data: st.DataObject) -> None:
        self.random = random = np.random.default_rng(data.draw(st.integers(0, 2**16)))
        self.n, self.m = data.draw(st.integers(0, 6)), data.draw(st.integers(1, 9))
        self.k, self.n_genres = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
        weights = st.sampled_from([(0.0, 0.0), (0.4, 0.0), (0.0, 0.7), (0.3, 0.5), (1.0, 0.0), (0.0, 1.0)])
        self.diversity, self.calibration = data.draw(weights)
        self.direct, self.capped = data.draw(st.booleans()), data.draw(st.booleans())
        self.kinds = [np.flatnonzero(random.random(self.n_genres) < 0.5).tolist() for _ in range(self.m)]
        limits = data.draw(st.dictionaries(st.integers(0, self.n_genres - 1), st.integers(0, 2)))
        entries = st.integers(-self.n_genres, self.m - 1)
        self.must = data.draw(st.lists(entries, max_size=self.k)) if data.draw(st.booleans()) else []
        self.limits = {genre: most for genre, most in limits.items() if data.draw(st.booleans())}
        self.capacity = data.draw(st.integers(1, 3)) if self.capped else None

    def similarities(self) -> np.ndarray:
        """(m, m), some below 0; products of vectors, so that both forms of them are the same."""
        vectors = self.random.integers(-1, 2, (self.m, 3)) / 2
        return np.asarray(vectors), vectors @ vectors.T

    def pools(self) -> Pools:
        width = self.random.integers(0, self.m + 1)
        items, scores = np.full((self.n, width), -1, np.int32), np.full((self.n, width), -np.inf, np.float32)
        counts = self.random.integers(0, width + 1, self.n)
        for row, count in enumerate(counts):
            found = np.sort(self.random.integers(0, 5, count))[::-1] / 4  # few values: many ties
            own = self.random.permutation(self.m)[:count]
            scores[row, :count] = found
            items[row, :count] = own[np.lexsort((own, -found))]
        return Pools(items, scores, counts.astype(np.int64), np.full(self.n, 0.25), np.full(self.n, 2.0))

    def mixes(self) -> np.ndarray:
        mixes = self.random.random((self.n, self.n_genres)) * (self.random.random((self.n, self.n_genres)) < 0.7)
        return np.asarray(mixes / np.maximum(mixes.sum(axis=1, keepdims=True), 1e-9))

    def genres(self) -> sp.csr_matrix:
        dense = np.zeros((self.m, self.n_genres))
        for item, own in enumerate(self.kinds):
            dense[item, own] = 1 / max(len(own), 1)
        return sp.csr_matrix(dense)


@pytest.mark.parametrize("few_rows", [16, -1], ids=["numpy", "compiled"])
@given(st.data())
def test_lists_are_those_of_the_twin_and_keep_every_rule(few_rows: int, data: st.DataObject) -> None:
    case = Case(data)
    vectors, similar = case.similarities()
    pools, mixes = case.pools(), case.mixes()
    limits = np.array([case.limits.get(g, case.k) for g in range(case.n_genres)], np.int64)
    likeness = sp.csr_matrix((similar if case.direct else vectors).astype(np.float32))
    steps = Steps(
        case.k, case.diversity, case.calibration, likeness if case.diversity else None, case.direct, case.genres(),
        limits, np.array(case.must, np.int64),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reranking, "_FEW_ROWS", few_rows)
        patch.setattr(reranking, "_TASK", 2)
        items, scores, counts = fill_lists(pools, steps, sp.csr_matrix(mixes), case.capacity)
    lists = [
        reference.List(
            [(int(i), (float(s) - 0.25) / 2) for i, s in zip(own[:count], worth[:count], strict=True)],
            {g: float(p) for g, p in enumerate(mix) if p > 0},
        )
        for own, worth, count, mix in zip(pools.items, pools.scores, pools.counts, mixes, strict=True)
    ]
    expected = reference.fill(
        lists, case.k, case.diversity, case.calibration, lambda i, j: float(similar[i, j]),
        reference.shares(case.kinds), case.limits, case.must, case.capacity,
    )  # fmt: skip
    assert (items.dtype, scores.dtype, items.shape) == (np.int32, np.float32, (case.n, case.k))
    assert [own[:count].tolist() for own, count in zip(items, counts, strict=True)] == expected
    assert_rules(case, pools, items, scores, counts)


def assert_rules(case: Case, pools: Pools, items: Any, scores: Any, counts: Any) -> None:
    for row, count in enumerate(counts):
        own = items[row, :count].tolist()
        assert (items[row, count:] == -1).all()
        assert (scores[row, count:] == -np.inf).all()
        known = dict(zip(pools.items[row].tolist(), pools.scores[row].tolist(), strict=True))
        assert scores[row, :count].tolist() == [known[item] for item in own]
        assert len(set(own)) == len(own)
        assert set(own) <= set(pools.items[row, : pools.counts[row]].tolist())
        for genre, most in case.limits.items():
            assert sum(genre in case.kinds[item] for item in own) <= most
    if case.capacity is not None:
        assert max(np.unique(items[items >= 0], return_counts=True)[1], default=0) <= case.capacity


@pytest.mark.parametrize("direct", [False, True])
def test_many_people_get_what_each_would_get_alone(direct: bool) -> None:
    """Blocks of rows and their state do not run into one another."""
    random = np.random.default_rng(0)
    n, m, n_genres = reranking._TASK + 99, 60, 5

    def few(rows: int, columns: int) -> np.ndarray:
        return random.random((rows, columns)) * (random.random((rows, columns)) < 0.4)

    def mixed(rows: int) -> sp.csr_matrix:
        dense = few(rows, n_genres)
        return sp.csr_matrix(dense / np.maximum(dense.sum(axis=1, keepdims=True), 1e-9))

    scores = -np.sort(-random.random((n, 30)).astype(np.float32), axis=1)
    items = random.permuted(np.tile(np.arange(m, dtype=np.int32), (n, 1)), axis=1)[:, :30]
    pools = Pools(np.ascontiguousarray(items), scores, np.full(n, 30), np.zeros(n), np.ones(n))
    mixes = mixed(n)
    likeness = sp.csr_matrix(few(m, m if direct else 8).astype(np.float32))
    steps = Steps(8, 0.4, 0.3, likeness, direct, mixed(m), np.array([2, 9, 1, 9, 9]), np.array([-2]))
    found = fill_lists(pools, steps, mixes)
    for row in range(n):
        part = Pools(*(array[row : row + 1] for array in pools))
        np.testing.assert_array_equal(found[0][row], fill_lists(part, steps, mixes[row])[0][0])


@pytest.mark.parametrize("few_rows", [16, -1], ids=["numpy", "compiled"])
def test_what_differs_by_less_than_rounding_goes_by_score(few_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reranking, "_FEW_ROWS", few_rows)
    alike = sp.csr_matrix(np.array([[1, 1e-10, 0], [1e-10, 1, 0], [0, 0, 1]], np.float32))
    nothing = sp.csr_matrix((3, 0), dtype=np.float64)
    steps = Steps(3, 0.5, 0.0, alike, True, nothing, np.empty(0, np.int64), np.empty(0, np.int64))
    pools = Pools(
        np.array([[0, 1, 2]], np.int32), np.array([[1, 0, 0]], np.float32), np.array([3]), np.zeros(1), np.ones(1)
    )
    assert fill_lists(pools, steps, nothing[:1])[0].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("few_rows", [16, -1], ids=["numpy", "compiled"])
@pytest.mark.parametrize("capacity", [None, 5])
def test_what_is_held_counts_before_it_is_listed(
    few_rows: int, capacity: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items 1 and 3 have the genre of which there may be one, and item 3 is a must."""
    monkeypatch.setattr(reranking, "_FEW_ROWS", few_rows)
    genres = sp.csr_matrix(np.array([[0], [1], [0], [1]], np.float64))
    steps = Steps(3, 0.0, 0.0, None, False, genres, np.array([1]), np.array([3]))
    pools = Pools(
        np.array([[0, 1, 2, 3]], np.int32), np.array([[4, 3, 2, 1]], np.float32), np.array([4]), np.zeros(1), np.ones(1)
    )
    assert fill_lists(pools, steps, genres[:1] * 0, capacity)[0].tolist() == [[0, 2, 3]]
