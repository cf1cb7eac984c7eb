"""Old interactions and new ones as one: what a fitted model takes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.errors import DataError

if TYPE_CHECKING:
    from coterie.data.interactions import Interactions

Array = np.ndarray[Any, np.dtype[Any]]


def merge(old: Interactions, new: Interactions) -> Interactions:
    """`Interactions.merge`. Only the rows of users in `new` are looked at; the rest is copied as it is."""
    if old.timestamps is not None and new.timestamps is None and new.nnz:
        raise DataError(
            "the old ratings have timestamps and the new ones have none; give the new ones theirs (timestamp=...), "
            "or take them from the old with dataclasses.replace(old, timestamps=None)"
        )
    users, user_rows = old.users.grown(new.users)
    items, item_rows = old.items.grown(new.items)
    rows, columns = user_rows[new.user_index].astype(np.int64), item_rows[new.indices]
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    starts = np.concatenate([old.indptr, np.full(len(users) - old.n_users, old.nnz)])  # of old rows, grown
    at, known = _find(old, starts, rows, columns, len(items))
    counts = np.diff(starts) + np.bincount(rows[~known], minlength=len(users))

    def joined(before: Array, after: Array) -> Array:
        before = np.array(before)  # a copy in memory: what is merged is often mapped and read-only
        before[at[known]] = after[order[known]]
        return np.insert(before, at[~known], after[order[~known]])

    times = None
    if old.timestamps is not None:
        times = joined(old.timestamps, np.empty(0, np.int64) if new.timestamps is None else new.timestamps)
    return type(old)(
        users,
        items,
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        np.insert(old.indices, at[~known], columns[~known]),
        joined(old.values, new.values),
        times,
    )


def _find(old: Interactions, starts: Array, rows: Array, columns: Array, n_items: int) -> tuple[Array, Array]:
    """Where each new pair stands, or would, among the old entries, and whether it is there.

    `starts` is where each row of the old entries begins, with empty rows for new users.
    """
    touched = np.unique(rows)
    lengths = starts[touched + 1] - starts[touched]
    first = np.cumsum(lengths) - lengths
    entries = np.repeat(starts[touched] - first, lengths) + np.arange(lengths.sum())
    keys = np.repeat(touched, lengths) * n_items + old.indices[entries]
    wanted = rows * n_items + columns
    place = np.searchsorted(keys, wanted)
    known = np.append(keys, -1)[place] == wanted
    # past the last entry of its row, a pair would stand where the next row begins
    return np.minimum(np.append(entries, old.nnz)[place], starts[rows + 1]), known
