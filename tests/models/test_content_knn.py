"""TagKNN and GenreKNN: against a slow twin, for items that nobody rated, in words, and where something is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.content.features import item_features
from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.models.content_knn import ContentKNN
from tests.contract.cases import interactions

# Items 101 to 107; nobody has rated 106, and 107 has neither tags nor genres.
RATINGS = [[5, 4, 0, 1, 0, 0, 3], [4, 0, 2, 0, 5, 0, 0], [0, 5, 4, 0, 3, 0, 1], [1, 0, 0, 5, 0, 0, 0]]
GENRES = ["Crime", "Crime|Drama", "Comedy", "Comedy", "Drama", "Crime", ""]
TAGGED = {
    101: ["noir", "Dark", "twist"], 102: ["noir", "dark"], 103: ["funny"], 104: ["FUNNY", "ｎｏｉｒ"],
    106: ["noir", "twist", "\u200b"],
}  # fmt: skip


def catalog(**changes: Any) -> Catalog:
    frame = pl.DataFrame({"item": range(101, 108), "title": [f"Film {i} (1999)" for i in range(101, 108)]})
    rows = [(user, item, tag) for item, tags in TAGGED.items() for user, tag in enumerate(tags)]
    rows += [(7, 9999, "of an item that is not there")]
    parts = {
        "tags": pl.DataFrame(rows, ["user", "item", "tag"], orient="row"),
        "genome_tags": ("noir", "war", "love"),
        "genome": np.random.default_rng(0).random((7, 3), dtype=np.float32),
    } | changes
    return Catalog.from_titles(frame.with_columns(pl.Series("genres", parts.pop("genres", GENRES))), **parts)


def train() -> Interactions:
    return interactions(RATINGS)


def slow_similarities(model: ContentKNN) -> np.ndarray:
    """Similarities of all pairs, one at a time and in double precision, by the formulas of the docstrings."""
    x, known = train(), catalog()
    source = getattr(model, "source", "genres")
    asked = {"min_items": model.min_items} if isinstance(model, ct.TagKNN) else {}

    def rows(source: Any, shrinkage: float, **asked: Any) -> np.ndarray:
        matrix = item_features(known, x.items, source, adjusted=model.adjusted, **asked).matrix
        matrix = np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray(), np.float64)
        squares = (matrix**2).sum(axis=1)
        own = shrinkage * squares[squares > 0].mean()
        return np.array([r / np.sqrt(s + own) if s > 0 else r for r, s in zip(matrix, squares, strict=True)])

    t, g = rows(source, model.shrinkage, **asked), rows("genres", 0.0)
    n, has, genre = len(t), t.any(axis=1), g.any(axis=1)
    both = [(i, j) for i in range(n) for j in range(n) if i != j and (has & genre)[i] and (has & genre)[j]]
    same = {i: [t[i] @ t[j] for k, j in both if k == i and GENRES[i] == GENRES[j]] for i in range(n)}
    c = float(np.clip(np.mean([np.mean(own) for own in same.values() if own] or [1]), 0.001, 1))
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j and has[i] and has[j]:
                out[i, j] = t[i] @ t[j]
            elif i != j and source != "genres":
                out[i, j] = c * (g[i] @ g[j])
    return np.maximum(out, 0)


MODELS = [
    ct.TagKNN(aggregation="weighted", min_items=1),
    ct.TagKNN(aggregation="weighted", min_items=1, shrinkage=0.0, adjusted=True),
    ct.TagKNN(aggregation="weighted", shrinkage=2.0),
    ct.TagKNN(aggregation="weighted", source="genome"),
    ct.TagKNN(aggregation="weighted", source="genome", adjusted=True),
    ct.GenreKNN(aggregation="weighted"),
    ct.GenreKNN(aggregation="weighted", shrinkage=0.0, adjusted=True),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.label)


@each_model
def test_scores_and_ratings_are_those_of_the_twin(model: ContentKNN) -> None:
    model.fit(train(), catalog())
    similar, ratings = slow_similarities(model), np.array(RATINGS, np.float64)
    scores = model.score(train().to_scipy())
    expected = ratings @ similar
    np.testing.assert_allclose(np.nan_to_num(scores), expected, rtol=1e-4, atol=1e-6)
    given = (ratings > 0).astype(float)
    weight = given @ similar
    users, items = np.nonzero(weight > 1e-9)
    predicted = model.predict(train().users.ids[users], train().items.ids[items])
    np.testing.assert_allclose(predicted, (expected / np.maximum(weight, 1e-30))[users, items], rtol=1e-4)


@each_model
def test_similar_items_are_the_nearest_of_the_twin(model: ContentKNN) -> None:
    model.fit(train(), catalog())
    similar = slow_similarities(model)
    table = model.similar_items(train().items.ids.tolist(), 3)
    for row, item in enumerate(train().items.ids.tolist()):
        found = table.filter(item=item)
        best = np.sort(similar[row][similar[row] > 1e-7])[::-1][:3]
        np.testing.assert_allclose(found["similarity"], best, rtol=1e-4)
        near = train().items.indices(found["neighbor"])
        np.testing.assert_allclose(similar[row, near], best, rtol=1e-4)


def test_an_item_that_nobody_rated_is_recommended_and_one_of_which_nothing_is_known_is_not() -> None:
    model = ct.TagKNN(min_items=1).fit(train(), catalog())
    found = model.recommend_for({101: 5.0})["item"].to_list()
    assert found[:2] == [102, 106]  # as near, and 106 the later in the data
    assert 107 not in found
    assert model.recommend_for({107: 5.0}).is_empty()
    assert np.isfinite(model.predict_for({101: 5.0}, [107])).all()
    with_more = ct.TagKNN(min_items=1).fit(train().with_items([108]), catalog())
    assert with_more.recommend_for({101: 5.0})["item"][:2].to_list() == [102, 106]


@pytest.mark.parametrize("of", ["score", "rating"])
@each_model
def test_shares_add_up_to_similarities(model: ContentKNN, of: Any) -> None:
    model.fit(train(), catalog())
    seen = 0
    for item in train().items.ids.tolist():
        why = model.explain({101: 5.0, 103: 2.0, 105: 4.0}, item, of=of)
        for row in why.contributions.iter_rows(named=True):
            assert sum(share["weight"] for share in row["shared"]) == pytest.approx(row["similarity"], rel=1e-5)
            seen += 1
    assert seen


def test_a_guess_by_genres_does_not_outrank_what_is_known_to_be_near() -> None:
    """Relevances are all above 0, so films are alike by them even where they share no genre."""
    genome = np.array([[9, 5, 5], [9, 5, 4], [9, 1, 9], [5, 9, 5], [4, 9, 5], [np.nan] * 3, [np.nan] * 3], np.float32)
    genres = ["Crime", "Drama", "Crime", "Comedy", "Comedy", "Crime", ""]
    model = ct.TagKNN(source="genome", shrinkage=0.0).fit(train(), catalog(genome=genome / 10, genres=genres))
    assert model.similar_items(101, 1)["neighbor"].to_list() == [102]
    unit = genome[:5] / np.linalg.norm(genome[:5], axis=1, keepdims=True)
    same = (unit[0] @ unit[2] + unit[3] @ unit[4]) / 2
    by_genres = model.similar_items(106, 9)
    assert by_genres["neighbor"].to_list() == [101, 103]
    assert by_genres["similarity"].to_list() == pytest.approx([same, same], rel=1e-5)


def test_reasons_in_words() -> None:
    model = ct.TagKNN(min_items=1, shrinkage=0.0).fit(train(), catalog())
    by_tags = model.explain({101: 5.0}, 106, of="score")
    assert by_tags.summary.startswith("Because this person liked Film 101 (1999): both are 'twist', 'noir'. 1 of ")
    assert by_tags.contributions["by"].to_list() == ["tags"]
    by_genres = model.explain({102: 1.0}, 105)
    assert by_genres.summary.startswith(
        "They gave Film 102 (1999) 1: both are Drama (by genres, as one of them has no tags that count). This person "
    )
    assert by_genres.contributions["by"].to_list() == ["genres"]
    genres = ct.GenreKNN().fit(train(), catalog()).explain({104: 5.0}, 103)
    assert genres.summary.startswith("Because this person liked Film 104 (1999): both are Comedy.")
    assert "by" not in genres.contributions.columns
    nothing = model.explain({107: 5.0}, 101)
    assert nothing.contributions.is_empty() and nothing.contributions.schema["shared"].is_nested()


def test_what_is_missing_is_named_with_what_to_do() -> None:
    without = catalog(tags=None, genome_tags=(), genome=None, genres=[""] * 7)
    for model, given, words in (
        (ct.TagKNN(), None, "features from tags need a catalog of the items; load data that has one, or pass fit"),
        (ct.GenreKNN(), None, "features from genres need a catalog of the items; load data that has one, or pass fit"),
        (ct.TagKNN(), without, "the catalog has no tags; use features from genres"),
        (ct.TagKNN(source="genome"), without, "no tag genome; use features from tags or genres"),
        (ct.GenreKNN(), without, "the catalog has no genres"),
    ):
        with pytest.raises(DataError, match=words):
            model.fit(train(), given)  # type: ignore[attr-defined]
        assert not model.is_fitted  # type: ignore[attr-defined]
    with pytest.raises(ParameterError, match="normalize is for sums"):
        ct.TagKNN(normalize=True, ranking="rating").fit(train(), catalog())


def test_a_catalog_without_genres_leaves_items_without_tags_alone() -> None:
    model = ct.TagKNN(min_items=1).fit(train(), catalog(genres=[""] * 7))
    assert model.similar_items([103, 105], 9).filter(item=105).is_empty()
    assert model.fallback_.shape == (7, 0)


def test_tags_that_no_item_of_the_data_has_leave_the_genres() -> None:
    tags = pl.DataFrame({"user": [1], "item": [555], "tag": ["elsewhere"]})
    model = ct.TagKNN().fit(train(), catalog(tags=tags))
    assert model.feature_names_ == ()
    assert model.similar_items(103, 1)["neighbor"].to_list() == [104]


def test_new_items_get_neighbors_where_the_catalog_has_them(tmp_path: Path) -> None:
    model = ct.TagKNN(min_items=1).fit(interactions([row[:5] for row in RATINGS]), catalog())
    model.save(tmp_path / "model")
    loaded: Any = ct.load_model(tmp_path / "model")
    more = Interactions.from_frame(
        pl.DataFrame({"user": [1, 9], "item": [106, 555], "rating": [4.0, 3.0]}), "user", "item", "rating"
    )
    loaded.update(more)
    assert loaded.similar_items(106, 1)["neighbor"].to_list() == [101]
    assert loaded.similar_items(555).is_empty()
    again = ct.TagKNN(min_items=1).fit(loaded.train_, catalog())
    profiles = again.train_.to_scipy()
    np.testing.assert_array_equal(loaded.score(profiles), again.score(profiles))
