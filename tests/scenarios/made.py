"""A small world with titles and genres that the tests of scenarios share."""

from __future__ import annotations

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions

N_USERS, N_ITEMS = 60, 30


def two_camps(seed: int = 0) -> tuple[Interactions, Catalog]:
    """People of two camps: one likes the first half of the items, one the second; each rates both, unevenly."""
    generator = np.random.default_rng(seed)
    chance = np.where(np.arange(N_ITEMS) % 3 == 0, 0.8, 0.4)
    user, item = np.nonzero(generator.random((N_USERS, N_ITEMS)) < chance)
    likes = (user % 2 == 0) == (item < N_ITEMS // 2)
    rating = np.where(likes, 4.5, 1.5) + generator.choice([-0.5, 0, 0.5], len(user))
    frame = pl.DataFrame({"user": user + 1, "item": item + 100, "rating": rating})
    titles = pl.DataFrame(
        {
            "item": np.arange(N_ITEMS) + 100,
            "title": [f"Ünïcode [{n}] $ (2000)" for n in range(N_ITEMS)],
            "genres": [
                ("Drama" if n < N_ITEMS // 2 else "Action") + ("|Comedy" if n % 4 == 0 else "") for n in range(N_ITEMS)
            ],
        }
    )
    return Interactions.from_frame(frame, "user", "item", "rating"), Catalog.from_titles(titles)
