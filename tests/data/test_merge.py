"""Old and new ratings as one: against a dictionary of pairs, and the rules for ids and times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coterie as ct
from coterie.errors import DataError

PAIRS = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 6)), st.tuples(st.sampled_from([0.0, 1.0, 4.5]), st.integers(0, 9))
)
Table = dict[tuple[int, int], tuple[float, int]]


def made(table: Table, extra: int = 0) -> ct.Interactions:
    """Ratings whose ids first occur in the order of the table, and a user and an item without any."""
    users, items = (list(dict.fromkeys(pair[axis] for pair in table)) for axis in (0, 1))
    users, items = ([*ids, extra] if extra else ids for ids in (users, items))
    vocabularies = ct.Vocabulary(users, "user"), ct.Vocabulary(items, "item")
    index = [vocabularies[axis].indices([pair[axis] for pair in table]) for axis in (0, 1)]
    values, times = (np.array([entry[at] for entry in table.values()], kind) for at, kind in enumerate("fq"))
    return ct.Interactions.from_arrays(*vocabularies, *index, values, times)


def table_of(x: ct.Interactions) -> Table:
    return {(user, item): (value, time) for user, item, value, time in x.to_frame().iter_rows()}


@given(old=PAIRS, new=PAIRS, extra=st.sampled_from([0, 50]))
def test_merging_is_a_dictionary_that_takes_in_another(old: Table, new: Table, extra: int) -> None:
    before, after = made(old, extra), made(new, extra)
    x = before.merge(after)
    assert table_of(x) == old | new
    assert x.users.ids.tolist() == list(dict.fromkeys([*before.users.ids.tolist(), *after.users.ids.tolist()]))
    assert x.items.ids.tolist() == list(dict.fromkeys([*before.items.ids.tolist(), *after.items.ids.tolist()]))
    assert (x.indptr.dtype, x.indices.dtype, x.values.dtype) == (np.int64, np.int32, np.float32)
    assert x.indptr[0] == 0 and x.indptr[-1] == x.nnz and len(x.indptr) == x.n_users + 1
    inside = np.diff(x.user_index) == 0
    assert (np.diff(x.indices)[inside] > 0).all()
    assert (table_of(before), table_of(after)) == (old, new)
    assert not any(array.flags.writeable for array in (x.indptr, x.indices, x.values, x.users.ids, x.items.ids))


def frame(users: list[Any], items: list[Any], times: list[int] | None = None) -> ct.Interactions:
    columns: dict[str, Any] = {"user": users, "item": items, **({} if times is None else {"time": times})}
    return ct.Interactions.from_frame(columns, "user", "item", timestamp=None if times is None else "time")


def test_old_times_need_new_times() -> None:
    old = frame([1, 2], ["a", "b"], [10, 20])
    with pytest.raises(DataError, match=r"old ratings have timestamps and the new ones have none.*timestamp="):
        old.merge(frame([3], ["a"]))
    without = replace(old, timestamps=None).merge(frame([3], ["a"], [30]))
    assert without.timestamps is None and without.nnz == 3


def test_an_earlier_time_replaces_a_later_one() -> None:
    x = frame([1], ["a"], [20]).merge(frame([1], ["a"], [10]))
    assert x.timestamps is not None and x.timestamps.tolist() == [10]


def test_ids_of_two_kinds_do_not_merge() -> None:
    with pytest.raises(DataError, match="item ids are text here, but the new ones are integers; convert them to text"):
        frame([1], ["a"]).merge(frame([1], [7]))
    with pytest.raises(DataError, match="user ids are integers here, but the new ones are text"):
        frame([1], ["a"]).merge(frame(["1"], ["a"]))


def test_nothing_merges_with_anything() -> None:
    some = frame(["u", "v"], ["a", "b"])
    nothing = ct.Interactions.from_arrays(
        ct.Vocabulary([], "user"), ct.Vocabulary([], "item"), np.empty(0, int), np.empty(0, int)
    )
    for x in (nothing.merge(some), some.merge(nothing)):
        assert x.fingerprint == some.fingerprint
