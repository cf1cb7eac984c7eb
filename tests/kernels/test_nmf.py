"""Non-negative least squares against the best of all sets of positive coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.kernels.nmf import Problem, gram_of, improve, solve, solve_nonnegative, width
from tests.reference import nmf as reference
from tests.reference.matrices import HALF_STARS, compress, rated

RATED = rated(st.just(HALF_STARS))
SEEDS, READINGS = st.integers(0, 9), st.booleans()


def factors(n: int, k: int, seed: int) -> np.ndarray:
    """Non-negative, some of them 0, in whole vectors."""
    random = np.random.default_rng(seed)
    made = np.zeros((n, width(k)), np.float32)
    made[:, :k] = np.maximum(random.standard_normal((n, k)) + 0.3, 0)
    return made


def problem(fixed: np.ndarray, zeros: bool) -> Problem:
    return Problem(fixed, gram_of(fixed) if zeros else None)


def ridges(dense: np.ndarray, ridge: float) -> np.ndarray:
    return np.full(len(dense), ridge, np.float32)


def total(dense: np.ndarray, fixed: np.ndarray, ridge: float, zeros: bool, x: np.ndarray) -> float:
    """The sum of the objectives of all rows that have entries."""
    rows = [(r, xs) for r, xs in zip(dense, x, strict=True) if not np.isnan(r).all()]
    return sum(reference.objective(row, fixed, ridge, zeros, xs.astype(np.float64)) for row, xs in rows)


@given(RATED, SEEDS, READINGS)
@settings(max_examples=50)
def test_few_rows_and_many_have_the_solutions_of_the_twin(dense: np.ndarray, seed: int, zeros: bool) -> None:
    fixed = factors(dense.shape[1], 4, seed)[:, :4]
    many = np.tile(dense, (17 // len(dense) + 1, 1))
    few, more = (solve(problem(fixed, zeros), *compress(rows), ridges(rows, 0.5)) for rows in (dense, many))
    for row, x, other in zip(dense, few, more[: len(dense)], strict=True):
        expected = np.zeros(4)
        if not np.isnan(row).all():
            expected = reference.solve(*reference.equations(row, fixed, 0.5, zeros))
        np.testing.assert_allclose(x, expected, atol=1e-4)
        np.testing.assert_allclose(other, expected, atol=1e-4)
    assert few.dtype == more.dtype == np.float32


@given(RATED, SEEDS, READINGS, st.sampled_from([0.0, 0.5]))
def test_steps_never_raise_the_objective_and_tell_it(dense: np.ndarray, seed: int, zeros: bool, ridge: float) -> None:
    fixed = factors(dense.shape[1], 5, seed)
    for multiplicative in (False, True):
        x = factors(len(dense), 5, seed + 1)
        x[np.isnan(dense).all(axis=1)] = 0
        before = total(dense, fixed, ridge, zeros, x)
        squares = float(np.square(np.nan_to_num(dense).astype(np.float64)).sum())
        for _ in range(3):
            gain = improve(
                problem(fixed, zeros),
                *compress(dense),
                ridges(dense, ridge),
                x,
                passes=1,
                multiplicative=multiplicative,
            )
            after = total(dense, fixed, ridge, zeros, x)
            assert (x >= 0).all()
            assert after <= before * (1 + 1e-5) + 1e-4
            assert squares + gain == pytest.approx(after, rel=1e-4, abs=1e-3)
            before = after


@given(RATED, SEEDS, READINGS)
def test_a_multiplicative_step_is_the_formula(dense: np.ndarray, seed: int, zeros: bool) -> None:
    fixed, x = factors(dense.shape[1], 3, seed), factors(len(dense), 3, seed + 1)
    found = x.copy()
    improve(problem(fixed, zeros), *compress(dense), ridges(dense, 0.2), found, passes=1, multiplicative=True)
    for row, before, after in zip(dense, x, found, strict=True):
        expected = np.zeros(3)
        if not np.isnan(row).all():
            matrix, right = reference.equations(row, fixed[:, :3], 0.2, zeros)
            alive = np.array([fixed[:, f].any() if zeros else fixed[~np.isnan(row), f].any() for f in range(3)])
            expected = np.where(alive, reference.multiplied(matrix, right, before[:3].astype(np.float64)), 0)
        np.testing.assert_allclose(after[:3], expected, rtol=1e-4, atol=1e-6)


@given(st.integers(1, 6), SEEDS)
def test_active_sets_find_the_minimum(k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    root, right = random.standard_normal((k + 2, k)), random.standard_normal(k)
    matrix = root.T @ root
    np.testing.assert_allclose(solve_nonnegative(matrix, right), reference.solve(matrix, right), atol=1e-9)


def test_without_a_ridge_all_solutions_have_the_same_products() -> None:
    fixed = np.tile(np.array([[1, 2], [2, 4], [3, 6]], np.float32), (1, 2))  # many solutions
    dense = np.full((18, 3), 4, np.float32)
    few, many = (solve(problem(fixed, True), *compress(rows), ridges(rows, 0.0)) for rows in (dense[:2], dense))
    expected = np.array([1, 2, 3]) * 4 * 6 / 14  # projection on (1, 2, 3)
    for x in (few[0], few[1], many[0], many[17]):
        np.testing.assert_allclose(fixed @ x, expected, rtol=1e-5)


def test_the_same_bytes_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    dense = np.where(random.random((700, 6)) < 0.5, random.random((700, 6)), np.nan).astype(np.float32)
    found = set()
    for threads in "123":
        monkeypatch.setenv("COTERIE_THREADS", threads)
        fixed = factors(6, 3, 0)
        x = [solve(problem(fixed, zeros), *compress(dense), ridges(dense, 0.1)).tobytes() for zeros in (False, True)]
        found.add((*x, gram_of(factors(9000, 3, 1)).tobytes()))
    assert len(found) == 1
