"""Ascent pair by pair, and people's tastes, against slow loops and a general optimiser."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels import tastes
from coterie.kernels.bpr import TRIES, ascend_cell
from coterie.kernels.sampling import fill_alias
from coterie.kernels.sgd import cut_into_cells
from coterie.kernels.tastes import Items, Person, solve_tastes
from tests.reference import bpr as reference
from tests.reference.matrices import HALF_STARS, compress, rated


@pytest.fixture(autouse=True)
def wrapping() -> Iterator[None]:
    """64-bit words wrap around by design; NumPy mentions it where there is no compiler."""
    with np.errstate(over="ignore"):
        yield


def table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    thresholds, others = np.zeros(len(weights), np.uint32), np.zeros(len(weights), np.int32)
    fill_alias(weights.astype(np.float64), thresholds, others)
    return thresholds, others


@given(rated(st.just(HALF_STARS)), st.integers(0, 99), st.booleans())
def test_ascent_in_a_cell(dense: np.ndarray, seed: int, biased: bool) -> None:
    random = np.random.default_rng(seed)
    n, m = dense.shape
    cells = cut_into_cells(*compress(dense), m, random, 2)
    expected = [random.normal(0, 0.5, shape) for shape in ((n, 3), (m, 3), m)]
    found = [part.astype(np.float32) for part in expected]
    bias_rate = 0.2 if biased else 0.0
    for block in (1, 0):
        pool = np.flatnonzero(cells.blocks == block).astype(np.int32)
        alias = table(1 + pool) if len(pool) else (np.zeros(0, np.uint32), np.zeros(0, np.int32))
        choices = [
            (u, int(i), float(dense[u, i])) for u in range(n) for i in pool if not np.isnan(dense[u, i])
        ]  # fmt: skip
        sums = np.array([0.5, 1.0])
        rates = np.float32(0.1), np.float32(bias_rate), np.float32(0.02)
        ascend_cell(0, n, block, *cells[2:], pool, *alias, np.uint64(seed), *found, *rates, sums)
        total, pairs = reference.ascend(choices, pool, alias, seed, *expected, 0.1, bias_rate, 0.02, TRIES)
        assert sums[0] - 0.5 == pytest.approx(total, rel=1e-3, abs=1e-4)
        assert sums[1] == pairs + 1
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("lead", [-50.0, 79.0, 95.0])
def test_large_leads_neither_overflow_nor_look_like_divergence(lead: float) -> None:
    cells = cut_into_cells(*compress(np.array([[1, np.nan]], np.float32)), 2, np.random.default_rng(0), 1)
    p, q, c = np.zeros((1, 1), np.float32), np.zeros((2, 1), np.float32), np.array([lead, 0], np.float32)
    sums, rate = np.zeros(2), np.float32(0)
    pool = np.array([0, 1], np.int32)
    for _ in range(9):
        ascend_cell(0, 1, 0, *cells[2:], pool, *table(np.ones(2)), np.uint64(7), p, q, c, rate, rate, rate, sums)
    assert sums[1] == 9
    assert sums[0] == pytest.approx(9 * min(lead, 0), abs=1e-3)


def people(seed: int, n: int = 20, m: int = 15, d: int = 4) -> tuple[Items, list[np.ndarray]]:
    """Items with vectors and weights, and people: one who chose nothing, one who chose all, the rest some."""
    random = np.random.default_rng(seed)
    chosen = random.random((n, m)) < 0.3
    chosen[2], chosen[5] = False, True
    items = Items.of(random.normal(size=(m, d)), random.normal(0, 0.5, m), random.integers(1, 4, m))
    values = np.where(chosen, random.integers(1, 6, chosen.shape) / 3, np.nan).astype(np.float32)
    return items, list(compress(values))


@pytest.mark.parametrize("ridge", [0.02, 1.0])
@pytest.mark.parametrize("few_rows", [1000, 0], ids=["numpy", "compiled"])
def test_tastes_are_the_maximum(few_rows: int, ridge: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tastes, "_FEW_ROWS", few_rows)
    items, (indptr, columns, weights) = people(0)
    ridges = ridge * np.diff(indptr)
    found = solve_tastes(items, indptr, columns, weights, ridges)
    for row in range(len(found)):
        part = slice(indptr[row], indptr[row + 1])
        if row in (2, 5):  # there is nothing to tell apart
            assert not found[row].any()
            continue
        expected = reference.taste(columns[part], weights[part], items.vectors, items.weights, ridges[row])
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-5)


def test_steps_that_go_too_far_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    items, (indptr, columns, weights) = people(1)
    items = Items.of(30 * items.vectors[:, :-1], items.vectors[:, -1], items.weights)
    ridges = 1e-3 * np.diff(indptr)
    answers = []
    for few_rows in (1000, 0):
        monkeypatch.setattr(tastes, "_FEW_ROWS", few_rows)
        answers.append(solve_tastes(items, indptr, columns, weights, ridges))
    np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-6)
    for row in (0, 1, 3):
        part = slice(indptr[row], indptr[row + 1])
        expected = reference.taste(columns[part], weights[part], items.vectors, items.weights, ridges[row])
        np.testing.assert_allclose(answers[0][row], expected, rtol=1e-3, atol=1e-4)


def test_contributions_add_up_to_any_score() -> None:
    items, (indptr, columns, weights) = people(2)
    part = slice(indptr[0], indptr[1])
    person = Person.of(items, columns[part], weights[part], 0.3)
    assert person is not None
    p = person.solve()
    for vector in items.vectors:
        assert person.contributions(p, vector[:-1]).sum() == pytest.approx(p @ vector[:-1], rel=1e-5, abs=1e-6)
