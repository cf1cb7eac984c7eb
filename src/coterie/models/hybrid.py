"""Hybrid: several models as one, by weights or by turns."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import CapabilityError, ParameterError
from coterie.models.base import Recommender
from coterie.models.blending import centre_and_spread, mean_rating, on_one_scale, weighted_sum
from coterie.models.hybrid_reasons import Piece, put_together
from coterie.models.hybrid_weights import Weights, fit_weights
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.tables import no_contributions

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

_AUTO = "item-knn+content-factors"  # and what items are about, as far as it is known
# Between the names of models: no name begins with a +, but some end with one.
_BETWEEN = re.compile(r"\s*\+\s*(?=[a-z0-9])")


@hyper_parameters
class Hybrid(Recommender):
    r"""Several models as one: what people with the same tastes liked, what is alike by content, what is popular.

    With ``parts="auto"`` the parts are `ItemKNN`, `ContentFactors`, and `TagKNN` where the catalog has tags or a
    genome, else `GenreKNN`.

    Scores of different models are on different scales. Each part's scores :math:`s_{um i}` of part m are first put on
    one, for each profile over all items of which the part has something to say: ``scale="standard"`` takes their mean
    away and divides by their standard deviation, ``scale="rank"`` spreads them evenly from -1/2 to 1/2. With
    :math:`z` for what comes out, ``combine="weighted"`` has

    .. math:: s_{ui} = \sum_m w_m z_{umi}, \qquad w_m \ge 0, \quad \sum_m w_m = 1

    A part that says nothing of an item counts as 0, which is its mean; an item of which no part with a weight says
    anything has no score. Items that nobody has rated have weights of their own, for there other parts are worth most.

    Where `weights` are not given they are fitted, and never on a test set: of the training data a
    `validation_share` of the ratings and all ratings of as large a share of the items are held back, copies of the
    parts are fitted to the rest, and the weights are those with the best nDCG@10 that a climb from each part alone and
    from equal weights finds: of lists made of the rated items for the one kind, and of those held back for the other.
    Weights closer to equal ones are taken where they are as good to a standard error, so that chance does not choose
    where lists are few. Relevant is what is rated in the top quarter of the scale. Then the parts are fitted to
    everything, so that a fit costs those of all parts twice. Where nothing relevant was held back, weights are equal.

    ``combine="switching"`` asks one part at a time: the first one in order that has something to say of an item, but
    the last one about items that nobody has rated, and about all items where the profile has fewer than `min_profile`
    ratings.

    Ratings are predicted where a part predicts some: by turns as above, or as the mean of such parts, by weights that
    add up to 1 and have the least squared error on what was held back (stacking). Parts without an answer do not
    count. What has no answer at all is predicted as the mean of the training ratings.

    Explanations are those of the parts, scaled as the scores are: a row an item of the profile, with a column for each
    part, where all parts tell of such, else a row a part. Similar items are those of the first part that has such a
    notion. `update` is that of the parts; weights stay.

    Attributes
    ----------
    parts_ : list of Recommender
        The parts, fitted.
    weights_, unrated_weights_ : dict of str to float
        Weights in lists, of items that have ratings and of those that nobody rated; not with switching.
    rating_weights_, unrated_rating_weights_ : dict of str to float
        The same in predicted ratings, 0 for parts that predict none; not with switching.

    Raises
    ------
    ParameterError
        A part is not a model, or there are as many weights as there are no parts.

    References
    ----------
    R. Burke, "Hybrid recommender systems: survey and experiments", User Modeling and User-Adapted Interaction 12, 2002,
    sections 3.1 and 3.2. L. Breiman, "Stacked regressions", Machine Learning 24, 1996.
    """

    name: ClassVar[str] = "hybrid"
    parts: Annotated[
        str | Sequence[Any], Range(help="the models: names joined by +, or models in a list; or auto, as data allow")
    ] = "auto"
    combine: Annotated[Literal["weighted", "switching"], Range(help="how one score is made of several")] = "weighted"
    scale: Annotated[Literal["standard", "rank"], Range(help="how scores are made comparable")] = "standard"
    weights: Annotated[
        str | Sequence[float] | None, Range(help="weights in the order of the parts, joined by +; none: fitted")
    ] = None
    validation_share: Annotated[
        float, Range(0.01, 0.5, help="share of ratings and of items held back to fit weights on")
    ] = 0.1
    min_profile: Annotated[
        int, Range(0, help="ratings that a profile needs for other parts than the last (switching)", search=(1, 50))
    ] = 5
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed of what is held back")] = 0

    # ---- the parts ---------------------------------------------------------------------------------

    def _plain(self, catalog: Catalog | None = None) -> list[Recommender]:
        """The parts as they were given, or those of these names; "auto" depends on what the catalog has."""
        from coterie.models.registry import model_class

        tagged = catalog is not None and (
            catalog.genome is not None or (catalog.tags is not None and len(catalog.tags))
        )
        names = f"{_AUTO}+{'tag-knn' if tagged else 'genre-knn'}" if self.parts == "auto" else self.parts
        given = _BETWEEN.split(names.strip()) if isinstance(names, str) else list(names)
        plain = []
        for part in given:
            if not isinstance(part, (str, Recommender)):
                raise ParameterError(f"Hybrid: parts must be models or names of models, not {part!r}")
            try:
                plain.append(model_class(part)() if isinstance(part, str) else part)
            except ParameterError as error:
                raise ParameterError(f"Hybrid: parts={self.parts!r}: {error}") from None
        if not plain:
            raise ParameterError(f"Hybrid: parts must have a model at least, not {self.parts!r}")
        return plain

    def _of_parts(self, name: str) -> list[bool]:
        """A capability of each part; of none where parts are not models, which `fit` says."""
        try:
            return [bool(getattr(part, name)) for part in vars(self).get("parts_", None) or self._plain()]
        except ParameterError:
            return []

    @property
    def needs_catalog(self) -> bool:  # type: ignore[override]
        """Whether a part needs to know what items are about."""
        return any(self._of_parts("needs_catalog"))

    @property
    def predicts_ratings(self) -> bool:  # type: ignore[override]
        """Whether a part predicts ratings."""
        return any(self._of_parts("predicts_ratings"))

    @property
    def predicts_at_times(self) -> bool:  # type: ignore[override]
        """Whether predicted ratings of a part depend on when they are given."""
        return any(self._of_parts("predicts_at_times"))

    @property
    def update_equals_refit(self) -> bool:  # type: ignore[override]
        """Whether `update` learns what a fit to all the data would learn."""
        settled = self.combine == "switching" or self.weights is not None
        return settled and all(self._of_parts("update_equals_refit"))

    @property
    def labels(self) -> list[str]:
        """The names of the parts, those that come again numbered."""
        names = [part.name for part in vars(self).get("parts_", None) or self._plain()]
        again = [names[:place].count(name) for place, name in enumerate(names)]
        return [f"{name} {n + 1}" if n else name for name, n in zip(names, again, strict=True)]

    def _block_size(self) -> int:
        return min(super()._block_size(), *(part._block_size() for part in self.parts_))

    # ---- fitting -----------------------------------------------------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        plain = self._plain(catalog)
        if self.combine == "weighted":
            given = self._given(plain)
            if given is None:
                settings = self.validation_share, self.scale, self.random_state
                found = fit_weights(plain, train, catalog, *settings)
            else:
                rates = given * np.array([part.predicts_ratings for part in plain])
                found = Weights(given, given, *[rates / (rates.sum() or 1)] * 2)
            kept = [dict(zip(self.labels, map(float, weights), strict=True)) for weights in found]
            self.weights_, self.unrated_weights_, self.rating_weights_, self.unrated_rating_weights_ = kept
        self.parts_ = [dataclasses.replace(part).fit(train, catalog) for part in plain]  # type: ignore[type-var]

    def _given(self, plain: Sequence[Recommender]) -> Array | None:
        """The weights that were given, adding up to 1."""
        if self.weights is None:
            return None
        try:
            listed = self.weights.split("+") if isinstance(self.weights, str) else self.weights
            weights = np.array([float(weight) for weight in listed])
        except (TypeError, ValueError):
            weights = np.empty(0)
        if len(weights) != len(plain) or not np.isfinite(weights).all() or weights.min() < 0 or not weights.sum() > 0:
            raise ParameterError(
                f"Hybrid: weights must be {len(plain)} numbers, one a part, none below 0 and one above, "
                f"not {self.weights!r}"
            )
        return np.asarray(weights / weights.sum())

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        try:
            self.parts_ = [part._updated(merged, changed_users, changed_items) for part in self.parts_]
        except CapabilityError as error:
            raise CapabilityError(f"Hybrid cannot take them in, for its part {error}") from error

    # ---- scores ------------------------------------------------------------------------------------

    @property
    def _unrated(self) -> Array:
        """bool (n_items,): what nobody has rated."""
        return np.asarray(self.train_.item_counts == 0)

    def _scaled(self, profiles: sp.csr_matrix, users: Array | None) -> list[Array]:
        return [on_one_scale(part._score(profiles, users), self.scale) for part in self.parts_]

    def _shares(self, rated: dict[str, float], unrated: dict[str, float], items: Array | slice) -> Array:
        """Weights of the parts for some items, float64 (n_parts, n)."""
        columns = self._unrated[items]
        return np.where(columns, np.array([*unrated.values()])[:, None], np.array([*rated.values()])[:, None])

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        scaled = self._scaled(profiles, users)
        if self.combine == "weighted":
            return weighted_sum(scaled, self._shares(self.weights_, self.unrated_weights_, slice(None)))
        return _first_of(scaled, self._for_all(profiles)[:, None] & ~self._unrated)

    def _for_all(self, profiles: sp.csr_matrix) -> Array:
        """bool (n,): profiles that are long enough for other parts than the last."""
        return np.asarray(np.diff(profiles.indptr) >= self.min_profile)

    # ---- ratings -----------------------------------------------------------------------------------

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        return self._predict_at(profiles, users, rows, items, None)

    def _predict_at(
        self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array, times: Array | None
    ) -> Array:
        predicted, able = self._ratings(profiles, users, rows, items, times)
        if self.combine == "weighted":
            shares = self._shares(self.rating_weights_, self.unrated_rating_weights_, items)[able]
            made = mean_rating(predicted.T, shares.T)
        else:
            made = _first_of(list(predicted), self._for_all(profiles)[rows] & ~self._unrated[items])
        return np.where(np.isfinite(made), made, np.float32(self.train_.mean))

    def _ratings(
        self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array, times: Array | None
    ) -> tuple[Array, list[int]]:
        """What each part that predicts ratings says, (n_able, n), and which parts these are."""
        able = [place for place, part in enumerate(self.parts_) if part.predicts_ratings]
        asked = profiles, users, rows, items, times
        return np.array([self.parts_[place]._predict_at(*asked) for place in able]), able

    # ---- explanations ------------------------------------------------------------------------------

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        users = None if user is None else np.array([user])
        scores = np.array([part._score(profile, users)[0] for part in self.parts_])
        scaled = on_one_scale(scores, self.scale)[:, item]
        factors = self._factors(~np.isnan(scaled), profile, item, "weights_")
        centre, spread = centre_and_spread(scores)
        pieces = []
        for place in np.flatnonzero(factors):
            if self.scale == "rank":
                pieces.append(Piece(self.labels[place], factors[place], 0.0, float(scaled[place]), None))
                continue
            explain = partial(self.parts_[place]._explain, profile, user, item)
            factor = factors[place] / spread[place]
            pieces.append(Piece(self.labels[place], factor, centre[place], float(scores[place, item]), explain))
        if not pieces:
            return 0.0, no_contributions(), "No part that counts has anything to say of it."
        base, parts, text = put_together(pieces)
        unit = "ranks" if self.scale == "rank" else "scores less their mean, in units of their spread"
        return base, parts, f"{self._account(pieces, factors)}: {unit}.{' ' if text else ''}{text}"

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        users, pair = None if user is None else np.array([user]), (np.zeros(1, np.int64), np.array([item]))
        values, able = self._ratings(profile, users, *pair, None)
        says = np.zeros(len(self.parts_), bool)
        says[able] = np.isfinite(values[:, 0])
        factors = self._factors(says, profile, item, "rating_weights_")
        if not says.any() or not factors.any():
            return self.train_.mean, no_contributions(), "There is nothing to go by but the mean of all ratings."
        pieces = [
            Piece(
                self.labels[place], factors[place], 0.0, float(values[able.index(place), 0]),
                partial(self.parts_[place]._explain_rating, profile, user, item),
            )
            for place in np.flatnonzero(factors).tolist()
        ]  # fmt: skip
        base, parts, text = put_together(pieces)
        return base, parts, f"{self._account(pieces, factors)}: predicted ratings.{' ' if text else ''}{text}"

    def _factors(self, says: Array, profile: sp.csr_matrix, item: int, weights: str) -> Array:
        """With what factor each part counts that says something of an item (bool (n_parts,)), float64 (n_parts,)."""
        factors = np.zeros(len(self.parts_))
        if self.combine == "weighted":
            kept = self._shares(getattr(self, weights), getattr(self, f"unrated_{weights}"), np.array([item]))[:, 0]
            factors = np.where(says, kept, 0.0)
            if weights == "rating_weights_":  # a mean, not a sum
                factors = says.astype(np.float64) if not factors.any() else factors
                factors = factors / (factors.sum() or 1)
            return factors
        able = self._of_parts("predicts_ratings") if weights == "rating_weights_" else [True] * len(self.parts_)
        places = np.flatnonzero(able)
        turns = places if self._for_all(profile)[0] and not self._unrated[item] else places[-1:]
        for place in turns[says[turns]][:1]:
            factors[place] = 1.0
        return factors

    def _account(self, pieces: Sequence[Piece], factors: Array) -> str:
        shares = [f"{label} {factor:.2f}" for label, factor in zip(self.labels, factors, strict=True) if factor]
        return " + ".join(shares) if self.combine == "weighted" else f"As {pieces[0].label} says"

    def _similarities(self, items: Array) -> Array:
        for part in self.parts_:
            try:
                return part._similarities(items)
            except CapabilityError:
                continue
        raise CapabilityError(f"Hybrid has no notion of similar items, for none of {', '.join(self.labels)} has one")


def _first_of(parts: list[Array], for_all: Array) -> Array:
    """The first part that is not NaN where `for_all`, the last part elsewhere; arrays of the same shape."""
    made = np.array(parts[-1])
    for part in reversed(parts[:-1]):
        np.copyto(made, part, where=for_all & ~np.isnan(part))
    return made
