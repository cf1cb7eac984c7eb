"""The six measures from eight sums over the co-rated entries of two rows; one pass yields them all.

For rows x and y and the columns k that both have, the lanes of a sum are

    0  n = Σ 1        1  Σ x_k      2  Σ y_k      3  Σ x_k²
    4  Σ y_k²         5  Σ x_k y_k  6  Σ |x_k - y_k|      7  max |x_k - y_k|

The rest (lengths, norms, means over the whole rows) each row knows alone: the columns of `row_statistics`.
Sums are float64: whole products of half stars stay exact, so Pearson's differences do not cancel into noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.codes import (
    CHEBYSHEV,
    CHEBYSHEV_SCALED,
    COSINE,
    EUCLIDEAN,
    EUCLIDEAN_MEAN,
    FIRST_DISTANCE,
    JACCARD,
    MANHATTAN,
    MANHATTAN_MEAN,
    PEARSON,
    PEARSON_CORATED,
)
from coterie.kernels.heap import push, sort_best_first, worse
from coterie.kernels.jit import inlined, kernel
from coterie.kernels.parallel import run_light_blocks

Array = np.ndarray[Any, np.dtype[Any]]

LANES = 8
COUNT, SUM_X, SUM_Y, SUM_XX, SUM_YY, SUM_XY, SUM_ABS, MAX_ABS = range(LANES)
# Rows that are described at once: what is made of their values stays in the cache.
_ROWS = 1024


def row_statistics(indptr: Array, values: Array) -> Array:
    """Length, norm and mean of every row: float64 (n, 3)."""
    statistics = np.zeros((len(indptr) - 1, 3))

    def work(start: int, stop: int) -> None:
        _describe_rows(indptr[start : stop + 1], values, statistics[start:stop])

    run_light_blocks(work, len(statistics), _ROWS)
    return statistics


def _describe_rows(indptr: Array, values: Array, statistics: Array) -> None:
    lengths = np.diff(indptr)
    rated = lengths > 0
    statistics[:, 0] = lengths
    if rated.any():
        starts, wide = indptr[:-1][rated] - indptr[0], values[indptr[0] : indptr[-1]].astype(np.float64)
        statistics[rated, 2] = np.add.reduceat(wide, starts) / lengths[rated]
        np.multiply(wide, wide, out=wide)
        statistics[rated, 1] = np.sqrt(np.add.reduceat(wide, starts))


@inlined
def add_pair(lanes: Array, x: float, y: float) -> None:
    """One co-rated entry."""
    lanes[0] += 1.0
    lanes[1] += x
    lanes[2] += y
    lanes[3] += x * x
    lanes[4] += y * y
    lanes[5] += x * y
    gap = abs(x - y)
    lanes[6] += gap
    lanes[7] = max(lanes[7], gap)


@kernel
def sum_pair(columns_x: Array, values_x: Array, columns_y: Array, values_y: Array, lanes: Array) -> None:
    """The lanes (8,) of two rows with increasing columns."""
    lanes[:] = 0.0
    a, b = 0, 0
    while a < len(columns_x) and b < len(columns_y):
        if columns_x[a] == columns_y[b]:
            add_pair(lanes, np.float64(values_x[a]), np.float64(values_y[b]))
            a += 1
            b += 1
        elif columns_x[a] < columns_y[b]:
            a += 1
        else:
            b += 1


@kernel
def sum_row(columns: Array, values: Array, column_ptr: Array, rows: Array, column_values: Array, lanes: Array) -> None:
    """The lanes (n, 8), added up in place, of one row against all rows, given by columns."""
    for a in range(len(columns)):
        x = np.float64(values[a])
        column = columns[a]
        for b in range(column_ptr[column], column_ptr[column + 1]):
            add_pair(lanes[rows[b]], x, np.float64(column_values[b]))


# One definition each. `n` co-rated entries, at least one; x, y are the whole rows; sums as in the lanes above.


@inlined
def jaccard(n: float, length_x: float, length_y: float) -> float:
    """|X ∩ Y| / |X ∪ Y|."""
    return n / max(length_x + length_y - n, 1.0)


@inlined
def cosine(sum_xy: float, norm_x: float, norm_y: float) -> float:
    """Σ x y / (‖x‖ ‖y‖), 0 for a row of zeros (its products are)."""
    norms = norm_x * norm_y
    return sum_xy / (norms if norms > 0.0 else 1.0)


@inlined
def pearson_terms(sums: Array, mean_x: float, mean_y: float) -> tuple[float, float, float]:
    """Σ (x - x̄)(y - ȳ), Σ (x - x̄)², Σ (y - ȳ)² over the co-rated entries about the given means.

    What rounding leaves of a constant row is no variance, and of unrelated rows no correlation: 0 it is.
    """
    n = sums[0]
    product = sums[5] - mean_x * sums[2] - mean_y * sums[1] + n * mean_x * mean_y
    square_x = sums[3] - 2.0 * mean_x * sums[1] + n * mean_x * mean_x
    square_y = sums[4] - 2.0 * mean_y * sums[2] + n * mean_y * mean_y
    square_x = square_x if square_x > 1e-12 * sums[3] else 0.0
    square_y = square_y if square_y > 1e-12 * sums[4] else 0.0
    return (product if product * product > 1e-24 * sums[3] * sums[4] else 0.0), square_x, square_y


@inlined
def pearson(sums: Array, mean_x: float, mean_y: float) -> float:
    """Correlation over the co-rated entries about the given means, 0 where either row is constant there."""
    product, square_x, square_y = pearson_terms(sums, mean_x, mean_y)
    varied = square_x > 0.0 and square_y > 0.0
    correlation = product / np.sqrt(square_x * square_y if varied else 1.0)
    return max(-1.0, min(1.0, correlation)) if varied else 0.0


@inlined
def euclidean_square(sums: Array) -> float:
    """Σ (x - y)²."""
    return max(0.0, sums[3] + sums[4] - 2.0 * sums[5])


@inlined
def euclidean(sums: Array) -> float:
    """√ Σ (x - y)²."""
    return np.sqrt(euclidean_square(sums))


@kernel
def sum_entries(values_x: Array, values_y: Array, lanes: Array) -> None:
    """The lanes (n, 8) of each of n co-rated entries alone."""
    lanes[:] = 0.0
    for k in range(len(lanes)):
        add_pair(lanes[k], np.float64(values_x[k]), np.float64(values_y[k]))


@kernel
def center_pair(code: int, lanes: Array, of_x: Array, of_y: Array, means: Array) -> None:
    """`means` (2,): x̄ and ȳ of a pair as a measure takes them: over what is co-rated, or over the whole rows."""
    if code == PEARSON_CORATED:
        n = max(lanes[0], 1.0)
        means[0], means[1] = lanes[1] / n, lanes[2] / n
    else:
        means[0], means[1] = of_x[2], of_y[2]


@kernel
def split_rows(code: int, lanes: Array, of_x: Array, of_y: Array, spread: float, means: Array, out: Array) -> None:
    """The parts of which `measure_rows` makes a measure, float64 (n, 3), from the lanes (n, 8) of pairs or entries.

    ======================  ===================  ===========  ===========  =======================
    measure                 p                    q            r            value
    ======================  ===================  ===========  ===========  =======================
    Jaccard                 n                    |x|          |y|          p / (q + r - p)
    cosine                  Σ x y                ‖x‖          ‖y‖          p / (q r)
    Pearson, both readings  Σ (x - x̄)(y - ȳ)     Σ (x - x̄)²   Σ (y - ȳ)²   p / √(q r); 0 if q r is
    Manhattan               Σ |x - y|            1, or n      1            p / q
    Euclidean               Σ (x - y)²           1, or n      1            √p / q
    Chebyshev               max |x - y|          1, or range  1            p / q
    ======================  ===================  ===========  ===========  =======================

    `means` are x̄ and ȳ, see `center_pair`.
    """
    for row in range(len(out)):
        sums = lanes[row]
        out[row, 1], out[row, 2] = 1.0, 1.0
        if code == JACCARD:
            out[row, 0], out[row, 1], out[row, 2] = sums[0], of_x[0], of_y[0]
        elif code == COSINE:
            out[row, 0], out[row, 1], out[row, 2] = sums[5], of_x[1], of_y[1]
        elif code in (PEARSON, PEARSON_CORATED):
            out[row, 0], out[row, 1], out[row, 2] = pearson_terms(sums, means[0], means[1])
        elif code in (MANHATTAN, MANHATTAN_MEAN):
            out[row, 0] = sums[6]
        elif code in (EUCLIDEAN, EUCLIDEAN_MEAN):
            out[row, 0] = euclidean_square(sums)
        else:
            out[row, 0] = sums[7]
        if code in (MANHATTAN_MEAN, EUCLIDEAN_MEAN):
            out[row, 1] = sums[0]
        elif code == CHEBYSHEV_SCALED and spread > 0.0:
            out[row, 1] = spread


@kernel
def measure_rows(code: int, lanes: Array, of_x: Array, statistics: Array, spread: float, out: Array) -> None:
    """`out` float64 (n,): the measure of one row (`of_x`: length, norm, mean) against all, from the lanes (n, 8).

    `spread` is the rating range (largest less smallest) for the scaled Chebyshev distance. Rows with nothing
    in common: 0 for similarities, infinity for distances, 1 for the distances of the co-rated reading.
    """
    length, norm, mean = of_x[0], of_x[1], of_x[2]
    # a loop a measure, so that each is free of branches; what it makes of n = 0 is overwritten below
    if code == JACCARD:
        for row in range(len(out)):
            out[row] = jaccard(lanes[row, 0], length, statistics[row, 0])
    elif code == COSINE:
        for row in range(len(out)):
            out[row] = cosine(lanes[row, 5], norm, statistics[row, 1])
    elif code == PEARSON:
        for row in range(len(out)):
            out[row] = pearson(lanes[row], mean, statistics[row, 2])
    elif code == PEARSON_CORATED:
        for row in range(len(out)):
            n = max(lanes[row, 0], 1.0)
            out[row] = pearson(lanes[row], lanes[row, 1] / n, lanes[row, 2] / n)
    elif code in (MANHATTAN, MANHATTAN_MEAN):
        for row in range(len(out)):
            out[row] = lanes[row, 6]
    elif code in (EUCLIDEAN, EUCLIDEAN_MEAN):
        for row in range(len(out)):
            out[row] = euclidean(lanes[row])
    else:
        scale = 1.0 if code == CHEBYSHEV or spread <= 0.0 else spread
        for row in range(len(out)):
            out[row] = lanes[row, 7] / scale
    if code in (MANHATTAN_MEAN, EUCLIDEAN_MEAN):
        for row in range(len(out)):
            out[row] /= max(lanes[row, 0], 1.0)
    apart = 0.0
    if code >= FIRST_DISTANCE:
        apart = np.inf if code in (MANHATTAN, EUCLIDEAN, CHEBYSHEV) else 1.0
    for row in range(len(out)):
        out[row] = apart if lanes[row, 0] == 0.0 else out[row]


@kernel
def constant_rows(code: int, lanes: Array, of_x: Array, statistics: Array, out: Array) -> None:
    """`out` bool (n,): where rows share something, but Pearson (in the reading of `code`) is 0 only because one of the
    two does not vary there."""
    means = np.empty(2)
    for row in range(len(out)):
        center_pair(code, lanes[row], of_x, statistics[row], means)
        _, square_x, square_y = pearson_terms(lanes[row], means[0], means[1])
        out[row] = lanes[row, 0] > 0.0 and not (square_x > 0.0 and square_y > 0.0)


@kernel
def shrink_rows(code: int, lanes: Array, shrinkage: float, out: Array) -> None:
    """Trust a pair by its n co-rated entries: s n / (n + λ) for a similarity, d (n + λ) / n for a distance."""
    if shrinkage > 0.0:
        for row in range(len(out)):
            n = lanes[row, 0]
            if n > 0.0:
                out[row] *= n / (n + shrinkage) if code < FIRST_DISTANCE else (n + shrinkage) / n


@kernel
def nearest_rows(
    code: int, values: Array, lanes: Array, own: int, min_overlap: int, absolute: bool, near: Array, near_rows: Array
) -> None:
    """The rows nearest to row `own` by `values` (n,) of a measure: values and row numbers, nearest first.

    Similarities are taken from the largest (with `absolute`, from the largest magnitude), distances from the
    smallest; rows sharing fewer than `min_overlap` entries are left out. -1 and NaN where none are left.
    Values are compared as float32, so that what rounding made unequal ties again.
    """
    n = len(values)
    near[:] = -np.inf
    near_rows[:] = n
    worst = np.float32(-np.inf)
    sign = 1.0 if code < FIRST_DISTANCE else -1.0
    both_ways = absolute and code < FIRST_DISTANCE
    step = 16
    for low in range(0, n, step):
        high = min(low + step, n)
        hits = 0
        for row in range(low, high):  # one test for many rows; few of them get any further
            close = np.float32(sign * values[row])
            hits += int((close >= worst) | (both_ways & (-close >= worst)))
        if hits == 0:
            continue
        for row in range(low, high):
            close = np.float32(abs(values[row]) if both_ways else sign * values[row])
            if close < worst or lanes[row, 0] < min_overlap or row == own:
                continue
            if worse(near[0], near_rows[0], close, row):
                push(near, near_rows, close, row)
                worst = near[0]
    sort_best_first(near, near_rows)
    for place in range(len(near)):  # from closeness back to the measure, with its sign
        nearest = near_rows[place]
        if nearest == n:
            near_rows[place], near[place] = -1, np.nan
        else:
            near[place] = values[nearest]


@kernel
def corated_neighbors(
    start: int, stop: int, indptr: Array, columns: Array, values: Array, column_ptr: Array, rows: Array,
    column_values: Array, statistics: Array, codes: Array, spread: float, shrinkage: float, min_overlap: int,
    absolute: bool, best: Array, best_rows: Array,
) -> None:  # fmt: skip
    """The nearest other rows of rows [start, stop) by each measure in `codes`, from one pass over the data.

    `best` float32 and `best_rows` int32 (n_codes, n, k) take values and row numbers, nearest first; -1 and
    NaN where a row has fewer neighbours.
    """
    n, k = len(statistics), best.shape[2]
    lanes, measured = np.zeros((n, LANES)), np.empty(n)
    near, near_rows = np.empty(k, np.float32), np.empty(k, np.int32)
    for row in range(start, stop):
        first, last = indptr[row], indptr[row + 1]
        sum_row(columns[first:last], values[first:last], column_ptr, rows, column_values, lanes)
        for m in range(len(codes)):
            measure_rows(codes[m], lanes, statistics[row], statistics, spread, measured)
            shrink_rows(codes[m], lanes, shrinkage, measured)
            nearest_rows(codes[m], measured, lanes, row, min_overlap, absolute, near, near_rows)
            best[m, row] = near
            best_rows[m, row] = near_rows
        lanes[:] = 0.0
