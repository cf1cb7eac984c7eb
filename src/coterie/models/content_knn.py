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
from coterie.models.neighborhood import AggregationParameter
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
    aggregation: AggregationParameter = "baseline"
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
        of_kind = {"genres": (self.fallback_, self.fallback_names_)}
        of_kind[self._kind] = self.features_, self.feature_names_
        shared = [shared_features(*of_kind[kind], item, other) for kind, other in zip(kinds, others, strict=True)]
        if self._kind != "genres":
            parts = parts.with_columns(pl.Series("by", kinds, pl.String))
        parts = parts.with_columns(pl.Series("shared", shared, _SHARED))
        parts = parts.select(pl.exclude("contribution"), "contribution")
        if not others:
            return base, parts, text
        first = int(parts["contribution"].abs().arg_max() or 0)
        liked = parts["contribution"][first] > 0 and parts["rating"][first] >= self.train_.mean
        why = "Because this person liked {}" if liked else f"They gave {{}} {parts['rating'][first]:g}"
        return (
            base,
            parts,
            f"{why.format(self._title(others[first]))}: {self._alike(shared[first], kinds[first])}. {text}",
        )

    def _title(self, item: int) -> str:
        id = self.train_.items.ids[item : item + 1].tolist()[0]
        return (None if self.catalog_ is None else self.catalog_.titles([id])[0]) or f"item {id}"

    def _alike(self, shared: list[Share], kind: Source) -> str:
        """What an item and a neighbour share, in words."""
        fallen_back = f" (by genres, as one of them has no {_LACKING[self._kind]})" if kind != self._kind else ""
        return in_words(shared, kind) + fallen_back


@hyper_parameters
class TagKNN(ContentKNN):
    r"""Recommend what is about the same as what a person liked, by tags: free ones, or those of the tag genome.

    .. math:: w_{ij} = \hat t_i \cdot \hat t_j, \qquad
              \hat t_i = \frac{t_i}{\sqrt{\|t_i\|^2 + \lambda \, \overline{\|t\|^2}}}

    the cosine of the items' features :math:`t_i`, shrunk by λ = `shrinkage`. With ``source="tags"`` these are the
    TF-IDF of free tags, :math:`\log(1 + c_{it}) \log(n / n_t)`, where :math:`c_{it}` people gave item i the tag t,
    spelling put right, and :math:`n_t` of n items have it; with ``"genome"`` the relevances in [0, 1]. With
    `adjusted` each feature's mean is taken away first, so that items are alike by what is unusual about both, and
    two that have both little of something are alike in that too. The genome, in which every item has something of
    every tag, gains most by it.

    **Without tags.** Where one of two items has no features, their genres are compared instead, and count

    .. math:: w_{ij} = c \, \hat g_i \cdot \hat g_j, \qquad
              c = \frac{1}{|P|} \sum_{i \in P} \frac{1}{|P_i|} \sum_{j \in P_i} \hat t_i \cdot \hat t_j, \qquad
              P_i = \{j \ne i : \hat g_j = \hat g_i\}

    where :math:`\hat g_i` are an item's genres by rarity, at length 1: c is how alike by tags an item is to others of
    the very same genres, averaged over the items P that have both and such others. So the two can stand in one list: a
    likeness by genres counts no more than the usual one of that kind, and what is known to be nearer comes before
    it. On MovieLens-20M (1,000 users), with the least squares slope in place of c, which a genome that has something of
    every tag drives up to 1, ndcg@10 by genome was 0.033. It is held within [0.001, 1], and 1 where no pair has both.
    `explain` says which of the two it was. An item that has neither is near to nothing: it has no score and is not
    recommended, and its rating is what the `BiasBaseline` predicts.

    Each item's `model_size` nearest are kept, all items of the data alike, rated or not; so an item that nobody has
    rated is recommended as any other (`Interactions.with_items` adds such items). Lists are ranked by :math:`s_{ui}
    = \sum_{j \in N(i) \cap I_u} w_{ij} r_{uj}` over each item's `n_neighbors` nearest :math:`N(i)`, and ratings
    predicted as in `ItemKNN`, by default as deviations from the `BiasBaseline`.

    On MovieLens (latest, small), ndcg@10 is 0.100 with a fifth of everybody's ratings held out (``each-user``;
    `Popularity` 0.155, `ItemKNN` 0.292), and 0.149 among items that nobody has rated (``new-items``, a fifth of them;
    `Popularity` 0.034, `ItemKNN` says nothing); without `shrinkage`, 0.050 and 0.112. Shrinkage holds back items with
    a tag or two, which are alike by chance; part of what it gains is that popular items have more tags, which an item
    that is really new has not.

    `update` takes new ratings in; new items that the catalog has get their neighbours, at the cost of a fit.

    Raises
    ------
    DataError
        There is no catalog, or it has no such tags.

    References
    ----------
    G. Salton and C. Buckley, "Term-weighting approaches in automatic text retrieval", IP&M 24(5), 1988.
    B. Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001 (adjusted cosine).
    J. Vig, S. Sen and J. Riedl, "The tag genome: encoding community knowledge to support novel interaction", ACM TiiS
    2(3), 2012.
    """

    name: ClassVar[str] = "tag-knn"
    n_neighbors: Annotated[int, Range(1, 100_000, help="most neighbours used", search=(20, 1000), log=True)] = 200
    source: Annotated[
        Literal["tags", "genome"], Range(help="what people wrote, or the relevances of the tag genome", search=False)
    ] = "tags"
    min_items: Annotated[int, Range(1, 1_000_000, help="fewest items of a free tag that counts", search=(1, 10))] = 2

    @property
    def _kind(self) -> Source:
        return self.source

    def _features(self, train: Interactions, catalog: Catalog | None) -> ItemFeatures:
        return item_features(catalog, train.items, self.source, self.min_items, self.adjusted)


@hyper_parameters
class GenreKNN(ContentKNN):
    r"""Recommend what is of the same genres as what a person liked.

    .. math:: w_{ij} = \hat g_i \cdot \hat g_j, \qquad g_{ik} = [i \text{ is of genre } k] \log(n / n_k)

    with :math:`\hat g_i` as :math:`\hat t_i` in `TagKNN`, whose formulas, `shrinkage` and `adjusted` these are: a
    genre that few of the n items have says more. Items of the same genres are all alike, and of these the first of
    the data are the neighbours; so this is a first guess about items of which nothing else is known, and a baseline
    for `TagKNN`. An item without genres has no score, and its rating is what the `BiasBaseline` predicts.

    Raises
    ------
    DataError
        There is no catalog, or it has no genres.
    """

    name: ClassVar[str] = "genre-knn"
    shrinkage: ShrinkageParameter = 0.0

    @property
    def _kind(self) -> Source:
        return "genres"

    def _features(self, train: Interactions, catalog: Catalog | None) -> ItemFeatures:
        return item_features(catalog, train.items, "genres", adjusted=self.adjusted)


def _no_features(n: int) -> ItemFeatures:
    import scipy.sparse as sp

    return ItemFeatures((), sp.csr_matrix(np.empty((n, 0), np.float32)))
