r"""Metrics of what lists are like beyond being right, one value a user, averaged over users with equal weight.

:math:`L_u` is the list of user u cut at k, :math:`P_u` their profile, and :math:`p_i` the popularity of item i: the
share of people who have rated it in training. A user whose list is empty, or who has nothing that the metric speaks of
(genres, two items to compare), has no value and does not count in the mean. What items are like is the same for all
models: it comes from the training data and the catalog, never from the model that is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.evaluation.metrics.base import Metric, PerUser, Ranking
from coterie.evaluation.metrics.context import N_FACTORS, Vectors
from coterie.kernels.parallel import blocks

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# The dense arrays of a block of users have about this size.
_BLOCK_BYTES = 32 << 20
# Steck blends so much of the profile's mix into the list's, so that a genre without an item costs a finite amount.
_BLEND = 0.01


def _mean_of_listed(items: Array, of_items: Array) -> tuple[Array, Array]:
    """The mean over each list of what each item has, float64 (n,), 0 for an empty list; and which lists have items."""
    there = items >= 0
    lengths = there.sum(axis=1)
    sums = np.where(there, of_items[items], 0).sum(axis=1)
    return sums / np.maximum(lengths, 1), lengths > 0


def novelty(ranking: Ranking, k: int) -> PerUser:
    r"""Mean self-information of the listed items, in bits: :math:`\frac{1}{|L_u|} \sum_{i \in L_u} -\log_2 p_i`
    (Zhou et al. 2010).

    Each bit more means that half as many people know an item. An item that nobody rated counts as if one person had,
    as in RecTools' ``MeanInvUserFreq``.
    """
    _, context = ranking.known()
    values, told = _mean_of_listed(ranking.items[:, :k], context.self_information)
    return PerUser(values, told.astype(np.float64))


def popularity_lift(ranking: Ranking, k: int) -> PerUser:
    r"""How much more popular lists are than profiles: :math:`\sum_u (q_u - p_u) \big/ \sum_u p_u`, with
    :math:`q_u = \frac{1}{|L_u|} \sum_{i \in L_u} p_i` and :math:`p_u = \frac{1}{|P_u|} \sum_{i \in P_u} p_i`
    (Abdollahpouri, Mansoury, Burke and Mobasher, "The connection between popularity bias, calibration, and fairness in
    recommendation", RecSys 2020).

    0 is what people are used to, 1 twice as popular; below 0 lists are less popular than profiles. A ratio of means
    over a group of users, as in the paper, so a user's own values are the two means.
    """
    users, context = ranking.known()
    listed, told = _mean_of_listed(ranking.items[:, :k], context.popularity)
    usual = context.profile_popularity[users]
    return _where(told & np.isfinite(usual), np.column_stack([listed, usual]))


def _lift(means: Array) -> Array:
    listed, usual = means[..., 0], means[..., 1]
    lift = np.full(np.shape(usual), np.nan)
    np.divide(listed - usual, usual, out=lift, where=usual > 0)
    return lift


def serendipity(ranking: Ranking, k: int) -> PerUser:
    r"""Share of the list that is relevant and not expected: :math:`\frac1k \sum_{j \le k} h_{uj} \, [i_{uj} \notin
    E_u]`, with the k most popular items that the profile does not have as the expected ones, :math:`E_u` (Ge,
    Delgado-Battenfeld and Jannach, "Beyond accuracy: evaluating recommender systems by coverage and serendipity",
    RecSys 2010, with popularity as the primitive model and relevant test items as the useful ones).

    It is `precision` without the hits that the list of most popular items has as well, so it is 0 for `Popularity`.
    """
    users, context = ranking.known()
    items = ranking.items[:, :k]
    unexpected = context.popularity_places[items] >= context.expected_places(k)[users][:, None]
    return PerUser((ranking.hits[:, :k] & unexpected).sum(axis=1) / k, np.ones(len(items)))


# ---- how different the items of a list are ---------------------------------------------------------------


def diversity_genre(ranking: Ranking, k: int) -> PerUser:
    r"""Mean distance of the pairs of a list by genres: :math:`\frac{2}{|L_u| (|L_u| - 1)} \sum_{i < j \in L_u} 1 -
    \cos(g_i, g_j)`, with :math:`g_i` 1 for the genres of item i and 0 for others (Ziegler et al. 2005 for the mean over
    pairs). Items without genres are left out."""
    return _diversity(ranking, k, ranking.known()[1].genre_vectors)


def diversity_genome(ranking: Ranking, k: int) -> PerUser:
    r"""As `diversity_genre`, by how relevant each tag is: :math:`1 - \cos(g_i, g_j)` with the row :math:`g_i` of item
    i in the tag genome. Items without a genome are left out. All tags are relevant a little, so distances are small."""
    return _diversity(ranking, k, ranking.known()[1].genome)


def diversity_factors(ranking: Ranking, k: int) -> PerUser:
    r"""As `diversity_genre`, by who rated the items and how: :math:`1 - \cos(v_i, v_j)`, with the training ratings of
    item i, zeros for the unrated, in their best approximation of 50 dimensions for :math:`v_i`: row i of
    :math:`V_k \Sigma_k`.

    These are the factors of one fixed decomposition, not those of the judged model, so that models are compared by
    the same distances. Items that nobody rated are left out.
    """
    return _diversity(ranking, k, ranking.known()[1].factor_vectors)


def _diversity(ranking: Ranking, k: int, vectors: Vectors) -> PerUser:
    """The squared length of the sum of n unit vectors is n plus the cosines of all ordered pairs of them."""
    items = ranking.items[:, :k]
    usable = (items >= 0) & (vectors.scale[items] > 0)
    n = usable.sum(axis=1)
    squares = np.empty(len(items))
    for start, stop in _user_blocks(len(items), vectors.matrix.shape[1]):
        rows = np.where(usable[start:stop], vectors.rows[items[start:stop]], -1)
        picked = _picks(rows, vectors.scale[items[start:stop]], vectors.matrix.shape[0])
        sums = _dense(picked @ vectors.matrix)
        squares[start:stop] = np.einsum("ij,ij->i", sums, sums, dtype=np.float64)
    told = n > 1
    likeness = (squares - n) / np.maximum(n * (n - 1), 1)
    return _where(told, np.maximum(1 - likeness, 0))  # rounding may go below


# ---- what the mix of a list is like ----------------------------------------------------------------------


def calibration(ranking: Ranking, k: int) -> PerUser:
    r"""How far the mix of genres in a list is from that in the profile: the Kullback-Leibler divergence
    :math:`\sum_g p_g \ln (p_g / \tilde q_g)`, in nats, with :math:`\tilde q = (1 - \alpha) q + \alpha p` and
    :math:`\alpha = 0.01` (Steck, "Calibrated recommendations", RecSys 2018).

    :math:`p_g` and :math:`q_g` are the shares of genre g in the items of profile and list: an item with three genres
    counts a third for each. All items of a profile count the same, whatever their rating, and so do all places of a
    list; items without genres are left out. 0 is the same mix; :math:`\ln 100` is the most, nothing in common.
    """
    users, context = ranking.known()
    items, mix = ranking.items[:, :k], context.genre_mix
    shares = context.genres
    usable = (items >= 0) & (np.diff(shares.indptr)[items] > 0)
    n = usable.sum(axis=1)
    values = np.zeros(len(items))
    for start, stop in _user_blocks(len(items), shares.shape[1]):
        rows = np.where(usable[start:stop], items[start:stop], -1)
        listed = _dense(_picks(rows, np.ones(rows.shape), shares.shape[0]) @ shares)
        listed /= np.maximum(n[start:stop], 1)[:, None]
        wanted = mix[users[start:stop]].toarray()
        blended = (1 - _BLEND) * listed + _BLEND * wanted
        ratio = np.divide(wanted, blended, out=np.ones_like(wanted), where=wanted > 0)
        values[start:stop] = (wanted * np.log(ratio)).sum(axis=1)
    told = (n > 0) & (np.diff(mix.indptr)[users] > 0)
    return _where(told, np.maximum(values, 0))


# ---- shared ----------------------------------------------------------------------------------------------


def _where(told: Array, values: Array) -> PerUser:
    """Values of those users who have one."""
    return PerUser(np.where(told if values.ndim == 1 else told[:, None], values, 0), told.astype(np.float64))


def _user_blocks(n: int, width: int) -> Any:
    return blocks(n, max(1, _BLOCK_BYTES // (8 * max(width, 1))))


def _picks(rows: Array, weights: Array, n: int) -> sp.csr_matrix:
    """A sparse matrix (len(rows), n) that adds up, for each list, the weighted `rows` (-1 for none) of another."""
    import scipy.sparse as sp

    kept = rows >= 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return sp.csr_matrix((weights[kept], rows[kept], indptr), shape=(len(rows), n))


def _dense(product: Any) -> Array:
    return np.asarray(product if isinstance(product, np.ndarray) else product.toarray())


_GENRES = frozenset({"genres"})

METRICS = (
    Metric("novelty", "ranking", novelty, True, "Novelty in bits", "mean self-information"),
    Metric(
        "popularity_lift", "ranking", popularity_lift, False, "Popularity lift",
        "mean popularity of lists against that of profiles", _lift,
    ),
    Metric("serendipity", "ranking", serendipity, True, "Serendipity", "hits that the k most popular items are not"),
    Metric(
        "diversity_genre", "ranking", diversity_genre, True, "Diversity by genre", "mean cosine distance of pairs",
        needs=_GENRES,
    ),
    Metric(
        "diversity_genome", "ranking", diversity_genome, True, "Diversity by tag genome",
        "mean cosine distance of pairs", needs=frozenset({"genome"}),
    ),
    Metric(
        "diversity_factors", "ranking", diversity_factors, True, "Diversity by who rates",
        f"mean cosine distance of pairs in {N_FACTORS} dimensions of the training ratings",
    ),
    Metric(
        "calibration", "ranking", calibration, False, "Distance of the genre mix from the profile's",
        "Kullback-Leibler divergence, alpha = 0.01", needs=_GENRES,
    ),
)  # fmt: skip
