"""The exact steps of a bias model with time: each solves one block of unknowns given all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# Added to every penalty, so that a penalty of 0 leaves no system without a solution.
_TINY = 1e-9


class Groups(NamedTuple):
    """Ratings in groups within people, such as those of one day.

    Attributes
    ----------
    keys : int64 (n_groups,)
        Increasing; what tells a group.
    of : int64 (nnz,)
        The group of every rating.
    owners : int64 (n_groups,)
        Whose group it is.
    counts : int64 (n_groups,)
        How many ratings it has.
    """

    keys: Array
    of: Array
    owners: Array
    counts: Array


def groups_of(keys: Array, rows: Array) -> Groups:
    """The groups that the keys of ratings make; a key belongs to one row."""
    distinct, first, of, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return Groups(distinct, of, rows[first], counts)


def solve_people(
    target: Array,
    features: Sequence[Array | None],
    penalties: Sequence[float],
    rows: Array,
    n: int,
    groups: Groups | None = None,
    group_penalty: float = 0.0,
) -> tuple[Array, Array]:
    r"""For each person the weights w of the features, and the value d of each of their groups.

    They minimise

    .. math:: \sum_e (y_e - x_e^\top w - d_{g(e)})^2 + \sum_k \lambda_k w_k^2 + \lambda_d \sum_g d_g^2.

    The values of groups are eliminated first, which leaves a small system for each person.

    Parameters
    ----------
    target : float64 (nnz,)
    features : of each a float64 (nnz,), or None for one that is not in use; the first one is 1 everywhere
    penalties : as many
    rows : int (nnz,)
        Whose each rating is.

    Returns
    -------
    weights : float64 (n, n_features), values : float64 (n_groups,); 0 for features not in use
    """
    used = [k for k, feature in enumerate(features) if feature is not None]
    columns = [features[k] for k in used]
    gram, moment = np.zeros((n, len(used), len(used))), np.zeros((n, len(used), 1))
    inside = _inside(target, columns, groups, group_penalty)
    for a, left in enumerate(columns):
        moment[:, a, 0] = np.bincount(rows, left * target, n)
        if groups is not None:
            moment[:, a, 0] -= np.bincount(groups.owners, inside.sums[a] * inside.targets * inside.shares, n)
        for b in range(a + 1):
            product = np.bincount(rows, left * columns[b], n)  # type: ignore[operator]
            if groups is not None:
                product -= np.bincount(groups.owners, inside.sums[a] * inside.sums[b] * inside.shares, n)
            gram[:, a, b] = gram[:, b, a] = product
        gram[:, a, a] += penalties[used[a]] + _TINY
    weights = np.zeros((n, len(features)))
    weights[:, used] = np.linalg.solve(gram, moment)[:, :, 0]
    if groups is None:
        return weights, np.zeros(0)
    explained = sum(s * weights[groups.owners, k] for s, k in zip(inside.sums, used, strict=True))
    return weights, (inside.targets - explained) * inside.shares


class _Inside(NamedTuple):
    """Sums within groups: of every feature, of the target; and 1 / (count + penalty)."""

    sums: list[Array]
    targets: Array
    shares: Array


def _inside(target: Array, columns: Sequence[Any], groups: Groups | None, penalty: float) -> _Inside:
    if groups is None:
        return _Inside([], np.zeros(0), np.zeros(0))
    n = len(groups.keys)
    sums = [np.bincount(groups.of, column, n) for column in columns]
    return _Inside(sums, np.bincount(groups.of, target, n), 1 / (groups.counts + penalty + _TINY))


def solve_items(
    target: Array, weight: Array | None, cells: Array, shape: tuple[int, int], penalty: float, period_penalty: float
) -> tuple[Array, Array]:
    r"""The biases b of items and :math:`b_p` of their periods.

    They minimise

    .. math:: \sum_e (y_e - c_e (b_{i} + b_{i,p}))^2 + \lambda \sum_i b_i^2 + \lambda_p \sum_{i,p} b_{i,p}^2.

    Parameters
    ----------
    target : float64 (nnz,)
    weight : float64 (nnz,) or None
        :math:`c_e`; None: 1.
    cells : int64 (nnz,)
        ``item * n_periods + period`` of every rating; with one period there are no biases of periods.
    shape : (n_items, n_periods)

    Returns
    -------
    biases : float64 (n_items,), of_periods : float64 (n_items, n_periods)
    """
    size = shape[0] * shape[1]
    squares = np.bincount(cells, None if weight is None else weight * weight, size).reshape(shape).astype(np.float64)
    products = np.bincount(cells, target if weight is None else weight * target, size).reshape(shape)
    if shape[1] == 1:
        return products[:, 0] / (squares[:, 0] + penalty + _TINY), np.zeros(shape)
    shares = 1 / (squares + period_penalty + _TINY)
    left = (period_penalty + _TINY) * shares  # of what a period says, the part that its own bias leaves
    biases = (products * left).sum(1) / ((squares * left).sum(1) + penalty + _TINY)
    return biases, (products - squares * biases[:, None]) * shares


def solve_calendar(target: Array, codes: Array, use: tuple[bool, bool], penalty: float) -> tuple[Array, Array]:
    """The ridge effects of weekdays (7,) and of months (12,) on the target; `codes` are ``weekday * 12 + month``.

    Those of weekdays average 0 over the ratings, and so do those of months, so that they do not stand in for the mean.
    """
    counts = np.bincount(codes, minlength=84).reshape(7, 12).astype(np.float64)
    sums = np.bincount(codes, target, 84).reshape(7, 12)
    gram = np.diag(np.concatenate([counts.sum(1), counts.sum(0)]))
    gram[:7, 7:], gram[7:, :7] = counts, counts.T
    shares = np.zeros((2, 19))
    shares[0, :7], shares[1, 7:] = counts.sum(1) / max(len(codes), 1), counts.sum(0) / max(len(codes), 1)
    used, bound = np.repeat(use, [7, 12]), np.array(use) & bool(len(codes))
    k, b = int(used.sum()), int(bound.sum())
    system = np.zeros((k + b, k + b))  # Lagrange's: the averages are 0
    system[:k, :k] = gram[np.ix_(used, used)] + (penalty + _TINY) * np.eye(k)
    system[k:, :k] = shares[np.ix_(bound, used)]
    system[:k, k:] = system[k:, :k].T
    right = np.concatenate([np.concatenate([sums.sum(1), sums.sum(0)])[used], np.zeros(b)])
    effects = np.zeros(19)
    effects[used] = np.linalg.solve(system, right)[:k]
    return effects[:7], effects[7:]
