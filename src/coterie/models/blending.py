"""Scores of several models on one scale, and the weights with which they are worth most together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from coterie.kernels.topk import top_k_rows

Array = np.ndarray[Any, np.dtype[Any]]
Scale = Literal["standard", "rank"]

# How much weight is moved at a time, coarse first; all weights are sums of these.
_STEPS = (0.25, 0.1, 0.05)
# How far from equal weights to the best ones simpler ones are looked for.
_QUARTERS = (0.0, 0.25, 0.5, 0.75)
# By how much weights that add up to something else than 1 are made to cost.
_SUM = 1e3


def on_one_scale(scores: Array, scale: Scale) -> Array:
    """Scores (n, n_items), each row by itself over the items that have one (not NaN), float32; they stay NaN elsewhere.

    ``"standard"``: less their mean, over their standard deviation (0 where all are equal). ``"rank"``: from -0.5 for
    the lowest to 0.5 for the highest, evenly, equal ones alike.
    """
    if scale == "standard":
        centre, spread = centre_and_spread(scores)
        made: Array = (scores - centre[:, None]) / spread[:, None]
        return np.asarray(made, np.float32)
    from scipy.stats import rankdata

    ranks = rankdata(scores, method="average", axis=1, nan_policy="omit")
    n = np.maximum(np.count_nonzero(~np.isnan(scores), axis=1), 1)[:, None]
    return np.asarray(np.where(np.isnan(scores), np.nan, (ranks - (n + 1) / 2) / np.maximum(n - 1, 1)), np.float32)


def centre_and_spread(scores: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each row over what is not NaN, float64 (n,); 0 and 1 for a row without any, and 1
    for a spread that is rounding."""
    has = ~np.isnan(scores)
    n = np.maximum(has.sum(axis=1), 1)
    exact = np.where(has, scores, 0).astype(np.float64)
    centre = exact.sum(axis=1) / n
    squares = np.where(has, exact - centre[:, None], 0) ** 2
    spread = np.sqrt(squares.sum(axis=1) / n)
    largest = np.abs(exact).max(axis=1, initial=0)
    return centre, np.where(spread > 1e-6 * largest, spread, 1.0)


def weighted_sum(scaled: list[Array], weights: Array) -> Array:
    """Sum of weight times score over the parts, float32 (n, n_items); a part that says nothing counts as 0, its mean.
    NaN where no part with a weight says anything. `weights` is (n_parts,) or (n_parts, n_items)."""
    total = np.zeros(scaled[0].shape, np.float32)
    said = np.zeros(scaled[0].shape, bool)
    for part, weight in zip(scaled, np.asarray(weights, np.float32), strict=True):
        has = ~np.isnan(part) & (weight > 0)
        total += np.where(has, weight * part, np.float32(0))
        said |= has
    total[~said] = np.nan
    return total


# ---- weights for lists -----------------------------------------------------------------------------------


def list_quality(scores: Array, relevant: Array, k: int) -> Array:
    r"""The nDCG@k of each list (n,) that scores (n, n_items) make; `relevant` is bool of the same shape, some in each
    row."""
    items, _, counts = top_k_rows(scores, k)
    place = np.arange(items.shape[1])
    valid = place < counts[:, None]
    hits = np.take_along_axis(relevant, np.where(valid, items, 0), axis=1) & valid
    discounts = 1 / np.log2(place + 2)
    best = np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(k) + 2))])
    ideal = best[np.minimum(relevant.sum(axis=1), k)]
    return np.asarray(hits @ discounts / ideal)


def climb(quality: Callable[[Array], Array], n_parts: int) -> Array:
    """Weights (n_parts,), none negative, that add up to 1, with the largest mean quality, or as good as it and simpler.

    A climb begins with the best of all equal and each part alone, and moves a quarter, a tenth, then a twentieth of the
    weight from one part to another as long as that helps. Of what lies between equal weights and those it ends with, in
    quarters, the first is taken that is worse by at most a standard error of the difference (Breiman et al. 1984,
    section 3.4.3): few lists to measure by would else find weights that suit only them. No chance is in it.

    Parameters
    ----------
    quality : callable
        Weights to the quality of each list (n,), some.
    """
    equal = np.full(n_parts, 1 / n_parts)
    starts = [equal, *np.eye(n_parts)]
    found = [quality(weights).mean() for weights in starts]
    best = int(np.argmax(found))
    weights, value = starts[best], found[best]
    for step in _STEPS:
        while True:
            moved = [_moved(weights, a, b, step) for a in range(n_parts) for b in range(n_parts) if a != b]
            values = [quality(other).mean() for other in moved]
            if not values or max(values) <= value:
                break
            weights, value = moved[int(np.argmax(values))], max(values)
    top = quality(weights)
    between = (equal + part * (weights - equal) for part in _QUARTERS)
    return next((w for w in between if _as_good(quality(w), top)), weights)


def _as_good(values: Array, best: Array) -> bool:
    lost = best - values
    return bool(lost.mean() <= lost.std() / np.sqrt(len(lost)))


def _moved(weights: Array, source: int, target: int, step: float) -> Array:
    moved = weights.copy()
    amount = min(step, moved[source])
    moved[source] -= amount
    moved[target] += amount
    return np.round(moved, 12)


# ---- weights for ratings ---------------------------------------------------------------------------------


def rating_weights(predicted: Array, actual: Array) -> Array:
    """Weights (n_parts,), none negative, that add up to 1, with the least squared error of the weighted mean of
    predicted ratings (n, n_parts): stacking (Breiman 1996).
    Rows with a NaN do not count; without rows all are equal."""
    from scipy.optimize import nnls

    n_parts = predicted.shape[1]
    counted = np.isfinite(predicted).all(axis=1)
    if not counted.any() or n_parts == 1:
        return np.full(n_parts, 1 / n_parts)
    left = predicted[counted].astype(np.float64)
    right = actual[counted].astype(np.float64)
    # only differences matter where weights add up to 1; the last row makes them
    penalty = _SUM * np.sqrt(len(left))
    centred = left - right[:, None]
    weights, _ = nnls(np.vstack([centred, np.full(n_parts, penalty)]), np.append(np.zeros(len(left)), penalty))
    return np.asarray(weights / weights.sum())


def mean_rating(predicted: Array, weights: Array) -> Array:
    """The weighted mean over the parts that say something, float32 (n,), of ratings (n, n_parts) by weights (n_parts,)
    or (n, n_parts); equal weights where those that speak have none. NaN where none speaks."""
    has = np.isfinite(predicted)
    shares = np.where(has, weights, 0.0)
    none = shares.sum(axis=1) == 0
    shares[none] = has[none]
    with np.errstate(invalid="ignore"):
        made = np.where(has, predicted, 0).astype(np.float64) * shares
        return np.asarray(made.sum(axis=1) / shares.sum(axis=1), np.float32)
