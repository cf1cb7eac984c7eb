"""A small world and small models that the tests of comparisons share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import polars as pl
import scipy.sparse as sp

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.models.base import Recommender
from coterie.models.parameters import Range

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(eq=False)
class Mean(Recommender):
    """Predicts item means, moved by `shift`; keeps nothing back for items nobody rated (NaN)."""

    name: ClassVar[str] = "mean"
    predicts_ratings: bool = True
    shift: Annotated[float, Range(help="added to every prediction")] = 0.0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        with np.errstate(invalid="ignore"):
            self.means_ = (train.to_scipy().sum(axis=0).A1 / train.item_counts + self.shift).astype(np.float32)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return np.tile(self.means_, (profiles.shape[0], 1))


@dataclass(eq=False)
class Broken(Recommender):
    """Fails when it is fitted."""

    name: ClassVar[str] = "broken"

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        raise MemoryError("no room for 3 <numbers>")

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        raise AssertionError


def world(n_users: int = 60, n_items: int = 40, seed: int = 0, times: bool = False) -> Interactions:
    """Ratings in which popular items are popular with everyone."""
    generator = np.random.default_rng(seed)
    chance = 0.8 / np.sqrt(np.arange(1, n_items + 1))
    user, item = np.nonzero(generator.random((n_users, n_items)) < chance)
    columns = {"user": user, "item": item, "rating": generator.integers(1, 6, len(user)).astype(float)}
    frame = pl.DataFrame(columns | ({"time": generator.integers(0, 1000, len(user))} if times else {}))
    return Interactions.from_frame(frame, "user", "item", "rating", "time" if times else None)
