"""Features of items: what is counted, what is weighed, and what becomes of items that nothing is known about."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from coterie.content.features import SOURCES, item_features, normalized, taggings
from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, MemoryBudgetError, ParameterError

ITEMS = Vocabulary([10, 20, 30, 40, 99], "item")  # 99 is not in the catalog, 40 has nothing


def catalog() -> Catalog:
    titles = pl.DataFrame({"item": [40, 30, 20, 10], "genres": ["", "Drama", "Comedy|Drama", "Comedy"]})
    rows = [
        (1, 10, "Funny"), (2, 10, "funny "), (2, 10, "FUNNY"), (1, 20, "ｆｕｎｎｙ"), (1, 20, "dark\u200b  hero"),
        (1, 30, "dark hero"), (3, 30, "  "), (3, 77, "lost"),
    ]  # fmt: skip
    tags = pl.DataFrame(rows, schema=["user", "item", "tag"], orient="row")
    genome = np.array([[np.nan, np.nan], [0.2, np.nan], [0.4, 0.6], [0.9, 0.2]], np.float32)
    return Catalog.from_titles(titles, tags=tags, genome_tags=("dark", "light"), genome=genome)


def test_tags_are_counted_by_people_after_spelling_is_put_right() -> None:
    found = {(r["item_index"], r["tag"]): r["people"] for r in taggings(catalog(), ITEMS).to_dicts()}
    assert found == {(0, "funny"): 2, (1, "dark hero"): 1, (1, "funny"): 1, (2, "dark hero"): 1}


def test_tags_weigh_by_tf_idf() -> None:
    features = item_features(catalog(), ITEMS, "tags")
    assert features.names == ("dark hero", "funny")
    idf = np.log(3 / 2)
    expected = np.zeros((5, 2))
    expected[0, 1], expected[1], expected[2, 0] = np.log(3) * idf, np.log(2) * idf, np.log(2) * idf
    np.testing.assert_allclose(features.matrix.toarray(), expected, rtol=1e-6)
    assert features.known.tolist() == [True, True, True, False, False]


def test_genres_weigh_by_their_rarity() -> None:
    features = item_features(catalog(), ITEMS, "genres")
    assert features.names == ("Comedy", "Drama")
    assert (features.matrix.toarray() > 0).tolist() == [[1, 0], [1, 1], [0, 1], [0, 0], [0, 0]]


def test_what_the_genome_leaves_out_is_the_tags_mean() -> None:
    features = item_features(catalog(), ITEMS, "genome")
    expected = [[0.9, 0.2], [0.4, 0.6], [0.2, 0.4], [0, 0], [0, 0]]
    np.testing.assert_allclose(features.matrix, expected, rtol=1e-6)


@pytest.mark.parametrize("source", SOURCES)
def test_adjusted_features_have_no_mean_and_unknown_items_stay_unknown(source: str) -> None:
    features = item_features(catalog(), ITEMS, source, adjusted=True)  # type: ignore[arg-type]
    np.testing.assert_allclose(features.matrix[:3].mean(axis=0), 0, atol=1e-6)
    assert not features.matrix[3:].any()


@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("source", SOURCES)
def test_unit_rows_have_length_one_where_something_is_known(source: str, adjusted: bool) -> None:
    features = item_features(catalog(), ITEMS, source, adjusted=adjusted)  # type: ignore[arg-type]
    unit = features.unit_rows()
    lengths = np.linalg.norm(unit if isinstance(unit, np.ndarray) else unit.toarray(), axis=1)
    np.testing.assert_allclose(lengths, features.known.astype(float), atol=1e-6)


def test_a_feature_that_all_items_have_is_still_known() -> None:
    titles = pl.DataFrame({"item": [10, 20], "genres": ["Drama", "Drama"]})
    assert item_features(Catalog.from_titles(titles), ITEMS, "genres").known.tolist() == [True, True, *[False] * 3]


def test_rare_tags_can_be_left_out() -> None:
    assert item_features(catalog(), ITEMS, "tags", min_items=3).names == ()


@pytest.mark.parametrize("source", SOURCES)
def test_what_the_catalog_lacks_is_named(source: str) -> None:
    bare = Catalog.from_titles(pl.DataFrame({"item": [10], "title": ["A (1999)"]}))
    with pytest.raises(DataError, match=source.rstrip("s")):
        item_features(bare, ITEMS, source)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="catalog"):
        item_features(None, ITEMS, source)  # type: ignore[arg-type]


def test_an_unknown_source_is_named() -> None:
    with pytest.raises(ParameterError, match="plots"):
        item_features(catalog(), ITEMS, "plots")  # type: ignore[arg-type]


def test_dense_features_are_asked_for_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "0.00000001")
    with pytest.raises(MemoryBudgetError, match="min_items"):
        item_features(catalog(), ITEMS, "tags", adjusted=True)


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("  Sci-Fi ", "sci-fi"), ("ﬁlm", "film"), ("e\u0301", "é"), ("a\tb\n c", "a b c"), ("\u200b", None), ("", None),
        ("İ", "i̇"), ("tom\u00a0hanks", "tom hanks"), ("\x00", None), ("\U0001f600", "\U0001f600"),
    ],
)  # fmt: skip
def test_spelling_is_put_right(raw: str, plain: str | None) -> None:
    assert pl.select(normalized(pl.lit(raw))).item() == plain
