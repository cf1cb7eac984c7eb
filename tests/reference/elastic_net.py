"""Slow twin of `coterie.kernels.elastic_net`: plain coordinate descent on the data, one coordinate after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def objective(x: Array, j: int, w: Array, l1: float, l2: float) -> float:
    """What the column's weights are to minimise."""
    residual = x[:, j] - x @ w
    return float(residual @ residual / 2 + l2 / 2 * (w @ w) + l1 * np.abs(w).sum())


def solve_column(x: Array, j: int, allowed: list[int], l1: float, l2: float, positive: bool, sweeps: int) -> Array:
    """The weights of column j after so many sweeps from 0, float64 (n,)."""
    w = np.zeros(x.shape[1])
    for _ in range(sweeps):
        for i in allowed:
            curvature = float(x[:, i] @ x[:, i])
            pull = float(x[:, i] @ (x[:, j] - x @ w)) + curvature * w[i]
            shrunk = max(pull - l1, 0.0) if positive else np.sign(pull) * max(abs(pull) - l1, 0.0)
            w[i] = shrunk / (curvature + l2) if shrunk else 0.0
    return w
