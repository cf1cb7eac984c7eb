"""Fused lists against the whole matrix of scores and a sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels import few_products
from coterie.kernels.factor_topk import pack_items, top_k_products
from coterie.kernels.few_products import measure_reach, top_k_few
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_products, "_FIRST", data.draw(st.integers(1, 2 * SCORE_COLUMNS)))
        patch.setattr(few_products, "_MANY", data.draw(st.sampled_from([0.0, 1.0])))
        answers = lists_of(people, offsets, factors, biases, wanted, k, rows if exclude else None)
    expected = reference.top_k(people, offsets, factors, biases, wanted, k, seen)
    for indices, values, counts in answers:
        assert (indices.dtype, values.dtype, indices.shape) == (np.int32, np.float32, (n, min(k, m)))
        for row, best in enumerate(expected):
            count = counts[row]
            assert list(zip(values[row, :count].tolist(), indices[row, :count].tolist(), strict=True)) == best
            assert (indices[row, count:] == -1).all()
            assert (values[row, count:] == -np.inf).all()


def lists_of(people, offsets, factors, biases, wanted, k, seen) -> list:
    """The same lists by the compiled loop, by NumPy, and by NumPy from all items and a choice of them."""
    every = np.ones(len(factors), bool)
    return [
        top_k_products(people, offsets, pack_items(factors, biases, wanted), k, seen),
        top_k_few(people, offsets, measure_reach(factors, biases, wanted, 1.0), k, seen),
        top_k_few(people, offsets, measure_reach(factors, biases, every, 1.0), k, seen, wanted),
    ]


@pytest.mark.parametrize("biased", [False, True])
def test_many_items_of_unequal_length_lose_nothing_to_the_bound(monkeypatch: pytest.MonkeyPatch, biased: bool) -> None:
    random = np.random.default_rng(0)
    n, m = 40, 40 * SCORE_COLUMNS
    people = random.standard_normal((n, 6)).astype(np.float32)
    factors = (random.standard_normal((m, 6)) * random.random((m, 1)) ** 6).astype(np.float32)
    biases = random.standard_normal(m).astype(np.float32) if biased else None
    offsets = random.standard_normal(n).astype(np.float32) if biased else None
    expected = reference.top_k(people, offsets, factors, biases, np.ones(m, bool), 7, [set()] * n)
    monkeypatch.setattr(few_products, "_FIRST", 16)
    for indices, values, counts in lists_of(people, offsets, factors, biases, np.ones(m, bool), 7, None):
        assert (counts == 7).all()
        assert indices.tolist() == [[item for _, item in row] for row in expected]
        np.testing.assert_allclose(values, [[score for score, _ in row] for row in expected], rtol=1e-4, atol=1e-6)


def test_most_items_are_passed_over_where_lengths_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    factors = (random.standard_normal((5000, 6)) * random.random((5000, 1)) ** 6).astype(np.float32)
    looked_at = []
    products = few_products._products
    monkeypatch.setattr(few_products, "_products", lambda rows, p: looked_at.append(len(rows)) or products(rows, p))
    top_k_few(factors[:1], None, measure_reach(factors, None, np.ones(5000, bool), 1.0), 10, None)
    assert looked_at[0] == 512
    assert looked_at[1] < 500


def test_no_people_no_items() -> None:
    nothing = np.zeros((3, 2), np.float32), None, np.zeros(3, bool), 5, None
    for indices, _, counts in lists_of(np.ones((2, 2), np.float32), None, *nothing):
        assert indices.tolist() == [[-1, -1, -1]] * 2
        assert counts.tolist() == [0, 0]
    for indices, _, _ in lists_of(np.ones((0, 2), np.float32), None, *nothing):
        assert len(indices) == 0


@pytest.mark.parametrize("size", [1e-19, 1e-22, 1e-37])
def test_short_vectors_have_lists_too(size: float) -> None:
    random = np.random.default_rng(0)
    people = (random.standard_normal((3, 6)) * size).astype(np.float32)
    factors = random.standard_normal((900, 6)).astype(np.float32)
    indices, values, counts = top_k_few(people, None, measure_reach(factors, None, np.ones(900, bool), 1.0), 5, None)
    assert (counts == 5).all()
    best = np.sort(people.astype(float) @ factors.T.astype(float), axis=1)[:, :-6:-1]
    np.testing.assert_allclose(values, best, rtol=1e-5, atol=1e-44)
    assert (indices >= 0).all()
