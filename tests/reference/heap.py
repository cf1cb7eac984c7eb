"""Slow twin of `coterie.kernels.heap`: sort everything, take the first k."""

from __future__ import annotations


def best_pairs(pairs: list[tuple[float, int]], k: int) -> list[tuple[float, int]]:
    """The k best (value, index) pairs: larger values first, equal ones by smaller index."""
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1]))[:k]
