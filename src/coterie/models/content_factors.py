"""ContentFactors: a factor model that knows what to make of items nobody has rated."""

from __future__ import annotations

import dataclasses
from copy import copy
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.content.features import ItemFeatures
from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import ParameterError
from coterie.models.base import Recommender
from coterie.models.content_maps import Ridge, content_of, kernel_map
from coterie.models.factors import FactorModel, support
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.tables import Top

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class ContentFactors(Recommender):
    r"""A factor model in which an item that nobody has rated gets factors from what it is about.

    The model learns from the ratings as it does by itself. Then a map from features to factors is fitted to the items
    that have ratings, and gives the others theirs (Gantner et al., section 3, "attribute-to-feature mappings"). With
    :math:`y_i` the factors of item i and, where there is one, its bias, ``mapping="ridge"`` has :math:`y = W^\top f`
    that minimises

    .. math:: \sum_i a_i \|y_i - W^\top f_i\|^2 + \lambda \|W\|^2, \qquad a_i = \frac{n_i}{n_i + 20}

    where :math:`n_i` is the number of its ratings: what few have rated has factors that are mostly chance. For
    ``mapping="kernel"`` it is a function of the Gaussian kernel
    :math:`\exp(-\|f - f'\|^2 / 2h^2)` around landmarks, the items with most ratings (kernel ridge regression where all
    items are landmarks). Features are a constant and, for each kind, a row of length 1.

    All else is the wrapped model's: scores, lists, ratings, explanations, similar items, and how strangers are folded
    in. What an item has learnt from its ratings stays as it is. An item without ratings and without features has no
    score.

    `update` is that of the wrapped model; then the map is fitted anew.

    Attributes
    ----------
    model_ : Recommender
        The wrapped model, with factors for all items of which there is something to know.
    mapped_ : bool (n_items,)
        Which items have factors from the map.
    feature_factors_ : float64 (n_features, n_factors), or one column more for the bias, or None
        W; None with the kernel.
    feature_names_ : tuple of str
        What the rows of W are about.

    Raises
    ------
    ParameterError
        The model is not one of factors.
    DataError
        The catalog does not have the features that are asked for.

    References
    ----------
    Z. Gantner, L. Drumond, C. Freudenthaler, S. Rendle and L. Schmidt-Thieme, "Learning attribute-to-feature mappings
    for cold-start recommendations", ICDM 2010.
    C. Saunders, A. Gammerman and V. Vovk, "Ridge regression learning algorithm in dual variables", ICML 1998.
    """

    name: ClassVar[str] = "content-factors"
    needs_catalog = True
    base: Annotated[str | Recommender, Range(help="the factor model, by name")] = "implicit-als"
    features: Annotated[str, Range(help="what items are about: genres, tags, genome, years, joined by +; or all")] = (
        "all"
    )
    mapping: Annotated[Literal["ridge", "kernel"], Range(help="how factors follow from features")] = "ridge"
    regularization: Annotated[float, Range(1e-9, help="λ, of the map", search=(0.1, 100), log=True)] = 1.0
    width: Annotated[float, Range(1e-3, 100, help="h of the kernel", search=(0.2, 3), log=True)] = 1.0
    n_landmarks: Annotated[int, Range(1, 20_000, help="items that a kernel stands around")] = 1000

    # ---- the wrapped model -------------------------------------------------------------------------

    @property
    def _plain(self) -> Recommender:
        """The model as it was given, or the one of that name."""
        from coterie.models.registry import model_class

        try:
            model = model_class(self.base)() if isinstance(self.base, str) else self.base
        except ParameterError as error:
            raise ParameterError(f"ContentFactors: base={self.base!r}: {error}") from None
        if not isinstance(model, FactorModel):
            raise ParameterError(
                f"ContentFactors: base must be one of factors, such as implicit-als, als or bpr, not {self.base!r}"
            )
        return model

    def _of_plain(self, name: str) -> bool:
        """A capability of the wrapped model; of none where there is no such model, which `fit` says."""
        try:
            return bool(getattr(self._plain, name))
        except ParameterError:
            return False

    @property
    def predicts_ratings(self) -> bool:  # type: ignore[override]
        """Whether the wrapped model predicts ratings."""
        return self._of_plain("predicts_ratings")

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return self.model_._score(profiles, users)

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        return self.model_._predict(profiles, users, rows, items)

    def _top(
        self, profiles: sp.csr_matrix, users: Array | None, k: int, exclude_seen: bool, allowed: Array | None
    ) -> Top:
        return self.model_._top(profiles, users, k, exclude_seen, allowed)

    def _block_size(self) -> int:
        return self.model_._block_size()

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        base, parts, text = self.model_._explain(profile, user, item)
        return base, parts, text + self._about(item)

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        base, parts, text = self.model_._explain_rating(profile, user, item)
        return base, parts, text + self._about(item)

    def _about(self, item: int) -> str:
        return f" Nobody has rated it: its factors come from its {self._words}." if self.mapped_[item] else ""

    @property
    def _words(self) -> str:
        return "content" if self.features == "all" else self.features.replace("+", " and ")

    def _similarities(self, items: Array) -> Array:
        return self.model_._similarities(items)

    # ---- fitting -----------------------------------------------------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        model: Recommender = dataclasses.replace(self._plain)  # type: ignore[type-var]
        content = content_of(train, catalog, self.features, "ContentFactors")  # first, for it refuses what cannot be
        self._map(model.fit(train, catalog), train, content)

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        content = content_of(merged, self.catalog_, self.features, "ContentFactors")
        learned = copy(self.model_)  # only what ratings have taught is to be learned from
        learned._forget_derived()
        self._write(learned, self.mapped_, np.zeros((1, self._targets(learned).shape[1]), np.float32))
        self._map(learned._updated(merged, changed_users, changed_items), merged, content)

    def _map(self, model: Recommender, train: Interactions, content: ItemFeatures) -> None:
        """Fit the map to the items that ratings have taught the model, and give the others their factors."""
        assert isinstance(model, FactorModel)
        targets, taught = self._targets(model), model._known_items
        weights = np.where(taught, support(train), 0).astype(np.float64)
        self.mapped_ = (train.item_counts == 0) & content.known & bool(weights.any())
        if self.mapping == "ridge":
            self.feature_factors_: Array | None = Ridge(content.matrix, weights, self.regularization).solve(targets)
            self.feature_names_ = content.names
            found = np.asarray(content.matrix[self.mapped_] @ self.feature_factors_)
        else:
            wanted = np.flatnonzero(self.mapped_)
            settings = self.regularization, self.width, self.n_landmarks
            self.feature_factors_, self.feature_names_ = None, ()
            found = kernel_map(content, weights, targets, wanted, *settings)
        self._write(model, self.mapped_, found.astype(np.float32))
        self.model_ = model

    def _targets(self, model: Recommender) -> Array:
        """The factors of the items and, where they have some, their biases as a last column, float32."""
        assert isinstance(model, FactorModel)
        columns = [model.item_factors_, *([model.item_biases_[:, None]] if model._has_biases else [])]
        return np.hstack(columns)

    def _write(self, model: Recommender, items: Array, values: Array) -> None:
        """Give items (a mask) other factors and biases, in new arrays."""
        assert isinstance(model, FactorModel)
        factors, d = np.array(model.item_factors_), model.item_factors_.shape[1]
        factors[items] = values[:, :d]
        model.item_factors_ = factors
        if model._has_biases:
            biases = np.array(model.item_biases_)
            biases[items] = values[:, d]
            model.item_biases_ = biases
        if hasattr(model, "rated_"):  # how `SVD` tells which items have factors, for its own may all be 0
            known = np.array(model.rated_)
            known[items] = values.any(axis=1)
            model.rated_ = known
        model._forget_derived()
