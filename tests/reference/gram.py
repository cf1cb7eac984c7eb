"""Slow twin of `coterie.kernels.gram`: all products of all pairs, then a sort a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.heap import best_pairs

Array = np.ndarray[Any, np.dtype[Any]]


def top_k_gram(dense: Array, jaccard: bool, k: int) -> list[list[tuple[float, int]]]:
    """(similarity, row) of the k most similar other rows of each row of a matrix with NaN for unrated."""
    filled = np.nan_to_num(dense.astype(np.float64))
    if jaccard:
        filled = (~np.isnan(dense)).astype(np.float64)
    out = []
    for i, x in enumerate(filled):
        pairs = []
        for j, y in enumerate(filled):
            product = float(x @ y)
            if j != i and product > 0:
                below = x.sum() + y.sum() - product if jaccard else np.sqrt(x @ x) * np.sqrt(y @ y)
                pairs.append((float(np.float32(product / below)), j))
        out.append(best_pairs(pairs, k))
    return out


def rank_lists(dense: Array) -> tuple[list[int], list[list[tuple[int, float]]]]:
    """Rows by length, longest first; and for each column the (rank, value) pairs of the rows that have it."""
    lengths = (~np.isnan(dense)).sum(axis=1)
    order = sorted(range(len(dense)), key=lambda row: (-lengths[row], row))
    columns = [
        [(rank, float(dense[row, column])) for rank, row in enumerate(order) if not np.isnan(dense[row, column])]
        for column in range(dense.shape[1])
    ]
    return order, columns
