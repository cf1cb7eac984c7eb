"""The k best products of factors for a few people, by NumPy alone; most items are passed over without a look."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coterie.kernels.parallel import one_blas_thread
from coterie.kernels.topk import no_lists, top_k_row

Array = np.ndarray[Any, np.dtype[Any]]

# Items that are looked at first: enough for the k best of them to be good, few enough to stay in the cache.
_FIRST = 512
# A bound is multiplied by this, and what has to be reached lowered by that share: more than scores are rounded by.
_SLACK, _ROUNDING = 1 + 1e-4, 1e-6
# With more candidates than this share of the items, it is faster to go through all of them in order.
_MANY = 0.25
# What anything reaches that may be found at all, and below what numbers lose digits.
_LEAST, _TINY = float(np.finfo(np.float32).min), float(np.finfo(np.float32).tiny)


class Reach(NamedTuple):
    r"""Items, and how far their scores can reach: :math:`b_i + p^\top q_i \le b_i + \|p\| \|q_i\|`.

    Attributes
    ----------
    factors : float32 (n_items, d)
    biases : float32 (n_items,)
        -inf for an item that is not to be found.
    lengths : float32 (n_items,)
    first : int64 (n_first,)
        Row numbers of the items that reach furthest for a person of the usual length.
    first_factors, first_biases : float32 (n_first, d), (n_first,)
    """

    factors: Array
    biases: Array
    lengths: Array
    first: Array
    first_factors: Array
    first_biases: Array


def measure_reach(factors: Array, biases: Array | None, wanted: Array, usual: float) -> Reach:
    """The reach of the `wanted` (bool (n_items,)) items for people whose vectors are about `usual` long."""
    lengths = np.sqrt(np.einsum("ij,ij->i", factors, factors, dtype=np.float64)).astype(np.float32)
    found = np.where(wanted, np.float32(0) if biases is None else biases, np.float32(-np.inf))
    first = np.argsort(-(found + np.float32(usual) * lengths), kind="stable")[:_FIRST]
    return Reach(factors, found, lengths, first, factors[first], found[first])


def top_k_few(
    people: Array,
    offsets: Array | None,
    items: Reach,
    k: int,
    seen: tuple[Array, Array] | None,
    allowed: Array | None = None,
) -> tuple[Array, Array, Array]:
    """The k items with the largest ``offset + bias + person @ item`` for each person.

    What cannot reach the k-th best of the first items is not among the k best of all (the bound of Teflioudi, Gemulla
    and Mykytiuk, "LEMP: fast retrieval of large entries in a matrix product", SIGMOD 2015, section 3).

    Parameters
    ----------
    people, offsets, k, seen : as `factor_topk.top_k_products`
    items : Reach
    allowed : bool (n_items,) or None
        Which items may be found.

    Returns
    -------
    indices : int32 (n, k), scores : float32 (n, k), counts : int64 (n,)
        As `topk.top_k_rows`: larger scores first, ties by the smaller item.
    """
    indices, values, counts = no_lists(len(people), len(items.biases), k)
    width = indices.shape[1]
    for row, person in enumerate(people):
        length = np.linalg.norm(person.astype(np.float64))  # squares of small numbers are 0 in float32
        if not width or (offsets is None and not length):
            continue
        reach = items.lengths * np.float32(length * _SLACK)
        reach += items.biases
        if seen is not None:
            reach[seen[1][seen[0][row] : seen[0][row + 1]]] = -np.inf
        if allowed is not None:
            reach[~allowed] = -np.inf
        offset = np.float32(0) if offsets is None else offsets[row]
        found, scores = _best(person, offset, items, width, reach)
        counts[row] = len(found)
        indices[row, : len(found)], values[row, : len(found)] = found, scores
    return indices, values, counts


def _best(person: Array, offset: np.float32, items: Reach, k: int, reach: Array) -> tuple[Array, Array]:
    """Row numbers and scores of the at most k best items for one person, of those that reach above -inf."""
    scores = _products(items.first_factors, person)
    scores += items.first_biases
    scores[reach[items.first] == -np.inf] = -np.inf
    least = float(np.partition(scores, -k)[-k]) if k <= len(scores) else -np.inf
    rounding = _ROUNDING * (abs(least) + abs(offset)) + _TINY
    candidates = np.flatnonzero(reach >= max(least - rounding, _LEAST))
    if len(candidates) > _MANY * len(reach):
        with one_blas_thread:
            scores = (items.factors @ person)[candidates]
    else:
        scores = _products(items.factors[candidates], person)
    scores += items.biases[candidates]
    scores += offset
    best = top_k_row(scores, k)
    return candidates[best], scores[best]


def _products(rows: Array, person: Array) -> Array:
    """``rows @ person`` without BLAS, which would send for a second thread and wait for it longer than this takes."""
    return np.einsum("ij,j->i", rows, person)
