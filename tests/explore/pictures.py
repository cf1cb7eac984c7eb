"""What pictures are tested with: small worlds, and what the artists of heat maps hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions

Array = np.ndarray[Any, np.dtype[Any]]
GENRES = ("Action", "$Drama$", "Comedy", "Western")


def make(user: Any, item: Any, rating: Any = None, time: Any = None) -> Interactions:
    columns = {"user": user, "item": item, "rating": rating, "time": time}
    frame = pl.DataFrame({name: values for name, values in columns.items() if values is not None})
    names = [name if columns[name] is not None else None for name in ("rating", "time")]
    return Interactions.from_frame(frame, "user", "item", *names)


def world(n_users: int = 40, n_items: int = 30, seed: int = 0) -> Interactions:
    """Ratings by taste: users and items of three kinds."""
    chance = np.random.default_rng(seed)
    user, item = np.nonzero(chance.random((n_users, n_items)) < 0.9 / np.sqrt(np.arange(1, n_items + 1)))
    liking = 3 + 1.2 * (user % 3 == item % 3) - 0.4 * (user % 3 != item % 3)
    ratings = np.clip(np.round(2 * (liking + chance.normal(0, 0.5, len(user)))) / 2, 0.5, 5)
    return make(user, item, ratings, chance.integers(946684800, 1262304000, len(user)))


def catalog(n: int = 30, genome: bool = True, tags: bool = True) -> Catalog:
    """Items with titles, genres, tags and a genome of six tags; the last two items have no genome."""
    chance = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "item": np.arange(n),
            "title": [f"Film ${i}$ of the long title (19{50 + i % 50})" for i in range(n)],
            "genres": ["|".join(g for k, g in enumerate(GENRES) if i % (k + 1) == 0) for i in range(n)],
        }
    )
    given = pl.DataFrame(
        {"user": [1, 2, 2, 3, 3], "item": [0, 0, 1, 0, 1], "tag": ["Fun", "fun ", "fun", "war $", "🎈"]}
    )
    relevance = chance.random((n, 6)).astype(np.float32)
    relevance[-2:] = np.nan
    known: dict[str, Any] = {"genome_tags": tuple("abcdef"), "genome": relevance} if genome else {}
    return Catalog.from_titles(frame, tags=given if tags else None, **known)


def levels_of(axes: Axes, shape: tuple[int, int]) -> Array:
    """The level of each cell that a heat map shows, 0 where nothing is drawn."""
    levels = np.zeros(shape, int)
    for patch in axes.patches:
        assert isinstance(patch, PathPatch)
        corners = patch.get_path().vertices.reshape(-1, 5, 2)
        for (left, top), (right, bottom) in zip(corners.min(axis=1), corners.max(axis=1), strict=True):
            rows = slice(round(top + 0.49), round(bottom - 0.49) + 1)
            columns = slice(round(left + 0.49), round(right - 0.49) + 1)
            assert not levels[rows, columns].any(), "cells lie on one another"
            levels[rows, columns] = int(str(patch.get_gid()).removeprefix("cells-"))
    return levels
