"""The six measures against SciPy and NumPy, against each other, and against what the module prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial import distance

import coterie as ct
from coterie import nearest, similarity
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import MemoryBudgetError, ParameterError, UnknownIdError
from coterie.similarity import MEASURES
from tests.reference.matrices import HALF_STARS, rated

READINGS = ("table", "notebook")
ALL = [(name, reading) for name in MEASURES for reading in READINGS]


def interactions(dense: Any, text: bool = False) -> Interactions:
    """Ratings (users x items, NaN for unrated) with ids that are not row numbers."""
    dense = np.asarray(dense, np.float64)
    user, item = np.nonzero(~np.isnan(dense))
    ids = [np.arange(n) * 3 + 10 for n in dense.shape]
    names: list[Any] = [[f"id {i}" for i in part] if text else part for part in ids]
    vocabularies = Vocabulary(names[0], "user"), Vocabulary(names[1], "item")
    return Interactions.from_arrays(*vocabularies, user, item, dense[user, item])


def definition(name: str, reading: str, a: np.ndarray, b: np.ndarray, spread: float) -> float:
    """A measure of two profiles (NaN for unrated), by other people's functions where there are some."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    both = ~np.isnan(a) & ~np.isnan(b)
    n, notebook = int(both.sum()), reading == "notebook"
    if n == 0:
        return {"jaccard": 0.0, "cosine": 0.0, "pearson": 0.0}.get(name, 1.0 if notebook else np.inf)
    x, y = a[both], b[both]
    match name:
        case "jaccard":
            return 1.0 - float(distance.jaccard(~np.isnan(a), ~np.isnan(b)))
        case "cosine":
            return 1.0 - float(distance.cosine(np.nan_to_num(a), np.nan_to_num(b)))
        case "pearson" if notebook:
            return 0.0 if np.ptp(x) == 0 or np.ptp(y) == 0 else float(stats.pearsonr(x, y).statistic)
        case "pearson":
            x, y = x - np.nanmean(a), y - np.nanmean(b)
            norms = float(np.linalg.norm(x) * np.linalg.norm(y))
            return float(x @ y) / norms if norms > 1e-6 else 0.0
        case "manhattan":
            return float(distance.cityblock(x, y)) / (n if notebook else 1)
        case "euclidean":
            return float(distance.euclidean(x, y)) / (n if notebook else 1)
        case _:
            return float(distance.chebyshev(x, y)) / (spread if notebook and spread else 1.0)


@pytest.fixture(scope="module")
def crowd() -> Interactions:
    """60 users, 40 items, of which user 3 and item 5 have nothing, and users 7 and 8 are equal."""
    random = np.random.default_rng(5)
    dense = np.where(random.random((60, 40)) < 0.3, random.integers(1, 11, (60, 40)) / 2, np.nan)
    dense[3], dense[:, 5], dense[8] = np.nan, np.nan, dense[7]
    return interactions(dense)


# ---- definitions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "reading"), ALL)
@settings(max_examples=40)
@given(rated(st.just(HALF_STARS), max_columns=9))
def test_pairs_of_users_and_of_items_are_the_definition(name: str, reading: Any, dense: np.ndarray) -> None:
    x = interactions(dense)
    known = dense[~np.isnan(dense)]
    spread = float(np.ptp(known)) if len(known) else 0.0
    for axis, profiles in (("users", dense), ("items", dense.T)):
        ids = x.vocabulary(axis).ids  # type: ignore[arg-type]
        got = similarity.pair(x, ids[0], ids[-1], name, reading, axis)  # type: ignore[arg-type]
        expected = definition(name, reading, profiles[0], profiles[-1], spread)
        assert got == pytest.approx(expected, abs=1e-9), (axis, profiles)


def test_by_hand() -> None:
    x = interactions([[4, 2, np.nan, 5, np.nan], [5, 2, 3, 1, np.nan], [np.nan, np.nan, np.nan, np.nan, 3.0]])
    a, b, c = x.users.ids
    expected = {
        ("jaccard", "table"): 3 / 4,
        ("cosine", "table"): 29 / np.sqrt(45 * 39),
        # about 11/3 and 11/4: (1/3, -5/3, 4/3) and (9/4, -3/4, -7/4)
        ("pearson", "table"): (0.75 + 1.25 - 7 / 3) / np.sqrt(42 / 9 * 139 / 16),
        # about 11/3 and 8/3: (1/3, -5/3, 4/3) and (7/3, -2/3, -5/3)
        ("pearson", "notebook"): (7 + 10 - 20) / np.sqrt(42 * 78),
        ("manhattan", "table"): 5.0,
        ("manhattan", "notebook"): 5 / 3,
        ("euclidean", "table"): np.sqrt(17),
        ("euclidean", "notebook"): np.sqrt(17) / 3,
        ("chebyshev", "table"): 4.0,
        ("chebyshev", "notebook"): 4 / 4,
    }
    expected |= {(name, "notebook"): expected[name, "table"] for name in ("jaccard", "cosine")}
    for name, reading in ALL:
        assert similarity.pair(x, a, b, name, reading) == pytest.approx(expected[name, reading]), (name, reading)
        assert similarity.pair(x, a, c, name, reading) == MEASURES[name].nothing_shared(reading)
    assert MEASURES["cosine"].nothing_shared("table") == 0
    assert MEASURES["euclidean"].nothing_shared("table") == np.inf
    assert MEASURES["euclidean"].nothing_shared("notebook") == 1


def test_pair_sums_are_what_two_profiles_share() -> None:
    x = interactions([[4, 2, np.nan, 5], [5, 2, 3, 1]])
    sums = similarity.pair_sums(x, *x.users.ids)
    assert sums.shared.tolist() == [0, 1, 3]
    assert (sums.a.tolist(), sums.b.tolist()) == ([4, 2, 5], [5, 2, 1])
    assert (sums.n, sums.sum_a, sums.sum_b, sums.sum_aa, sums.sum_bb, sums.sum_ab) == (3, 11, 8, 45, 30, 29)
    assert (sums.sum_abs, sums.max_abs, sums.length) == (5, 4, (3, 4))
    assert sums.norm == pytest.approx((np.sqrt(45), np.sqrt(39)))
    assert sums.mean == pytest.approx((11 / 3, 11 / 4))


def test_what_each_measure_says_of_itself() -> None:
    assert list(MEASURES) == ["jaccard", "cosine", "pearson", "manhattan", "euclidean", "chebyshev"]
    assert [m.larger_is_closer for m in MEASURES.values()] == [True] * 3 + [False] * 3
    for kind, names in {"unary": {"jaccard"}, "binary": {"jaccard"}, "ratings": {"pearson", "cosine"}}.items():
        assert {name for name, m in MEASURES.items() if kind in m.suits} == names
    assert similarity.measure("l1") is MEASURES["manhattan"]
    assert similarity.measure("l2") is MEASURES["euclidean"]
    assert similarity.measure(MEASURES["cosine"]) is MEASURES["cosine"]
    for m in MEASURES.values():
        assert m.formula
        assert m.guideline
    assert "mean" in (similarity.__doc__ or "")
    assert MEASURES["cosine"].weights(np.array([-0.5, 1.0])).tolist() == [-0.5, 1.0]
    assert MEASURES["manhattan"].weights(np.array([0.0, 1.0, np.inf])).tolist() == [1.0, 0.5, 0.0]


# ---- one truth whichever way it is asked -----------------------------------------------------------------


@pytest.mark.parametrize("axis", ["users", "items"])
@pytest.mark.parametrize(("name", "reading"), ALL)
def test_pair_one_to_all_matrix_and_neighbors_agree(crowd: Interactions, name: str, reading: Any, axis: Any) -> None:
    ids = crowd.vocabulary(axis).ids
    table = similarity.matrix(crowd, name, reading, axis)
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_array_equal(
        similarity.one_to_all(crowd, ids[7], name, reading, axis).astype(np.float32), table[7]
    )
    for other in (0, 3, 5, 8):
        assert similarity.pair(crowd, ids[7], ids[other], name, reading, axis) == pytest.approx(
            table[7, other], rel=1e-6
        )
    found = similarity.neighbors(crowd, name, 9, axis, reading)
    assert (found.indices.dtype, found.values.dtype) == (np.int32, np.float32)
    closeness = table if MEASURES[name].larger_is_closer else -table
    shares = similarity.matrix(crowd, "jaccard", axis=axis) > 0
    for row in range(len(ids)):
        others = [j for j in range(len(ids)) if j != row and shares[row, j]]
        expected = sorted(others, key=lambda j: (-closeness[row, j], j))[:9]
        count = len(expected)
        assert found.indices[row, :count].tolist() == expected
        np.testing.assert_array_equal(found.values[row, :count], table[row, expected])
        assert (found.indices[row, count:] == -1).all()
        assert np.isnan(found.values[row, count:]).all()


@pytest.mark.parametrize("axis", ["users", "items"])
@pytest.mark.parametrize("reading", ["table", "notebook"])
def test_there_is_no_correlation_where_one_of_the_two_is_constant(axis: Any, reading: Any) -> None:
    random = np.random.default_rng(6)
    few = interactions(np.where(random.random((30, 25)) < 0.25, random.integers(3, 5, (30, 25)), np.nan))
    dense = few.to_scipy().toarray().astype(np.float64)
    dense = dense if axis == "users" else dense.T
    mine = dense[7]
    expected = []
    for theirs in dense:
        both = (mine > 0) & (theirs > 0)
        sides = [(side[both], side[both].mean() if reading == "notebook" else side[side > 0].mean())
                 for side in (mine, theirs) if both.any()]  # fmt: skip
        expected.append(any(np.allclose(ratings, mean) for ratings, mean in sides))
    _, found = similarity.all_measures(few, few.vocabulary(axis).ids[[3, 7]].tolist(), reading, axis)
    assert found.uncorrelated.tolist() == expected
    assert 0 < sum(expected) < len(expected)


@pytest.mark.parametrize("axis", ["users", "items"])
@pytest.mark.parametrize("reading", ["table", "notebook"])
def test_all_measures_of_one_are_each_of_them(crowd: Interactions, axis: Any, reading: Any) -> None:
    ids = crowd.vocabulary(axis).ids[[7, 2]].tolist()
    found = similarity.all_measures(crowd, ids, reading, axis)
    rated = (crowd.to_scipy().toarray() != 0).astype(int)
    rated = rated if axis == "users" else rated.T
    for id, row, one in zip(ids, (7, 2), found, strict=True):
        assert list(one.values) == list(MEASURES)
        assert (one.shared == rated @ rated[row]).all()
        for name, values in one.values.items():
            assert (values == similarity.one_to_all(crowd, id, name, reading, axis)).all()


@pytest.mark.parametrize("axis", ["users", "items"])
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize(
    "more", [{}, {"shrinkage": 20.0}, {"min_overlap": 4}, {"absolute": True, "shrinkage": 3.0, "min_overlap": 2}]
)
def test_all_six_in_one_pass_are_six_passes(crowd: Interactions, axis: Any, reading: Any, more: dict[str, Any]) -> None:
    six = similarity.all_neighbors(crowd, 7, axis, reading, **more)
    assert list(six) == list(MEASURES)
    for name, found in six.items():
        alone = similarity.neighbors(crowd, name, 7, axis, reading, **more)
        assert found.indices.tobytes() == alone.indices.tobytes()
        assert found.values.tobytes() == alone.values.tobytes()


@pytest.mark.parametrize("axis", ["users", "items"])
@pytest.mark.parametrize("name", ["cosine", "jaccard"])
def test_large_data_goes_another_way_to_the_same_bytes(crowd: Interactions, name: str, axis: Any) -> None:
    small = similarity.neighbors(crowd, name, 9, axis)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "_GRAM_PRODUCTS", 0)
        patch.setattr(nearest, "_corated_neighbors", None)  # would fail if it were called
        large = similarity.neighbors(crowd, name, 9, axis)
        with pytest.raises(ParameterError, match="reading must be"):
            similarity.neighbors(crowd, name, 9, axis, reading="code")  # type: ignore[arg-type]
    assert large.indices.tobytes() == small.indices.tobytes()
    assert large.values.tobytes() == small.values.tobytes()


@pytest.mark.parametrize("low", [0.0, -2.0])
def test_large_data_with_zeros_or_negative_ratings_stays_exact(low: float) -> None:
    random = np.random.default_rng(1)
    dense = np.where(random.random((20, 9)) < 0.4, random.integers(0, 4, (20, 9)) + low, np.nan)
    x = interactions(dense)
    for name in ("cosine", "jaccard"):
        small = similarity.neighbors(x, name, 6)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nearest, "_GRAM_PRODUCTS", 0)
            large = similarity.neighbors(x, name, 6)
        assert (large.indices.tobytes(), large.values.tobytes()) == (small.indices.tobytes(), small.values.tobytes())


@pytest.mark.parametrize("factor", [2.0**70, 2.0**-70])
def test_cosines_of_large_data_know_no_scale(crowd: Interactions, factor: float) -> None:
    scaled = replace(crowd, values=crowd.values * np.float32(factor))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "_GRAM_PRODUCTS", 0)
        usual, found = (similarity.neighbors(x, "cosine", 9) for x in (crowd, scaled))
    assert (found.indices.tobytes(), found.values.tobytes()) == (usual.indices.tobytes(), usual.values.tobytes())


@pytest.mark.parametrize("products", [0, 1e18], ids=["gram", "corated"])
def test_any_number_of_threads_gives_the_same_bytes(crowd: Interactions, products: float) -> None:
    found = set()
    for threads in ("1", "2", "3"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COTERIE_THREADS", threads)
            patch.setattr(nearest, "_GRAM_PRODUCTS", products)
            lists = similarity.neighbors(crowd, "cosine", 6), *similarity.all_neighbors(crowd, 6).values()
            table = similarity.matrix(crowd, "pearson")
        found.add(b"".join([table.tobytes(), *(part.tobytes() for n in lists for part in (n.indices, n.values))]))
    assert len(found) == 1


# ---- properties ------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(arrays(np.float32, st.tuples(st.just(3), st.integers(1, 6)), elements=HALF_STARS))
def test_distances_over_equal_sets_are_distances(dense: np.ndarray) -> None:
    x = interactions(dense)
    for name, reading in [(n, r) for n, r in ALL if not MEASURES[n].larger_is_closer]:
        d = similarity.matrix(x, name, reading).astype(np.float64)  # type: ignore[arg-type]
        assert (d >= 0).all()
        np.testing.assert_array_equal(d, d.T)
        for a in range(3):
            assert (d[a] == 0).tolist() == [bool((dense[a] == row).all()) for row in dense]
        assert d[0, 2] <= d[0, 1] + d[1, 2] + 1e-6


@settings(max_examples=40)
@given(rated(st.just(HALF_STARS)))
def test_similarities_stay_within_their_bounds(dense: np.ndarray) -> None:
    x = interactions(dense)
    for name, low in (("jaccard", 0), ("cosine", 0), ("pearson", -1)):
        for reading in READINGS:
            s = similarity.matrix(x, name, reading)  # type: ignore[arg-type]
            assert s.min() >= low
            assert s.max() <= 1 + 1e-6
    rows = ~np.isnan(dense).all(axis=1)
    np.testing.assert_allclose(np.diag(similarity.matrix(x, "cosine")), rows, rtol=1e-6)


@pytest.mark.parametrize("name", MEASURES)
def test_shrinkage_trusts_pairs_by_what_they_share(crowd: Interactions, name: str) -> None:
    user = crowd.users.ids[7]
    plain = similarity.one_to_all(crowd, user, name)
    shrunk = similarity.one_to_all(crowd, user, name, shrinkage=10.0)
    rated_by = crowd.to_scipy().astype(bool).astype(np.int64)
    n = (rated_by @ rated_by[7].T).toarray().ravel()
    trust = n / (n + 10.0)
    shares = n > 0
    expected = plain * trust if MEASURES[name].larger_is_closer else plain / np.where(shares, trust, 1.0)
    np.testing.assert_allclose(shrunk[shares], expected[shares], rtol=1e-12)
    np.testing.assert_array_equal(shrunk[~shares], plain[~shares])
    found = similarity.neighbors(crowd, name, 5, shrinkage=10.0)
    np.testing.assert_allclose(found.values[7], shrunk[found.indices[7]], rtol=1e-6)


def test_minimum_overlap_and_absolute(crowd: Interactions) -> None:
    rated_by = crowd.to_scipy().astype(bool).astype(np.int64)
    overlap = (rated_by @ rated_by.T).toarray()
    found = similarity.neighbors(crowd, "pearson", 59, min_overlap=5)
    for user in range(crowd.n_users):
        kept = found.indices[user][found.indices[user] >= 0]
        assert set(kept) == {v for v in range(60) if v != user and overlap[user, v] >= 5}
    signed, absolute = (similarity.neighbors(crowd, "pearson", 10, absolute=a) for a in (False, True))
    assert (signed.values[0] > 0).all()
    assert (absolute.values[0] < 0).any()
    assert (np.diff(np.abs(absolute.values[0])) <= 0).all()


# ---- ids and tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [False, True])
def test_neighbors_speak_in_ids(text: bool) -> None:
    x = interactions([[4, 2, np.nan], [4, 2, np.nan], [5, 1, np.nan], [np.nan, np.nan, 1]], text)
    found = similarity.neighbors(x, "cosine", 10)
    ids = x.users.ids.tolist()
    table = found.of(ids[0])
    assert table.columns == ["rank", "neighbor", "value"]
    assert table["rank"].to_list() == [1, 2]
    assert table["neighbor"].to_list() == ids[1:3]
    assert table["value"].to_list() == pytest.approx([1, 22 / np.sqrt(20 * 26)])
    alone = found.of(ids[3])
    assert alone.schema == table.schema
    assert alone.is_empty()
    everyone = found.to_frame()
    assert everyone.columns == ["id", "rank", "neighbor", "value"]
    assert everyone.filter(pl.col("id") == ids[0]).drop("id").equals(table)
    assert set(everyone["id"]) == set(ids[:3])
    items = similarity.neighbors(x, "cosine", 10, axis="items")
    assert items.of(x.items.ids[0])["neighbor"].to_list() == [x.items.ids[1]]


def test_one_user_has_no_neighbors() -> None:
    x = interactions([[4, 2]])
    for found in (similarity.neighbors(x, "cosine", 5), *similarity.all_neighbors(x).values()):
        assert found.indices.tolist() == [[-1]]
        assert found.of(x.users.ids[0]).is_empty()


# ---- errors ----------------------------------------------------------------------------------------------


def test_errors_name_what_is_wrong(crowd: Interactions) -> None:
    one, two = crowd.users.ids[:2]
    with pytest.raises(ParameterError, match=r"unknown measure 'cosinus'; there are jaccard.*l2"):
        similarity.pair(crowd, one, two, "cosinus")
    with pytest.raises(ParameterError, match=r"reading must be 'table' or 'notebook', not 'code'"):
        similarity.pair(crowd, one, two, "cosine", "code")  # type: ignore[arg-type]
    with pytest.raises(UnknownIdError, match="unknown user 11"):
        similarity.pair(crowd, one, 11, "cosine")
    with pytest.raises(UnknownIdError, match="unknown item 11"):
        similarity.one_to_all(crowd, 11, "cosine", axis="items")
    for call in (similarity.neighbors, similarity.matrix):
        with pytest.raises(ParameterError, match="axis must be 'users' or 'items', not 'rows'"):
            call(crowd, "cosine", axis="rows")  # type: ignore[operator]
    with pytest.raises(ParameterError, match="axis must be"):
        similarity.one_to_all(crowd, one, "cosine", axis="rows")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [{"n_neighbors": 0}, {"n_neighbors": 2.5}, {"min_overlap": 0}, {"shrinkage": -1.0}, {"shrinkage": float("nan")}],
    ids=repr,
)
def test_bad_numbers_are_named(crowd: Interactions, bad: dict[str, Any]) -> None:
    (name, value), *_ = bad.items()
    with pytest.raises(ParameterError, match=f"{name} must be .*, not {value!r}"):
        similarity.neighbors(crowd, "cosine", **bad)
    with pytest.raises(ParameterError, match=name):
        similarity.all_neighbors(crowd, **bad)


@pytest.mark.parametrize("products", [0, 1e18], ids=["gram", "corated"])
def test_past_the_memory_budget_nothing_is_allocated(
    crowd: Interactions, monkeypatch: pytest.MonkeyPatch, products: float
) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "0.000001")
    monkeypatch.setattr(nearest, "_GRAM_PRODUCTS", products)
    with pytest.raises(MemoryBudgetError, match=r"60 x 60 matrix .*similarity\.neighbors"):
        similarity.matrix(crowd, "cosine")
    with pytest.raises(MemoryBudgetError, match=r"60 lists of 50 neighbours .*n_neighbors"):
        similarity.neighbors(crowd, "cosine")


# ---- what the module prints ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def thousand(shared: Path) -> Interactions:
    """The module's data: the first 1000 users and the movies that more than 20 of them rated."""
    x = ct.load(str(shared / "ml-20m-1000users")).interactions.filter(first_users=1000, min_item_ratings=21)
    assert x.shape == (1000, 1706)
    return x


def test_users_1_and_2_of_the_module(thousand: Interactions) -> None:
    printed = {
        "jaccard": 0.053, "cosine": 0.133, "pearson": -0.069,
        "manhattan": 1.167, "euclidean": 0.412, "chebyshev": 0.444,
    }  # fmt: skip
    for name, value in printed.items():
        assert round(similarity.pair(thousand, 1, 2, name, "notebook"), 3) == value, name


def test_the_modules_user_based_example(thousand: Interactions) -> None:
    model = ct.UserKNN(aggregation="mean", absolute=True, n_neighbors=50).fit(thousand)
    why = model.explain(1, 1)
    assert why.score == pytest.approx(3.87)
    assert len(why.contributions) == 50
    likeness = why.contributions["similarity"].sort(descending=True)
    np.testing.assert_allclose(likeness[:3], [0.40457195, 0.376088, 0.3636198], rtol=1e-6)
    assert model.predict([1], [1])[0] == pytest.approx(3.87)


def test_the_modules_item_based_example_and_its_remedy(thousand: Interactions) -> None:
    found = similarity.neighbors(thousand, "cosine", 49, axis="items")
    assert similarity.pair(thousand, 1, 1, "cosine", axis="items") == pytest.approx(1.0)
    near = found.of(1)
    np.testing.assert_allclose(near["value"][:3], [0.5504396, 0.5502418, 0.5399177], rtol=1e-6)
    # the module averages over all who rated movie 1, and over movie 1 itself, with unrated as 0
    columns = thousand.items.indices([1, *near["neighbor"].to_list()])
    ratings = thousand.to_scipy().toarray()
    assert ratings[ratings[:, columns[0]] > 0][:, columns].mean() == pytest.approx(1.7778, abs=5e-5)
    model = ct.ItemKNN(similarity="cosine", n_neighbors=50).fit(thousand)
    assert model.mean_with_unrated_as_zero(1) == pytest.approx(1.7778, abs=5e-5)
    # only what user 1 rated, weighted by similarity: the default
    predicted = float(model.predict([1], [1])[0])
    own = thousand.to_scipy()[thousand.users.index(1)].data
    assert own.min() < predicted < own.max()
    assert predicted == pytest.approx(float(own.mean()), abs=0.3)
