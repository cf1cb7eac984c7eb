"""Coordinate form -> compressed rows: sorting, and merging of rows that repeat a (user, item) pair."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from coterie.errors import DataError, ParameterError

Array = np.ndarray[Any, np.dtype[Any]]
Duplicates = Literal["last", "first", "mean", "max", "sum", "error"]

# Pairs are compared a block at a time, so that what is compared stays in the processor's cache.
_BLOCK = 1 << 16
# Bits of a signed integer in which a user, an item and a place in the order fit together, if they do.
_KEY_BITS = 63


class Compressed(NamedTuple):
    """Arrays of `Interactions`, and what became of repeated pairs.

    `repeated` counts the rows that were merged away; `first_repeat` is the (user, item) row numbers of one.
    """

    indptr: Array
    indices: Array
    values: Array
    timestamps: Array | None
    repeated: int
    first_repeat: tuple[int, int] | None


def check_duplicates(policy: str) -> None:
    """Refuse a policy for repeated pairs that does not exist."""
    if policy not in get_args(Duplicates):
        raise ParameterError(f"duplicates must be one of {', '.join(get_args(Duplicates))}, not {policy!r}")


def compress(
    shape: tuple[int, int],
    user_index: Array,
    item_index: Array,
    values: Array,
    timestamps: Array | None,
    duplicates: Duplicates,
) -> Compressed:
    """Rows sorted by (user, item), each pair once. Entries that arrive in that order are not copied.

    Parameters
    ----------
    shape : (n_users, n_items)
    user_index, item_index : int (nnz,)
    values : float (nnz,)
    timestamps : int (nnz,) or None
    duplicates : {"last", "first", "mean", "max", "sum", "error"}
        As in `Interactions.from_frame`. The time of a merged row is that of the row kept; of a mean,
        maximum or sum it is the latest.
    """
    check_duplicates(duplicates)
    user_index, item_index, values = np.asarray(user_index), np.asarray(item_index), np.asarray(values)
    timestamps = None if timestamps is None else np.asarray(timestamps)
    _check_coordinates(shape, user_index, item_index, values, timestamps)
    user_index, item_index = user_index.astype(np.int32, copy=False), item_index.astype(np.int32, copy=False)
    values = _as_ratings(values)
    timestamps = None if timestamps is None else timestamps.astype(np.int64, copy=False)
    repeated, first_repeat = 0, None
    if not _strictly_increasing(user_index, item_index):
        order, user_index, item_index = sort_pairs(shape, user_index, item_index)
        values = values[order]
        timestamps = None if timestamps is None else timestamps[order]
        same = (user_index[1:] == user_index[:-1]) & (item_index[1:] == item_index[:-1])
        repeated = int(np.count_nonzero(same))
        if repeated:
            at = int(same.argmax())
            first_repeat = int(user_index[at]), int(item_index[at])
            keep = _merge(same, values, timestamps, duplicates)
            user_index, item_index, values = user_index[keep], item_index[keep], values[keep]
            timestamps = None if timestamps is None else timestamps[keep]
    indptr = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.bincount(user_index, minlength=shape[0]), out=indptr[1:])
    return Compressed(indptr, item_index, values, timestamps, repeated, first_repeat)


def sort_pairs(shape: tuple[int, int], user_index: Array, item_index: Array) -> tuple[Array, Array, Array]:
    """Entries sorted by user, then by item, equal pairs as they came.

    Returns
    -------
    order : int (nnz,)
        The permutation that sorts.
    user_index, item_index : int32 (nnz,)
        As sorted.
    """
    n = len(user_index)
    item_bits, place_bits = shape[1].bit_length(), n.bit_length()
    if shape[0].bit_length() + item_bits + place_bits > _KEY_BITS:
        by_item = counting_order(item_index, shape[1])
        order = by_item[counting_order(user_index[by_item], shape[0])]
        return order, user_index[order], item_index[order]
    # User, item and place as the high, middle and low bits of one integer: integers sort faster than rows.
    keys = user_index.astype(np.int64)
    keys <<= item_bits
    keys |= item_index
    keys <<= place_bits
    keys |= np.arange(n)
    keys.sort()
    order = keys & ((1 << place_bits) - 1)
    keys >>= place_bits
    items = (keys & ((1 << item_bits) - 1)).astype(np.int32)
    keys >>= item_bits
    return order, keys.astype(np.int32), items


def counting_order(keys: Array, n_keys: int) -> Array:
    """The stable permutation that sorts `keys` (each in [0, n_keys)), in linear time.

    Entry j is column j of a matrix with a single 1, in row ``keys[j]``. Turning that matrix from
    columns to rows is a counting sort, and SciPy does it in one compiled pass.
    """
    import scipy.sparse as sp

    n = len(keys)
    ones = np.ones(n, np.int8)
    entries: Array = np.arange(n + 1, dtype=np.int32 if n < np.iinfo(np.int32).max else np.int64)
    order: Array = sp.csc_array((ones, keys, entries), shape=(n_keys, n)).tocsr().indices
    return order


def flaw(shape: tuple[int, int], indptr: Array, indices: Array, values: Array, timestamps: Array | None) -> str | None:
    """What keeps arrays from being the compressed rows of a matrix of `shape`; None where nothing does."""
    arrays: dict[str, Any] = {"indptr": indptr, "indices": indices, "values": values, "timestamps": timestamps}
    kinds = {"indptr": np.int64, "indices": np.int32, "values": np.float32, "timestamps": np.int64}
    lengths = {name: np.size(indices) for name in kinds} | {"indptr": shape[0] + 1}
    for name, array in arrays.items():
        if name == "timestamps" and array is None:
            continue
        if not isinstance(array, np.ndarray) or array.dtype != kinds[name] or array.shape != (lengths[name],):
            shown = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            return f"{name} must be {np.dtype(kinds[name])} ({lengths[name]},), not {shown}"
    if indptr[0] != 0 or indptr[-1] != len(indices) or (indptr[1:] < indptr[:-1]).any():
        return f"indptr must rise from 0 to {len(indices)}, the number of ratings"
    if not len(indices):
        return None
    for index in (int(indices.min()), int(indices.max())):
        if not 0 <= index < shape[1]:
            return f"indices hold {index}, and there are {shape[1]:,} items"
    is_first = np.zeros(len(indices) + 1, bool)
    is_first[indptr] = True
    climbs = (is_first[1:-1] | (indices[1:] > indices[:-1])).all()
    return None if climbs else "indices must increase within a user, without repeats"


def _check_coordinates(
    shape: tuple[int, int], user_index: Array, item_index: Array, values: Array, timestamps: Array | None
) -> None:
    given = {"user_index": user_index, "item_index": item_index, "values": values}
    given |= {} if timestamps is None else {"timestamps": timestamps}
    for name, array in given.items():
        kinds, wanted = ("biuf", "numbers") if name == "values" else ("iu", "integers")
        if array.ndim != 1:
            raise DataError(f"{name} must have one dimension, not shape {array.shape}")
        if len(array) and array.dtype.kind not in kinds:
            seconds = " (Unix seconds)" if name == "timestamps" else ""
            raise DataError(f"{name} must be {wanted}{seconds}, not {array.dtype}; convert them first")
    if len(set(map(len, given.values()))) > 1:
        lengths = ", ".join(f"{name} {len(array):,}" for name, array in given.items())
        raise DataError(f"the arrays must be equally long, not {lengths}")
    for what, index, n in (("user", user_index, shape[0]), ("item", item_index, shape[1])):
        if len(index) and (int(index.min()) < 0 or int(index.max()) >= n):
            at = int(((index < 0) | (index >= n)).argmax())
            raise DataError(
                f"{what} row number {index[at]} at place {at} is none of the vocabulary, which has {n:,} ids"
            )


def _as_ratings(values: Array) -> Array:
    """Values as float32; what is not finite, or too large for it, is an error."""
    with np.errstate(over="ignore"):
        ratings = values.astype(np.float32, copy=False)
    finite = np.isfinite(ratings)
    if not finite.all():
        at = int(finite.argmin())
        raise DataError(f"rating {values[at]} in row {at + 1} is not a finite number of 32 bits; drop such rows first")
    return ratings


def _strictly_increasing(first: Array, second: Array) -> bool:
    """Whether the pairs (first[j], second[j]) are sorted and unique."""
    for start in range(0, len(first) - 1, _BLOCK):
        stop = min(start + _BLOCK, len(first) - 1)
        here, there = first[start:stop], first[start + 1 : stop + 1]
        climbs = second[start + 1 : stop + 1] > second[start:stop]
        if not ((there > here) | ((there == here) & climbs)).all():
            return False
    return True


def _merge(same: Array, values: Array, timestamps: Array | None, duplicates: Duplicates) -> Array:
    """Put the merged value and time of each run of repeats at its end; returns which rows to keep (bool (nnz,)).

    `same[j]` says that row j+1 repeats row j. Only rows that take part in a run are touched.
    """
    repeats, is_repeated = np.append(False, same), np.append(same, False)
    members = np.flatnonzero(repeats | is_repeated)
    starts = np.flatnonzero(~repeats[members])
    last = np.append(starts[1:], len(members)) - 1
    order = members
    if timestamps is not None:  # the members of each run in order of time, equal times as they came
        run = np.cumsum(~repeats[members])
        order = members[np.lexsort((timestamps[members], run))]
    chosen = order[starts] if duplicates == "first" else order[last]
    match duplicates:
        case "mean":
            merged = np.add.reduceat(values[members].astype(np.float64), starts) / (last - starts + 1)
        case "max":
            merged = np.maximum.reduceat(values[members], starts)
        case "sum":
            merged = np.add.reduceat(values[members].astype(np.float64), starts)
            if not (np.abs(merged) <= np.finfo(np.float32).max).all():
                raise DataError("repeated rows sum to more than a number of 32 bits holds; make the ratings smaller")
        case _:  # "error" never uses what it gets: its caller raises
            merged = values[chosen]
    values[members[last]] = merged
    if timestamps is not None:
        timestamps[members[last]] = timestamps[chosen]
    return ~is_repeated
