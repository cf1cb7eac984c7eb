"""Small positive definite systems in registers, against dense ones in float64."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.kernels.positive import eliminate, substitute
from coterie.kernels.vectors import LANES


def system(k: int, entries: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A matrix (k, k) and two right sides."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((entries, k))
    return (rows.T @ rows + np.eye(k)).astype(np.float32), random.standard_normal((2, k)).astype(np.float32)


def above(matrix: np.ndarray) -> np.ndarray:
    """The tiles on and above the diagonal; the rest is not to be read."""
    tiles = np.arange(len(matrix)) // LANES
    return np.where(tiles[:, None] <= tiles, matrix, np.float32(np.nan))


@pytest.mark.parametrize("entries", [0, 3, 400])
@pytest.mark.parametrize("tiles", [1, 2, 3, 8])
def test_solutions_and_pivots(tiles: int, entries: int) -> None:
    k = tiles * LANES
    matrix, sides = system(k, entries)
    exact = np.linalg.solve(matrix.astype(float), sides.T.astype(float)).T
    lower = np.linalg.cholesky(matrix.astype(float))
    scaled, found, pivots = np.full((k, k), np.nan, np.float32), sides.copy(), np.zeros(k, np.float32)
    work = above(matrix)
    assert eliminate(work, scaled, found, pivots)
    np.testing.assert_allclose(pivots, np.diag(lower) ** 2, rtol=1e-4)
    halfway = np.linalg.solve(lower, sides.T.astype(float)).T / np.diag(lower)
    np.testing.assert_allclose(found, halfway, rtol=1e-3, atol=1e-5 * np.abs(halfway).max())
    for side in (0, 1):
        substitute(work, scaled, found[side])
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-5 * np.abs(exact).max())


def test_as_accurate_as_cholesky() -> None:
    """Over many systems, about the error of LAPACK's single precision."""
    from scipy.linalg.lapack import sposv

    ours, lapacks = [], []
    for seed in range(40):
        matrix, sides = system(4 * LANES, 50, seed)
        exact = np.linalg.solve(matrix.astype(float), sides[0].astype(float))
        lapacks.append(np.linalg.norm(sposv(matrix, sides[0])[1] - exact) / np.linalg.norm(exact))
        work, scaled, pivots = above(matrix), np.zeros_like(matrix), np.zeros(len(matrix), np.float32)
        eliminate(work, scaled, sides, pivots)
        substitute(work, scaled, sides[0])
        ours.append(np.linalg.norm(sides[0] - exact) / np.linalg.norm(exact))
    assert np.mean(ours) < 2 * np.mean(lapacks)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_any_scale(scale: float) -> None:
    matrix, sides = system(2 * LANES, 100)
    exact = np.linalg.solve(matrix.astype(float), sides[0].astype(float))
    work, scaled, pivots = above(matrix * np.float32(scale)), np.zeros_like(matrix), np.zeros(len(matrix), np.float32)
    sides *= np.float32(scale)
    assert eliminate(work, scaled, sides, pivots)
    substitute(work, scaled, sides[0])
    np.testing.assert_allclose(sides[0], exact, rtol=1e-3, atol=1e-5 * np.abs(exact).max())


@pytest.mark.parametrize("place", [0, 1, LANES - 1, LANES, 2 * LANES + 5])
@pytest.mark.parametrize("bad", [2e-6, 1e-6, 0.0, -3.0, np.nan])
def test_a_pivot_at_its_floor_is_refused_wherever_it_is(place: int, bad: float) -> None:
    k = 3 * LANES
    matrix, sides = np.eye(k, dtype=np.float32), np.ones((2, k), np.float32)
    floors = np.full(k, 2e-6, np.float32)
    matrix[place, place] = 3e-6
    assert eliminate(above(matrix), np.zeros_like(matrix), sides.copy(), floors.copy())
    matrix[place, place] = bad
    assert not eliminate(above(matrix), np.zeros_like(matrix), sides.copy(), floors.copy())
