"""Slow twin of `coterie.kernels.factor_topk`: the whole matrix of scores, then a sort a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference import topk

Array = np.ndarray[Any, np.dtype[Any]]


def top_k(
    people: Array,
    offsets: Array | None,
    factors: Array,
    biases: Array | None,
    wanted: Array,
    k: int,
    seen: list[set[int]],
) -> list[list[tuple[float, int]]]:
    """(score, item) of the k best wanted and unseen items of each person."""
    scores = people.astype(float) @ factors.T.astype(float)
    if offsets is None:
        scores[~people.any(axis=1)] = np.nan
    else:
        scores += offsets[:, None]
    scores += 0 if biases is None else biases
    scores[:, ~wanted] = np.nan
    for row, items in enumerate(seen):
        scores[row, sorted(items)] = np.nan
    return topk.top_k(scores, k)
