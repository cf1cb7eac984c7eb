"""Interactions: made from any order of rows as a slow twin makes them, and reduced as their docstrings say."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coterie as ct
from coterie.data import compress as compressing
from coterie.errors import DataError, DataWarning, ParameterError, UnknownIdError

POLICIES = ["last", "first", "mean", "max", "sum"]


def slowly(rows: list[tuple[int, int, float, int]], policy: str, timed: bool) -> dict[tuple[int, int], tuple[Any, ...]]:
    """The obvious twin of `compress`: a list of rows for every pair, one row made of each list."""
    pairs: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for user, item, value, time in rows:
        pairs.setdefault((user, item), []).append((value, time))
    result = {}
    for pair, found in sorted(pairs.items()):
        if timed:
            found = sorted(found, key=lambda row: row[1])  # stable: equal times stay in the order of rows
        values = [np.float32(value) for value, _ in found]
        times = [time for _, time in found]
        match policy:
            case "first":
                result[pair] = values[0], times[0]
            case "last":
                result[pair] = values[-1], times[-1]
            case "mean":
                result[pair] = np.float32(np.mean(values, dtype=np.float64)), times[-1]
            case "max":
                result[pair] = max(values), times[-1]
            case "sum":
                result[pair] = np.float32(np.sum(values, dtype=np.float64)), times[-1]
    return result


ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.sampled_from([0.5, 1.0, 3.5, 4.0, 5.0]), st.integers(0, 3)),
    max_size=40,
)


@pytest.mark.parametrize("counting", [False, True])
@given(rows=ROWS, policy=st.sampled_from(POLICIES), timed=st.booleans())
def test_compress_is_its_slow_twin(
    counting: bool, rows: list[tuple[int, int, float, int]], policy: Any, timed: bool
) -> None:
    users, items, values, times = (np.array([row[at] for row in rows], dt) for at, dt in enumerate("iifq"))
    bits = compressing._KEY_BITS
    try:
        compressing._KEY_BITS = 0 if counting else bits
        made = compressing.compress((5, 6), users, items, values, times if timed else None, policy)
    finally:
        compressing._KEY_BITS = bits
    twin = slowly(rows, policy, timed)
    user_index = np.repeat(np.arange(5), np.diff(made.indptr))
    assert list(zip(user_index.tolist(), made.indices.tolist(), strict=True)) == list(twin)
    np.testing.assert_allclose(made.values, np.array([v for v, _ in twin.values()], np.float32), rtol=1e-6)
    if timed:
        assert made.timestamps is not None
        assert made.timestamps.tolist() == [t for _, t in twin.values()]
    assert made.repeated == len(rows) - len(twin)
    assert (made.first_repeat is None) == (made.repeated == 0)


def test_sorted_arrays_are_not_copied() -> None:
    index, values = np.array([0, 1, 0], np.int32), np.array([1, 2, 3], np.float32)
    x = make(np.array([0, 0, 1], np.int32), index, values)
    assert np.shares_memory(x.indices, index) and np.shares_memory(x.values, values)


def test_arrays_are_read_only() -> None:
    times = np.array([9, 8])
    x = make([0, 1], [0, 1], None, times)
    for array in (x.indptr, x.indices, x.values, x.timestamps, *x.by_item, *x.rows("items")):
        assert array is not None and not array.flags.writeable
    assert times.flags.writeable, "the caller's own array stays the caller's"


def test_inputs_are_left_alone() -> None:
    users, items = np.array([1, 0, 1]), np.array([0, 1, 0])
    values, times = np.array([1, 2, 3], np.float32), np.array([9, 8, 7])
    with pytest.warns(DataWarning, match="1 row repeats"):
        x = make(users, items, values, times)
    assert x.values.tolist() == [2.0, 1.0]
    assert [a.tolist() for a in (users, items, values, times)] == [[1, 0, 1], [0, 1, 0], [1, 2, 3], [9, 8, 7]]


def make(users: Any, items: Any, values: Any = None, times: Any = None, **options: Any) -> ct.Interactions:
    """Interactions of users 10, 20, 30 and items a, b, c, d."""
    vocabularies = ct.Vocabulary([10, 20, 30], "user"), ct.Vocabulary(["a", "b", "c", "d"], "item")
    return ct.Interactions.from_arrays(*vocabularies, np.asarray(users), np.asarray(items), values, times, **options)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([0, 3], [0, 0]), "user row number 3 at place 1 is none of the vocabulary, which has 3 ids"),
        (([0, 1], [0, -1]), "item row number -1 at place 1 is none of the vocabulary, which has 4 ids"),
        (([0, 1], [0]), "equally long, not user_index 2, item_index 1, values 2"),
        (([0.0, 1.0], [0, 1]), "user_index must be integers, not float64"),
        (([[0], [1]], [0, 1], np.ones(2)), r"user_index must have one dimension, not shape \(2, 1\)"),
        (([0, 1], [0, 1], np.array([1.0, np.nan])), "rating nan in row 2 is not a finite number"),
        (([0, 1], [0, 1], np.array([1.0, 1e39])), r"rating 1e\+39 in row 2 is not a finite number of 32 bits"),
        (([0, 1], [0, 1], np.array(["4", "5"])), "values must be numbers, not <U1"),
        (([0, 1], [0, 1], None, np.array([np.nan, 1])), r"timestamps must be integers \(Unix seconds\), not float64"),
        (([0], [0], None, np.array(["2015-01-01"], "M8[ns]")), r"timestamps must be integers .* datetime64\[ns\]"),
    ],
)
def test_arrays_that_do_not_fit(arguments: Any, match: str) -> None:
    with pytest.raises(DataError, match=match):
        make(*arguments)


@pytest.mark.parametrize(
    ("part", "match"),
    [
        ({"indptr": np.array([0, 1, 2])}, r"indptr must be int64 \(4,\), not int64 \(3,\)"),
        ({"indptr": np.array([0, 2, 1, 3])}, "indptr must rise from 0 to 3, the number of ratings"),
        ({"indptr": np.array([0, 1, 2, 2])}, "indptr must rise from 0 to 3"),
        ({"indices": np.array([0, 1, 2])}, r"indices must be int32 \(3,\), not int64 \(3,\)"),
        ({"indices": np.array([0, 4, 1], np.int32)}, "indices hold 4, and there are 4 items; make .*from_arrays"),
        ({"indices": np.array([0, -1, 1], np.int32)}, "indices hold -1"),
        ({"indices": np.array([1, 1, 1], np.int32)}, "indices must increase within a user"),
        ({"indices": None}, "indices must be int32"),
        ({"values": [1.0, 2.0, 3.0]}, r"values must be float32 \(3,\), not list"),
        ({"timestamps": np.array([1, 2])}, r"timestamps must be int64 \(3,\), not int64 \(2,\)"),
    ],
)
def test_the_constructor_takes_what_is_in_order(part: Any, match: str) -> None:
    x = make([0, 0, 1], [0, 1, 1], None, np.array([7, 8, 9]))
    arrays = {name: getattr(x, name) for name in ("indptr", "indices", "values", "timestamps")}
    ct.Interactions(x.users, x.items, **arrays)
    with pytest.raises(DataError, match=match):
        ct.Interactions(x.users, x.items, **(arrays | part))


def test_repeats_as_an_error() -> None:
    with pytest.raises(
        DataError, match=r"1 row repeats a \(user, item\) pair \(the first: user 20, item 'c'\); choose"
    ):
        make([1, 1], [2, 2], duplicates="error")
    with pytest.raises(ParameterError, match="duplicates must be one of"):
        make([1], [2], duplicates="newest")
    large = np.full(2, 3e38, np.float32)
    with pytest.raises(DataError, match="sum to more than a number of 32 bits holds"):
        make([1, 1], [2, 2], large, duplicates="sum")


X = make([0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 2, 2], np.array([5, 4, 3, 2, 1, 5], np.float32), [1, 2, 3, 4, 5, 6])


def test_transpose() -> None:
    indptr, users, values = X.by_item
    assert (indptr.dtype, users.dtype, values.dtype) == (np.int64, np.int32, np.float32)
    assert indptr.tolist() == [0, 2, 4, 6, 6]
    assert users.tolist() == [0, 1, 0, 1, 1, 2]
    assert values.tolist() == [5, 3, 4, 2, 1, 5]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), unique=True))
def test_transpose_is_sorted_and_whole(pairs: list[tuple[int, int]]) -> None:
    values = np.arange(len(pairs), dtype=np.float32)
    x = make([u for u, _ in pairs] or np.empty(0, int), [i for _, i in pairs] or np.empty(0, int), values)
    indptr, users, across = x.by_item
    items = np.repeat(np.arange(4), np.diff(indptr))
    found = dict(zip(zip(users.tolist(), items.tolist(), strict=True), across.tolist(), strict=True))
    assert found == dict(zip(pairs, values.tolist(), strict=True))
    assert all(np.all(np.diff(users[indptr[i] : indptr[i + 1]]) > 0) for i in range(4))


def pairs(x: ct.Interactions) -> list[tuple[Any, ...]]:
    return x.to_frame().select("user", "item").rows()


def test_filters() -> None:
    assert pairs(X.filter(users=[30, 10])) == [(10, "a"), (10, "b"), (30, "c")]
    assert pairs(X.filter(items=["c"])) == [(20, "c"), (30, "c")]
    assert pairs(X.filter(first_users=1)) == [(10, "a"), (10, "b")]
    assert pairs(X.filter(since=2, until=4)) == [(10, "b"), (20, "a")]
    assert pairs(X.filter(min_rating=5)) == [(10, "a"), (30, "c")]
    assert pairs(X.filter(min_user_ratings=2)) == [(10, "a"), (10, "b"), (20, "a"), (20, "b"), (20, "c")]
    assert pairs(X.filter(min_user_ratings=2, min_item_ratings=2)) == [(10, "a"), (10, "b"), (20, "a"), (20, "b")]
    kept = X.filter(users=[30], keep_vocabularies=True)
    assert kept.shape == X.shape and kept.nnz == 1
    assert X.filter(users=[30]).shape == (1, 1)


def test_first_users_goes_by_id_not_by_row() -> None:
    users = ct.Vocabulary([30, 10, 20], "user")
    x = ct.Interactions.from_arrays(users, ct.Vocabulary(["a"], "item"), np.arange(3), np.zeros(3, int))
    assert pairs(x.filter(first_users=2)) == [(10, "a"), (20, "a")]


def test_filters_refuse() -> None:
    with pytest.raises(UnknownIdError, match="unknown user 11"):
        X.filter(users=[11])
    with pytest.raises(ParameterError, match="first_users must be at least 1"):
        X.filter(first_users=0)
    with pytest.raises(DataError, match="no timestamps"):
        make([0], [0]).filter(since=5)


def test_k_core() -> None:
    """Taking out item c and user 30 for having too few leaves the square of users 10, 20 and items a, b."""
    assert pairs(X.k_core(2)) == [(10, "a"), (10, "b"), (20, "a"), (20, "b")]
    assert pairs(X.filter(items=["a", "b"]).k_core(2)) == [(10, "a"), (10, "b"), (20, "a"), (20, "b")]
    assert X.k_core(4).nnz == 0


@given(ROWS, st.integers(1, 4))
def test_k_core_is_the_largest(rows: list[tuple[int, int, float, int]], k: int) -> None:
    left = {(u % 3, i % 4) for u, i, _, _ in rows}
    x = make([u for u, _ in left] or np.empty(0, int), [i for _, i in left] or np.empty(0, int))
    while True:
        users, items = [u for u, _ in left], [i for _, i in left]
        kept = {(u, i) for u, i in left if users.count(u) >= k and items.count(i) >= k}
        if kept == left:
            break
        left = kept
    assert set(pairs(x.k_core(k))) == {((10, 20, 30)[u], "abcd"[i]) for u, i in left}


def test_fingerprint_is_of_the_content() -> None:
    same = make([0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 2, 2], np.array([5, 4, 3, 2, 1, 5], np.float32), [1, 2, 3, 4, 5, 6])
    other = make([0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 2, 2], np.array([5, 4, 3, 2, 1, 4], np.float32), [1, 2, 3, 4, 5, 6])
    assert X.fingerprint == same.fingerprint != other.fingerprint


def test_fingerprint_tells_users_from_items() -> None:
    worlds = [(["a", "bc"], ["d"]), (["a", "b"], ["cd"]), (["a\0b", "c"], ["d"]), (["a", "b\0c"], ["d"])]
    made = [
        ct.Interactions.from_arrays(ct.Vocabulary(users), ct.Vocabulary(items), np.arange(2), np.zeros(2, int))
        for users, items in worlds
    ]
    assert len({x.fingerprint for x in made}) == len(worlds)


def test_nothing_at_all() -> None:
    x = make(np.empty(0, int), np.empty(0, int))
    assert x.nnz == 0 and x.scale == (1.0, 1.0) and x.mean == 0.0
    assert x.by_item.indptr.tolist() == [0] * 5
    assert x.filter(min_item_ratings=2).shape == (0, 0)


def test_representations_are_one_short_line() -> None:
    frame = pl.DataFrame({"item": range(5000), "title": ["A long title (1999)"] * 5000, "genres": ["Drama"] * 5000})
    tags = pl.DataFrame({"user": [1, 1], "item": [1, 2], "tag": ["x", "y"]})
    catalog = ct.Catalog.from_titles(frame, tags=tags, genome_tags=("a", "b"), genome=np.zeros((5000, 2), np.float32))
    ratings = ct.Interactions.from_frame({"u": [1, 2, 2], "i": [1, 1, 2]}, "u", "i")
    assert repr(catalog) == "Catalog(5,000 items, 2 taggings, a genome of 2 tags)"
    assert repr(ratings) == "Interactions(2 users x 2 items, 3 ratings)"
    assert repr(ct.Dataset(ratings, catalog, "mine")) == f"Dataset('mine', {ratings!r}, {catalog!r})"
    assert repr(ct.Dataset(None)) == "Dataset('dataset', no ratings, no catalog)"


def test_more_items_get_columns_after_the_known_ones() -> None:
    x = ct.Interactions.from_frame(pl.DataFrame({"u": [1, 1], "i": [5, 3]}), user="u", item="i")
    grown = x.with_items([3, 9, 9, 7])
    assert grown.items.ids.tolist() == [*x.items.ids.tolist(), 9, 7]
    assert grown.to_frame().equals(x.to_frame())
    assert x.with_items([]) is x
