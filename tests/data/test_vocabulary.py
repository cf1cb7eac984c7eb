"""Vocabulary: ids to row numbers and back, for every kind of id."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coterie as ct
from coterie.data import vocabulary as vocabularies
from coterie.errors import DataError, UnknownIdError

WIDE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.one_of(st.integers(-5, 5), WIDE), min_size=1), st.booleans())
def test_integers(ids: list[int], narrow: bool) -> None:
    column = pl.Series("id", [id % 50 for id in ids] if narrow else ids, dtype=pl.Int64)
    check_column(column)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=3), min_size=1))
def test_text(ids: list[str]) -> None:
    check_column(pl.Series("id", ids, dtype=pl.String))


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64])
def test_integer_types(kind: Any) -> None:
    check_column(pl.Series("id", [100, 3, 7, 3, 100, 127], dtype=kind))


def test_integers_in_many_chunks() -> None:
    column = pl.concat([pl.Series("id", [5, 3], dtype=pl.Int32), pl.Series("id", [2**31 - 1, 3], dtype=pl.Int32)])
    check_column(column)
    check_column(pl.concat([pl.Series("id", [5, 3]), pl.Series("id", [4, 3])], rechunk=False))


def test_extremes_of_a_type() -> None:
    check_column(pl.Series("id", [-128, 127, 0], dtype=pl.Int8))
    check_column(pl.Series("id", [-(2**31), -(2**31) + 9], dtype=pl.Int32))
    check_column(pl.Series("id", [2**63 - 1, 2**63 - 3]))


def check_column(column: pl.Series) -> None:
    """The vocabulary is the sorted distinct values, and the row numbers lead back to every value."""
    made, rows = ct.Vocabulary.from_column(column, "user")
    assert made.ids.tolist() == sorted(set(column.to_list()), key=lambda v: v.encode() if isinstance(v, str) else v)
    assert rows.dtype == np.int32
    assert made.ids[rows].tolist() == column.to_list()
    assert made.indices(column.to_list()).tolist() == rows.tolist()
    assert made.indices(column).tolist() == rows.tolist()


def test_unsorted_ids_keep_their_order() -> None:
    for ids in ([30, 10, 20], [2**60, -5, 0], ["b", "c", "a"]):
        made = ct.Vocabulary(ids)
        assert made.indices(ids).tolist() == [0, 1, 2]
        assert [made.index(id) for id in reversed(ids)] == [2, 1, 0]


def test_a_wide_range_is_not_given_a_table() -> None:
    made = ct.Vocabulary([0, vocabularies._TABLE_SMALL * 1000])
    assert made._table is None and made.indices([vocabularies._TABLE_SMALL * 1000, 5], missing="skip").tolist() == [
        1,
        -1,
    ]


def test_unknown_ids_are_named() -> None:
    made = ct.Vocabulary([1, 2, 3], "user")
    with pytest.raises(UnknownIdError, match="unknown user 7, 8, 9 and 1 more"):
        made.indices([1, 7, 8, 9, 10])
    with pytest.raises(UnknownIdError, match=r"unknown user '1' \(user ids here are integers\)"):
        made.index("1")
    assert made.indices([3, 9, 1], missing="skip").tolist() == [2, -1, 0]
    assert 2 in made and 9 not in made and "2" not in made and 2.0 not in made
    assert True not in made and None not in made and 2**64 not in made and np.uint64(2**63) not in made


def test_parse() -> None:
    assert ct.Vocabulary([5, 7]).parse("7") == 7
    assert ct.Vocabulary(["5"]).parse("7") == "7"
    assert ct.Vocabulary([-5]).parse(" -5 ") == -5
    for text in ("1_0", "+5", "05", "-0", "\u0661", "5.0", "", "1e3"):
        with pytest.raises(ct.errors.UnknownIdError, match="is not one"):
            ct.Vocabulary([5, 10], "item").parse(text)
    with pytest.raises(ct.errors.UnknownIdError, match="unknown item 99999999999999999999"):
        ct.Vocabulary([5], "item").parse("9" * 20)
    with pytest.raises(UnknownIdError, match="'x' is not one"):
        ct.Vocabulary([5], "item").parse("x")


def test_what_is_no_vocabulary() -> None:
    with pytest.raises(DataError, match="must be unique"):
        ct.Vocabulary([1, 1])
    for ids in ([1, 2.5], [1, "1"], [True], np.array([1.5]), np.array([1, "x"], object)):
        with pytest.raises(UnknownIdError, match="all of one kind"):
            ct.Vocabulary(ids)
    with pytest.raises(UnknownIdError, match="beyond 64-bit"):
        ct.Vocabulary([2**70])
    with pytest.raises(TypeError, match="single id"):
        ct.Vocabulary([1]).indices("1")
    with pytest.raises(DataError, match=r"user id missing in row 2 \(column 'u'\)"):
        ct.Vocabulary.from_column(pl.Series("u", [1, None]), "user")
    with pytest.raises(DataError, match=r"column 'u' is Float64 \(integers become floats"):
        ct.Vocabulary.from_column(pl.Series("u", [1.0, 2.0]), "user")
    with pytest.raises(DataError, match="column 'u' is Boolean"):
        ct.Vocabulary.from_column(pl.Series("u", [True]), "user")


@pytest.mark.parametrize("ids", [np.array([1, 2, 3]), np.array(["a", "b"], object)])
def test_nothing_edits_a_vocabulary(ids: Any) -> None:
    made, before = ct.Vocabulary(ids), ids.tolist()
    ids[0] = ids[1]
    assert made.ids.tolist() == before
    with pytest.raises(ValueError, match="read-only"):
        made.ids[0] = made.ids[1]


def test_equality() -> None:
    assert ct.Vocabulary([1, 2]) == ct.Vocabulary([1, 2])
    assert ct.Vocabulary([1, 2]) != ct.Vocabulary([2, 1])
    assert ct.Vocabulary([1, 2]) != ct.Vocabulary(["1", "2"])
