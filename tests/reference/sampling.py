"""Slow twins of `coterie.kernels.sampling`: Python's big integers, enumeration instead of drawing."""

from __future__ import annotations

import hashlib
from itertools import permutations
from typing import Any

import numpy as np

_MASK = 2**64 - 1


def words(key: int, n: int) -> list[int]:
    """SplitMix64 as published, with integers that do not overflow."""
    state, out = key, []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        out.append(z ^ (z >> 31))
    return out


def alias_probabilities(thresholds: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The probability with which an alias table gives each column."""
    n = len(thresholds)
    out = np.zeros(n)
    for column in range(n):
        keep = min((float(thresholds[column]) + (1 if thresholds[column] == 2**32 - 1 else 0)) / 2**32, 1.0)
        out[column] += keep / n
        out[others[column]] += (1 - keep) / n
    return out


def inclusion_probabilities(weights: np.ndarray, count: int) -> np.ndarray:
    """How likely each column is among `count` drawn one after another, in proportion to what is left."""
    out = np.zeros(len(weights))
    for sequence in permutations(range(len(weights)), count):
        left, chance = weights.sum(), 1.0
        for column in sequence:
            chance *= weights[column] / left
            left -= weights[column]
        out[list(sequence)] += chance
    return out


def digest(*arrays: Any) -> str:
    """A fingerprint of the bytes of arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]
