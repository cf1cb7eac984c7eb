"""Baselines: what every other model must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.kernels.parallel import run_light_blocks
from coterie.models.base import Recommender
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.tables import no_contributions

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
#: Profiles at once where there are many: what is made of their ratings stays in the cache.
ROWS = 1024


@hyper_parameters
class Popularity(Recommender):
    r"""Recommend to everyone what most people rated: :math:`s_{ui} = |U_i|`, the number of ratings of item i.

    With `weighted` a rating counts by its value, :math:`s_{ui} = \sum_{v \in U_i} r_{vi}`: what is popular now, where
    the ratings of data are plain yes (`Interactions.binarized`) and decay by age (`Interactions.decayed`).

    Attributes
    ----------
    item_scores_ : float32 (n_items,)
    """

    name: ClassVar[str] = "popularity"
    update_equals_refit = True
    _update = Recommender._refit  # counting is all the learning there is
    weighted: Annotated[bool, Range(help="whether a rating counts by its value, not as one", search=False)] = False

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        values = train.values.astype(np.float64) if self.weighted else None
        self.item_scores_ = np.bincount(train.indices, values, train.n_items).astype(np.float32)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return np.tile(self.item_scores_, (profiles.shape[0], 1))

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        count = float(self.item_scores_[item])
        what = f"Its ratings add up to {count:,.2f}" if self.weighted else f"{count:,.0f} people rated it"
        return count, no_contributions(), f"{what}; the same list goes to everyone."


@hyper_parameters
class Random(Recommender):
    r"""Recommend at random: :math:`s_{ui} \sim U(0, 1)`, fixed by the seed, the user's profile and the item.

    A profile's scores depend on the seed and on the profile alone, so a stranger with a known user's
    ratings gets that user's list, and neither blocks nor threads matter.
    """

    name: ClassVar[str] = "random"
    update_equals_refit = True
    _update = Recommender._refit
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
        return float(self._score(profile, None)[0, item]), no_contributions(), "It was drawn at random."


@hyper_parameters
class BiasBaseline(Recommender):
    r"""Predict from how generous the user and how good the item is: :math:`\hat r_{ui} = \mu + b_u + b_i`.

    The biases minimise

    .. math:: \sum_{(u,i)} (r_{ui} - \mu - b_u - b_i)^2 + \lambda_u \sum_u b_u^2 + \lambda_i \sum_i b_i^2

    by alternating exact solutions, items first:
    :math:`b_i = \sum_{u \in U_i} (r_{ui} - \mu - b_u) / (\lambda_i + |U_i|)` and
    :math:`b_u = \sum_{i \in I_u} (r_{ui} - \mu - b_i) / (\lambda_u + |I_u|)`. The last step gives the user
    biases, so a stranger's bias follows from their profile by the same formula. `update` is a fit, which takes a
    few passes over the ratings.

    Attributes
    ----------
    mean_ : float
        :math:`\mu`, the mean of all ratings.
    item_biases_ : float32 (n_items,)

    References
    ----------
    Y. Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", ACM TKDD 4(1), 2010,
    section 2.1.
    """

    name: ClassVar[str] = "bias"
    predicts_ratings = True
    update_equals_refit = True
    _update = Recommender._refit
    user_regularization: Annotated[float, Range(0, help="λ_u, pulls user biases to 0", search=(1, 50), log=True)] = 15.0
    item_regularization: Annotated[float, Range(0, help="λ_i, pulls item biases to 0", search=(1, 50), log=True)] = 10.0
    n_iterations: Annotated[int, Range(1, 1000, help="sweeps over items and users", search=(3, 30))] = 10

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        from coterie.kernels.biases import fit_biases

        self.mean_ = train.mean
        biases = fit_biases(
            train.indptr, train.indices, train.values, train.item_counts, self.mean_,
            float(self.user_regularization), float(self.item_regularization), self.n_iterations,
        )  # fmt: skip
        self.item_biases_ = biases.astype(np.float32)

    def user_biases(self, profiles: sp.csr_matrix) -> Array:
        """The bias of each profile, float32 (n,)."""
        counts = np.diff(profiles.indptr)
        sums = np.zeros(len(counts))

        def work(start: int, stop: int) -> None:
            part, n = slice(profiles.indptr[start], profiles.indptr[stop]), stop - start
            residuals = profiles.data[part].astype(np.float64) - self.mean_ - self.item_biases_[profiles.indices[part]]
            sums[start:stop] = np.bincount(np.repeat(np.arange(n), counts[start:stop]), residuals, n)

        run_light_blocks(work, len(counts), ROWS)
        return (sums / np.maximum(counts + self.user_regularization, 1e-12)).astype(np.float32)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return (np.float32(self.mean_) + self.user_biases(profiles))[:, None] + self.item_biases_[None, :]

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        return np.float32(self.mean_) + self.user_biases(profiles)[rows] + self.item_biases_[items]

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        generous, good = float(self.user_biases(profile)[0]), float(self.item_biases_[item])
        parts = pl.DataFrame({"term": ["user bias", "item bias"], "contribution": [generous, good]})
        text = (
            f"Ratings average {self.mean_:.2f}; this person rates {abs(generous):.2f} "
            f"{'above' if generous >= 0 else 'below'} that, and this item is rated {abs(good):.2f} "
            f"{'above' if good >= 0 else 'below'} it."
        )
        return self.mean_, parts, text
