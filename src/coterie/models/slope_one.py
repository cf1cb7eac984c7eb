"""Slope One: items differ in how well they are rated, so from your rating of one follows that of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions, Rows
from coterie.kernels.memory import memory_budget, require_memory
from coterie.kernels.parallel import run_blocks
from coterie.models.base import Recommender
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import FEW_ROWS, entries_of, mean_ratings

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# Items whose pairs are counted together.
_BLOCK = 64
# A kept pair: the other item, the deviation, the support.
_PAIR_BYTES = 12
# How many people it takes for a likeness to count half.
_SUPPORT = 10
# Where every pair could be too many, one item in so many is counted first.
_SAMPLED = 64


@hyper_parameters
class SlopeOne(Recommender):
    r"""Predict from how much better or worse an item is rated than those that the person rated.

    With the mean deviation of item i from item j over the :math:`c_{ij}` users :math:`S_{ij}` who rated both,

    .. math:: \mathrm{dev}_{ij} = \frac{1}{c_{ij}} \sum_{u \in S_{ij}} (r_{ui} - r_{uj}), \qquad
              \hat r_{ui} = \frac{\sum_{j \in R_u(i)} w_{ij} (\mathrm{dev}_{ij} + r_{uj})}
                                 {\sum_{j \in R_u(i)} w_{ij}},

    where :math:`R_u(i)` are the items other than i that u rated and that share at least `min_support` users with i.
    ``variant="weighted"`` trusts a deviation by its support, :math:`w_{ij} = c_{ij}` (the Weighted Slope One of the
    paper's section 3.3); ``variant="plain"`` trusts all alike, :math:`w_{ij} = 1` (its section 3.2). There
    are no sweeps and nothing to tune. Where :math:`R_u(i)` is empty, the person's mean rating is predicted, without
    any ratings the mean of all, and nothing is recommended.

    Lists are ranked by the predicted ratings, and so are led by items that few people rated, but liked: to recommend
    rather than to predict, take a model that ranks, such as `EASE` or `ImplicitALS`.

    Items are alike where those who rated both rated them alike: the similarity is
    :math:`\frac{c_{ij}}{c_{ij} + 10} \cdot \frac{1}{1 + |\mathrm{dev}_{ij}|}`, so that a few people do not make twins.

    Learning takes :math:`\sum_u |I_u|^2` steps, and each of the pairs kept takes 12 bytes; a larger `min_support`
    keeps fewer. `update` recomputes the items that somebody with new ratings has rated, and equals a fit.

    Attributes
    ----------
    deviations_ : Rows
        Row j has the items i that share enough users with it, in increasing order, and :math:`\mathrm{dev}_{ij}`:
        ``indptr`` int64 (n_items + 1,), ``indices`` int32 (n_pairs,), ``values`` float32 (n_pairs,).
    supports_ : int32 (n_pairs,)
        :math:`c_{ij}`.
    mean_ : float
        The mean of all ratings.

    Raises
    ------
    MemoryBudgetError
        The pairs would take more memory than there is.

    References
    ----------
    D. Lemire and A. Maclachlan, "Slope One predictors for online rating-based collaborative filtering", SDM 2005.
    """

    name: ClassVar[str] = "slope-one"
    predicts_ratings = True
    update_equals_refit = True
    variant: Annotated[
        Literal["weighted", "plain"], Range(help="whether a deviation counts by how many people it rests on")
    ] = "weighted"
    min_support: Annotated[
        int, Range(1, 10_000, help="fewest people who rated both items of a pair", search=(1, 10))
    ] = 1

    # ---- learning ----------------------------------------------------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self._require_memory(train)
        self.mean_ = train.mean
        self.deviations_, self.supports_ = self._pairs_of(train, np.arange(train.n_items))

    def _require_memory(self, train: Interactions) -> None:
        """Estimate the number of pairs, from some of the items where all pairs might be too many."""
        n = train.n_items
        if _PAIR_BYTES * n * n <= memory_budget():
            return
        sample = np.arange(0, n, _SAMPLED)
        pairs = len(self._pairs_of(train, sample)[1]) * n / len(sample)
        require_memory(
            int(_PAIR_BYTES * pairs), f"SlopeOne with {pairs:,.0f} pairs of items", "a larger min_support keeps fewer"
        )

    def _pairs_of(self, train: Interactions, items: Array) -> tuple[Rows, Array]:
        """The rows of `deviations_` and `supports_` of some items."""
        from coterie.kernels.deviations import pair_deviations  # the compiled half: needed to learn, not to serve

        counts = np.zeros(len(items), np.int64)
        by_user, by_item, n = train.rows("users"), train.by_item, train.n_items

        def work(start: int, stop: int) -> list[Array]:
            size = (stop - start) * n
            found = [np.empty(size, np.int32), np.empty(size, np.float32), np.empty(size, np.int32)]
            kept = pair_deviations(
                items[start:stop], *by_item, *by_user, self.min_support, counts[start:stop], *found
            )  # fmt: skip
            return [array[:kept].copy() for array in found]

        blocks = run_blocks(work, len(items), _BLOCK)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        whole = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32), np.empty(indptr[-1], np.int32)
        at = len(whole[0])
        while blocks:  # from the last, each let go of as soon as it is copied
            block = blocks.pop()
            at -= len(block[0])
            for array, part in zip(whole, block, strict=True):
                array[at : at + len(part)] = part
        return Rows(indptr, *whole[:2]), whole[2]

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        """A pair changes where somebody with new ratings has rated both, so rows of what none of them rated stay."""
        touched = np.unique(merged.to_scipy()[changed_users].indices)
        fresh, fresh_supports = self._pairs_of(merged, touched)
        old, n = self.deviations_, merged.n_items
        lengths = np.zeros(n, np.int64)
        lengths[: len(old.indptr) - 1] = np.diff(old.indptr)
        stays = np.ones(n, bool)
        stays[touched] = False
        from_old = np.repeat(stays[: len(old.indptr) - 1], np.diff(old.indptr))
        lengths[touched] = np.diff(fresh.indptr)
        into_old = np.repeat(stays, lengths)

        def joined(before: Array, after: Array) -> Array:
            array = np.empty(len(into_old), after.dtype)
            array[into_old], array[~into_old] = before[from_old], after
            return array

        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        self.supports_ = joined(self.supports_, fresh_supports)
        self.deviations_ = Rows(indptr, joined(old.indices, fresh.indices), joined(old.values, fresh.values))
        self.mean_ = merged.mean

    # ---- ratings -----------------------------------------------------------------------------------

    def _weights(self, pairs: slice | Array) -> Array:
        """The weights w of pairs, float64."""
        supports = self.supports_[pairs].astype(np.float64)
        return supports if self.variant == "weighted" else np.ones_like(supports)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        n = profiles.shape[0]
        scores = np.empty(profiles.shape, np.float32)
        if n <= FEW_ROWS:
            for row in range(n):
                scores[row] = self._ratings(*entries_of(profiles, row))
            return scores
        from coterie.kernels.deviations import score_from_deviations

        def work(start: int, stop: int) -> None:
            score_from_deviations(
                start, stop, profiles.indptr, profiles.indices, profiles.data, *self.deviations_, self.supports_,
                self.variant == "weighted", scores[start:stop],
            )  # fmt: skip

        run_blocks(work, n, 16)
        return scores

    def _ratings(self, columns: Array, ratings: Array) -> Array:
        """All items as one profile would rate them, (n_items,); NaN where it rated nothing comparable."""
        indptr, others, deviations = self.deviations_
        n = len(indptr) - 1
        sums, weights = np.zeros(n), np.zeros(n)
        for column, rating in zip(columns.tolist(), ratings.tolist(), strict=True):
            pairs = slice(indptr[column], indptr[column + 1])
            w, items = self._weights(pairs), others[pairs]
            sums += np.bincount(items, w * (deviations[pairs] + rating), n)
            weights += np.bincount(items, w, n)
        return np.asarray(np.divide(sums, weights, out=np.full(n, np.nan), where=weights > 0))

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        if profiles.shape[0] <= FEW_ROWS:
            predicted = self._score(profiles, users)[rows, items]
        else:
            predicted = self._predict_pairs(profiles, rows, items)
        alone = np.isnan(predicted)
        predicted[alone] = self._means(profiles)[rows[alone]]
        return predicted

    def _predict_pairs(self, profiles: sp.csr_matrix, rows: Array, items: Array) -> Array:
        """As `_predict`, NaN where nothing comparable was rated; for many profiles."""
        from coterie.kernels.deviations import predict_from_deviations

        order = np.argsort(items, kind="stable")  # an item's deviations are laid out once for all its pairs
        distinct, starts = np.unique(items[order], return_index=True)
        starts, owners = np.append(starts, len(order)), rows[order]
        by_item = np.empty(len(order), np.float32)

        def work(start: int, stop: int) -> None:
            predict_from_deviations(
                start, stop, distinct, starts, owners, profiles.indptr, profiles.indices, profiles.data,
                *self.deviations_, self.supports_, self.variant == "weighted", by_item,
            )  # fmt: skip

        run_blocks(work, len(distinct), 16)
        predicted = np.empty_like(by_item)
        predicted[order] = by_item
        return predicted

    def _means(self, profiles: sp.csr_matrix) -> Array:
        """The mean rating of each profile, float32 (n,); of all ratings for an empty one."""
        return mean_ratings(profiles.indptr, profiles.data, self.mean_).astype(np.float32)

    # ---- looking inside ----------------------------------------------------------------------------

    def _similarities(self, items: Array) -> Array:
        indptr, others, deviations = self.deviations_
        similarities = np.full((len(items), len(indptr) - 1), np.nan, np.float32)
        for row, item in enumerate(items.tolist()):
            pairs = slice(indptr[item], indptr[item + 1])
            support = self.supports_[pairs].astype(np.float32)
            similarities[row, others[pairs]] = support / (support + _SUPPORT) / (1 + np.abs(deviations[pairs]))
        return similarities

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        pairs, columns, ratings = self._compared(profile, item)
        weights, deviations = self._weights(pairs), -self.deviations_.values[pairs].astype(np.float64)
        base = float(self._means(profile)[0]) if len(pairs) else 0.0
        parts = pl.DataFrame(
            {
                "item_index": columns.astype(np.int64),
                "rating": ratings.astype(np.float32),
                "deviation": deviations,
                "support": self.supports_[pairs],
                "contribution": weights * (ratings + deviations - base) / max(weights.sum(), 1.0),
            }
        )
        summary = (
            f"This person rated {len(pairs)} items that others rated together with it, and rates "
            f"{base:.2f} on average; each says how far from that it should be."
        )
        return base, parts, summary

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        explained = self._explain(profile, user, item)
        if len(parts := explained[1]):
            return explained
        mean = float(self._means(profile)[0])
        whose = "this person's mean rating" if profile.nnz else "the mean of all ratings"
        return mean, parts, f"Nobody rated it together with anything that this person rated, so it is {whose}."

    def _compared(self, profile: sp.csr_matrix, item: int) -> tuple[Array, Array, Array]:
        """Pairs of an item (places in `deviations_`) with what a profile rated; those items, and their ratings."""
        indptr, others, _ = self.deviations_
        pairs = slice(indptr[item], indptr[item + 1])
        columns, place, at = np.intersect1d(others[pairs], profile.indices, assume_unique=True, return_indices=True)
        return indptr[item] + place, columns, profile.data[at].astype(np.float64)
