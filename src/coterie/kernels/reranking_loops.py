"""The compiled half of `reranking`.

Arrays are passed one by one, never in tuples: an array taken out of a tuple is counted, and threads that count the same
one get in each other's way.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.reranking import ALPHA, TIE

Array = np.ndarray[Any, np.dtype[Any]]


@kernel
def fill_places(
    first: int, last: int, backwards: bool,
    items: Array, scores: Array, counts: Array, low: Array, spread: Array,
    mix_ptr: Array, mix_genres: Array, mix_shares: Array, diversity: float, calibration: float,
    like_ptr: Array, like_columns: Array, like_values: Array, n_features: int, direct: bool,
    ptr: Array, genres: Array, shares: Array, n_genres: int,
    limits: Array, must: Array, room: Array,
    held: Array, listed: Array, nearest: Array, chosen: Array, lengths: Array,
) -> None:  # fmt: skip
    """Fill the places from `first` to before `last` of some rows, as `reranking.fill_lists` says.

    The second line are the arrays of `Pools`; ``mix_``, ``like_`` and ``ptr, genres, shares`` compressed rows of the
    people's mixes, the likeness and the genres of items; `room` int64 (n_items,), empty without a capacity. Changed
    are `room`, the state `held`, `listed` (bool (n, P)) and `nearest` (float64 (n, P), or (n, 0) without diversity),
    `chosen` int32 (n, k) and `lengths`.
    """
    n, width = items.shape
    k, capped = chosen.shape[1], len(room) > 0
    limited = False
    for genre in range(n_genres):
        limited |= limits[genre] < k
    worth, values, barred = np.empty(width), np.empty(width), np.zeros(width, np.bool_)
    vector, place_of = np.zeros(0 if direct else n_features), np.full(n_features if direct else 0, -1, np.int32)
    used, sums = np.zeros(n_genres, np.int64), np.zeros(n_genres)
    mix, logs = np.zeros(n_genres), np.zeros(n_genres)
    for turn in range(n):
        row = n - 1 - turn if backwards else turn
        own, count = items[row], counts[row]
        used[:] = 0
        if first == 0:
            hold(own, count, must, ptr, genres, used, limits, room, held[row])
        if lengths[row] < first:
            continue
        told = tally(first, own, count, ptr, genres, shares, held[row], listed[row], chosen[row], used, sums)
        if limited:
            bar(own, count, ptr, genres, used, limits, barred)
        waiting = 0
        for c in range(count):
            waiting += held[row, c] and not listed[row, c]
            worth[c] = (1 - diversity - calibration) * ((np.float64(scores[row, c]) - low[row]) / spread[row])
        begin, end = mix_ptr[row], mix_ptr[row + 1]
        for entry in range(begin, end):
            mix[mix_genres[entry]] = mix_shares[entry]
        for place in range(first, last):
            values[:count] = worth[:count]
            if diversity > 0:
                for c in range(count):
                    values[c] -= diversity * nearest[row, c]
            if calibration > 0:
                diverge(
                    own, count, calibration, ptr, genres, shares, mix, mix_genres[begin:end], sums, told, logs, values
                )
            only_held, top = waiting >= k - place, -np.inf
            for c in range(count):
                free = held[row, c] or not (only_held or barred[c] or (capped and room[own[c]] <= 0))
                if listed[row, c] or not free:
                    values[c] = -np.inf
                elif values[c] > top:
                    top = values[c]
            if top == -np.inf:
                break
            best = 0
            while not values[best] >= top - TIE:
                best += 1
            chosen[row, place], lengths[row], listed[row, best] = best, place + 1, True
            item = own[best]
            if held[row, best]:
                waiting -= 1
            elif take(item, ptr, genres, used, limits, room) and limited:
                bar(own, count, ptr, genres, used, limits, barred)
            told += ptr[item + 1] > ptr[item]
            for entry in range(ptr[item], ptr[item + 1]):
                sums[genres[entry]] += shares[entry]
            if diversity > 0 and place + 1 < k:
                if direct:
                    approach(item, own, count, like_ptr, like_columns, like_values, place_of, nearest[row])
                else:
                    approach_by_vectors(item, own, count, like_ptr, like_columns, like_values, vector, nearest[row])
        for entry in range(begin, end):
            mix[mix_genres[entry]] = 0.0


@kernel
def hold(
    own: Array, count: int, must: Array, ptr: Array, genres: Array, used: Array, limits: Array, room: Array, held: Array
) -> None:
    """Hold a candidate for every entry of `must` that is not met by one held before."""
    for entry in must:
        found = -1
        for c in range(count):
            if not meets(own[c], entry, ptr, genres):
                continue
            if held[c]:
                found = -1
                break
            if found < 0 and (len(room) == 0 or room[own[c]] > 0) and not full(own[c], ptr, genres, used, limits):
                found = c
        if found >= 0:
            held[found] = True
            take(own[found], ptr, genres, used, limits, room)


@kernel
def meets(item: Any, entry: Any, ptr: Array, genres: Array) -> bool:
    """Whether an item is what an entry of `must` names."""
    if entry >= 0:
        return item == entry
    for place in range(ptr[item], ptr[item + 1]):
        if genres[place] == -1 - entry:
            return True
    return False


@kernel
def full(item: Any, ptr: Array, genres: Array, used: Array, limits: Array) -> bool:
    """Whether a genre of an item is used up."""
    for entry in range(ptr[item], ptr[item + 1]):
        if used[genres[entry]] >= limits[genres[entry]]:
            return True
    return False


@kernel
def bar(own: Array, count: int, ptr: Array, genres: Array, used: Array, limits: Array, barred: Array) -> None:
    """Note which candidates have a genre that is used up."""
    for c in range(count):
        barred[c] = full(own[c], ptr, genres, used, limits)


@kernel
def take(item: Any, ptr: Array, genres: Array, used: Array, limits: Array, room: Array) -> bool:
    """Count an item that is now held or listed; whether that uses up a genre."""
    if len(room):
        room[item] -= 1
    last = False
    for entry in range(ptr[item], ptr[item + 1]):
        used[genres[entry]] += 1
        last |= used[genres[entry]] == limits[genres[entry]]
    return last


@kernel
def tally(
    first: int, own: Array, count: int, ptr: Array, genres: Array, shares: Array, held: Array, listed: Array,
    chosen: Array, used: Array, sums: Array,
) -> int:  # fmt: skip
    """Of a list begun in an earlier round: its items with genres, the `sums` of their shares, and `used` of each."""
    told = 0
    sums[:] = 0.0
    for place in range(first):
        item = own[chosen[place]]
        told += ptr[item + 1] > ptr[item]
        for entry in range(ptr[item], ptr[item + 1]):
            sums[genres[entry]] += shares[entry]
    for c in range(count if first > 0 else 0):  # in the first round they have just been counted
        if held[c] or listed[c]:
            for entry in range(ptr[own[c]], ptr[own[c] + 1]):
                used[genres[entry]] += 1
    return told


@kernel
def diverge(
    own: Array, count: int, calibration: float, ptr: Array, genres: Array, shares: Array, mix: Array, mixed: Array,
    sums: Array, told: int, logs: Array, values: Array,
) -> None:  # fmt: skip
    r"""Take from the `values` of candidates the divergence of the list with each of them, times `calibration`.

    With m items that have genres and the sums c of their shares,
    :math:`\tilde q_g = \big((1 - \alpha) c_g + \alpha m p_g\big) / m`. That is worked out once for the list as it is,
    which is the list with an item that has no genres, and once as if there were one item more that adds nothing to any
    genre; from the latter a candidate differs in its own genres only.
    """
    bare, more = 0.0, 0.0
    for genre in mixed:
        p = mix[genre]
        if told > 0:
            bare += p * math.log(p * told / ((1 - ALPHA) * sums[genre] + ALPHA * told * p))
        else:
            bare -= p * math.log(ALPHA)
        logs[genre] = math.log((1 - ALPHA) * sums[genre] + ALPHA * (told + 1) * p)
        more += p * (math.log(p * (told + 1)) - logs[genre])
    for c in range(count):
        start, stop = ptr[own[c]], ptr[own[c] + 1]
        found = bare if start == stop else more
        for entry in range(start, stop):
            p, genre = mix[genres[entry]], genres[entry]
            if p > 0:
                with_it = (1 - ALPHA) * (sums[genre] + shares[entry]) + ALPHA * (told + 1) * p
                found -= p * (math.log(with_it) - logs[genre])
        values[c] -= calibration * found


@kernel
def approach(
    item: Any, own: Array, count: int, like_ptr: Array, like_columns: Array, like_values: Array, place_of: Array,
    nearest: Array,
) -> None:  # fmt: skip
    """Raise the largest similarity of each candidate by that to an item that is now listed."""
    for c in range(count):
        place_of[own[c]] = c
    for entry in range(like_ptr[item], like_ptr[item + 1]):
        c = place_of[like_columns[entry]]
        if c >= 0:
            nearest[c] = max(nearest[c], np.float64(like_values[entry]))
    for c in range(count):
        place_of[own[c]] = -1


@kernel
def approach_by_vectors(
    item: Any, own: Array, count: int, like_ptr: Array, like_columns: Array, like_values: Array, vector: Array,
    nearest: Array,
) -> None:  # fmt: skip
    """`approach` where similarities are products of vectors."""
    for entry in range(like_ptr[item], like_ptr[item + 1]):
        vector[like_columns[entry]] = like_values[entry]
    for c in range(count):
        similarity = 0.0
        start, stop = like_ptr[own[c]], like_ptr[own[c] + 1]
        if stop - start == len(vector):  # every column, so that they need not be looked up
            for feature in range(len(vector)):
                similarity += like_values[start + feature] * vector[feature]
        else:
            for entry in range(start, stop):
                similarity += like_values[entry] * vector[like_columns[entry]]
        nearest[c] = max(nearest[c], similarity)
    for entry in range(like_ptr[item], like_ptr[item + 1]):
        vector[like_columns[entry]] = 0.0
