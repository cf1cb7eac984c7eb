"""Elastic nets from the Gram matrix against plain descent on the data, their own conditions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet

from coterie.kernels import elastic_net
from tests.reference import elastic_net as reference
from tests.reference.matrices import HALF_STARS, rated

ALL = np.empty((1, 0), np.int32)


def solve(
    x: np.ndarray, l1: float, l2: float, positive: bool, candidates: np.ndarray = ALL, tolerance: float = 1e-10,
    begin: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Weights (n, n), column by column in the rows, and gaps; the columns are solved in another order."""
    n = x.shape[1]
    gram = (x.T @ x).astype(np.float32)
    columns = np.random.default_rng(n).permutation(n)
    some = np.zeros((n, n), np.float32) if begin is None else begin[columns]
    net = (gram, candidates, l1, l2, positive, tolerance, 10_000)
    some_gaps, objectives = elastic_net.solve_elastic_nets(columns, *net, some)
    expected = [reference.objective(x, j, w, l1, l2) for j, w in zip(columns, some, strict=True)]
    np.testing.assert_allclose(objectives, expected, rtol=1e-5, atol=1e-5)
    weights, gaps = np.empty_like(some), np.empty(n)
    weights[columns], gaps[columns] = some, some_gaps
    return weights, gaps


def sparse(shape: tuple[int, int], share: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(random.random(shape) < share, random.integers(-3, 6, shape), 0).astype(np.float64)


@settings(max_examples=40)
@given(rated(st.just(HALF_STARS), max_columns=5), st.sampled_from([0.25, 2.0, 20.0]), st.booleans())
def test_small_problems_are_solved_as_by_plain_descent(dense: np.ndarray, l1: float, positive: bool) -> None:
    x = np.nan_to_num(dense.astype(np.float64))
    n = x.shape[1]
    weights, gaps = solve(x, l1, 3.0, positive)
    assert (gaps <= 1e-10).all()
    assert not positive or (weights >= 0).all()
    for j in range(n):
        expected = reference.solve_column(x, j, [i for i in range(n) if i != j], l1, 3.0, positive, 300)
        np.testing.assert_allclose(weights[j], expected, atol=2e-5)
        assert weights[j, j] == 0


@pytest.mark.parametrize("smallest", [1, 4, 64])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(("l1", "l2"), [(2.0, 10.0), (20.0, 1.0), (1e6, 1.0)])
def test_the_solution_is_that_of_scikit_learn(
    l1: float, l2: float, positive: bool, smallest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elastic_net, "_SMALLEST_SET", smallest)
    x = sparse((40, 9), 0.4, 1)
    weights, _ = solve(x, l1, l2, positive)
    for j in range(9):
        others = x.copy()
        others[:, j] = 0
        net = ElasticNet((l1 + l2) / 40, l1_ratio=l1 / (l1 + l2), fit_intercept=False, positive=positive, tol=1e-12)
        expected = net.fit(others, x[:, j]).coef_
        np.testing.assert_allclose(weights[j], expected, atol=1e-6)
    assert (weights != 0).any() == (l1 < 1e6)


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-6])
def test_the_duality_gap_bounds_what_the_objective_lacks(tolerance: float) -> None:
    x = sparse((30, 8), 0.5, 2)
    rough, gaps = solve(x, 1.0, 5.0, True, tolerance=tolerance)
    best, _ = solve(x, 1.0, 5.0, True)
    for j in range(8):
        lacking = reference.objective(x, j, rough[j], 1.0, 5.0) - reference.objective(x, j, best[j], 1.0, 5.0)
        norm = x[:, j] @ x[:, j]
        assert lacking <= gaps[j] * norm + 1e-6
        assert gaps[j] <= tolerance


def test_a_tighter_tolerance_is_never_a_worse_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where sweeps are too few for it: no working set may take all of them."""
    monkeypatch.setattr(elastic_net, "_SMALLEST_SET", 4)
    common = sparse((30, 1), 0.8, 7)
    x = sparse((30, 12), 0.4, 8) + common  # columns that are alike, so that descent takes its time
    gram, before = (x.T @ x).astype(np.float32), np.full(12, np.inf)
    for tolerance in (1e-1, 1e-2, 1e-4, 1e-6, 1e-9, 1e-12):
        weights = np.zeros((12, 12), np.float32)
        gaps, _ = elastic_net.solve_elastic_nets(np.arange(12), gram, ALL, 1.0, 0.1, False, tolerance, 100, weights)
        after = np.array([reference.objective(x, j, weights[j], 1.0, 0.1) for j in range(12)])
        assert (after <= before * (1 + 1e-6)).all()
        before = after
    assert (gaps > 1e-12).any()


def test_only_candidates_get_weights() -> None:
    x = sparse((30, 6), 0.5, 3)
    candidates = np.array([[1, 4], [0, -1], [-1, -1], [2, 5], [0, 5], [1, 2]], np.int32)
    weights, gaps = solve(x, 0.5, 1.0, False, candidates)
    assert (gaps <= 1e-10).all()
    for j, allowed in enumerate(candidates):
        chosen = [int(i) for i in allowed if i >= 0]
        expected = reference.solve_column(x, j, chosen, 0.5, 1.0, False, 300)
        np.testing.assert_allclose(weights[j], expected, atol=2e-5)


def test_a_warm_start_ends_where_a_cold_one_does_and_sooner() -> None:
    x = sparse((30, 8), 0.5, 4)
    cold, _ = solve(x, 1.0, 5.0, False)
    warm, _ = solve(x, 1.0, 5.0, False, begin=np.ones((8, 8), np.float32) - np.eye(8, dtype=np.float32))
    np.testing.assert_allclose(warm, cold, atol=1e-5)
    begin = cold.copy()
    gram = (x.T @ x).astype(np.float32)
    gaps, _ = elastic_net.solve_elastic_nets(np.arange(8), gram, ALL, 1.0, 5.0, False, 1e-6, 0, begin)
    assert (gaps <= 1e-6).all()  # without one sweep
    np.testing.assert_array_equal(begin, cold)


def test_too_few_sweeps_are_told_by_the_gap() -> None:
    x = sparse((30, 8), 0.5, 5)
    weights = np.zeros((8, 8), np.float32)
    gram = (x.T @ x).astype(np.float32)
    gaps, _ = elastic_net.solve_elastic_nets(np.arange(8), gram, ALL, 0.01, 0.0, False, 1e-9, 2, weights)
    assert (gaps > 1e-9).any()
    assert np.isfinite(weights).all()


@pytest.mark.parametrize("positive", [True, False])
def test_any_number_of_threads_gives_the_same_bytes(positive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x = sparse((40, 9), 0.4, 6)
    monkeypatch.setattr(elastic_net, "_BLOCK", 2)
    found = set()
    for threads in "123":
        monkeypatch.setenv("COTERIE_THREADS", threads)
        found.add(solve(x, 1.0, 1.0, positive)[0].tobytes())
    assert len(found) == 1
