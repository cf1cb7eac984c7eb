"""Random draws that are the same on every machine: counter-based words, alias tables, weighted draws without repeats.

Everything here is made of integer arithmetic and of single IEEE operations (+ - * / and comparisons) in a
fixed order, compiled without fast math; `exp` and `log` of the platform's library are not used. So a seed
gives the same bytes with or without the compiler, at any number of threads, on any processor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from coterie.kernels.jit import exact_kernel

Array = np.ndarray[Any, np.dtype[Any]]

# SplitMix64 (Steele, Lea & Flood 2014): word n of a stream is a hash of key + n * _GOLDEN.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_S11, _S16, _S48 = np.uint64(11), np.uint64(16), np.uint64(48)
_LANE = np.uint64(0xFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_TO_UNIT = 2.0**-53
# Four 16-bit lanes: mean 2 * 65535, variance 4 * (65536**2 - 1) / 12.
_LANE_MEAN = 131070.0
_LANE_SCALE = 1.0 / 37837.227
_LN2 = 0.6931471805599453


@exact_kernel
def mix(word: np.uint64) -> np.uint64:
    """Hash of one word."""
    word = (word ^ (word >> _S30)) * _MIX_1
    word = (word ^ (word >> _S27)) * _MIX_2
    return word ^ (word >> _S31)


@exact_kernel
def next_word(state: Array) -> np.uint64:
    """The next word of the stream that `state` (uint64 (1,)) stands in."""
    state[0] += _GOLDEN
    return mix(state[0])


@exact_kernel
def unit(word: np.uint64) -> float:
    """A word as a number in [0, 1)."""
    return float(word >> _S11) * _TO_UNIT


@exact_kernel
def bell(word: np.uint64) -> float:
    """A word as a nearly normal number: mean 0, variance 1, within ±3.5 (sum of its four 16-bit lanes)."""
    total = (word & _LANE) + ((word >> _S16) & _LANE) + ((word >> _S32) & _LANE) + (word >> _S48)
    return (float(total) - _LANE_MEAN) * _LANE_SCALE


@exact_kernel
def exp(x: float) -> float:
    """e^x to about 1e-8 relative for |x| < 20, by squaring: the same bits everywhere."""
    y = x * (1.0 / 16384.0)
    y = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0)))
    for _ in range(14):
        y = y * y
    return y


@exact_kernel
def log(x: float) -> float:
    """Natural logarithm of x > 0 to about 1e-9: the same bits everywhere."""
    m, e = math.frexp(x)  # x = m 2^e, 0.5 <= m < 1
    s = (m - 0.75) / (m + 0.75)  # log m = log 0.75 + 2 atanh s, |s| <= 0.2
    q = s * s
    series = 1.0 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11)))))
    return float(e) * _LN2 - 0.2876820724517809 + 2.0 * s * series


@exact_kernel
def fill_alias(weights: Array, thresholds: Array, others: Array) -> None:
    """Walker's alias table of weights (Vose 1991): column j is kept where a 32-bit coin is below its threshold.

    Parameters
    ----------
    weights : float64 (n,)
        Not negative, with a positive sum.
    thresholds : uint32 (n,), others : int32 (n,)
        Filled. A column that is not kept gives ``others[j]``.
    """
    n = len(weights)
    total = 0.0
    for j in range(n):
        total += weights[j]
    scaled = np.empty(n, np.float64)
    stack = np.empty(n, np.int32)  # small columns from the left, large ones from the right
    small, large = 0, n
    for j in range(n):
        scaled[j] = weights[j] / total * n
        if scaled[j] < 1.0:
            stack[small] = j
            small += 1
        else:
            large -= 1
            stack[large] = j
    while small > 0 and large < n:
        small -= 1
        poor, rich = stack[small], stack[large]
        thresholds[poor] = np.uint32(min(scaled[poor] * 4294967296.0, 4294967295.0))
        others[poor] = rich
        scaled[rich] = (scaled[rich] + scaled[poor]) - 1.0
        if scaled[rich] < 1.0:
            large += 1
            stack[small] = rich
            small += 1
    for place in range(n):
        if place < small or place >= large:
            thresholds[stack[place]] = np.uint32(4294967295)
            others[stack[place]] = stack[place]


@exact_kernel
def draw_alias(state: Array, thresholds: Array, others: Array) -> np.int64:
    """One column of an alias table."""
    word = next_word(state)
    column = np.int64(((word >> _S32) * np.uint64(len(thresholds))) >> _S32)
    return column if (word & _LOW) < np.uint64(thresholds[column]) else np.int64(others[column])


@exact_kernel
def draw_distinct(
    state: Array,
    shares: Array,
    thresholds: Array,
    others: Array,
    weights: Array,
    marks: Array,
    mark: int,
    n_given: int,
    chosen: Array,
) -> None:
    """Fill `chosen` with distinct columns, drawn one after another in proportion to a mixture of weights.

    Columns are proposed from alias tables and refused where they are chosen already. When repeats get too
    many, the rest is drawn at once by an exponential race among the columns that are left, which has the
    same distribution (successive sampling has no memory).

    Parameters
    ----------
    shares : float64 (k,)
        Share of each part of the mixture; they add up to 1.
    thresholds, others : uint32 (k, n), int32 (k, n)
        Alias table of each part.
    weights : float32 (n, k)
        Probability of each column in each part, for the race. A column without any comes last.
    marks : int32 (n,), mark : int
        ``marks[j] == mark`` says that column j is chosen. Its first `n_given` are, and stand in `chosen`.
    chosen : int32 (c,), c at most n
        Filled in the order of the draws.
    """
    count, filled = len(chosen), n_given
    for _ in range(10 * len(marks)):
        if filled == count:
            return
        target = unit(next_word(state))
        part = 0
        while part < len(shares) - 1 and target >= shares[part]:
            target -= shares[part]
            part += 1
        column = draw_alias(state, thresholds[part], others[part])
        if marks[column] != mark:
            marks[column] = mark
            chosen[filled] = column
            filled += 1
    if filled < count:
        _race(state, shares, weights, marks, mark, filled, chosen)


@exact_kernel
def _race(state: Array, shares: Array, weights: Array, marks: Array, mark: int, filled: int, chosen: Array) -> None:
    """Fill the rest of `chosen` with the columns whose exponential clocks ring first, in that order."""
    n, n_parts = weights.shape
    left, rings = np.empty(n, np.int32), np.empty(n, np.float32)
    size = 0
    for column in range(n):
        if marks[column] != mark:
            rate = 1e-30
            for part in range(n_parts):
                rate += shares[part] * weights[column, part]
            left[size] = column
            rings[size] = abs(log(1.0 - unit(next_word(state)))) / rate
            size += 1
    order = sorted_order(rings[:size].view(np.int32))  # the bits of positive numbers are in their order
    for place in range(len(chosen) - filled):
        column = left[order[place]]
        marks[column] = mark
        chosen[filled + place] = column


@exact_kernel
def sorted_order(keys: Array) -> Array:
    """The order, int32 (n,), that sorts keys (int32 (n,), not negative); equal keys stay as they are (radix sort)."""
    n = len(keys)
    order, spare = np.empty(n, np.int32), np.empty(n, np.int32)
    counts = np.empty(256, np.int64)
    highest = 0
    for place in range(n):
        order[place] = place
        highest = max(highest, keys[place])
    shift = 0
    while highest >> shift > 0:
        counts[:] = 0
        for place in range(n):
            counts[(keys[place] >> shift) & 255] += 1
        start = 0
        for digit in range(256):
            start, counts[digit] = start + counts[digit], start
        for place in range(n):
            digit = (keys[order[place]] >> shift) & 255
            spare[counts[digit]] = order[place]
            counts[digit] += 1
        order, spare = spare, order
        shift += 8
    return order


def words(key: int, n: int, start: int = 0) -> Array:
    """Words start .. start + n - 1 of the stream `key`, uint64 (n,)."""
    z = np.uint64(key & 0xFFFFFFFFFFFFFFFF) + np.arange(start + 1, start + n + 1, dtype=np.uint64) * _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


def units(key: int, n: int) -> Array:
    """n numbers in [0, 1), float64."""
    return (words(key, n) >> _S11).astype(np.float64) * _TO_UNIT


def bells(key: int, n: int) -> Array:
    """n nearly normal numbers, float64; see `bell`."""
    w = words(key, n)
    total = (w & _LANE) + ((w >> _S16) & _LANE) + ((w >> _S32) & _LANE) + (w >> _S48)
    return (total.astype(np.float64) - _LANE_MEAN) * _LANE_SCALE


def exps(x: Array) -> Array:
    """Elementwise `exp`."""
    y = x * (1.0 / 16384.0)
    y = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0)))
    for _ in range(14):
        y *= y
    return y


def logs(x: Array) -> Array:
    """Elementwise `log`."""
    m, e = np.frexp(x)
    s = (m - 0.75) / (m + 0.75)
    q = s * s
    series = 1.0 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11)))))
    return e.astype(np.float64) * _LN2 - 0.2876820724517809 + 2.0 * s * series


def permutation(key: int, n: int) -> Array:
    """A random order of 0 .. n - 1, int64."""
    return np.argsort(words(key, n), kind="stable")


def subkey(key: int, stream: int) -> int:
    """The key of an independent stream: a hash of (key, stream)."""
    return int(words(int(words(key, 1)[0]) ^ stream, 1, start=stream)[0])
