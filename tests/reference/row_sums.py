"""Slow twin of `coterie.kernels.row_sums`: an entry at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def row_sums(profiles: Array, weights: Array) -> Array:
    """``X W``, float64, of matrices with NaN for what is not stored; NaN where no entry meets another."""
    out = np.full((len(profiles), weights.shape[1]), np.nan)
    for u, profile in enumerate(profiles):
        for i in range(weights.shape[1]):
            met = [float(r) * float(w) for r, w in zip(profile, weights[:, i], strict=True) if r == r and w == w]
            if met:
                out[u, i] = sum(met)
    return out
