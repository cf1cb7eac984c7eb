"""Draws of rows and of weights against posteriors by the book."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.kernels.gibbs import draw_rows, draw_weights
from tests.reference import gibbs as reference
from tests.reference.matrices import compress, rated

Array = np.ndarray[Any, np.dtype[Any]]


def setting(dense: Array, d: int, seed: int) -> dict[str, Array]:
    """All that a row's distribution depends on besides its ratings."""
    random = np.random.default_rng(seed)
    n, m = dense.shape
    root = random.standard_normal((d, d))
    return {
        "others": random.standard_normal((m, d)).astype(np.float32),
        "scales": np.sqrt(random.gamma(3, 1 / 3, m)).astype(np.float32),
        "means": random.standard_normal((n, d)).astype(np.float32),
        "precision": root @ root.T + np.eye(d),
        "alphas": random.gamma(3, 1 / 3, n),
    }


def drawn(dense: Array, given: dict[str, Array], noise: Array, **more: Any) -> tuple[Array, Array]:
    out = np.full(given["means"].shape, np.nan, np.float32)
    errors = draw_rows(*compress(dense), *given.values(), noise.astype(np.float32), out, **more)
    return out, errors


def of_row(dense: Array, row: int, given: dict[str, Array]) -> tuple[Any, ...]:
    """What the twin takes."""
    ratings = dense[row].astype(np.float64)
    return ratings, given["others"], given["scales"].astype(np.float64) ** 2, given["means"][row], given["precision"]


RATED = rated(st.sampled_from([st.integers(1, 10).map(lambda halves: halves / 2 - 3)]))


@given(RATED, st.integers(1, 10), st.integers(0, 99))
def test_rows_are_drawn_from_their_posteriors(dense: Array, d: int, seed: int) -> None:
    given = setting(dense, d, seed)
    noise = np.random.default_rng(seed).standard_normal((len(dense), d))
    out, errors = drawn(dense, given, noise)
    for row in range(len(dense)):
        about = of_row(dense, row, given)
        expected = reference.draw_row(*about, given["alphas"][row], noise[row])
        np.testing.assert_allclose(out[row], expected, rtol=1e-3, atol=1e-3)
        left = reference.squared_error(*about[:3], out[row].astype(np.float64))
        assert errors[row] == pytest.approx(left, rel=1e-3, abs=1e-3)


@settings(max_examples=30)
@given(RATED, st.integers(1, 4), st.integers(0, 99), st.integers(1, 3))
def test_noise_that_is_not_known_is_estimated_from_what_is_left(dense: Array, d: int, seed: int, rounds: int) -> None:
    given = setting(dense, d, seed)
    out, _ = drawn(dense, given, np.zeros(given["means"].shape), shape=2.5, rounds=rounds)
    for row in range(len(dense)):
        about = of_row(dense, row, given)
        alpha, _ = reference.expected_alpha(*about, given["alphas"][row], 2.5, rounds)
        np.testing.assert_allclose(out[row], reference.posterior(*about, alpha)[0], rtol=1e-3, atol=1e-3)


def test_draws_have_the_covariance_of_the_posterior() -> None:
    """The draws that the unit vectors make are the columns of a root of the covariance."""
    dense = np.random.default_rng(0).integers(1, 6, (2, 9)).astype(np.float32)
    dense[0, 4:] = np.nan
    given = setting(dense, 5, 1)
    center, _ = drawn(dense, given, np.zeros((2, 5)))
    root = np.stack([drawn(dense, given, np.tile(unit, (2, 1)))[0] - center for unit in np.eye(5)], axis=2)
    for row in range(2):
        a = reference.posterior(*of_row(dense, row, given), given["alphas"][row])[1]
        np.testing.assert_allclose(root[row] @ root[row].T, np.linalg.inv(a), atol=1e-5)


def test_any_number_of_threads_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    dense = np.where(random.random((300, 12)) < 0.3, random.integers(1, 6, (300, 12)), np.nan).astype(np.float32)
    given, noise, found = setting(dense, 6, 0), random.standard_normal((300, 6)), set()
    indptr, columns, _ = compress(dense.T)
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("COTERIE_THREADS", threads)
        out, errors = drawn(dense, given, noise)
        weights, residuals = np.zeros((12, 6), np.float32), out.copy()
        fixed = np.ones(300, np.float32), np.zeros(6, np.float32), np.ones(6, np.float32)
        draw_weights(indptr, columns, *fixed, noise[:12].astype(np.float32), residuals, weights)
        found.add((out.tobytes(), errors.tobytes(), weights.tobytes(), residuals.tobytes()))
    assert len(found) == 1


@given(rated(st.just(st.just(1.0))), st.integers(1, 9), st.integers(0, 99))
def test_weights_are_drawn_one_after_the_other(dense: Array, d: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    n, m = dense.shape
    belongs = ~np.isnan(dense)
    targets, weights, noise = (random.standard_normal((size, d)).astype(np.float32) for size in (n, m, m))
    scales, means = random.random(n).astype(np.float32), random.standard_normal(d).astype(np.float32)
    precisions = random.gamma(2, 1, d).astype(np.float32) + np.float32(0.1)
    expected = reference.draw_weights(belongs, scales, targets, means, precisions, noise, weights)
    residuals = (targets - (belongs * scales[:, None]) @ weights).astype(np.float32)
    indptr, rows, _ = compress(dense.T)
    draw_weights(indptr, rows, scales, means, precisions, noise, residuals, weights)
    np.testing.assert_allclose(weights, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(residuals, targets - (belongs * scales[:, None]) @ expected, rtol=1e-3, atol=1e-3)
