"""FactorModel: scores that are products of factors, and all that follows from that."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coterie.kernels.few_products import Reach, measure_reach, top_k_few
from coterie.kernels.parallel import one_blas_thread
from coterie.models.base import Recommender
from coterie.models.profiles import FEW_ROWS
from coterie.models.tables import Top, no_contributions

if TYPE_CHECKING:
    import scipy.sparse as sp

    from coterie.data.interactions import Interactions
    from coterie.kernels.factor_topk import Panels

Array = np.ndarray[Any, np.dtype[Any]]

#: Sets the factors of items in place to the best for their ratings (n_users, n); the last says what errors call them.
SolveItems = Callable[[Array, "sp.csc_matrix", Callable[[int], str]], None]

# Profiles answered together where lists are made without a matrix of scores.
_BLOCK_ROWS = 1 << 16
# Ratings of an item at which what is said of it counts half.
_SUPPORT = 20
# Users who say how long the vectors of people usually are.
_USUAL = 1024
# Pairs predicted together.
_BLOCK_PAIRS = 1 << 15


class FactorModel(Recommender):
    r"""A model whose score of item i for user u is :math:`s_{ui} = p_u^\top q_i`, or with biases
    :math:`s_{ui} = o_u + b_i + p_u^\top q_i`.

    A subclass writes `_fit` and `_fold_in`. An item without factors (all zero: nobody rated it) has no score and is
    not recommended. Nor has any item for a profile that has none, in a model without biases. Ratings of
    these are predicted as :math:`o_u + b_i`, and without biases as the mean of the training ratings. Similar items are
    those with the largest cosine of factors, times :math:`n / (n + 20)` with n the ratings of the neighbour.

    Attributes
    ----------
    item_factors_ : float32 (n_items, n_factors)
        :math:`q_i` in the rows.
    user_factors_ : float32 (n_users, n_factors)
        :math:`p_u` in the rows: what `_fold_in` gives for the users' own profiles.
    item_biases_ : float32 (n_items,)
        :math:`b_i`; only in models with biases.
    user_offsets_ : float32 (n_users,)
        :math:`o_u`, what of a score does not depend on the item (the mean and the user's bias); only in models with
        biases.
    rated_ : bool (n_items,)
        Which items have a score, in models in which the factors of a rated item may all be zero and yet say something;
        in others it is those with factors.
    """

    item_factors_: Array
    user_factors_: Array
    item_biases_: Array
    user_offsets_: Array
    rated_: Array

    @abstractmethod
    def _fold_in(self, profiles: sp.csr_matrix) -> tuple[Array, Array | None]:
        """Factors (n, n_factors) and, in a model with biases, offsets (n,) of profiles, given the item factors."""

    # ---- people and items --------------------------------------------------------------------------

    def _people(self, profiles: sp.csr_matrix, users: Array | None) -> tuple[Array, Array | None]:
        """Factors and offsets of profiles; many known users have theirs already."""
        if users is None or len(users) <= FEW_ROWS:
            return self._fold_in(profiles)
        return self.user_factors_[users], self.user_offsets_[users] if self._has_biases else None

    @property
    def _has_biases(self) -> bool:
        return hasattr(self, "item_biases_")

    @cached_property
    def _known_items(self) -> Array:
        """bool (n_items,): which items have a score."""
        return self.rated_ if hasattr(self, "rated_") else np.asarray(self.item_factors_.any(axis=1))

    @cached_property
    def _unknown_items(self) -> Array:
        """Row numbers of the items without a score."""
        return np.flatnonzero(~self._known_items)

    # ---- scores ------------------------------------------------------------------------------------

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        factors, offsets = self._people(profiles, users)
        scores = factors @ self.item_factors_.T
        if offsets is not None:
            scores += self.item_biases_
            scores += offsets[:, None]
        else:
            scores[~factors.any(axis=1)] = np.nan
        scores[:, self._unknown_items] = np.nan
        return scores

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        factors, offsets = self._people(profiles, users)
        if offsets is not None:
            return pair_products(factors, self.item_factors_, rows, items) + self.item_biases_[items] + offsets[rows]
        return known_products(factors, self.item_factors_, rows, items, float(self._fallback()))

    def _fallback(self) -> np.float32:
        """The rating predicted where there are no factors to go by."""
        return np.float32(self.train_.mean)

    # ---- lists -------------------------------------------------------------------------------------

    def _block_size(self) -> int:
        return _BLOCK_ROWS

    @cached_property
    def _panels(self) -> Panels:
        from coterie.kernels.factor_topk import pack_items

        return pack_items(*self._item_vectors, self._known_items)

    @cached_property
    def _reach(self) -> Reach:
        usual = np.linalg.norm(self.user_factors_[:_USUAL], axis=1)
        return measure_reach(*self._item_vectors, self._known_items, float(usual.mean()) if len(usual) else 1.0)

    @property
    def _item_vectors(self) -> tuple[Array, Array | None]:
        return self.item_factors_, self.item_biases_ if self._has_biases else None

    def _top(
        self, profiles: sp.csr_matrix, users: Array | None, k: int, exclude_seen: bool, allowed: Array | None
    ) -> Top:
        seen = (profiles.indptr, profiles.indices) if exclude_seen else None
        if profiles.shape[0] <= FEW_ROWS:
            with one_blas_thread:
                return top_k_few(*self._people(profiles, users), self._reach, k, seen, allowed)
        from coterie.kernels.factor_topk import pack_items, top_k_products

        factors, offsets = self._people(profiles, users)
        panels = self._panels if allowed is None else pack_items(*self._item_vectors, self._known_items & allowed)
        return top_k_products(factors, offsets, panels, k, seen)

    # ---- looking inside ----------------------------------------------------------------------------

    def _similarities(self, items: Array) -> Array:
        """Cosine of item factors, less where the neighbour was rated by few, whose factors are mostly chance."""
        wanted = self._unit_factors[items]
        similarities = wanted @ self._unit_factors.T
        similarities *= support(self.train_)
        similarities[:, ~self._known_items] = np.nan
        similarities[~self._known_items[items]] = np.nan
        return similarities

    @cached_property
    def _unit_factors(self) -> Array:
        norms = np.sqrt(np.einsum("ij,ij->i", self.item_factors_, self.item_factors_, dtype=np.float64))
        return np.asarray(self.item_factors_ / np.maximum(norms, 1e-30)[:, None], np.float32)

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        if not self._known_items[item]:
            return 0.0, no_contributions(), "Nobody whose ratings were learnt from rated it."
        if not self._has_biases and not self._people(profile, None)[0].any():
            return 0.0, no_contributions(), "Nothing is known of this person."
        return self._contributions(profile, item)

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        known = self._known_items[item] and (self._has_biases or self._people(profile, None)[0].any())
        if known or self._has_biases:
            return self._contributions(profile, item)
        return float(self._fallback()), no_contributions(), "There is nothing to go by but the mean of all ratings."

    def _contributions(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        """Base, contributions and a sentence, by factors; a model that is linear in the profile does better."""
        factors, offsets = self._people(profile, None)
        base = 0.0 if offsets is None else float(offsets[0]) + float(self.item_biases_[item])
        products = factors[0].astype(np.float64) * self.item_factors_[item]
        parts = pl.DataFrame({"factor": np.arange(len(products)), "contribution": products})
        return base, parts, f"The products of {len(products)} factors, added up."

    # ---- taking in what is new ---------------------------------------------------------------------

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        """Changed and new users are folded in; new items have no factors before the next fit."""
        self._grow_items(merged.n_items)
        self._fold_in_users(merged, changed_users)

    def _update_both(
        self,
        merged: Interactions,
        changed_users: Array,
        changed_items: Array,
        solve_items: SolveItems,
    ) -> None:
        """As `FactorModel._update`, but then changed and new items are solved for too, and all users by what they
        then are."""
        FactorModel._update(self, merged, changed_users, changed_items)
        solve_items(
            changed_items,
            merged.to_scipy()[:, changed_items].tocsc(),
            lambda row: merged.items.name(changed_items[row]),
        )
        self._forget_derived()
        self._fold_in_users(merged, np.arange(merged.n_users))

    def _grow_items(self, n: int) -> None:
        """Rows of zeros for new items."""
        self.item_factors_ = grown(self.item_factors_, n)
        if self._has_biases:
            self.item_biases_ = grown(self.item_biases_, n)
        if hasattr(self, "rated_"):
            self.rated_ = grown(self.rated_, n)  # by nobody whose ratings were learnt from

    def _fold_in_users(self, merged: Interactions, users: Array) -> None:
        factors, offsets = self._fold_in(merged.to_scipy()[users])
        self.user_factors_ = grown(self.user_factors_, merged.n_users)
        self.user_factors_[users] = factors
        if offsets is not None:
            self.user_offsets_ = grown(self.user_offsets_, merged.n_users)
            self.user_offsets_[users] = offsets


def support(train: Interactions) -> Array:
    """How far what is said of each item can be relied on, float32 (n_items,): n / (n + 20) by its ratings."""
    return np.asarray(train.item_counts / (train.item_counts + _SUPPORT), np.float32)


def pair_products(left: Array, right: Array, rows: Array, columns: Array) -> Array:
    """``left[rows[j]] @ right[columns[j]]`` for each j, float32 (n,)."""
    products = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK_PAIRS):
        block = slice(start, start + _BLOCK_PAIRS)
        np.einsum("ij,ij->i", left[rows[block]], right[columns[block]], out=products[block])
    return products


def known_products(left: Array, right: Array, rows: Array, columns: Array, fallback: float) -> Array:
    """`pair_products`, and the `fallback` where one of the two has no factors: what a model without biases predicts, in
    its trace of held-out errors as in the end."""
    products = pair_products(left, right, rows, columns)
    knows, known = (np.asarray(factors.any(axis=1)) for factors in (left, right))
    products[~(knows[rows] & known[columns])] = fallback
    return products


def grown(array: Array, n: int) -> Array:
    """A copy with zeros appended up to n rows."""
    larger = np.zeros((n, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
