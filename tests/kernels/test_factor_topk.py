"""Fused lists against the whole matrix of scores and a sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.factor_topk import pack_items, top_k_products
from coterie.kernels.tiles import SCORE_COLUMNS
from tests.reference import factor_topk as reference


@given(st.data())
def test_lists_against_the_twin(data: st.DataObject) -> None:
    """Small whole numbers, so that sums are exact and ties are many."""
    random = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    n, m = data.draw(st.integers(1, 20)), data.draw(st.sampled_from([1, 3, SCORE_COLUMNS, SCORE_COLUMNS + 5]))
    d, k = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 12))
    biased, exclude = data.draw(st.booleans()), data.draw(st.booleans())
    people, factors = (random.integers(-2, 3, (size, d)).astype(np.float32) for size in (n, m))
    biases = random.integers(-2, 3, m).astype(np.float32) if biased else None
    offsets = random.integers(-2, 3, n).astype(np.float32) if biased else None
    wanted, chosen = random.random(m) < 0.8, random.random((n, m)) < 0.3
    seen = [set(np.flatnonzero(row).tolist()) if exclude else set() for row in chosen]
    rows = (np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]), np.nonzero(chosen)[1].astype(np.int32))
    panels = pack_items(factors, biases, wanted)
    indices, values, counts = top_k_products(people, offsets, panels, k, rows if exclude else None)
    assert (indices.dtype, values.dtype, indices.shape) == (np.int32, np.float32, (n, min(k, m)))
    for row, expected in enumerate(reference.top_k(people, offsets, factors, biases, wanted, k, seen)):
        count = counts[row]
        assert list(zip(values[row, :count].tolist(), indices[row, :count].tolist(), strict=True)) == expected
        assert (indices[row, count:] == -1).all()
        assert (values[row, count:] == -np.inf).all()


@pytest.mark.parametrize("biased", [False, True])
def test_many_items_of_unequal_length_lose_nothing_to_the_bound(biased: bool) -> None:
    random = np.random.default_rng(0)
    n, m = 40, 40 * SCORE_COLUMNS
    people = random.standard_normal((n, 6)).astype(np.float32)
    factors = (random.standard_normal((m, 6)) * random.random((m, 1)) ** 6).astype(np.float32)
    biases = random.standard_normal(m).astype(np.float32) if biased else None
    offsets = np.zeros(n, np.float32) if biased else None
    panels = pack_items(factors, biases, np.ones(m, bool))
    indices, values, counts = top_k_products(people, offsets, panels, 7, None)
    expected = reference.top_k(people, offsets, factors, biases, np.ones(m, bool), 7, [set()] * n)
    assert (counts == 7).all()
    assert indices.tolist() == [[item for _, item in row] for row in expected]
    np.testing.assert_allclose(values, [[score for score, _ in row] for row in expected], rtol=1e-4, atol=1e-6)


def test_no_people_no_items() -> None:
    panels = pack_items(np.zeros((3, 2), np.float32), None, np.zeros(3, bool))
    indices, _, counts = top_k_products(np.ones((2, 2), np.float32), None, panels, 5, None)
    assert indices.tolist() == [[-1, -1, -1]] * 2
    assert counts.tolist() == [0, 0]
    assert len(top_k_products(np.ones((0, 2), np.float32), None, panels, 5, None)[0]) == 0
