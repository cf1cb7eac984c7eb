"""Item-based neighbourhood filtering: you rated what is like it so."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Id
from coterie.models.base import Recommender
from coterie.models.item_neighborhood import ItemNeighborhood
from coterie.models.neighborhood import NeighborhoodModel
from coterie.models.parameters import hyper_parameters
from coterie.models.weighting import weighted

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class ItemKNN(ItemNeighborhood, NeighborhoodModel):
    r"""Item-based neighbourhood filtering, in the module's four steps.

    1. Compute the similarity of item i to the other items,
    2. order the items by it; the first `model_size` of each item are kept, and what is further away is no
       neighbour (Sarwar et al., section 4.2: a smaller model is faster and a little less accurate; one as large
       as the catalogue is exact),
    3. select as neighbourhood :math:`N_u(i)` the `n_neighbors` nearest *among those kept that user u rated*,
    4. predict from the user's own ratings of them:

    .. math:: \hat r_{ui} = c_i + o_u + s_i \frac{\sum_{j \in N_u(i)} w_{ij} z_{uj}}{\sum_{j \in N_u(i)} |w_{ij}|},
              \qquad z_{uj} = \frac{r_{uj} - c_j - o_u}{s_j}

    with centre c, offset o, spread s and weight w by `aggregation` (see `Neighborhood`). Averaging over
    *all* similar items, rated or not, would count every unrated one as a rating of zero and predict far too
    low; taking the mean over what was rated, weighted by similarity, is the default. Lists are ranked by
    :math:`s_{ui} = \sum_{j \in N(i) \cap I_u} w_{ij} r_{uj}` over each item's `n_neighbors` nearest items
    :math:`N(i)` (with `normalize`, over :math:`\sum_{j \in N(i)} |w_{ij}|`), or, with ``ranking="rating"``, by
    :math:`\hat r_{ui}`. A new rating changes its item's similarity to every other, so `update` costs a fit.

    Attributes
    ----------
    neighbors_ : int32 (n_items, size)
        Each item's nearest items, nearest first; -1 where there are fewer. The size is the larger of `model_size`
        and `n_neighbors`, and at most n_items - 1.
    similarities_ : float32 (n_items, size)
        The measure's values; NaN where there are fewer.
    listed_ : int (n_listed,)
    listed_similarities_ : float32 (n_listed,)
    listed_starts_ : int64 (n_items + 1,)
        For each item, where it stands in others' lists: ``i * size + place``, increasing; and its
        similarity there.
    sum_weights_ : float32 CSR (n_items, n_items)
        The weights :math:`w_{ij}` of rated items j (rows) in the sums of items i (columns).
    centers_, spreads_ : float32 (n_items,)
    mean_, item_biases_ : the baseline that predicts where neighbours cannot

    References
    ----------
    B. Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001.
    M. Deshpande and G. Karypis, "Item-based top-N recommendation algorithms", ACM TOIS 22(1), 2004.
    """

    name: ClassVar[str] = "item-knn"
    update_equals_refit = True
    _update = Recommender._refit

    # ---- steps 1 and 2: similarity to the other items, in order; steps 3 and 4 are the base class's ------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        from coterie.similarity import neighbors  # the compiled half: needed to learn, not to serve

        self._fit_ratings(train)
        found = neighbors(
            weighted(train, self.weighting, "items"), self.measure, self._list_size, "items",
            self.reading, self.shrinkage, self.min_overlap, self.absolute,
        )  # fmt: skip
        self._fit_lists(found.indices, found.values)

    # ---- looking inside ----------------------------------------------------------------------------

    def mean_with_unrated_as_zero(self, item: Id) -> float:
        r"""What item-based filtering gives without step 3: a pitfall, kept so that it can be seen.

        .. math:: \frac{1}{|U_i| \, n} \sum_{u \in U_i} \sum_{j \in N(i)} r_{uj}, \qquad r_{uj} = 0
                  \text{ where } u \text{ has not rated } j

        over everyone :math:`U_i` who rated item i and its n = `n_neighbors` nearest items :math:`N(i)`, i itself
        the first of them. It is nobody's prediction, and far below every rating, because most of what it
        averages are ratings that were never given. `predict` averages over what a person did rate. NaN for an
        item that nobody rated.
        """
        train = self._fitted()
        row = train.items.index(item)
        near = self.neighbors_[row][: self.n_neighbors - 1]
        columns = np.concatenate([[row], near[near >= 0]])
        raters = train.by_item.indices[train.by_item.indptr[row] : train.by_item.indptr[row + 1]]
        given = train.to_scipy()[raters][:, columns]
        return float(given.sum(dtype=np.float64) / (len(raters) * len(columns))) if len(raters) else float("nan")
