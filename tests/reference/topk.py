"""Slow twin of `coterie.kernels.topk` and `topk_loops`: a sort a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.heap import best_pairs

Array = np.ndarray[Any, np.dtype[Any]]


def top_k(scores: Array, k: int) -> list[list[tuple[float, int]]]:
    """(score, column) of the k best entries of each row that are neither NaN nor -inf."""
    usable = [[(float(s), c) for c, s in enumerate(row) if not np.isnan(s) and s > -np.inf] for row in scores]
    return [best_pairs(pairs, k) for pairs in usable]
