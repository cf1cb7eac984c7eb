"""Reranked: the lists of any model made again under a view of what a good list is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Id
from coterie.errors import FitInterrupted, ParameterError
from coterie.kernels.memory import require_memory
from coterie.kernels.reranking import Pools, Steps, fill_lists
from coterie.models.base import People, Recommender
from coterie.models.list_rules import (
    NO_LIMIT,
    Genres,
    Rules,
    genres_of,
    likeness_of,
    no_genres,
    require_likeness,
    rules_of,
    wants_genres,
)
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.tables import Top, id_list

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

_REMEDY = "ask about fewer people at once, or for a larger max_exposure, a smaller pool or a smaller k"
# People whose candidates are looked at together.
_BLOCK_ROWS = 1 << 13


@hyper_parameters
class Reranked(Recommender):
    r"""A model whose lists are chosen anew from its best candidates: diverse, calibrated, spread out, under rules.

    Only lists change. Scores, predicted ratings, explanations and similar items are those of the wrapped model, so that
    an explanation adds up to the score in the list, but the order of a list need not be that of the scores. What is
    judged by scores and not by lists (AUC) is what it is for the wrapped model.

    The candidates of a person are the `pool` best of the model (at least as many as are asked for), and where rules
    need them the items of `must`, the `pool` best of each genre of `must`, and the best ones of no genre in `at_most`.
    Their scores are scaled so that the best of the pool has 1 and its last one 0. A list L is filled from the top, each
    place by the candidate with the largest

    .. math:: (1 - \delta - \kappa)\, s_i - \delta \max_{j \in L} \operatorname{sim}(i, j)
       - \kappa \sum_g p_g \log \frac{p_g}{\tilde q_g}

    with δ the `diversity` and κ the `calibration`. Equal ones go by score. With κ = 0 this is maximal marginal
    relevance (MMR); with δ = 0 it is the greedy maximum of Steck's objective, which is submodular: every beginning of
    the list is calibrated as well as may be, so that an item of many genres tends to go first. There p is the mix of
    genres of the profile, its items weighted by their values (below 0 as 0; `Interactions.decayed` makes old ones weigh
    less), an item of n genres counting 1 / n for each; q is the mean mix of L with i, and
    :math:`\tilde q = 0.99\, q + 0.01\, p`. Items without genres do not count in either.

    Similarities are 0 where they are below, and: by "genre" the number of common genres over the geometric mean of the
    two numbers of genres; by "genome" the cosine of the tags' relevances less their means over items; by "ratings" the
    cosine of the training columns, of which each item's 200 nearest are kept and the rest counts as 0.

    **Rules** hold in every list; where they leave too little, the list is shorter. `must` has items and genres: each
    such item is in the list of everybody who has not seen it, and of each such genre there is an item, as long as there
    is one left that the model has a score for and no other rule is against. Items are served first,
    then genres that none of these has, each by its best item, both in the order given. They stand where the objective
    puts them, at the latest at the end. `never` has items and genres
    that are not recommended. `at_most` has the most items of a genre in one list; an item counts for all its genres.
    A text that is both the id of an item and a genre means the item.

    **Exposure** belongs to lists that are made together, in one call of `recommend` or `rank`: of n lists no item is in
    more than ``max(1, floor(max_exposure * n))``. They are filled in rounds: everybody's first place, then everybody's
    second, and so on. In the first round the first row of the call chooses first, in the second the last row, and so on
    in turn; an item that is used up is passed over. A list on its own, such as a stranger's, is not limited. There
    are more candidates then, as many as other lists may use up and k more, so that a cap shortens a list only where the
    model has nothing else to say. It costs the memory of all candidates at once, 18 bytes each (26 with diversity).

    `fit` fits a copy of the model; `wrap` takes a fitted one as it is. What else the wrapped model has, such as
    `predict_std`, can be asked of this one.

    Attributes
    ----------
    model_ : Recommender
        The wrapped model, fitted.
    item_genres_ : csr (n_items, n_genres), float64
        The share of each genre in an item; no columns where no step needs genres.
    item_likeness_ : csr float32 or None
        Similarities between items (by "ratings"), else vectors whose products they are; None without diversity.
    barred_ : bool (n_items,) or None
        Items that `never` rules out.
    limits_ : int64 (n_genres,)
        The most items of each genre; 2**30 for no limit.
    limited_ : bool (n_items,) or None
        Items that have a genre with a limit.
    must_ : int64 (n,)
        Items of `must` by row number; genre g as -1 - g.

    Raises
    ------
    ParameterError
        The weights add up to more than 1, rules contradict one another, or a list is too short for `must`.
    UnknownIdError
        A rule names an item or a genre that there is not.
    DataError
        A step needs genres or a tag genome, and there are none.

    References
    ----------
    J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
    summaries", SIGIR 1998. H. Steck, "Calibrated recommendations", RecSys 2018.
    """

    name: ClassVar[str] = "reranked"
    lists_by_score = False
    model: Annotated[Recommender, Range(help="what scores")]
    diversity: Annotated[
        float, Range(0, 1, help="δ, weight of being unlike what is listed already", search=(0, 0.9))
    ] = 0.0
    similarity: Annotated[
        Literal["genre", "genome", "ratings"], Range(help="by what items are alike, for diversity")
    ] = "genre"
    calibration: Annotated[
        float, Range(0, 1, help="κ, weight of the profile's mix of genres in the list", search=(0, 0.9))
    ] = 0.0
    max_exposure: Annotated[
        float | None, Range(1e-6, 1, help="largest share of the lists made together that an item may be in")
    ] = None
    must: Annotated[Sequence[Id], Range(help="items and genres that have to be in a list")] = ()
    never: Annotated[Sequence[Id], Range(help="items and genres that are not recommended")] = ()
    at_most: Annotated[Mapping[str, int] | None, Range(help="the most items of a genre in a list")] = None
    pool: Annotated[int, Range(1, help="best items of the model among which lists are chosen")] = 200

    # ---- the wrapped model -------------------------------------------------------------------------

    @property
    def predicts_ratings(self) -> bool:  # type: ignore[override]
        """Whether the wrapped model predicts ratings."""
        return self.model.predicts_ratings

    @property
    def learns_in_sweeps(self) -> bool:  # type: ignore[override]
        """Whether the wrapped model learns in sweeps."""
        return self.model.learns_in_sweeps

    @property
    def predicts_at_times(self) -> bool:  # type: ignore[override]
        """Whether predicted ratings of the wrapped model depend on when they are given."""
        return self.model.predicts_at_times

    @property
    def update_equals_refit(self) -> bool:  # type: ignore[override]
        """Whether `update` learns what a fit to all the data would learn."""
        return self.model.update_equals_refit

    def __getattr__(self, name: str) -> Any:
        """What this one lacks and the wrapped model has."""
        if name.startswith("_") or "train_" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.model_, name)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return self.model_._score(profiles, users)

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        return self.model_._predict(profiles, users, rows, items)

    def _predict_at(
        self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array, times: Array | None
    ) -> Array:
        return self.model_._predict_at(profiles, users, rows, items, times)

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        return self.model_._explain(profile, user, item)

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        return self.model_._explain_rating(profile, user, item)

    def _explain_at(
        self, profile: sp.csr_matrix, user: int | None, item: int, time: int | None
    ) -> tuple[float, pl.DataFrame, str]:
        return self.model_._explain_at(profile, user, item, time)

    def _similarities(self, items: Array) -> Array:
        return self.model_._similarities(items)

    def _block_size(self) -> int:
        return min(self.model_._block_size(), _BLOCK_ROWS)

    # ---- fitting -----------------------------------------------------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self._prepare(train, catalog)  # first, because it is quick and refuses what cannot be
        model: Recommender = dataclasses.replace(self.model)  # type: ignore[type-var]
        training = self._training
        try:
            model.fit(train, catalog, validation=training.validation, checkpoint=training.checkpoint)
        except FitInterrupted as stop:
            training.interrupted, training.done, training.total = True, stop.done, stop.total
        self.model_ = model

    def wrap(self) -> Self:
        """Take `model`, which is fitted, as it is: this one is then fitted too, without a fit."""
        self._check_parameters()
        train, catalog = self.model._fitted(), self.model.catalog_
        for learned in vars(self).keys() - self.parameters().keys():
            delattr(self, learned)
        self._prepare(train, catalog)
        self.model_, self.train_, self.catalog_ = self.model, train, catalog
        return self

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        model = self.model_._updated(merged, changed_users, changed_items)
        self._prepare(merged, self.catalog_)
        self.model_ = model

    def check(self, train: Interactions, catalog: Catalog | None = None) -> None:
        """As of any model; rules are checked too, and whether there is what the steps look up."""
        super().check(train, catalog)
        self.model.check(train, catalog)
        self._rules(train, catalog)
        if self.diversity > 0:
            require_likeness(train, catalog, self.similarity)

    def _prepare(self, train: Interactions, catalog: Catalog | None) -> None:
        """What the steps look up, all but the model."""
        genres, rules = self._rules(train, catalog)
        self.item_genres_ = genres.shares
        self.barred_, self.limits_, self.must_ = rules
        limited = genres.shares[:, np.flatnonzero(rules.limits < NO_LIMIT)]
        self.limited_ = np.diff(limited.indptr) > 0 if self.at_most else None
        self.item_likeness_ = likeness_of(train, catalog, self.similarity) if self.diversity > 0 else None

    def _rules(self, train: Interactions, catalog: Catalog | None) -> tuple[Genres, Rules]:
        """The genres that the steps need, and the rules; an error where settings contradict one another."""
        if isinstance(self.model, Reranked):
            raise ParameterError("Reranked: model is Reranked itself; give all steps to one of them")
        if self.diversity + self.calibration > 1 + 1e-9:
            raise ParameterError(
                f"Reranked: diversity={self.diversity:g} and calibration={self.calibration:g} add up to more than 1; "
                "what they leave is the weight of the scores"
            )
        ruled = wants_genres(train, [*id_list(self.must), *id_list(self.never)])
        why = "calibration" if self.calibration > 0 else "at_most" if self.at_most else ""
        if why or (ruled and catalog is not None):
            genres = genres_of(train, catalog, why or "a rule about genres")
        else:
            genres = no_genres(train)
        rules = rules_of(train, catalog, genres, self.must, self.never, self.at_most)
        if (rules.must >= 0).any() and self.max_exposure is not None and self.max_exposure < 1:
            item = train.items.ids.tolist()[rules.must[0]]
            raise ParameterError(
                f"Reranked: must asks for item {item!r} in every list, and max_exposure={self.max_exposure:g} "
                "allows it in some; leave one out"
            )
        return genres, rules

    # ---- lists -------------------------------------------------------------------------------------

    def _top(
        self, profiles: sp.csr_matrix, users: Array | None, k: int, exclude_seen: bool, allowed: Array | None
    ) -> Top:
        pools = self._pools(profiles, users, k, k, exclude_seen, allowed)
        return fill_lists(pools, self._steps(k), self._mixes(profiles))

    def _open(self, person: People, exclude_seen: bool) -> Array:
        found = super()._open(person, exclude_seen)
        return found if self.barred_ is None else found & ~self.barred_

    def _lists(self, people: Iterable[People], n: int, k: int, exclude_seen: bool, allowed: Array | None) -> list[Top]:
        if self.max_exposure is None or not n:
            return super()._lists(people, n, k, exclude_seen, allowed)
        import scipy.sparse as sp

        capacity = max(1, math.floor(self.max_exposure * n + 1e-9))  # 0.29 * 100 is 29, and not less
        used_up = min(n * k // capacity, self.train_.n_items)  # the most items that can be, whoever comes last
        width = max(self.pool, used_up + k)
        require_memory((26 if self.diversity > 0 else 18) * n * width, f"{width:,} candidates of {n:,} people", _REMEDY)
        pools, mixes = [], []
        for profiles, users in people:
            pools.append(self._pools(profiles, users, k, used_up + k, exclude_seen, allowed))
            mixes.append(self._mixes(profiles))
        return [fill_lists(_together(pools), self._steps(k), sp.vstack(mixes, format="csr"), capacity)]

    def _steps(self, k: int) -> Steps:
        if k < len(self.must_):
            raise ParameterError(f"k={k} leaves no room for the {len(self.must_)} entries of must; ask for as many")
        return Steps(
            min(k, self.train_.n_items), self.diversity, self.calibration, self.item_likeness_,
            self.similarity == "ratings", self.item_genres_, self.limits_, self.must_,
        )  # fmt: skip

    def _mixes(self, profiles: sp.csr_matrix) -> sp.csr_matrix:
        """The mix of genres of each profile, csr (n, n_genres), float64; empty where nothing asks for it."""
        import scipy.sparse as sp

        if self.calibration == 0:
            return sp.csr_matrix((profiles.shape[0], self.item_genres_.shape[1]), dtype=np.float64)
        weights = sp.csr_matrix((np.maximum(profiles.data, 0), profiles.indices, profiles.indptr), profiles.shape)
        mixes: sp.csr_matrix = (weights @ self.item_genres_).tocsr()
        mixes.eliminate_zeros()
        mixes.sort_indices()
        totals = np.asarray(mixes.sum(axis=1)).ravel()
        mixes.data /= np.repeat(totals, np.diff(mixes.indptr))
        return mixes

    # ---- candidates --------------------------------------------------------------------------------

    def _pools(
        self, profiles: sp.csr_matrix, users: Array | None, k: int, enough: int, exclude_seen: bool,
        allowed: Array | None,
    ) -> Pools:  # fmt: skip
        """The candidates of everybody: the best of the model, and those that rules may need beside them. With `enough`
        items that no rule is against a list of k is full, whatever a cap uses up."""
        size = max(self.pool, enough)
        if self.barred_ is not None:
            allowed = ~self.barred_ if allowed is None else allowed & ~self.barred_
        items, scores, counts = self.model_._top(profiles, users, size, exclude_seen, allowed)
        low, spread = _scale(scores, np.minimum(counts, max(self.pool, k)))
        found = [(items, scores)]
        full = counts == size  # elsewhere all that the model has a score for is there already
        for mask, rows, most in self._needed(items, full, size, enough):
            mask = mask if allowed is None else mask & allowed
            own = profiles[rows], None if users is None else users[rows]
            more = self.model_._top(*own, most, exclude_seen, mask)
            shape = len(items), more[0].shape[1]
            found.append((np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32)))
            found[-1][0][rows], found[-1][1][rows] = more[:2]
        if len(found) > 1:
            items, scores, counts = _merged(found)
        return Pools(items, scores, counts, low, spread)

    def _needed(self, items: Array, full: Array, size: int, enough: int) -> Iterable[tuple[Array, Array, int]]:
        """What is to be asked for beside the pools: of which items (bool (n_items,)), for whom (rows), how many."""
        if not full.any():
            return
        rows = np.flatnonzero(full)
        named = self.must_[self.must_ >= 0]
        if len(named):
            mask = np.zeros(self.train_.n_items, bool)
            mask[named] = True
            yield mask, rows, len(named)
        for genre in np.unique(-1 - self.must_[self.must_ < 0]):
            yield np.diff(self.item_genres_[:, [genre]].indptr) > 0, rows, size
        if self.limited_ is not None:
            few = np.count_nonzero(~self.limited_[items[rows]], axis=1) < enough
            if few.any():
                yield ~self.limited_, rows[few], enough


def _scale(scores: Array, counts: Array) -> tuple[Array, Array]:
    """Where the scale of the first `counts` scores of each row (n, P) begins, and how far it reaches: float64 (n,)."""
    if not scores.shape[1]:
        return np.zeros(len(scores)), np.ones(len(scores))
    last = np.take_along_axis(scores, np.maximum(counts - 1, 0)[:, None], 1)[:, 0]
    low = np.where(counts > 0, last, 0).astype(np.float64)
    spread = np.where(counts > 0, scores[:, 0], 0) - low
    return low, np.where(spread > 0, spread, 1.0)


def _merged(found: list[tuple[Array, Array]]) -> Top:
    """Several candidates of the same people, each item once with its first score, best first."""
    items, scores = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
    order = np.argsort(items, axis=1, kind="stable")
    items, scores = np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1)
    again = np.zeros(items.shape, bool)
    again[:, 1:] = items[:, 1:] == items[:, :-1]
    items[again], scores[again] = -1, -np.inf
    order = np.lexsort((items, -scores), axis=1)
    counts = np.count_nonzero(items >= 0, axis=1)
    width = int(counts.max(initial=0))
    return np.take_along_axis(items, order, 1)[:, :width], np.take_along_axis(scores, order, 1)[:, :width], counts


def _together(pools: list[Pools]) -> Pools:
    """Blocks of candidates as one."""
    width = max(pool.items.shape[1] for pool in pools)
    counts = np.concatenate([pool.counts for pool in pools])
    items = np.full((len(counts), width), -1, np.int32)
    scores = np.full(items.shape, -np.inf, np.float32)
    start = 0
    for pool in pools:
        place = slice(start, start + len(pool.counts)), slice(pool.items.shape[1])
        items[place], scores[place] = pool.items, pool.scores
        start += len(pool.counts)
    low, spread = (np.concatenate([getattr(pool, name) for pool in pools]) for name in ("low", "spread"))
    return Pools(items, scores, counts, low, spread)
