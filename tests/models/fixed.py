"""A model whose scores are given, and lists made of them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import polars as pl

import coterie as ct
from coterie.data.catalog import Catalog
from coterie.models.base import Recommender
from coterie.models.parameters import hyper_parameters
from tests.contract.cases import interactions


@hyper_parameters
class Fixed(Recommender):
    """Everybody's scores are given."""

    name: ClassVar[str] = "fixed"
    scores: tuple = ()  # type: ignore[type-arg]

    def _fit(self, train: Any, catalog: Any) -> None:
        self.scores_ = np.array(self.scores, np.float32)

    def _score(self, profiles: Any, users: Any) -> np.ndarray:
        return np.tile(self.scores_, (profiles.shape[0], 1))


def about(genres: list[str]) -> Catalog:
    """Items from 101 with genres such as "Drama|War"."""
    return Catalog.from_titles(pl.DataFrame({"item": np.arange(len(genres)) + 101, "genres": genres}))


def chosen(scores: list[float], genres: list[str], profile: Any = (), k: int = 10, **options: Any) -> list[int]:
    """The list of somebody who rated `profile`, 5 stars each."""
    x = interactions(np.full((1, len(scores)), 5))
    model = ct.Reranked(Fixed(tuple(scores)), **options).fit(x, about(genres))
    found: list[int] = model.recommend_for(dict.fromkeys(profile, 5.0), k)["item"].to_list()
    return found
