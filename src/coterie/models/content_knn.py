"""TagKNN and GenreKNN: you rated what is about the same, so it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.content.features import ItemFeatures, Source, item_features
from coterie.content.likeness import Share, in_words, known_rows, nearest, shared_features, shrunk_rows, worth
from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.models.item_neighborhood import ItemNeighborhood
from coterie.models.parameters import Range, hyper_parameters

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
AdjustedParameter = Annotated[bool, Range(help="take each feature's mean away first (adjusted cosine)")]
ShrinkageParameter = Annotated[
    float,
    Range(0, help="trust in items of which little is known, in squared lengths of the usual item", search=(0.0, 10.0)),
]


# Each neighbour's part in an explanation: which features it shares with the item, and how much of the similarity.
_SHARED = pl.List(pl.Struct({"name": pl.String, "weight": pl.Float64}))
_LACKING = {"tags": "tags that count", "genome": "tag genome", "genres": "genres"}


@hyper_parameters
class ContentKNN(ItemNeighborhood):
    """What `TagKNN` and `GenreKNN` share: neighbours by what items are about.

    Attributes
    ----------
    features_ : float32 (n_items, n_features), dense or CSR
        What items are compared by, scaled so that the product of two rows is their similarity; zeros for an item of
        which there is nothing.
    feature_names_ : tuple of str
    fallback_ : float32 (n_items, n_genres), dense or CSR
        The genres by which items without features are compared, scaled in the same way; without columns where there
        is no fallback.
    fallback_names_ : tuple of str
    """

    needs_catalog = True
    shrinkage: ShrinkageParameter = 1.0
    adjusted: AdjustedParameter = False
    update_equals_refit = True

    # ---- what items are about ----------------------------------------------------------------------

    @property
    @abstractmethod
    def _kind(self) -> Source:
        """What items are compared by."""

    @abstractmethod
    def _features(self, train: Interactions, catalog: Catalog | None) -> ItemFeatures:
        """The features of this kind."""

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        features = self._features(train, catalog)
        self._fit_ratings(train)
        genres = _no_features(train.n_items)
        if self._kind != "genres" and catalog is not None and catalog.genres:
            genres = item_features(catalog, train.items, "genres", adjusted=self.adjusted)
        self.feature_names_, self.fallback_names_ = features.names, genres.names
        self.features_ = shrunk_rows(features, self.shrinkage)
        alike = genres.unit_rows()
        self.fallback_ = alike * np.float32(np.sqrt(worth(self.features_, alike)))
        self._fit_lists(*nearest(self.features_, self.fallback_, self._list_size))

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        if merged.n_items > self.train_.n_items:
            self._fit(merged, self.catalog_)
        else:  # what items are about, and so their lists, are as before
            self._fit_ratings(merged)

    # ---- looking inside ----------------------------------------------------------------------------

    def _explain_sum(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        return self._with_shared(item, *super()._explain_sum(profile, user, item))

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        return self._with_shared(item, *super()._explain_rating(profile, user, item))

    def _with_shared(self, item: int, base: float, parts: pl.DataFrame, text: str) -> tuple[float, pl.DataFrame, str]:
        """An explanation with what each neighbour shares with the item, and the strongest of it in words."""
        others: list[int] = parts["item_index"].to_list()
        known = known_rows(self.features_[[item, *others]])
        kinds: list[Source] = [self._kind if known[0] and one else "genres" for one in known[1:]]
        of_kind = {"genres": (self.fallback_, self.fallback_names_), self._kind: (self.features_, self.feature_names_)}
        shared = [shared_features(*of_kind[kind], item, other) for kind, other in zip(kinds, others, strict=True)]
        parts = parts.with_columns(pl.Series("by", kinds, pl.String), pl.Series("shared", shared, _SHARED))
        parts = parts.select(pl.exclude("contribution"), "contribution")
        if not others:
            return base, parts, text
        first = int(parts["contribution"].abs().arg_max() or 0)
        return base, parts, f"{self._reason(others[first], parts['rating'][first], shared[first], kinds[first])} {text}"

    def _reason(self, other: int, rating: float, shared: list[Share], kind: Source) -> str:
        """Why one neighbour counts, in words."""
        id = self.train_.items.ids[other : other + 1].tolist()[0]
        title = (None if self.catalog_ is None else self.catalog_.titles([id])[0]) or f"item {id}"
        liked = f"Because this person liked {title}" if rating >= self.train_.mean else f"They gave {title} {rating:g}"
        fallen_back = f" (by genres, as one of them has no {_LACKING[self._kind]})" if kind != self._kind else ""
        return f"{liked}: {in_words(shared, kind)}{fallen_back}."


@hyper_parameters
class TagKNN(ContentKNN):
    name: ClassVar[str] = "tag-knn"
    source: Annotated[
        Literal["tags", "genome"], Range(help="what people wrote, or the relevances of the tag genome", search=False)
    ] = "tags"
    min_items: Annotated[int, Range(1, 1_000_000, help="fewest items of a free tag that counts", search=(1, 10))] = 2

    def _features(self, train: Interactions, catalog: Catalog | None) -> ItemFeatures:
        return item_features(catalog, train.items, self.source, self.min_items, self.adjusted)

    @property
    def _kind(self) -> Source:
        return self.source


@hyper_parameters
class GenreKNN(ContentKNN):
    name: ClassVar[str] = "genre-knn"

    def _features(self, train: Interactions, catalog: Catalog | None) -> ItemFeatures:
        return item_features(catalog, train.items, "genres", adjusted=self.adjusted)

    @property
    def _kind(self) -> Source:
        return "genres"


def _no_features(n: int) -> ItemFeatures:
    import scipy.sparse as sp

    return ItemFeatures((), sp.csr_matrix((n, 0), dtype=np.float32))
