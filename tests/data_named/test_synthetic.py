"""Generated worlds: exact shapes, MovieLens' long tails, tastes that can be found, the same bytes for the same seed."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from coterie.data import synthetic, synthetic_ratings
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.synthetic_ratings import PEOPLE, SHAPES, generate, make_world, parse_shape
from coterie.errors import ParameterError
from tests.reference.sampling import digest


def bytes_of(x: Interactions) -> str:
    return digest(x.indptr, x.indices, x.values, x.timestamps, x.items.ids)


@pytest.fixture(scope="module")
def world() -> Dataset:
    return synthetic.load("synthetic:100k")


# ---- the same seed, the same bytes ---------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "expected"), [(0, "2d4deca59cd27a4c"), (7, "5b9bfe9aa38e4ff7")])
def test_bytes_are_pinned_and_do_not_depend_on_threads_or_blocks(
    seed: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for threads, block in (("1", 1024), ("2", 100), ("2", 7)):
        monkeypatch.setenv("COTERIE_THREADS", threads)
        monkeypatch.setattr(synthetic_ratings, "_BLOCK_USERS", block)
        assert bytes_of(generate(SHAPES["100k"], seed)[1]) == expected


def test_the_catalog_is_pinned(world: Dataset) -> None:
    catalog = world.catalog
    assert catalog is not None and catalog.tags is not None
    text = catalog.items.select("title", pl.col("genres").list.join("|")).write_csv() + catalog.tags.write_csv()
    assert digest(np.frombuffer(text.encode(), np.uint8), catalog.genome) == "3d0ff9d813b51cf2"


def test_the_store_and_files_on_the_way_keep_every_bit(tmp_path: Path) -> None:
    kept, fresh = synthetic.load("synthetic:300x200x6000"), synthetic.load("synthetic:300x200x6000", cache=False)
    assert bytes_of(kept.interactions) == bytes_of(fresh.interactions)
    assert kept.catalog is not None and fresh.catalog is not None
    np.testing.assert_array_equal(np.asarray(kept.catalog.genome), np.asarray(fresh.catalog.genome))
    assert kept.catalog.items.equals(fresh.catalog.items)
    assert bytes_of(generate(parse_shape("300x200x6000"), 0, tmp_path)[1]) == bytes_of(fresh.interactions)


def test_nothing_is_left_beside_the_cached_dataset(cache: Path) -> None:
    synthetic.load("synthetic:50x40x900")
    assert not list(cache.glob(".world*"))


def test_a_cache_that_cannot_be_written_costs_a_warning_not_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="could not be kept"):
        assert synthetic.load("synthetic:50x40x900").interactions.nnz == 900


def test_another_seed_is_another_world() -> None:
    a, b = (synthetic.load("synthetic:50x40x900", seed=seed) for seed in (1, 2))
    assert bytes_of(a.interactions) != bytes_of(b.interactions)
    assert a.catalog is not None and b.catalog is not None
    assert not a.catalog.items.equals(b.catalog.items)


def test_a_seed_in_the_name_is_the_option() -> None:
    named, given_ = synthetic.load("synthetic:50x40x900?seed=3"), synthetic.load("synthetic:50x40x900", seed=3)
    assert bytes_of(named.interactions) == bytes_of(given_.interactions)
    assert named.name == given_.name == "synthetic:50x40x900?seed=3"


# ---- shapes --------------------------------------------------------------------------------------------------


@given(st.data())
def test_any_possible_shape_comes_out_exactly(data: st.DataObject) -> None:
    n_users, n_items = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    n_ratings = data.draw(st.integers(max(n_users, n_items), n_users * n_items))
    _, x = generate(parse_shape(f"{n_users}x{n_items}x{n_ratings}"), data.draw(st.integers(0, 5)))
    _check(x, n_users, n_items, n_ratings)


@pytest.mark.parametrize(
    "numbers",
    [(1, 1, 1), (2, 3, 6), (1, 500, 500), (500, 1, 500), (400, 30, 12_000), (400, 30, 11_999), (1000, 1000, 1000)],
)
def test_extreme_shapes_come_out_exactly(numbers: tuple[int, int, int]) -> None:
    dataset = synthetic.load("synthetic:{}x{}x{}".format(*numbers), cache=False)
    _check(dataset.interactions, *numbers)
    assert dataset.catalog is not None
    assert dataset.catalog.items["item"].to_list() == dataset.interactions.items.ids.tolist()


def _check(x: Interactions, n_users: int, n_items: int, n_ratings: int) -> None:
    assert (x.n_users, x.n_items, x.nnz) == (n_users, n_items, n_ratings)
    assert x.user_counts.min() >= 1 and x.item_counts.min() >= 1
    steps = np.diff(np.asarray(x.indices, np.int64))
    inside = np.ones(len(steps), bool)
    inside[x.indptr[1:-1] - 1] = False
    assert (steps[inside] > 0).all()  # increasing in a row, so nothing twice
    assert set(np.unique(x.values)) <= set(np.arange(1, 11) / 2)
    assert x.timestamps is not None
    assert x.timestamps.min() >= PEOPLE.start and x.timestamps.max() < PEOPLE.start + PEOPLE.window


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2x3x7", "between 3 and 6 ratings, not 7"),
        ("10x5x9", "between 10 and 50 ratings, not 9"),
        ("0x5x0", "at least 1 user and 1 item"),
        ("huge", "one of 100k, 1m, 10m, 20m, 25m, 32m, or USERSxITEMSxRATINGS"),
        ("3000000000x5x3000000000", r"fewer than 2\^31"),
        ("100k?seed=x", "seed=NUMBER, not seed=x"),
        ("100k?sead=3", "seed=NUMBER, not sead=3"),
    ],
)
def test_impossible_worlds_are_refused_with_the_remedy(name: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        synthetic.load(f"synthetic:{name}")


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(ParameterError, match="seed must be a whole number"):
        synthetic.load("synthetic:100k", seed=seed)


def test_two_different_seeds_are_refused() -> None:
    with pytest.raises(ParameterError, match="names seed 3, but the option seed is 4"):
        synthetic.load("synthetic:100k?seed=3", seed=4)


# ---- like MovieLens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["100k", "1m"])
def test_long_tails_are_those_of_movielens(name: str) -> None:
    shape = SHAPES[name]
    x = generate(shape)[1]
    assert x.user_counts.min() == 20
    assert np.median(x.user_counts) == pytest.approx(shape.user_median, rel=0.1)
    assert x.user_counts.max() == shape.user_max
    assert np.median(x.item_counts) == pytest.approx(shape.item_median, rel=0.15)
    assert x.item_counts.max() == pytest.approx(shape.item_max, rel=0.15)


@pytest.mark.parametrize("name", ["20m", "32m"])
def test_large_worlds_are_meant_to_have_the_tails_of_movielens(name: str) -> None:
    shape, planned = SHAPES[name], make_world(SHAPES[name])
    activity = np.diff(planned.indptr)
    assert activity.sum() == planned.popularity.sum() == shape.n_ratings
    assert (activity.min(), activity.max(), planned.popularity.max()) == (20, shape.user_max, shape.item_max)
    assert np.median(activity) == pytest.approx(shape.user_median, rel=0.05)
    assert np.median(planned.popularity) == pytest.approx(shape.item_median, rel=0.2)


def test_ratings_have_the_shape_of_movielens(world: Dataset) -> None:
    values = np.asarray(world.interactions.values)
    shares = np.bincount((values * 2).astype(int), minlength=11)[1:] / len(values)
    assert values.mean() == pytest.approx(3.5, abs=0.12)
    assert values.std() == pytest.approx(1.05, abs=0.07)
    assert shares.argmax() == 7  # four stars
    assert (shares[[3, 5, 7]] > np.maximum(shares[[2, 4, 6]], shares[[4, 6, 8]])).all()  # whole stars are usual
    assert (shares > 0).all()


def test_popular_items_are_a_little_better(world: Dataset) -> None:
    x = world.interactions
    means = np.bincount(x.indices, x.values) / x.item_counts
    often = x.item_counts >= 20
    correlation = np.corrcoef(np.log(x.item_counts[often]), means[often])[0, 1]
    assert 0.1 < correlation < 0.7


def test_ids_are_sparse_and_increasing(world: Dataset) -> None:
    ids = world.interactions.items.ids
    assert ids[0] >= 1 and (np.diff(ids) > 0).all()
    assert ids[-1] > 2 * len(ids)
    assert world.interactions.users.ids.tolist() == list(range(1, 944))


def test_people_come_in_sittings(world: Dataset) -> None:
    x = world.interactions
    gaps = []
    for user in range(100):
        times = np.sort(np.asarray(x.timestamps[x.indptr[user] : x.indptr[user + 1]]))  # type: ignore[index]
        gaps.append(np.diff(times))
    together = np.concatenate(gaps)
    assert (together <= 60).mean() > 0.9
    assert (together > 86_400).mean() > 0.005
    assert (together > 0).all()


# ---- tastes --------------------------------------------------------------------------------------------------


def test_opinions_are_of_low_rank(world: Dataset) -> None:
    """The first singular values of what biases leave over stand out from those of the same numbers shuffled."""
    x = world.interactions
    matrix = x.to_scipy().astype(np.float64)
    user, item = x.user_index, x.indices
    rest = matrix.data - matrix.data.mean()
    for _ in range(5):
        rest -= (np.bincount(item, rest) / x.item_counts)[item]
        rest -= (np.bincount(user, rest) / x.user_counts)[user]
    shuffled = np.random.default_rng(0).permutation(rest)
    real, chance = (
        sp.linalg.svds(sp.csr_matrix((data, x.indices, x.indptr), x.shape), 3, random_state=0)[1].max()
        for data in (rest, shuffled)
    )
    assert real > 1.3 * chance


def test_items_of_one_taste_are_rated_by_the_same_people() -> None:
    planned, x = generate(SHAPES["100k"])
    popular = np.argsort(-x.item_counts)[:300]
    who = (x.to_scipy()[:, popular] > 0).astype(np.float64).toarray()
    who /= np.linalg.norm(who, axis=0)
    cosine, taste = who.T @ who, planned.main_taste[popular]
    same = (taste[:, None] == taste) & ~np.eye(len(popular), dtype=bool)
    other = taste[:, None] != taste
    assert cosine[same].mean() > 1.25 * cosine[other].mean()


def test_recommending_by_taste_beats_popularity(world: Dataset) -> None:
    x = world.interactions
    test = np.random.default_rng(0).random(x.nnz) < 0.2
    train, held_out = x.select(~test, True).to_scipy() > 0, x.select(test, True).to_scipy() > 0
    train = train.astype(np.float64)
    inverse = np.linalg.inv((train.T @ train).toarray() + 200 * np.eye(x.n_items))  # EASE
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    seen = train.toarray() > 0

    def precision(scores: np.ndarray) -> float:
        top = np.argsort(-np.where(seen, -np.inf, scores), axis=1)[:, :10]
        return float(np.take_along_axis(held_out.toarray(), top, 1).mean())

    popularity = np.broadcast_to(np.asarray(train.sum(0)), train.shape)
    assert precision(train @ weights) > 1.4 * precision(popularity)


def test_catalog_follows_the_tastes(world: Dataset) -> None:
    catalog = world.catalog
    assert catalog is not None and catalog.tags is not None and catalog.genome is not None
    titles = catalog.items["title"]
    assert titles.n_unique() == len(titles)
    assert titles.str.contains(r", The \(\d{4}\)$").sum() > 50
    assert 0 < catalog.items["year"].null_count() < 60
    assert len(catalog.genres) == 19
    assert 0 < (catalog.items["genres"].list.len() == 0).sum() < 60
    horror = catalog.items["genres"].list.contains("Horror").to_numpy()
    column = catalog.genome_tags.index("vampire")
    relevance = np.asarray(catalog.genome)[:, column]
    assert np.nanmean(relevance[horror]) > 2 * np.nanmean(relevance[~horror])
    assert np.nanmin(catalog.genome) >= 0 and np.nanmax(catalog.genome) <= 1
    assert np.isnan(relevance).any()
    tagged = catalog.tags.filter(pl.col("tag").str.to_lowercase().str.contains("vampire"))["item"].to_list()
    assert np.mean([horror[catalog.vocabulary.index(item)] for item in tagged]) > 0.6


def test_people_tag_what_they_rated(world: Dataset) -> None:
    assert world.catalog is not None and world.catalog.tags is not None
    tags = world.catalog.tags
    rated = world.interactions.to_frame().select("user", "item")
    assert len(tags.join(rated, on=["user", "item"], how="anti")) == 0
    assert tags["tag"].n_unique() > tags["tag"].str.to_lowercase().n_unique()  # unrefined, as people spell


# ---- size and files ------------------------------------------------------------------------------------------


def test_ratings_do_not_need_memory() -> None:
    synthetic.load("synthetic:30x40x900")  # compiled, imported
    tracemalloc.start()
    dataset = synthetic.load("synthetic:20000x1000x3000000")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert dataset.interactions.nnz == 3_000_000  # 48 MB
    assert peak < 20e6


def test_csv_files_read_back_as_the_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_CSV_BLOCK", 777)
    name = "synthetic:300x200x6000"
    files = synthetic.write_csv(name, tmp_path)
    world = synthetic.load(name)
    x, catalog = world.interactions, world.catalog
    assert catalog is not None and catalog.tags is not None and catalog.genome is not None
    assert sorted(file.name for file in files) == sorted(file.name for file in tmp_path.iterdir())
    ratings = pl.read_csv(tmp_path / "ratings.csv")
    assert (tmp_path / "ratings.csv").read_text().splitlines()[0] == "userId,movieId,rating,timestamp"
    assert ratings.rows() == x.to_frame().with_columns(pl.col("rating").cast(pl.Float64)).rows()
    movies = pl.read_csv(tmp_path / "movies.csv")
    assert movies["title"].to_list() == catalog.items["title"].to_list()
    assert pl.read_csv(tmp_path / "tags.csv").rows() == catalog.tags.rows()
    assert pl.read_csv(tmp_path / "genome-tags.csv")["tag"].to_list() == list(catalog.genome_tags)
    scores = pl.read_csv(tmp_path / "genome-scores.csv")
    genome = np.asarray(catalog.genome)
    present = ~np.isnan(genome[:, 0])
    assert scores["movieId"].unique().sort().to_list() == x.items.ids[present].tolist()
    np.testing.assert_array_equal(scores["relevance"].cast(pl.Float32).to_numpy(), genome[present].ravel())
