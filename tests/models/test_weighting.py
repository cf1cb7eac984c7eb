"""Term weights against their formulas, a rating at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from coterie.models.weighting import TermWeights, weighted
from tests.models.slow import interactions, world


def formula(dense: np.ndarray, document: int, term: int, weighting: str) -> float:
    """The weight of a rating, documents being rows."""
    rated = ~np.isnan(dense)
    rating, n = max(dense[document, term], 0.0), len(dense)
    idf = max(0.0, math.log(n / (1 + rated[:, term].sum())))
    if weighting == "tfidf":
        return math.sqrt(rating) * idf
    length, mean_length = np.nansum(np.maximum(dense[document], 0)), np.nansum(np.maximum(dense, 0)) / n
    return float(rating * 2.2 / (rating + 1.2 * (0.25 + 0.75 * length / mean_length)) * idf)


@pytest.mark.parametrize("axis", ["users", "items"])
@pytest.mark.parametrize("weighting", ["tfidf", "bm25"])
@pytest.mark.parametrize("shift", [0.0, -2.0], ids=["positive", "some negative"])
def test_weights_are_their_formula(axis: Any, weighting: Any, shift: float) -> None:
    dense = world(seed=2) + shift
    dense[:, 0] = 3.0  # everybody has it, so it says nothing
    x = interactions(dense)
    got = weighted(x, weighting, axis)
    documents = dense if axis == "users" else dense.T
    pairs = zip(x.user_index, x.indices, strict=True)
    expected = [formula(documents, *((u, i) if axis == "users" else (i, u)), weighting) for u, i in pairs]
    np.testing.assert_allclose(got.values, expected, rtol=1e-5, atol=1e-7)
    assert got.values.dtype == np.float32
    assert (got.users, got.items) == (x.users, x.items)
    if axis == "users":
        assert (got.values[x.indices == 0] == 0).all()


def test_a_stranger_is_weighted_as_a_known_user() -> None:
    x = interactions(world())
    for weighting in ("none", "tfidf", "bm25"):
        everyone = weighted(x, weighting, "users")  # type: ignore[arg-type]
        weights = TermWeights.of(x, weighting, "users")  # type: ignore[arg-type]
        row = slice(x.indptr[3], x.indptr[4])
        alone = weights.apply(np.zeros(row.stop - row.start, np.int64), x.indices[row], x.values[row])
        np.testing.assert_allclose(alone, everyone.values[row], rtol=1e-6)
    assert weighted(x, "none", "users") is x
    nobody = TermWeights.of(x, "bm25", "users").apply(*(np.empty(0, np.int64),) * 2, np.empty(0, np.float32))
    assert nobody.shape == (0,)
