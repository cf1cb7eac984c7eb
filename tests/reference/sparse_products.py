"""Slow twins of `coterie.kernels.sparse_products`: loops over dense matrices with NaN for what is not there."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def times(dense: Array, block: Array) -> Array:
    """``X @ block``, an entry at a time, float64."""
    out = np.zeros((len(dense), block.shape[1]))
    for row, column in zip(*np.nonzero(~np.isnan(dense)), strict=True):
        out[row] += float(dense[row, column]) * block[column].astype(np.float64)
    return out


def gram_product(dense: Array, block: Array) -> Array:
    """``X.T @ X @ block``, a row of X at a time, float64."""
    out = np.zeros((dense.shape[1], block.shape[1]))
    for row in np.nan_to_num(dense.astype(np.float64)):
        out += np.outer(row, row @ block)
    return out
