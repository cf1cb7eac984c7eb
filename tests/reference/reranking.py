"""Slow twin of `coterie.kernels.reranking`: one list at a time, one candidate at a time, everything from scratch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Mix = dict[int, float]


@dataclass
class List:
    """A list in the making: `pool` is (item, worth in [0, 1]), best first; `mix` the person's shares of genres."""

    pool: list[tuple[int, float]]
    mix: Mix
    held: list[int] = field(default_factory=list)
    listed: list[int] = field(default_factory=list)


def divergence(mix: Mix, listed: list[int], genres: list[Mix], alpha: float = 0.01) -> float:
    """KL(p || (1 - alpha) q + alpha p), with q the mean mix of the listed items that have genres."""
    told = [genres[item] for item in listed if genres[item]]
    total = 0.0
    for genre, p in mix.items():
        q = sum(shares.get(genre, 0.0) for shares in told) / len(told) if told else 0.0
        total += p * math.log(p / ((1 - alpha) * q + alpha * p))
    return total


def fill(
    lists: list[List],
    k: int,
    diversity: float,
    calibration: float,
    similarity: Callable[[int, int], float],
    genres: list[Mix],
    limits: dict[int, int],
    must: list[int],
    capacity: int | None,
) -> list[list[int]]:
    """The items of every list."""
    stands: dict[int, int] = {}  # in how many lists an item is held or listed

    def free(one: List, item: int) -> bool:
        inside = set(one.held) | set(one.listed)
        full = capacity is not None and stands.get(item, 0) >= capacity
        return not full and all(sum(g in genres[i] for i in inside) < limits.get(g, k) for g in genres[item])

    def objective(one: List, item: int, worth: float) -> float:
        nearest = max([0.0, *(similarity(item, other) for other in one.listed)])
        apart = divergence(one.mix, [*one.listed, item], genres)
        return (1 - diversity - calibration) * worth - diversity * nearest - calibration * apart

    for one in lists:
        for entry in must:
            fits = [i for i, _ in one.pool if (i == entry if entry >= 0 else -1 - entry in genres[i])]
            left = [i for i in fits if i not in one.held and free(one, i)]
            if left and not set(fits) & set(one.held):
                one.held.append(left[0])
                stands[left[0]] = stands.get(left[0], 0) + 1
    for place in range(k):
        for one in lists[::-1] if place % 2 else lists:
            waiting = [i for i in one.held if i not in one.listed]
            crowded = len(waiting) >= k - place
            may = [
                (i, worth)
                for i, worth in one.pool
                if i not in one.listed and (i in waiting or (not crowded and free(one, i)))
            ]
            if len(one.listed) < place or not may:
                continue
            values = [objective(one, i, worth) for i, worth in may]
            best = next(i for (i, _), value in zip(may, values, strict=True) if value >= max(values) - 1e-9)
            one.listed.append(best)
            if best not in one.held:
                stands[best] = stands.get(best, 0) + 1
    return [one.listed for one in lists]


def shares(kinds: list[list[int]]) -> list[Mix]:
    """Each item's genres with equal shares."""
    return [{genre: 1 / len(own) for genre in own} for own in kinds]


def cosine(a: Any, b: Any) -> float:
    """Of two vectors."""
    return float(sum(x * y for x, y in zip(a, b, strict=True)))
