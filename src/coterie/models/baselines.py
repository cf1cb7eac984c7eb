"""Baselines: what every other model must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.models.base import Recommender
from coterie.models.parameters import Range

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(eq=False)
class Popularity(Recommender):
    r"""Recommend to everyone what most people rated: :math:`s_{ui} = |U_i|`, the number of ratings of item i.

    Attributes
    ----------
    item_scores_ : float32 (n_items,)
    """

    name: ClassVar[str] = "popularity"

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.item_scores_ = train.item_counts.astype(np.float32)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return np.tile(self.item_scores_, (profiles.shape[0], 1))

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        count = float(self.item_scores_[item])
        return count, _no_contributions(), f"{count:,.0f} people rated it; the same list goes to everyone."


@dataclass(eq=False)
class Random(Recommender):
    r"""Recommend at random: :math:`s_{ui} \sim U(0, 1)`, fixed by the seed, the user's profile and the item.

    A profile's scores depend on the seed and on the profile alone, so a stranger with a known user's
    ratings gets that user's list, and neither blocks nor threads matter.
    """

    name: ClassVar[str] = "random"
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed")] = 0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.n_items_ = train.n_items

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        scores = np.empty((profiles.shape[0], self.n_items_), np.float32)
        for row in range(len(scores)):
            seen = profiles.indices[profiles.indptr[row] : profiles.indptr[row + 1]]
            generator = np.random.default_rng([self.random_state, *seen.tolist()])
            scores[row] = generator.random(self.n_items_, np.float32)
        return scores

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        return float(self._score(profile, None)[0, item]), _no_contributions(), "It was drawn at random."


def _no_contributions() -> pl.DataFrame:
    return pl.DataFrame(schema={"item_index": pl.Int64, "rating": pl.Float32, "contribution": pl.Float64})
