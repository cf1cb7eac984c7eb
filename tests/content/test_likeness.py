"""How alike items are: shrinkage, what genres are worth, whose neighbours are whose, and shares that add up."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from coterie.content.features import ItemFeatures
from coterie.content.likeness import in_words, known_rows, nearest, shared_features, shrunk_rows, worth

RANDOM = np.random.default_rng(0)
TAGS = np.where(RANDOM.random((30, 8)) < 0.3, RANDOM.random((30, 8)), 0).astype(np.float32)
GENRES = np.where(RANDOM.random((30, 4)) < 0.5, RANDOM.random((30, 4)), 0).astype(np.float32)
TAGS[[3, 4, 17]] = 0
GENRES[[4, 9]] = 0
each_kind = pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])


def features(matrix: Any) -> ItemFeatures:
    return ItemFeatures(tuple(f"tag {c}" for c in range(matrix.shape[1])), matrix, "tags")


def dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, np.float64)


@each_kind
@pytest.mark.parametrize("shrinkage", [0.0, 0.5, 4.0])
def test_rows_are_cosines_of_items_with_something_of_their_own(kind: Any, shrinkage: float) -> None:
    squares = np.square(TAGS.astype(np.float64)).sum(axis=1)
    own = np.diag(np.sqrt(np.full(30, shrinkage * squares[squares > 0].mean())))
    longer = np.concatenate([TAGS, own], axis=1)
    unit = longer / np.maximum(np.linalg.norm(longer, axis=1, keepdims=True), 1e-30)
    expected = (unit @ unit.T) * (squares > 0) * (squares > 0)[:, None]
    rows = dense(shrunk_rows(features(kind(TAGS)), shrinkage))
    found = rows @ rows.T
    np.fill_diagonal(found, 0)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(known_rows(shrunk_rows(features(kind(TAGS)), shrinkage)), squares > 0)


@each_kind
def test_genres_are_worth_what_items_of_the_same_genres_share(kind: Any) -> None:
    genres = (GENRES > 0.5).astype(np.float32)
    has = TAGS.any(axis=1) & genres.any(axis=1)
    means = []
    for i in np.flatnonzero(has):
        others = [j for j in np.flatnonzero(has) if j != i and (genres[i] == genres[j]).all()]
        if others:
            means.append(np.mean([float(TAGS[i].astype(np.float64) @ TAGS[j]) for j in others]))
    assert 0 < np.mean(means) < 1
    assert worth(kind(TAGS), kind(genres)) == pytest.approx(np.mean(means), rel=1e-6)


def test_what_genres_are_worth_takes_no_copies_of_a_genome() -> None:
    random = np.random.default_rng(0)
    features = random.random((1500, 400)).astype(np.float32)
    genres = (random.random((1500, 4)) < 0.5).astype(np.float32)
    worth(features, genres)
    tracemalloc.start()
    worth(features, genres)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * features.nbytes  # of the rows that have both, and what adding them up takes


def test_where_nothing_tells_genres_are_worth_what_they_say() -> None:
    assert worth(TAGS, np.zeros_like(GENRES)) == 1
    assert worth(TAGS[:1], GENRES[:1]) == 1
    assert worth(sp.csr_matrix((3, 0), dtype=np.float32), sp.csr_matrix((3, 2), dtype=np.float32)) == 1


def test_opposites_are_worth_next_to_nothing() -> None:
    genres = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert worth(np.array([[1, 0], [-1, 0], [0, 1]], np.float32), genres) == 0.001


@each_kind
@pytest.mark.parametrize("k", [1, 5, 100])
def test_items_are_compared_by_tags_where_both_have_some_else_by_genres(kind: Any, k: int) -> None:
    found, similarities = nearest(kind(TAGS), kind(GENRES), k)
    known = TAGS.any(axis=1)
    expected = np.where(known & known[:, None], TAGS @ TAGS.T, GENRES @ GENRES.T).astype(np.float64)
    np.fill_diagonal(expected, -1)
    for row in range(30):
        best = [j for j in np.argsort(-expected[row], kind="stable")[:k] if expected[row, j] > 0]
        assert found[row, : len(best)].tolist() == best
        np.testing.assert_allclose(similarities[row, : len(best)], expected[row, best], rtol=1e-5)
        assert (found[row, len(best) :] == -1).all() and np.isnan(similarities[row, len(best) :]).all()
    assert (found[4] == -1).all()  # which has neither


def test_without_a_fallback_items_without_tags_have_no_neighbors() -> None:
    found, _ = nearest(TAGS, sp.csr_matrix(np.empty((30, 0), np.float32)), 3)
    assert (found[[3, 4, 17]] == -1).all() and (found[0] >= 0).any()


@pytest.mark.parametrize("n", [0, 1])
@each_kind
def test_none_and_one(kind: Any, n: int) -> None:
    found, similarities = nearest(kind(TAGS[:n]), kind(GENRES[:n]), 3)
    assert found.shape == similarities.shape == (n, 1)
    assert (found == -1).all()


@each_kind
def test_shares_add_up_to_the_similarity_strongest_first(kind: Any) -> None:
    matrix = kind(TAGS)
    for one in range(10):
        for other in range(10, 20):
            shares = shared_features(matrix, features(matrix).names, one, other)
            weights = [share["weight"] for share in shares]
            assert weights == sorted(weights, reverse=True)
            assert sum(weights) == pytest.approx(float(TAGS[one] @ TAGS[other]), rel=1e-6)
            both = {f"tag {c}" for c in np.flatnonzero(TAGS[one] * TAGS[other])}
            assert {share["name"] for share in shares} == both


def test_what_both_have_less_of_and_where_they_are_opposites() -> None:
    matrix = np.array([[0.5, -0.5, 0.1], [0.4, -0.8, -0.2]], np.float32)
    shares = shared_features(matrix, ("war", "love", "rain"), 0, 1)
    assert [share["name"] for share in shares] == ["less love", "war", "rain"]
    assert [share["weight"] for share in shares] == pytest.approx([0.4, 0.2, -0.02], rel=1e-6)
    assert in_words(shares, "genome") == "both are 'less love', 'war'"


def test_of_many_the_strongest_are_named_and_the_rest_is_there() -> None:
    matrix = np.linspace(0.1, 1, 50, dtype=np.float32)[None].repeat(2, axis=0)
    shares = shared_features(matrix, tuple(f"tag {c}" for c in range(50)), 0, 1)
    assert len(shares) == 21 and shares[0]["name"] == "tag 49" and shares[-1]["name"] == "(30 more)"
    assert sum(share["weight"] for share in shares) == pytest.approx(float(matrix[0] @ matrix[1]), rel=1e-6)
