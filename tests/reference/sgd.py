"""Slow twins of `coterie.kernels.sgd`: one rating at a time, as the papers write it, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def cells(dense: Array, users: Array, blocks: Array, user_block: int, item_block: int) -> list[tuple[int, int]]:
    """(user, item) of a cell: users in their order, a user's items in theirs."""
    return [
        (u, i)
        for u in range(users[user_block], users[user_block + 1])
        for i in range(dense.shape[1])
        if blocks[i] == item_block and not np.isnan(dense[u, i])
    ]


def descend(
    dense: Array, pairs: list[tuple[int, int]], p: Array, q: Array, b: Array, c: Array, rate: float, lam: float
) -> float:
    """A step for each pair (Koren, Bell and Volinsky 2009); the sum of squared errors as met."""
    squares = 0.0
    for u, i in pairs:
        error = dense[u, i] - b[u] - c[i] - p[u] @ q[i]
        squares += error**2
        b[u] += rate * (error - lam * b[u])
        c[i] += rate * (error - lam * c[i])
        p[u], q[i] = p[u] + rate * (error * q[i] - lam * p[u]), q[i] + rate * (error * p[u] - lam * q[i])
    return squares


def descend_plus_plus(dense: Array, p: Array, y: Array, q: Array, b: Array, c: Array, rate: float, lam: float) -> float:
    """A step for each rating, with every implicit factor of the user changed each time (Koren 2008, section 4.2)."""
    squares = 0.0
    for u in range(len(dense)):
        rated = np.flatnonzero(~np.isnan(dense[u]))
        for i in rated:
            z = y[rated].sum(axis=0) / np.sqrt(len(rated))
            error = dense[u, i] - b[u] - c[i] - q[i] @ (p[u] + z)
            squares += error**2
            b[u] += rate * (error - lam * b[u])
            c[i] += rate * (error - lam * c[i])
            p_step, q_step = error * q[i] - lam * p[u], error * (p[u] + z) - lam * q[i]
            y[rated] += rate * (error * q[i] / np.sqrt(len(rated)) - lam * y[rated])
            p[u] += rate * p_step
            q[i] += rate * q_step
    return squares
