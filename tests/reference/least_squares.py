"""Slow twin of `coterie.kernels.least_squares`: one dense system a row, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from coterie.kernels.least_squares import System

Array = np.ndarray[Any, np.dtype[Any]]


def solutions(system: System, rows: sp.csr_matrix, ridge: Array) -> Array:
    """The exact solution of every row, float64 (n, k); zero where there are no entries."""
    out = np.zeros((rows.shape[0], system.unknowns))
    for row in range(rows.shape[0]):
        columns, values = rows[row].indices, rows[row].data.astype(float)
        if len(columns):
            y, weights, targets = _parts(system, columns, values)
            base = 0 if system.base is None else system.base.astype(float)
            matrix = base + y.T @ np.diag(weights) @ y + ridge[row] * np.eye(y.shape[1])
            out[row] = np.linalg.solve(matrix, y.T @ targets)
    return out


def minimum(system: System, rows: sp.csr_matrix, ridge: Array, x: Array) -> float:
    """Sum over rows of ``sum_a w_a (t_a / w_a - o_j - x.y_j)^2 + x.Bx + ridge |x|^2``."""
    total = 0.0
    for row in range(rows.shape[0]):
        columns, values = rows[row].indices, rows[row].data.astype(float)
        if len(columns):
            y, weights, targets = _parts(system, columns, values)
            base = np.zeros((y.shape[1],) * 2) if system.base is None else system.base.astype(float)
            total += float((weights * (targets / weights - y @ x[row]) ** 2).sum())
            total += float(x[row] @ base @ x[row] + ridge[row] * x[row] @ x[row])
    return total


def squares(system: System, rows: sp.csr_matrix) -> float:
    """Sum of the targets' squares, offsets taken off."""
    return sum(float((_parts(system, r.indices, r.data.astype(float))[2] ** 2).sum()) for r in rows)


def _parts(system: System, columns: Array, values: Array) -> tuple[Array, Array, Array]:
    y = system.fixed[columns].astype(float)
    if system.bias:
        y = np.column_stack([y, np.ones(len(y))])
    weights = system.weight[0] + system.weight[1] * values
    targets = system.target[0] + system.target[1] * values
    if system.offsets is not None:
        targets = targets - weights * system.offsets[columns]
    return y, weights, targets
