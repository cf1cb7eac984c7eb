"""Slow twin of `coterie.kernels.dense_neighbors`: all cosines in double precision, then a sort a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.heap import best_pairs

Array = np.ndarray[Any, np.dtype[Any]]


def nearest_dense(rows: Array, k: int, left_out: Array | None = None) -> list[list[tuple[float, int]]]:
    """(cosine, row) of the k rows nearest to each; pairs of two rows of `left_out` (bool (n,)) are none."""
    out = []
    for i, x in enumerate(rows.astype(np.float64)):
        pairs = []
        for j, y in enumerate(rows.astype(np.float64)):
            cosine = float(x @ y)
            if j != i and cosine > 0 and not (left_out is not None and left_out[i] and left_out[j]):
                pairs.append((float(np.float32(cosine)), j))
        out.append(best_pairs(pairs, k))
    return out
