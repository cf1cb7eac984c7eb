"""The compiled half of `reranking`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.reranking import ALPHA, TIE

Array = np.ndarray[Any, np.dtype[Any]]


@kernel
def fill_places(
    first: int, last: int, backwards: bool, pools: Any, mixes: Any, weights: Any, likeness: Any, n_features: int,
    direct: bool, genres: Any, n_genres: int, limits: Array, must: Array, room: Array, held: Array, listed: Array,
    nearest: Array, chosen: Array, lengths: Array,
) -> None:  # fmt: skip
    """Fill the places from `first` to before `last` of some rows, as `reranking.fill_lists` says.

    `pools` are the arrays of `Pools`; `mixes`, `likeness` and `genres` compressed rows; `weights` diversity and
    calibration; `room` int64 (n_items,), empty without a capacity. Changed are `room`, the state `held`, `listed`
    (bool (n, P)) and `nearest` (float64 (n, P), or (n, 0) without diversity), `chosen` int32 (n, k) and `lengths`.
    """
    items, _, counts, _, _ = pools
    n, width = items.shape
    k = chosen.shape[1]
    values, vector = np.empty(width), np.zeros(0 if direct else n_features)
    place_of = np.full(n_features if direct else 0, -1, np.int32)
    used, shares = np.zeros(n_genres, np.int64), np.zeros(n_genres)
    mix, logs = np.zeros(n_genres), np.zeros(n_genres)
    for turn in range(n):
        row = n - 1 - turn if backwards else turn
        own, count = items[row], counts[row]
        used[:] = 0
        if first == 0:
            hold(own, count, must, genres, used, limits, room, held[row])
        if lengths[row] < first:
            continue
        shares[:] = 0.0
        told = tally(first, own, count, genres, held[row], listed[row], chosen[row], used, shares)
        waiting = 0
        for c in range(count):
            waiting += held[row, c] and not listed[row, c]
        for entry in range(mixes[0][row], mixes[0][row + 1]):
            mix[mixes[1][entry]] = mixes[2][entry]
        for place in range(first, last):
            only_held = waiting >= k - place
            best = choose(
                row, pools, mixes, weights, genres, used, limits, room, held[row], listed[row], nearest[row], only_held,
                shares, told, mix, logs, values,
            )  # fmt: skip
            if best < 0:
                break
            chosen[row, place], lengths[row], listed[row, best] = best, place + 1, True
            item = own[best]
            if held[row, best]:
                waiting -= 1
            else:
                take(item, genres, used, room)
            told += genres[0][item + 1] > genres[0][item]
            for entry in range(genres[0][item], genres[0][item + 1]):
                shares[genres[1][entry]] += genres[2][entry]
            if weights[0] > 0 and place + 1 < k:
                approach(item, own, count, likeness, direct, vector, place_of, nearest[row])
        for entry in range(mixes[0][row], mixes[0][row + 1]):
            mix[mixes[1][entry]] = 0.0


@kernel
def hold(
    own: Array, count: int, must: Array, genres: Any, used: Array, limits: Array, room: Array, held: Array
) -> None:
    """Hold a candidate for every entry of `must` that is not met by one held before."""
    for entry in must:
        found = -1
        for c in range(count):
            if not meets(own[c], entry, genres):
                continue
            if held[c]:
                found = -1
                break
            if found < 0 and may_stand(own[c], genres, used, limits, room):
                found = c
        if found >= 0:
            held[found] = True
            take(own[found], genres, used, room)


@kernel
def meets(item: Any, entry: Any, genres: Any) -> bool:
    """Whether an item is what an entry of `must` names."""
    if entry >= 0:
        return item == entry
    for place in range(genres[0][item], genres[0][item + 1]):
        if genres[1][place] == -1 - entry:
            return True
    return False


@kernel
def may_stand(item: Any, genres: Any, used: Array, limits: Array, room: Array) -> bool:
    """Whether no rule is against an item that is not held."""
    if len(room) and room[item] <= 0:
        return False
    for entry in range(genres[0][item], genres[0][item + 1]):
        genre = genres[1][entry]
        if used[genre] >= limits[genre]:
            return False
    return True


@kernel
def take(item: Any, genres: Any, used: Array, room: Array) -> None:
    """Count an item that is now held or listed."""
    if len(room):
        room[item] -= 1
    for entry in range(genres[0][item], genres[0][item + 1]):
        used[genres[1][entry]] += 1


@kernel
def tally(
    first: int, own: Array, count: int, genres: Any, held: Array, listed: Array, chosen: Array, used: Array,
    shares: Array,
) -> int:  # fmt: skip
    """Of a list begun in an earlier round: its items with genres, their `shares` added up, and `used` of each genre."""
    told = 0
    for place in range(first):
        item = own[chosen[place]]
        told += genres[0][item + 1] > genres[0][item]
        for entry in range(genres[0][item], genres[0][item + 1]):
            shares[genres[1][entry]] += genres[2][entry]
    for c in range(count if first > 0 else 0):  # in the first round they have just been counted
        if held[c] or listed[c]:
            for entry in range(genres[0][own[c]], genres[0][own[c] + 1]):
                used[genres[1][entry]] += 1
    return told


@kernel
def choose(
    row: int, pools: Any, mixes: Any, weights: Any, genres: Any, used: Array, limits: Array, room: Array, held: Array,
    listed: Array, nearest: Array, only_held: bool, shares: Array, told: int, mix: Array, logs: Array, values: Array,
) -> int:  # fmt: skip
    """The candidate with the best objective at the next place; -1 where none may stand there."""
    items, scores, counts, low, spread = pools
    own, diversity, calibration = items[row], weights[0], weights[1]
    first, last = mixes[0][row], mixes[0][row + 1]
    bare, with_genres = 0.0, 0.0  # KL without the genres of the candidate, for one that has none and one that has some
    if calibration > 0:
        bare, with_genres = prepare_divergence(first, last, mixes, shares, told, logs)
    top = -np.inf
    for c in range(counts[row]):
        values[c] = -np.inf
        if listed[c] or (not held[c] and (only_held or not may_stand(own[c], genres, used, limits, room))):
            continue
        value = (1 - diversity - calibration) * ((np.float64(scores[row, c]) - low[row]) / spread[row])
        if diversity > 0:
            value -= diversity * nearest[c]
        if calibration > 0:
            value -= calibration * divergence(own[c], genres, shares, told, mix, logs, bare, with_genres)
        values[c] = value
        top = max(top, value)
    if top > -np.inf:
        for c in range(counts[row]):
            if values[c] >= top - TIE:
                return c
    return -1


@kernel
def prepare_divergence(first: int, last: int, mixes: Any, shares: Array, told: int, logs: Array) -> Any:
    r"""KL of a list, as it is and with one more item that adds nothing to any genre, and the logarithms of the latter.

    With m items that have genres and the sums c of their shares,
    :math:`\tilde q_g = \big((1 - \alpha) c_g + \alpha m p_g\big) / m`.
    """
    bare, more = 0.0, 0.0
    for entry in range(first, last):
        genre, p = mixes[1][entry], mixes[2][entry]
        if told > 0:
            bare += p * math.log(p * told / ((1 - ALPHA) * shares[genre] + ALPHA * told * p))
        else:
            bare -= p * math.log(ALPHA)
        logs[genre] = math.log((1 - ALPHA) * shares[genre] + ALPHA * (told + 1) * p)
        more += p * (math.log(p * (told + 1)) - logs[genre])
    return bare, more


@kernel
def divergence(
    item: Any, genres: Any, shares: Array, told: int, mix: Array, logs: Array, bare: float, with_genres: float
) -> float:
    """KL of the list with this item: only the genres of the item differ from what is prepared."""
    start, stop = genres[0][item], genres[0][item + 1]
    if start == stop:
        return bare
    found = with_genres
    for entry in range(start, stop):
        genre = genres[1][entry]
        p = mix[genre]
        if p > 0:
            found -= p * (
                math.log((1 - ALPHA) * (shares[genre] + genres[2][entry]) + ALPHA * (told + 1) * p) - logs[genre]
            )
    return found


@kernel
def approach(
    item: Any, own: Array, count: int, likeness: Any, direct: bool, vector: Array, place_of: Array, nearest: Array
) -> None:
    """Raise the largest similarity of each candidate by that to an item that is now listed."""
    indptr, columns, entries = likeness
    if direct:
        for c in range(count):
            place_of[own[c]] = c
        for entry in range(indptr[item], indptr[item + 1]):
            c = place_of[columns[entry]]
            if c >= 0:
                nearest[c] = max(nearest[c], np.float64(entries[entry]))
        for c in range(count):
            place_of[own[c]] = -1
        return
    for entry in range(indptr[item], indptr[item + 1]):
        vector[columns[entry]] = entries[entry]
    for c in range(count):
        similarity = 0.0
        for entry in range(indptr[own[c]], indptr[own[c] + 1]):
            similarity += entries[entry] * vector[columns[entry]]
        nearest[c] = max(nearest[c], similarity)
    for entry in range(indptr[item], indptr[item + 1]):
        vector[columns[entry]] = 0.0
