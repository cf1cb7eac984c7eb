"""Metrics beyond accuracy against cases worked by hand and against slow, obvious twins."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError
from coterie.evaluation import compare
from coterie.evaluation.metrics import METRICS, Context, Measure, Ranking, beyond, parse
from coterie.models.baselines import Popularity

Array = np.ndarray[Any, np.dtype[Any]]

GENRES = [["Drama"], ["Drama", "War"], ["Comedy"], [], ["Comedy", "War"]]
# User 0 rated items 0, 1 and 2; user 1 items 0 and 1; user 2 item 0; user 3 items 0 and 3. Nobody rated item 4.
RATED = [{0, 1, 2}, {0, 1}, {0}, {0, 3}]


def interactions(rated: list[set[int]], n_items: int, values: Array | None = None) -> Interactions:
    """Ratings of 1, or of `values` in row order; ids of items are ten times their row numbers."""
    user, item = np.array([(u, i) for u, own in enumerate(rated) for i in sorted(own)], np.int64).T
    ids = Vocabulary(np.arange(len(rated)), "user"), Vocabulary(10 * np.arange(n_items), "item")
    return Interactions.from_arrays(*ids, user, item, values)


def context(
    rated: list[set[int]], genres: list[list[str]], genome: Array | None = None, values: Array | None = None
) -> Context:
    """The catalog has the items backwards, and one more that nobody can rate."""
    n = len(genres)
    frame = pl.DataFrame(
        {"item": [10 * i for i in reversed(range(n))] + [7], "genres": [*reversed(genres), ["Opera"]]},
        {"item": pl.Int64, "genres": pl.List(pl.String)},
    )
    rest = {}
    if genome is not None:
        of_catalog = np.vstack([genome[::-1], np.ones((1, genome.shape[1]))]).astype(np.float32)
        rest = {"genome": of_catalog, "genome_tags": tuple(map(str, range(genome.shape[1])))}
    x = interactions(rated, n, values)
    return Context(x, x, Catalog.from_titles(frame, **rest))


def ranking(lists: list[list[int]], liked: list[set[int]], about: Context) -> Ranking:
    longest = max(1, *map(len, lists))
    items = np.array([found + [-1] * (longest - len(found)) for found in lists], np.int32)
    hits = np.array([[i >= 0 and i in likes for i in row] for row, likes in zip(items.tolist(), liked, strict=True)])
    n_relevant = np.array([len(likes) for likes in liked])
    return Ranking(items, hits, n_relevant, about.train.n_items, np.arange(len(lists)), about)


HAND = ranking([[3, 4], [2, 4], [1], []], [{3}, {4}, {1}, {1}], context(RATED, GENRES))


@pytest.mark.parametrize(
    ("name", "expected", "value"),
    [
        # Of 4 people, 4, 2, 1 and 1 rated items 0 to 3; item 4 counts as rated by one.
        ("novelty@2", [2, 2, 1, None], 5 / 3),
        # The most popular items that they do not have: 3, 4 | 2, 3 | 1, 2 | 1, 2.
        ("serendipity@2", [0, 1 / 2, 0, 0], 1 / 8),
        ("serendipity@1", [0, 0, 0, 0], 0),
        # Item 3 has no genres, so user 0 has one item to speak of; user 1's are Comedy, and Comedy with War.
        ("diversity_genre@2", [None, 1 - 1 / math.sqrt(2), None, None], 1 - 1 / math.sqrt(2)),
    ],
)
def test_by_hand(name: str, expected: list[float | None], value: float) -> None:
    found = parse(name).per_user(HAND)
    assert found.weights.tolist() == [float(e is not None) for e in expected]
    assert found.values == pytest.approx([e or 0 for e in expected], abs=1e-12)
    assert parse(name).value(HAND) == pytest.approx(value, abs=1e-12)


def test_calibration_by_hand() -> None:
    # User 1 has items 0 and 1: Drama 3/4, War 1/4. Their list has items 2 and 4: Comedy 3/4, War 1/4.
    found = parse("calibration@2").per_user(HAND)
    expected = 3 / 4 * math.log(100) + 1 / 4 * math.log(1)
    assert found.values[1] == pytest.approx(expected, abs=1e-12)
    # User 2 has Drama alone, and is given Drama 1/2, War 1/2.
    assert found.values[2] == pytest.approx(math.log(1 / (0.99 / 2 + 0.01)), abs=1e-12)
    assert found.weights.tolist() == [1, 1, 1, 0]
    same = ranking([[0, 1]], [{0}], HAND.known()[1])
    assert parse("calibration@2").per_user(Ranking(*_of_user(same, 1))).values == pytest.approx([0], abs=1e-12)


def _of_user(made: Ranking, user: int) -> tuple[Any, ...]:
    return made.items, made.hits, made.n_relevant, made.n_items, np.array([user]), made.context


def test_popularity_lift_is_a_ratio_of_means() -> None:
    # Popularities are 1, 1/2, 1/4, 1/4, 0. User 3 has no list and does not count.
    lists, profiles = [1 / 8, 1 / 8, 1 / 2], [7 / 12, 3 / 4, 1]
    expected = (sum(lists) - sum(profiles)) / sum(profiles)
    assert parse("popularity_lift@2").value(HAND) == pytest.approx(expected, abs=1e-12)
    assert not METRICS["popularity_lift"].larger_is_better


def test_gini_by_hand() -> None:
    lists = [[0, 1], [0], [2, 0]]
    found = parse("gini@2").value(ranking(lists, [{0}] * 3, context(RATED[:3], GENRES)))
    exposure = [0, 0, 1, 1, 3]
    mean_difference = sum(abs(a - b) for a in exposure for b in exposure) / 25
    assert found == pytest.approx(mean_difference / (2 * 1), abs=1e-12)  # half the relative mean difference
    even = ranking([[i] for i in range(5)], [{0}] * 5, context([*RATED[:3], {1}, {2}], GENRES))
    assert parse("gini@1").value(even) == pytest.approx(0, abs=1e-12)
    assert math.isnan(parse("gini@1").value(ranking([[]], [{0}], context(RATED[:1], GENRES))))


def test_popularity_itself_is_never_serendipitous() -> None:
    generator = np.random.default_rng(0)
    rated = [set(np.flatnonzero(row).tolist()) or {0} for row in generator.random((40, 30)) < 0.3]
    x = interactions(rated, 30)
    items = Popularity().fit(x).rank(x.to_scipy(), 7, np.arange(40))[0]
    everything = Ranking(items, items >= 0, np.full(40, 30), 30, np.arange(40), Context(x, x))
    for k in (1, 4, 7):
        assert parse(f"serendipity@{k}").value(everything) == 0
    reversed_lists = Ranking(29 - items, items >= 0, np.full(40, 30), 30, np.arange(40), Context(x, x))
    assert parse("serendipity@7").value(reversed_lists) > 0


# ---- slow twins --------------------------------------------------------------------------------------


def cosine_distance(a: Array, b: Array) -> float:
    return 1 - float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def slow_diversity(found: list[int], vectors: list[Array]) -> float | None:
    usable = [vectors[i] for i in found if np.any(vectors[i])]
    pairs = [cosine_distance(a, b) for a, b in combinations(usable, 2)]
    return sum(pairs) / len(pairs) if pairs else None


def slow_mix(items: list[int] | set[int], genres: list[list[str]]) -> dict[str, float]:
    having = [genres[i] for i in items if genres[i]]
    mix: dict[str, float] = {}
    for own in having:
        for genre in own:
            mix[genre] = mix.get(genre, 0) + 1 / len(own) / len(having)
    return mix


def slow_calibration(found: list[int], profile: set[int], genres: list[list[str]]) -> float | None:
    p, q = slow_mix(profile, genres), slow_mix(found, genres)
    if not p or not q:
        return None
    return sum(share * math.log(share / (0.99 * q.get(genre, 0) + 0.01 * share)) for genre, share in p.items())


def slow_serendipity(found: list[int], liked: set[int], profile: set[int], counts: list[int], k: int) -> float:
    by_popularity = sorted(range(len(counts)), key=lambda i: (-counts[i], i))
    expected = [i for i in by_popularity if i not in profile][:k]
    return sum(i in liked and i not in expected for i in found[:k]) / k


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Context, list[set[int]], list[list[str]], Array, list[list[int]], list[set[int]]]:
    n_items, n_users = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    item = st.integers(0, n_items - 1)
    rated = draw(st.lists(st.sets(item, min_size=1), min_size=n_users, max_size=n_users))
    genres = draw(st.lists(st.lists(st.sampled_from("abcd"), unique=True), min_size=n_items, max_size=n_items))
    genres[min(rated[0])] = ["a"]  # or there is nothing to look up
    given_tags = st.lists(st.integers(0, 4), min_size=3, max_size=3)
    genome = np.array(draw(st.lists(given_tags, min_size=n_items, max_size=n_items)), float)
    genome[0, 0] = 1
    drawn = draw(st.lists(st.lists(item, unique=True), min_size=n_users, max_size=n_users))
    lists = [[i for i in own if i not in had] for own, had in zip(drawn, rated, strict=True)]  # as models list them
    liked = draw(st.lists(st.sets(item, min_size=1), min_size=n_users, max_size=n_users))
    values = np.array(draw(st.lists(st.integers(1, 5), min_size=sum(map(len, rated)), max_size=sum(map(len, rated)))))
    return context(rated, genres, genome, values.astype(np.float32)), rated, genres, genome, lists, liked


@given(worlds(), st.integers(1, 8))
def test_metrics_equal_their_slow_twins(world: Any, k: int) -> None:
    about, rated, genres, genome, lists, liked = world
    counts = [sum(i in own for own in rated) for i in range(len(genres))]
    names = sorted({genre for own in genres for genre in own})
    binary = [np.array([float(name in own) for name in names]) for own in genres]
    columns = list(about.train.to_scipy().toarray().T.astype(float))  # of rank below 50: the approximation is exact
    bits = [-math.log2(max(count, 1) / len(rated)) for count in counts]
    expected: dict[str, list[float | None]] = {
        "novelty": [np.mean([bits[i] for i in own[:k]]) if own else None for own in lists],
        "serendipity": [slow_serendipity(*people, counts, k) for people in zip(lists, liked, rated, strict=True)],
        "diversity_genre": [slow_diversity(own[:k], binary) for own in lists],
        "diversity_genome": [slow_diversity(own[:k], list(genome)) for own in lists],
        "diversity_factors": [slow_diversity(own[:k], columns) for own in lists],
        "calibration": [slow_calibration(own[:k], had, genres) for own, had in zip(lists, rated, strict=True)],
    }
    made = ranking(lists, liked, about)
    for name, values in expected.items():
        found = parse(f"{name}@{k}").per_user(made)
        assert found.weights.tolist() == [float(v is not None) for v in values], name
        assert found.values == pytest.approx([v or 0 for v in values], abs=2e-5), name
    assert set(expected) | {"popularity_lift"} == {metric.name for metric in beyond.METRICS}
    exposure = [sum(i in own[:k] for own in lists) for i in range(len(genres))]
    if sum(exposure):
        differences = sum(abs(a - b) for a in exposure for b in exposure) / len(genres) ** 2
        gini = differences / (2 * sum(exposure) / len(genres))
        assert parse(f"gini@{k}").value(made) == pytest.approx(gini, abs=1e-12)


@given(worlds(), st.integers(1, 8))
def test_popularity_lift_equals_its_slow_twin(world: Any, k: int) -> None:
    about, rated, _, _, lists, liked = world
    popularity = [sum(i in own for own in rated) / len(rated) for i in range(about.train.n_items)]
    served = [(own[:k], had) for own, had in zip(lists, rated, strict=True) if own]
    found = parse(f"popularity_lift@{k}").value(ranking(lists, liked, about))
    if not served:
        assert math.isnan(found)
        return
    q, p = (sum(np.mean([popularity[i] for i in pair[side]]) for pair in served) for side in (0, 1))
    assert found == pytest.approx((q - p) / p, abs=1e-12)


def test_blocks_of_users_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    rated = [set(generator.choice(30, 5, replace=False).tolist()) for _ in range(200)]
    genres = [[g for g in "abcdef" if generator.random() < 0.3] for _ in range(30)]
    about = context(rated, genres, generator.random((30, 8)))
    lists = [generator.choice(30, 6, replace=False).tolist() for _ in range(200)]
    made = ranking(lists, [{0}] * 200, about)
    names = ("diversity_genre@5", "diversity_genome@5", "calibration@5")
    whole = [parse(name).per_user(made) for name in names]
    monkeypatch.setattr(beyond, "_BLOCK_BYTES", 8 * 8 * 7)
    for name, before in zip(names, whole, strict=True):
        found = parse(name).per_user(made)
        np.testing.assert_array_equal(found.values, before.values)
        np.testing.assert_array_equal(found.weights, before.weights)


# ---- what is lacking ------------------------------------------------------------------------------------


def test_a_missing_genome_row_or_value_leaves_the_item_out() -> None:
    genome = np.array([[1.0, 0], [0, 1], [np.nan, 1], [1, 1], [1, 0]])
    made = ranking([[0, 1, 2], [2, 0], [2, 2]], [{0}] * 3, context(RATED[:3], GENRES, genome))
    found = parse("diversity_genome@3").per_user(made)
    assert found.weights.tolist() == [1, 0, 0]
    assert found.values == pytest.approx([1, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("catalog", "metric", "said"),
    [
        (None, "calibration", "needs a catalog with genres, and there is none; bring one with catalog="),
        (None, "diversity_genome", "needs a catalog with a tag genome, and there is none"),
        (Catalog.from_titles(pl.DataFrame({"item": [0, 10]})), "diversity_genre", "genres, and this one has none"),
        (Catalog.from_titles(pl.DataFrame({"item": [0, 10]})), "diversity_genome", "genome, and this one has none"),
        (
            Catalog.from_titles(pl.DataFrame({"item": [3], "genres": ["War"]})),
            "calibration",
            "it gives genres for none of the rated items",
        ),
    ],
)
def test_what_the_catalog_lacks_is_said_before_any_model_is_fitted(
    catalog: Catalog | None, metric: str, said: str
) -> None:
    x = interactions(RATED, 5)
    data = x if catalog is None else Dataset(x, catalog)
    with pytest.raises(DataError, match=said):
        compare(data, ["popularity"], "random", [metric], progress=False)
    assert Measure(METRICS[metric], 3).metric.needs


def test_the_leaderboard_has_them_with_intervals() -> None:
    generator = np.random.default_rng(3)
    rated = [set(generator.choice(40, 12, replace=False).tolist()) for _ in range(60)]
    genres = [[g for g in "abcdef" if generator.random() < 0.4] for _ in range(40)]
    about = context(rated, genres)
    names = ["novelty@5", "serendipity@5", "diversity_genre@5", "diversity_factors@5", "calibration@5", "gini@5"]
    names += ["popularity_lift@5"]
    board = compare(Dataset(about.train, about.catalog), ["random", "popularity"], "random", names, progress=False)
    by_model = {row.model: row.estimates for row in board.rows}
    for name in names:
        for of_model in by_model.values():
            estimate = of_model[name]
            assert estimate is not None and (name == "gini@5" or estimate.low <= estimate.value <= estimate.high)
    random, popular = by_model["random"], by_model["popularity"]
    assert random["novelty@5"].value > popular["novelty@5"].value
    assert random["gini@5"].value < popular["gini@5"].value
    assert random["popularity_lift@5"].value < popular["popularity_lift@5"].value
    assert popular["serendipity@5"].value == 0
