"""Clusters: as scikit-learn finds them, named by what tells, and judged so that chance is nothing and sameness all."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from coterie.content.clusters import METHODS, ClusterItems, Clusters
from coterie.content.features import ItemFeatures
from coterie.content.judging import SCORES, SHUFFLED, GenreLabels, assess, genre_labels, judge, purity
from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, MemoryBudgetError, ParameterError, UnknownIdError

GENRES = ("Drama", "Horror", "War")


def world(n: int = 90, spread: float = 0.2) -> tuple[ItemFeatures, Vocabulary, Catalog]:
    """Three heaps of 1/2, 1/3 and 1/6 of the items, each a genre; the last item is unknown."""
    genre = np.repeat([0, 1, 2], [n // 2, n // 3, n - n // 2 - n // 3])
    random = np.random.default_rng(2)
    matrix = 3 * np.eye(3, 4)[genre] + spread * random.normal(size=(n, 4))
    matrix[-1] = 0
    frame = pl.DataFrame(
        {
            "item": np.arange(100, 100 + n),
            "title": [f"{GENRES[g]} {i} (2000)" for i, g in enumerate(genre)],
            "genres": [GENRES[g] for g in genre],
        }
    )
    features = ItemFeatures(("a", "b", "c", "d"), matrix.astype(np.float32), "ours")
    catalog = Catalog.from_titles(frame)
    return features, catalog.vocabulary, catalog


# ---- clusters -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("unit", [False, True])
def test_every_method_finds_the_heaps(method, unit: bool) -> None:
    features, items, catalog = world()
    found = ClusterItems(method=method, unit=unit).fit(features, items, catalog)
    assert found.n_clusters == 3
    assert found.sizes.tolist() == [45, 30, 14]  # the largest first
    assert found.labels.tolist() == [0] * 45 + [1] * 30 + [2] * 14 + [-1]
    again = ClusterItems(method=method, unit=unit).fit(features, items, catalog)
    np.testing.assert_array_equal(found.labels, again.labels)


@pytest.mark.parametrize("sparse", [False, True])
def test_kmeans_is_that_of_scikit_learn(sparse: bool) -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(120, 5)).astype(np.float32)
    items = Vocabulary(np.arange(120), "item")
    features = ItemFeatures(tuple("abcde"), sp.csr_matrix(matrix) if sparse else matrix)
    found = ClusterItems(7, random_state=4).fit(features, items)
    with threadpool_limits(1):
        theirs = KMeans(7, n_init=10, random_state=4).fit_predict(features.matrix)
    assert len(np.unique(np.stack([found.labels, theirs]), axis=1).T) == 7  # the same, by other numbers


@pytest.mark.parametrize("method", ["gaussian", "ward", "bisecting"])
def test_sparse_features_are_clustered_too(method) -> None:
    features, items, catalog = world()
    sparse = ItemFeatures(features.names, sp.csr_matrix(features.matrix))
    found = ClusterItems(method=method).fit(sparse, items, catalog)
    assert found.sizes.tolist() == [45, 30, 14]


def test_unknown_items_take_part_where_the_module_lets_them() -> None:
    features, items, _ = world()
    found = ClusterItems(4, with_unknown=True).fit(features, items)
    assert found.sizes.tolist() == [45, 30, 14, 1]


def test_too_many_clusters_are_refused() -> None:
    features, items, _ = world(6)
    with pytest.raises(ParameterError, match="only 5 of 6 items have features from ours"):
        ClusterItems(6).fit(features, items)
    same = ItemFeatures(features.names, np.ones((6, 4), np.float32))
    with pytest.raises(ParameterError, match="fall into only 1"):
        ClusterItems(2).fit(same, items)


def test_what_cannot_be_asked_for() -> None:
    features, items, _ = world()
    for wrong in ({"n_clusters": "a"}, {"n_clusters": 2.5}, {"n_init": None}, {"random_state": "a"}):
        with pytest.raises(ParameterError, match=f"{next(iter(wrong))} must be a whole number"):
            ClusterItems(**wrong)
    for wrong in ({"n_clusters": 1}, {"n_init": 0}, {"random_state": -1}, {"method": "dbscan"}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            ClusterItems(**wrong)
    with pytest.raises(DataError, match="n_clusters"):
        ClusterItems().fit(features, items)
    with pytest.raises(DataError, match="3 items"):
        ClusterItems(2).fit(features, Vocabulary([1, 2, 3], "item"))


def test_ward_asks_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    features, items, _ = world()
    monkeypatch.setenv("COTERIE_MEMORY", "0.00001")
    with pytest.raises(MemoryBudgetError, match="kmeans"):
        ClusterItems(3, "ward").fit(features, items)


def test_titles_of_a_genre_with_their_clusters() -> None:
    features, items, catalog = world()
    found = ClusterItems().fit(features, items, catalog)
    shown = found.titles(catalog, "war", k=None)
    assert shown["cluster"].to_list() == [2] * 14 + [None]
    assert shown["title"][0] == "War 75 (2000)"
    assert len(found.titles(catalog, "Drama")) == 20
    with pytest.raises(UnknownIdError, match="Drama, Horror, War"):
        found.titles(catalog, "Western")


def test_the_first_genre_or_any() -> None:
    frame = pl.DataFrame({"item": [1, 2, 3], "title": ["A", "B", "C"], "genres": ["War|Drama", "Drama|War", "War"]})
    catalog = Catalog.from_titles(frame)
    found = Clusters(Vocabulary([3, 1, 2], "item"), np.array([0, 1, 1], np.int32), 2)
    assert found.titles(catalog, "War").rows() == [(1, 1, "A"), (3, 0, "C")]
    assert found.titles(catalog, "War", first=False)["item"].to_list() == [1, 2, 3]


# ---- names ----------------------------------------------------------------------------------------------


def test_names_are_what_is_more_frequent_here_than_elsewhere() -> None:
    labels = np.array([0, 0, 0, 1, 1, -1], np.int32)
    words = ("everywhere", "here", "once", "there")
    has = sp.csr_matrix(
        np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 0, 0, 1]], np.float32)
    )
    clusters = Clusters(Vocabulary(np.arange(6), "item"), labels, 2)
    assert clusters.telling(ItemFeatures(words, has)) == [["here", "once"], ["there"]]
    assert clusters.telling(ItemFeatures(words, has.toarray()), k=1) == [["here"], ["there"]]
    nothing = ItemFeatures(words, sp.csr_matrix((6, 4), dtype=np.float32))
    assert clusters.telling(nothing) == [[], []]


@given(st.integers(0, 1000))
def test_what_tells_is_what_adds_to_mutual_information(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(30) % 3).astype(np.int32)
    has = (random.random((30, 6)) < random.random(6)).astype(np.float32)
    clusters = Clusters(Vocabulary(np.arange(30), "item"), labels, 3)
    for c, told in enumerate(clusters.telling(ItemFeatures(tuple("uvwxyz"), has - has.min(axis=0)), k=6)):
        gains = {}
        for f, name in enumerate("uvwxyz"):
            both, here, everywhere = has[labels == c, f].sum(), (labels == c).sum(), has[:, f].sum()
            constant = has[:, f].min() > 0  # dense features count from their least value
            gains[name] = both * math.log(both * 30 / (here * everywhere)) if both and not constant else 0.0
        assert all(gains[name] > 0 for name in told)
        assert [gains[name] for name in told] == pytest.approx(sorted(gains.values(), reverse=True)[: len(told)])


# ---- judging --------------------------------------------------------------------------------------------


def several() -> Catalog:
    frame = pl.DataFrame(
        {
            "item": [1, 2, 3, 4, 5],
            "genres": ["Action|War", "Action|Drama", "Drama|Action", "(no genres listed)", "Drama"],
        }
    )
    return Catalog.from_titles(frame)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("first", [(0, "Action"), (2, "Drama"), (3, "Action")]),
        ("rarest", [(0, "Action"), (2, "Action"), (3, "War")]),  # Action and Drama are as rare
        ("each", [(0, "Action"), (0, "Drama"), (2, "Drama"), (2, "Action"), (3, "Action"), (3, "War")]),
    ],
)
def test_what_an_item_of_several_genres_counts_as(rule, expected: list[tuple[int, str]]) -> None:
    found = genre_labels(several(), Vocabulary([2, 4, 3, 1, 99], "item"), rule)
    assert [(row, found.names[label]) for row, label in zip(found.rows, found.labels, strict=True)] == expected
    assert found.without == 2
    with pytest.raises(ParameterError, match="rarest, first, each"):
        genre_labels(several(), Vocabulary([1], "item"), "last")  # type: ignore[arg-type]


def test_sameness_is_all_and_one_cluster_tells_nothing() -> None:
    features, items, catalog = world()
    genres = genre_labels(catalog, items)
    same = judge(Clusters(items, genres.labels, 3), genres, features)
    assert [same[score] for score in SCORES] == pytest.approx([1.0] * 5)
    assert same["silhouette"] == pytest.approx(same["genre_silhouette"])
    one = judge(Clusters(items, np.zeros(90, np.int32), 1), genres, features)
    assert (one["ami"], one["ari"], one["purity"]) == pytest.approx((0, 0, 0.5))
    assert math.isnan(one["silhouette"])


def test_scores_by_hand() -> None:
    genres, clusters = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 1])
    assert purity(genres, clusters) == pytest.approx(4 / 6)

    def entropy(labels: np.ndarray) -> float:
        p = np.unique(labels, return_counts=True, axis=0)[1] / len(labels)
        return float(-(p * np.log(p)).sum())

    mutual = entropy(genres) + entropy(clusters) - entropy(np.stack([genres, clusters], axis=1))
    assert SCORES["nmi"](genres, clusters) == pytest.approx(mutual / math.sqrt(entropy(genres) * entropy(clusters)))
    assert SCORES["v_measure"](genres, clusters) == pytest.approx(2 * mutual / (entropy(genres) + entropy(clusters)))


def test_the_table_has_a_floor_and_a_ceiling() -> None:
    features, items, catalog = world(150)
    noise = ItemFeatures(tuple("abcd"), np.random.default_rng(1).normal(size=(150, 4)).astype(np.float32))
    table = assess({"noise": noise, "heaps": features}, items, catalog, n_seeds=4)
    assert table.columns == ["vectors", "items", "clusters", "score", "mean", "low", "high"]
    assert table["items"].unique().to_list() == [149]  # those that both know
    value = {(row["vectors"], row["score"]): row for row in table.to_dicts()}
    assert value["heaps", "ami"]["mean"] == pytest.approx(1)
    assert value["heaps", "ami"]["low"] == pytest.approx(value["heaps", "ami"]["high"])
    assert abs(value["noise", "ami"]["mean"]) < 0.05
    assert abs(value[SHUFFLED, "ami"]["mean"]) < 0.05
    assert all(row["low"] <= row["mean"] <= row["high"] for row in table.to_dicts())


def test_intervals_are_student_s() -> None:
    features, items, catalog = world(60, spread=2.0)
    how = ClusterItems(4, n_init=1, unit=True)
    row = assess({"ours": features}, items, catalog, how, n_seeds=3, rule="first").filter(
        vectors="ours", score="ami"
    ).to_dicts()[0]  # fmt: skip
    kept = Vocabulary(items.ids[:-1], "item")
    known = ItemFeatures(features.names, features.matrix[:-1])
    genres = genre_labels(catalog, kept)
    values = [
        judge(ClusterItems(4, n_init=1, unit=True, random_state=s).fit(known, kept), genres, known)["ami"]
        for s in range(3)
    ]
    half = 4.302653 * np.std(values, ddof=1) / math.sqrt(3)
    assert (row["mean"], row["high"] - row["mean"]) == pytest.approx((np.mean(values), half), rel=1e-5)


def test_what_cannot_be_judged() -> None:
    features, items, catalog = world()
    bare = Catalog.from_titles(catalog.items.select("item", "title"))
    with pytest.raises(DataError, match="genres"):
        assess({"ours": features}, items, bare, ClusterItems(3))
    with pytest.raises(ParameterError, match="n_seeds"):
        assess({"ours": features}, items, catalog, n_seeds=1)
    with pytest.raises(ParameterError, match="features"):
        assess({}, items, catalog)
    nothing = ItemFeatures(("a",), np.zeros((90, 1), np.float32))
    with pytest.raises(DataError, match="ours and nothing"):
        assess({"ours": features, "nothing": nothing}, items, catalog)
    with pytest.raises(DataError, match="1 items"):
        assess({"ours": ItemFeatures(("a",), np.ones((1, 1)))}, items, catalog)
    with pytest.raises(DataError, match="both"):
        left_out = Clusters(items, np.full(90, -1, np.int32), 3)
        judge(left_out, GenreLabels(np.arange(90), np.zeros(90, np.int32), ("Drama",), 0), features)
