"""Biases of users and items against their twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.biases import fit_biases
from tests.reference import biases as reference
from tests.reference.matrices import compress, rated


def biases_of(dense: np.ndarray, mean: float, of_users: float, of_items: float, n: int) -> np.ndarray:
    return fit_biases(*compress(dense), (~np.isnan(dense)).sum(axis=0), mean, of_users, of_items, n)


@given(rated(), st.sampled_from([0.0, 3.0]), st.sampled_from([0.0, 10.0]), st.integers(1, 4))
def test_sweeps_solve_the_formulas_in_turn(dense: np.ndarray, of_users: float, of_items: float, n: int) -> None:
    expected = reference.item_biases(dense, 2.5, of_users, of_items, n)
    scale = np.abs(np.nan_to_num(dense)).max()
    np.testing.assert_allclose(biases_of(dense, 2.5, of_users, of_items, n), expected, rtol=1e-9, atol=1e-9 * scale)


def test_the_same_bytes_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    dense = np.where(random.random((300, 40)) < 0.3, random.random((300, 40)), np.nan).astype(np.float32)
    found = set()
    for threads in "123":
        monkeypatch.setenv("COTERIE_THREADS", threads)
        found.add(biases_of(dense, 0.5, 15.0, 10.0, 10).tobytes())
    assert len(found) == 1
