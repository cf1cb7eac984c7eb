"""Small least-squares systems, a row each, against dense ones in float64."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from coterie.errors import DivergenceError
from coterie.kernels import least_squares
from coterie.kernels.least_squares import Solver, System, half_sweep, pad_system, padded_zeros, solve_rows
from tests.reference import least_squares as reference

WITHOUT_BIASES = ["ratings", "offsets", "confidences"]
SYSTEMS = [*WITHOUT_BIASES, "biases"]


def world(k: int, kind: str, n: int = 24, m: int = 30) -> tuple[System, sp.csr_matrix, Any]:
    random = np.random.default_rng(k)
    rows = sp.random(n, m, 0.3, "csr", np.float32, random, lambda size: random.integers(1, 6, size))
    rows = sp.csr_matrix(rows.multiply(np.arange(n)[:, None] != 3), dtype=np.float32)  # row 3 has nothing
    rows.eliminate_zeros()
    rows.sort_indices()
    fixed = (random.standard_normal((m, k)) / np.sqrt(k)).astype(np.float32)
    ridge = np.linspace(0.5, 2, n).astype(np.float32)
    offsets = random.random(m).astype(np.float32)
    systems = {
        "ratings": System(fixed),
        "offsets": System(fixed, offsets=offsets),
        "confidences": System(fixed, (0.0, 2.0), (1.0, 2.0), fixed.T @ fixed),
        "biases": System(fixed, offsets=offsets, bias=True),
    }
    return systems[kind], rows, ridge


@pytest.mark.parametrize("few_rows", [1000, 0], ids=["numpy", "compiled"])
@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("k", [1, 5, 16, 17, 37, 65])
def test_solutions_against_the_twin(k: int, kind: str, few_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "_FEW_ROWS", few_rows)
    system, rows, ridge = world(k, kind)
    found = solve_rows(system, rows.indptr, rows.indices, rows.data, ridge)
    assert (found.dtype, found.shape) == (np.float32, (rows.shape[0], system.unknowns))
    np.testing.assert_allclose(found, reference.solutions(system, rows, ridge), rtol=1e-3, atol=1e-5)
    assert not found[3].any()


@pytest.mark.parametrize(
    ("kind", "solver"), [*product(WITHOUT_BIASES, ["cholesky", "cg", "ials++"]), ("biases", "cholesky")]
)
@pytest.mark.parametrize("k", [33, 37])
def test_every_solver_says_how_far_it_came_and_gets_there(k: int, kind: str, solver: Solver) -> None:
    system, rows, ridge = world(k, kind, n=8)
    wide = pad_system(system)
    k, width = system.unknowns, wide.fixed.shape[1] + system.bias
    out = np.zeros((rows.shape[0], width), np.float32)
    out[:, :k] = np.random.default_rng(0).standard_normal((rows.shape[0], k)) * 0.1
    nothing = reference.minimum(system, rows, ridge, np.zeros_like(out)[:, :k])
    before = np.inf
    for _ in range(1 if solver == "cholesky" else 40):
        done = half_sweep(wide, rows.indptr, rows.indices, rows.data, ridge, out, solver, 3, 16)
        objective = reference.minimum(system, rows, ridge, out[:, :k])
        assert nothing - done.gain == pytest.approx(objective, rel=1e-4)
        assert objective <= before * (1 + 1e-6)
        assert done.squares == pytest.approx(reference.squares(system, rows), rel=1e-5)
        before = objective
    assert not out[:, k:].any()  # padding stays empty
    best = reference.minimum(system, rows, ridge, reference.solutions(system, rows, ridge))
    assert before == pytest.approx(best, rel=5e-3)


def test_rows_without_entries_become_zero() -> None:
    system, rows, ridge = world(37, "biases")
    out = np.ones((rows.shape[0], system.unknowns), np.float32)
    half_sweep(pad_system(system), rows.indptr, rows.indices, rows.data, ridge, out)
    assert not out[3].any()
    assert (out[4:] != 1).all()


@pytest.mark.parametrize("k", [33, 70])
@pytest.mark.parametrize("solver", ["cholesky", "ials++"])
def test_a_column_that_another_nearly_is_makes_no_solution(solver: Solver, k: int) -> None:
    """Without a ridge, the last pivot is the square of what tells them apart; all sums are exact."""
    rows = sp.csr_matrix(np.ones((1, k), np.float32))

    def solve(apart: float) -> None:
        fixed = np.eye(k, dtype=np.float32)
        fixed[7, 20], fixed[20, 20] = 1, apart
        system = pad_system(System(fixed, (0.0, 1.0), (0.0, 1.0)))
        out, ridge = np.zeros((1, system.fixed.shape[1]), np.float32), np.zeros(1, np.float32)
        half_sweep(system, rows.indptr, rows.indices, rows.data, ridge, out, solver, block=128)

    solve(2**-11)  # of 1 + 2**-22 there is 2**-22 left, about 2.4e-7
    with pytest.raises(DivergenceError, match="the equations of row 0 cannot be solved"):
        solve(2**-11.5)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "ials++"])
def test_results_without_room_for_them_are_refused(solver: Solver) -> None:
    system, rows, ridge = world(37, "ratings")
    wide = pad_system(system)
    widths = [36] if solver == "cholesky" else [37, wide.fixed.shape[1] + 1]
    for width in widths:
        out = np.zeros((rows.shape[0], width), np.float32)
        with pytest.raises(ValueError, match=f"out has {width} columns for 37 unknowns"):
            half_sweep(wide, rows.indptr, rows.indices, rows.data, ridge, out, solver)


@pytest.mark.parametrize(
    ("solver", "more"),
    [("cg", {}), ("ials++", {}), ("cholesky", {"weight": (0.0, 1.0)}), ("cholesky", {"base": np.eye(37)})],
)
def test_a_bias_needs_the_exact_solver_equal_weights_and_no_base(solver: Solver, more: dict[str, Any]) -> None:
    system, rows, ridge = world(37, "biases")
    wide = pad_system(system._replace(**more))
    out = np.zeros((rows.shape[0], wide.fixed.shape[1]), np.float32)
    with pytest.raises(ValueError, match="a bias takes equal weights, no base"):
        half_sweep(wide, rows.indptr, rows.indices, rows.data, ridge, out, solver)


@pytest.mark.parametrize("k", [1, 16, 17])
def test_padded_rows_begin_on_cache_lines(k: int) -> None:
    zeros = padded_zeros(9, k)
    assert zeros.ctypes.data % 64 == 0
    assert (len(zeros), zeros.shape[1] % least_squares.padded(1)) == (9, 0)
    assert k <= zeros.shape[1] < k + least_squares.padded(1)
    assert pad_system(pad_system(System(zeros[:, :k]))).unknowns == k


@pytest.mark.parametrize("few_rows", [1000, 0], ids=["numpy", "compiled"])
def test_numbers_that_are_none_are_refused(few_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "_FEW_ROWS", few_rows)
    system, rows, ridge = world(5, "ratings")
    system.fixed[rows.indices[0], 2] = np.nan
    with pytest.raises(DivergenceError, match="cannot be solved"):
        solve_rows(system, rows.indptr, rows.indices, rows.data, ridge)


def test_more_entries_than_are_gathered_at_once() -> None:
    random = np.random.default_rng(1)
    fixed = random.standard_normal((700, 5)).astype(np.float32)
    rows = sp.csr_matrix(random.integers(1, 6, (2, 700)).astype(np.float32))
    ridge = np.ones(2, np.float32)
    out = np.zeros((2, 5), np.float32)
    half_sweep(pad_system(System(fixed)), rows.indptr, rows.indices, rows.data, ridge, out)
    np.testing.assert_allclose(out, reference.solutions(System(fixed), rows, ridge), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("few_rows", [1000, 0], ids=["numpy", "compiled"])
def test_what_has_no_unique_solution_is_an_error(few_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "_FEW_ROWS", few_rows)
    rows = sp.csr_matrix(np.array([[1, 2, 3, 4], [0, 5, 0, 1]], np.float32))
    fixed = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    with pytest.raises(DivergenceError, match=r"the equations of row 0 cannot be solved.*smaller scale"):
        alike = np.ones((4, 4), np.float32)
        solve_rows(System(alike), rows.indptr, rows.indices, rows.data, np.zeros(2, np.float32))
    with pytest.raises(DivergenceError, match=r"row 1 has 2 ratings and 4 unknowns.*larger regularization"):
        solve_rows(System(fixed), rows.indptr, rows.indices, rows.data, np.zeros(2, np.float32))


@pytest.mark.parametrize("few_rows", [1000, 0], ids=["numpy", "compiled"])
def test_a_bias_that_the_factors_can_take_over_is_an_error(few_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "_FEW_ROWS", few_rows)
    random = np.random.default_rng(0)
    fixed = random.standard_normal((40, 17)).astype(np.float32)
    fixed[:, 3] = 1  # as the column of the bias is
    rows = sp.csr_matrix(random.integers(1, 6, (1, 40)).astype(np.float32))
    with pytest.raises(DivergenceError, match="the equations of row 0 cannot be solved"):
        solve_rows(System(fixed, bias=True), rows.indptr, rows.indices, rows.data, np.zeros(1, np.float32))


@pytest.mark.parametrize("solver", ["cholesky", "cg", "ials++"])
def test_a_single_column_has_its_offset(solver: Solver) -> None:
    system = pad_system(System(np.ones((1, 1), np.float32), offsets=np.array([3.0], np.float32)))
    rows = sp.csr_matrix(np.array([[5], [4]], np.float32))
    out = np.zeros((2, system.fixed.shape[1]), np.float32)
    for _ in range(3):
        half_sweep(system, rows.indptr, rows.indices, rows.data, np.ones(2, np.float32), out, solver)
    np.testing.assert_allclose(out[:, 0], [1.0, 0.5], rtol=1e-6)
