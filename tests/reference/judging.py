"""Slow twin of `coterie.kernels.judging`: every place and every pair by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def find_hits(items: list[list[int]], relevant: list[set[int]]) -> Array:
    return np.array([[item in liked for item in row] for row, liked in zip(items, relevant, strict=True)], bool)


def pair_shares(scores: Array, relevant: list[set[int]], seen: list[set[int]]) -> list[float]:
    shares = []
    for row, liked, known in zip(scores.tolist(), relevant, seen, strict=True):
        others = set(range(len(row))) - liked - known
        won = 0.0
        for i in liked:
            for j in others:
                mine, theirs = (-np.inf if np.isnan(s) else s for s in (row[i], row[j]))
                won += 1.0 if mine > theirs else 0.5 if mine == theirs else 0.0
        shares.append(won / (len(liked) * len(others)) if liked and others else np.nan)
    return shares
