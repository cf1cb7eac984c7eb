"""Which ratings to keep: the conditions behind `Interactions.filter` and `Interactions.k_core`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.data.vocabulary import Id, Vocabulary
from coterie.errors import DataError, ParameterError

if TYPE_CHECKING:
    from coterie.data.interactions import Interactions

Array = np.ndarray[tuple[int], np.dtype[Any]]


def meeting(
    x: Interactions,
    users: Iterable[Id] | None,
    items: Iterable[Id] | None,
    first_users: int | None,
    min_user_ratings: int,
    min_item_ratings: int,
    since: int | None,
    until: int | None,
    min_rating: float | None,
) -> Array:
    """bool (nnz,): the ratings that meet every condition of `Interactions.filter`."""
    if min_user_ratings < 1 or min_item_ratings < 1:
        raise ParameterError("min_user_ratings and min_item_ratings must be at least 1")
    keep = np.ones(x.nnz, bool)
    if users is not None:
        keep &= _chosen(x.users, users)[x.user_index]
    if items is not None:
        keep &= _chosen(x.items, items)[x.indices]
    if first_users is not None:
        if first_users < 1:
            raise ParameterError(f"first_users must be at least 1, not {first_users}")
        keep &= np.argsort(np.argsort(x.users.ids, kind="stable"))[x.user_index] < first_users
    if since is not None or until is not None:
        if x.timestamps is None:
            raise DataError("these interactions have no timestamps, so they cannot be filtered by time")
        keep &= (x.timestamps >= since) if since is not None else True
        keep &= (x.timestamps < until) if until is not None else True
    if min_rating is not None:
        keep &= x.values >= min_rating
    if min_user_ratings > 1:
        keep &= _often(x.user_index, keep, x.n_users, min_user_ratings)
    if min_item_ratings > 1:
        keep &= _often(x.indices, keep, x.n_items, min_item_ratings)
    return keep


def core(x: Interactions, k: int) -> Array:
    """bool (nnz,): the ratings of `Interactions.k_core`."""
    if k < 1:
        raise ParameterError(f"k must be at least 1, not {k}")
    keep, before = np.ones(x.nnz, bool), -1
    while before != (before := int(keep.sum())):
        keep &= _often(x.user_index, keep, x.n_users, k)
        keep &= _often(x.indices, keep, x.n_items, k)
    return keep


def _chosen(vocabulary: Vocabulary, ids: Iterable[Id]) -> Array:
    """bool (n,): which row numbers these ids have."""
    chosen = np.zeros(len(vocabulary), bool)
    chosen[vocabulary.indices(ids)] = True
    return chosen


def _often(index: Array, keep: Array, n: int, least: int) -> Array:
    """bool (nnz,): whose user (or item) has at least so many of the kept ratings."""
    return np.asarray((np.bincount(index[keep], minlength=n) >= least)[index])
