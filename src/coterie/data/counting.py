"""Counting numbers, a block at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 1 << 17


def tally(numbers: Array, n: int, of: Callable[[Array], Array] | None = None) -> Array:
    """How often each of 0, ..., n - 1 occurs among whole numbers (or in what `of` makes of a block): int64 (n,).

    `np.bincount` makes a copy of all as int64; that of a block stays in the cache, which is ten times as fast.
    """
    counts, block = np.zeros(n, np.int64), max(_BLOCK, n)
    for start in range(0, len(numbers), block):
        part = numbers[start : start + block]
        counts += np.bincount(part if of is None else of(part), minlength=n)
    return counts


def distinct(values: Array) -> tuple[Array, Array]:
    """The distinct values, in order, and how often each occurs: as `np.unique`, without its copy of all."""
    blocks = range(0, max(len(values), 1), _BLOCK)
    parts = [np.unique(values[start : start + _BLOCK], return_counts=True) for start in blocks]
    found, place = np.unique(np.concatenate([part for part, _ in parts]), return_inverse=True)
    counts = np.zeros(len(found), np.int64)
    np.add.at(counts, place, np.concatenate([count for _, count in parts]))
    return found, counts
