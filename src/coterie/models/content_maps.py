"""From what items are about to their factors: the features that maps start from, and two maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import polars as pl

from coterie.content.features import ItemFeatures, Source, item_features
from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.kernels.memory import require_memory

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

#: The feature that every item has of which anything is known: what it maps to is the mean.
CONSTANT = "(any)"
ALL = "all"
YEARS = "years"
# What "all" stands for, in this order, as far as the catalog has it.
_KINDS = ("genres", "tags", "genome", YEARS)
# Years from one column to the next, and how far a year reaches.
_YEARS_APART = 5
# A tag of a single item tells nothing of another one.
_MIN_ITEMS = 2
# What is added to the diagonal of a kernel's equations, as a share of its mean.
_JITTER = 1e-9
_REMEDY = 'choose features="genres", which are few'


def content_of(train: Interactions, catalog: Catalog | None, features: str, who: str) -> ItemFeatures:
    r"""What maps start from: a constant, and for each kind of features rows of length 1, side by side.

    Rows have length 1 so that how *often* an item was tagged does not count: that would tell how popular it is, and of
    an item that nobody has rated nobody knows.

    Parameters
    ----------
    features : str
        Kinds joined by +, as in ``"genres+years"``; or ``"all"``: genres, tags, the genome and years, what of these
        there is. Tags of a single item are left out. Years have a column for every fifth year c from the first on, with
        :math:`\exp(-(y - c)^2 / (2 \cdot 5^2))` for the year y, so that years near each other are alike.
    who : str
        Whose errors these are.

    Returns
    -------
    ItemFeatures
        CSR, a row an item of `train`; a row of an item of which nothing is known is empty.

    Raises
    ------
    ParameterError
        There is no such kind.
    DataError
        The catalog has none of them.
    """
    import scipy.sparse as sp

    known = (*get_args(Source), YEARS)
    kinds = [kind.strip() for kind in features.split("+")]
    if kinds == [ALL]:
        kinds = _there(catalog)
        if not kinds:
            raise DataError(f"{who} needs a catalog with genres, tags, a tag genome or years; pass fit(train, catalog)")
    for kind in kinds:
        if kind not in known or kinds.count(kind) > 1:
            raise ParameterError(
                f"{who}: features must be {ALL!r}, or some of {', '.join(known)} joined by +, each once, "
                f"not {features!r}"
            )
    made = [_features(train, catalog, kind) for kind in kinds]
    has = np.any([part.known for part in made], axis=0) if made else np.zeros(train.n_items, bool)
    constant = sp.csr_matrix(has.astype(np.float32)[:, None])
    matrix = sp.hstack([constant, *(sp.csr_matrix(part.unit_rows()) for part in made)], format="csr", dtype=np.float32)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    names = [f"{part.source}: {name}" if len(made) > 1 else name for part in made for name in part.names]
    return ItemFeatures((CONSTANT, *names), matrix, features)


def _there(catalog: Catalog | None) -> list[str]:
    """The kinds of features that a catalog has."""
    if catalog is None:
        return []
    there = {
        "genres": bool(catalog.genres),
        "tags": catalog.tags is not None and not catalog.tags.is_empty(),
        "genome": catalog.genome is not None,
        YEARS: catalog.items["year"].count() > 0,
    }
    return [kind for kind in _KINDS if there[kind]]


def _features(train: Interactions, catalog: Catalog | None, kind: str) -> ItemFeatures:
    if kind != YEARS:
        return item_features(catalog, train.items, cast(Source, kind), _MIN_ITEMS if kind == "tags" else 1)
    if catalog is None or not catalog.items["year"].count():
        raise DataError("features from years need a catalog with years; leave years out, or load data that has them")
    rows = catalog.vocabulary.indices(train.items.ids, missing="skip")
    years = catalog.items["year"].cast(pl.Float64).to_numpy()
    own = np.where(rows >= 0, years[rows], np.nan)
    columns = np.arange(
        np.nanmin(years), np.nanmax(years) + 1, _YEARS_APART
    )  # of the catalog, whatever items  # of the catalog: the same for any items
    matrix = np.exp(-(((own[:, None] - columns) / _YEARS_APART) ** 2) / 2)
    names = tuple(f"about {int(year)}" for year in columns)
    return ItemFeatures(names, np.nan_to_num(matrix).astype(np.float32), YEARS)


@dataclass(frozen=True, eq=False)
class Ridge:
    r"""The W that minimises :math:`\sum_i a_i \|y_i - W^\top f_i\|^2 + \lambda \|W\|^2`, for any y.

    With fewer features than items

    .. math:: W = (F^\top A F + \lambda I)^{-1} F^\top A Y

    and with fewer items the same by :math:`W = F^\top A^{1/2} (A^{1/2} F F^\top A^{1/2} + \lambda I)^{-1} A^{1/2} Y`.
    The matrix is factorised once.

    Parameters
    ----------
    features : csr (n_items, n_features)
    weights : float (n_items,)
        a; items with 0 do not count.
    regularization : float above 0
    """

    features: sp.csr_matrix
    weights: Array
    regularization: float

    @cached_property
    def _rows(self) -> Array:
        counted = (np.asarray(self.weights) > 0) & (np.diff(self.features.indptr) > 0)
        return np.flatnonzero(counted)

    @cached_property
    def _scaled(self) -> sp.csr_matrix:
        """The features of the items that count, times the roots of their weights, float64."""
        import scipy.sparse as sp

        roots = np.sqrt(np.asarray(self.weights, np.float64)[self._rows])
        scaled: sp.csr_matrix = (sp.diags(roots) @ self.features[self._rows].astype(np.float64)).tocsr()
        return scaled

    @property
    def _dual(self) -> bool:
        return self._scaled.shape[0] < self._scaled.shape[1]

    @cached_property
    def _factor(self) -> Any:
        from scipy.linalg import cho_factor

        scaled, m = self._scaled, min(self._scaled.shape)
        require_memory(3 * 8 * m * m, f"a map from {scaled.shape[1]:,} features of {scaled.shape[0]:,} items", _REMEDY)
        matrix = (scaled @ scaled.T if self._dual else scaled.T @ scaled).toarray()
        matrix.flat[:: m + 1] += self.regularization
        return cho_factor(matrix, overwrite_a=True)

    def solve(self, targets: Array) -> Array:
        """W, float64 (n_features, k), for targets y (n_items, k)."""
        from scipy.linalg import cho_solve

        roots = np.sqrt(np.asarray(self.weights, np.float64)[self._rows])
        scaled = self._scaled
        wanted = roots[:, None] * np.asarray(targets[self._rows], np.float64)
        if not len(self._rows):
            return np.zeros((scaled.shape[1], targets.shape[1]))
        if self._dual:
            return np.asarray(scaled.T @ cho_solve(self._factor, wanted))
        return np.asarray(cho_solve(self._factor, scaled.T @ wanted))


def kernel_map(
    features: ItemFeatures, weights: Array, targets: Array, wanted: Array, regularization: float, width: float,
    n_landmarks: int,
) -> Array:  # fmt: skip
    r"""Targets of other items by kernel ridge regression, float64 (n_wanted, k).

    With :math:`k(f, g) = \exp(-\|f - g\|^2 / (2 h^2))`, the function :math:`y(f) = \sum_{m \in M} c_m k(f, f_m)` of
    landmarks M that minimises

    .. math:: \sum_i a_i \|y_i - y(f_i)\|^2 + \lambda \sum_{m, l \in M} c_m^\top c_l \, k(f_m, f_l)

    that is :math:`C = (K_{MN} A K_{NM} + \lambda K_{MM})^{-1} K_{MN} A Y`. Where all items that count are landmarks,
    that is kernel ridge regression itself. Targets are taken less their weighted mean, which is added again.

    Parameters
    ----------
    weights : float (n_items,)
        a; items with 0 do not count. The landmarks are the `n_landmarks` with the largest, ties by row number.
    targets : float (n_items, k)
    wanted : int (n_wanted,)
        Row numbers of the items to map.
    width : float
        h.
    """
    from scipy.linalg import cho_factor, cho_solve

    counted = np.flatnonzero((weights > 0) & features.known)
    if not len(counted) or not len(wanted):
        return np.zeros((len(wanted), targets.shape[1]))
    a = np.asarray(weights, np.float64)[counted]
    chosen = counted[np.sort(np.argsort(-a, kind="stable")[:n_landmarks])]
    m = len(chosen)
    require_memory(
        8 * m * (2 * len(counted) + len(wanted) + 4 * m),
        f"a kernel map with {m:,} landmarks", "choose a smaller n_landmarks",
    )  # fmt: skip
    y = np.asarray(targets[counted], np.float64)
    mean = a @ y / a.sum()
    across = _gaussian(features.matrix[counted], features.matrix[chosen], width)
    among = _gaussian(features.matrix[chosen], features.matrix[chosen], width)
    left = (across * a[:, None]).T @ across + regularization * among
    # landmarks with the same features make equal columns, and one of many solutions has to be chosen
    left.flat[:: m + 1] += _JITTER * np.trace(left) / m
    coefficients = cho_solve(cho_factor(left, overwrite_a=True), (across * a[:, None]).T @ (y - mean))
    return np.asarray(_gaussian(features.matrix[wanted], features.matrix[chosen], width) @ coefficients + mean)


def _gaussian(left: sp.csr_matrix, right: sp.csr_matrix, width: float) -> Array:
    """The kernel of all rows with all rows, float64."""
    products = np.asarray((left.astype(np.float64) @ right.astype(np.float64).T).toarray())
    squares = [np.asarray(part.multiply(part).sum(axis=1), np.float64).ravel() for part in (left, right)]
    distances = np.maximum(squares[0][:, None] + squares[1] - 2 * products, 0)
    return np.asarray(np.exp(distances / (-2 * width**2)))
