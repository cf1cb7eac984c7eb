"""Bundles: a set of items that goes well together, and what would complete one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl

from coterie.data.vocabulary import Id
from coterie.errors import DataError, ParameterError, check_whole
from coterie.evaluation.evaluate import relevance_threshold
from coterie.kernels.memory import require_memory
from coterie.kernels.topk import top_k_row
from coterie.models.base import Recommender
from coterie.models.tables import id_list, id_series
from coterie.scenarios.bundle_value import Found, SetValue, best_set, greedy_set, guarantee
from coterie.scenarios.people import Person, profiles_of, require_opinions, scores_of, seen_by, standardized

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
Topics = Literal["genres", "neighbors"]
Method = Literal["exact", "greedy"]

# People at whose number what is said of a pair counts half.
_SUPPORT = 5


@dataclass(frozen=True)
class Bundle:
    """A set of items and what it is worth.

    Attributes
    ----------
    items : polars.DataFrame
        `item[, title], relevance, complementarity, diversity, value`: what the value would lose without the item, and
        of what; `given` says what was in the bundle from the beginning. In the order of choice.
    pairs : polars.DataFrame
        `item, other[, title, other_title], together` (people who liked both), `expected` (by chance), `complementarity`
        (positive NPMI), the strongest pair first; only pairs that are liked together more than by chance.
    value, relevance, complementarity, diversity : float
        f and its weighted parts, which add up to it.
    bound : float
        No other set of this size from these candidates is worth more.
    greedy_value : float
        What the greedy set is worth.
    guarantee : float
        The share of the best possible gain that the greedy set was sure to reach in advance; 0 where nothing is sure.
    n_candidates, n_sets : int
        Items to choose from, and sets that the search looked at.
    summary : str
    """

    items: pl.DataFrame
    pairs: pl.DataFrame = field(repr=False)
    value: float
    relevance: float
    complementarity: float
    diversity: float
    bound: float
    greedy_value: float
    guarantee: float
    n_candidates: int
    n_sets: int
    summary: str

    @property
    def gap(self) -> float:
        """How much more the best set may be worth; 0 where this is proven to be the best."""
        return max(0.0, self.bound - self.value)

    @property
    def proven(self) -> bool:
        """Whether no set is worth more."""
        return self.gap <= 1e-9


def bundle(
    model: Recommender,
    person: Person,
    size: int = 5,
    weights: tuple[float, float, float] = (1.0, 0.5, 0.5),
    topics: Topics | None = None,
    pool: int = 50,
    method: Method = "exact",
    candidates: Iterable[Id] | Id | None = None,
    max_nodes: int = 20_000,
) -> Bundle:
    r"""The set of `size` items that is worth most to a person, by the value f of `coterie.scenarios.bundle_value`.

    Relevance :math:`r_i` is the model's score, the person's lowest of what they have not rated as 0 and the highest as
    1. Complementarity of a pair is how much more often people like both than chance would have it, the positive part of
    the normalised pointwise mutual information (Bouma 2009), less where few like both:

    .. math:: c_{ij} = \frac{n_{ij}}{n_{ij} + 5} \max\Bigl(0, \frac{\log (n\, n_{ij} / (n_i n_j))}{-\log (n_{ij} / n)}
              \Bigr)

    with :math:`n_i, n_{ij}` the people who like i, and both, of the n who like anything: their rating is in the top
    quarter of the scale (`evaluation.relevance_threshold`). Diversity covers topics (El-Arini et al. 2009): genres,
    weighted by their shares in what the person rated, where an item has :math:`1/g` of each of its g genres; or
    "neighbors", where every candidate is a topic, and an item has of it the share :math:`n_{ij} / \sqrt{n_i n_j}`.

    Parameters
    ----------
    model : Recommender
        Fitted.
    person : id, or profile
        A known user or a stranger.
    size : int, at least 1
    weights : three floats, at least 0
        :math:`\alpha, \beta, \gamma` of relevance, complementarity and diversity.
    topics : {"genres", "neighbors"} or None
        None: genres where the catalog has any.
    pool : int
        The best items of the model among which the set is chosen.
    method : {"exact", "greedy"}
        Branch and bound (as far as `max_nodes` sets go: `Bundle.proven` says whether that sufficed), or greedy alone;
        both say what bound is known.
    candidates : item ids, or one, or None
        Choose among these instead, also what was rated.
    max_nodes : int

    Returns
    -------
    Bundle

    References
    ----------
    G. Bouma, "Normalized (pointwise) mutual information in collocation extraction", GSCL 2009.
    K. El-Arini, G. Veda, D. Shahaf and C. Guestrin, "Turning down the noise in the blogosphere", KDD 2009.
    W. Bai and J. Bilmes, "Greed is still good: maximizing monotone submodular+supermodular (BP) functions", ICML 2018.
    """
    model._fitted()
    profile, scores = _asked(model, person)
    chosen_from = _pool(model, profile, scores, pool, size, candidates)
    return _built(model, profile, scores, chosen_from, [], size, weights, topics, method, max_nodes)


def complete(
    model: Recommender,
    items: Iterable[Id] | Id,
    n: int = 3,
    person: Person | None = None,
    weights: tuple[float, float, float] = (1.0, 0.5, 0.5),
    topics: Topics | None = None,
    pool: int = 50,
    method: Method = "exact",
    max_nodes: int = 20_000,
) -> Bundle:
    """The n items that complete a bundle best, for a person or, without one, for somebody who likes what is in it.

    The rest is as in `bundle`; candidates are the model's best and, as many again, those that are liked together most
    with what is in the bundle, among what the person has not rated.
    """
    model._fitted()
    check_whole("n", n, 1)
    check_whole("pool", pool, 1)
    train = model.train_
    base = list(dict.fromkeys(train.items.indices(id_list(items)).tolist()))
    if not base:
        raise ParameterError("an empty bundle has nothing to complete; name an item, or use bundle")
    liked = dict.fromkeys(train.items.ids[base].tolist(), train.scale[1])
    profile, scores = _asked(model, liked if person is None else person)
    open_ = _open(profile, scores)
    open_[base] = False
    found = _best(scores[0], open_, pool)
    likes = _likes(model)
    beside = _complementarity(likes, np.array(base), np.arange(train.n_items))[0].max(axis=0)
    found = np.union1d(found, _best(beside, open_ & (beside > 0), pool))
    if not len(found):
        raise DataError("nothing is left that the model could add to this bundle")
    chosen_from = np.concatenate([np.array(base, np.int64), found])
    return _built(
        model, profile, scores, chosen_from, list(range(len(base))), len(base) + n, weights, topics, method, max_nodes
    )


def score_bundle(
    model: Recommender,
    items: Iterable[Id] | Id,
    person: Person | None = None,
    weights: tuple[float, float, float] = (1.0, 0.5, 0.5),
    topics: Topics | None = None,
) -> Bundle:
    """What a given set of items is worth, to a person or to somebody who likes what is in it."""
    model._fitted()
    train = model.train_
    own = np.array(list(dict.fromkeys(train.items.indices(id_list(items)).tolist())), np.int64)
    if not len(own):
        raise ParameterError("an empty bundle has no value; name an item")
    liked = dict.fromkeys(train.items.ids[own].tolist(), train.scale[1])
    profile, scores = _asked(model, liked if person is None else person)
    everything = list(range(len(own)))
    return _built(model, profile, scores, own, everything, len(own), weights, topics, "greedy", 1)


# ---- candidates -----------------------------------------------------------------------------------------


def _asked(model: Recommender, person: Person) -> tuple[sp.csr_matrix, Array]:
    profile, rows = profiles_of(model, [person])
    scores = scores_of(model, profile, rows)
    require_opinions(["this person"], scores)
    return profile, scores


def _open(profile: sp.csr_matrix, scores: Array) -> Array:
    return np.asarray(np.isfinite(scores[0]) & ~seen_by(profile)[0])


def _best(scores: Array, allowed: Array, k: int) -> Array:
    return top_k_row(np.where(allowed, scores, -np.inf).astype(np.float32), k).astype(np.int64)


def _pool(
    model: Recommender,
    profile: sp.csr_matrix,
    scores: Array,
    pool: int,
    size: int,
    candidates: Iterable[Id] | Id | None,
) -> Array:
    check_whole("size", size, 1)
    if candidates is not None:
        named = np.unique(model.train_.items.indices(id_list(candidates))).astype(np.int64)
        found: Array = named[np.isfinite(scores[0, named])]
    else:
        check_whole("pool", pool, 1)
        if pool < size:
            raise ParameterError(f"a bundle of {size} needs a pool of at least {size}, not {pool!r}")
        found = _best(scores[0], _open(profile, scores), pool)
    if not len(found):
        raise DataError("there is nothing that could be in the bundle: all was rated, or the model is silent about it")
    return found


# ---- the parts of the value ------------------------------------------------------------------------------


def _likes(model: Recommender) -> sp.csc_matrix:
    """bool-like csc (n_people, n_items): who likes what; only people who like anything."""
    train = model.train_
    matrix = train.to_scipy().copy()
    matrix.data = (matrix.data >= relevance_threshold(train)).astype(np.float32) if train.nnz else matrix.data
    matrix.eliminate_zeros()
    return matrix[np.diff(matrix.indptr) > 0].tocsc()


def _complementarity(likes: sp.csc_matrix, items: Array, others: Array) -> tuple[Array, Array, Array]:
    """c, the people who like both, and what chance would have: float64 (n, m) each."""
    require_memory(
        6 * 8 * len(items) * len(others), f"{len(items):,} x {len(others):,} pairs of items", "choose from fewer items"
    )
    n = max(1, likes.shape[0])
    both = np.asarray((likes[:, items].T @ likes[:, others]).toarray(), np.float64)
    counts = np.asarray(likes.sum(axis=0), np.float64).ravel()
    expected = np.outer(counts[items], counts[others]) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        npmi = np.log(both / expected) / -np.log(both / n)
    npmi = np.where((both > 0) & (both < n), npmi, 0.0)  # where all like both, it is by chance
    c = np.clip(np.nan_to_num(npmi), 0, 1) * both / (both + _SUPPORT)
    c[items[:, None] == others[None, :]] = 0
    return c, both, expected


def _topics(
    model: Recommender, profile: sp.csr_matrix, items: Array, topics: Topics | None, likes: sp.csc_matrix, both: Array
) -> tuple[Array, Array, Topics]:
    """a (n, n_topics) and w, and what topics are."""
    if topics is not None and topics not in get_args(Topics):
        raise ParameterError(f"topics must be one of 'genres', 'neighbors', not {topics!r}")
    catalog = model.catalog_
    if topics is None:
        topics = "genres" if catalog is not None and catalog.genres else "neighbors"
    if topics == "neighbors":
        counts = np.asarray(likes.sum(axis=0), np.float64).ravel()[items]
        scale = np.sqrt(np.outer(counts, counts))
        shares = np.divide(both, scale, out=np.zeros_like(both), where=scale > 0)
        np.fill_diagonal(shares, 1.0)
        return np.clip(shares, 0, 1), np.full(len(items), 1 / len(items)), topics
    from coterie.models.list_rules import genres_of

    genres = genres_of(model.train_, catalog, "the diversity of a bundle").shares
    own = np.asarray(genres[profile.indices].sum(axis=0)).ravel()
    if not own.any():  # nothing rated, or nothing with a genre: what everybody rated
        own = np.asarray(genres.multiply(model.train_.item_counts[:, None]).sum(axis=0)).ravel()
    return np.asarray(genres[items].toarray(), np.float64), own / max(own.sum(), 1e-30), topics


# ---- the bundle -----------------------------------------------------------------------------------------


def _built(
    model: Recommender, profile: sp.csr_matrix, scores: Array, items: Array, base: list[int], size: int,
    weights: tuple[float, float, float], topics: Topics | None, method: Method, max_nodes: int,
) -> Bundle:  # fmt: skip
    """The best bundle of `size` among `items` (row numbers) that has those at the places `base`."""
    _check_weights(weights)
    if method not in get_args(Method):
        raise ParameterError(f"method must be 'exact' or 'greedy', not {method!r}")
    likes = _likes(model)
    c, both, expected = _complementarity(likes, items, items)
    shares, topic_weights, topics = _topics(model, profile, items, topics, likes, both)
    r = standardized(scores, seen_by(profile))[0, items]
    size = min(size, len(items))
    f = SetValue.weighted(r, c, shares, topic_weights, size, weights)
    n = size - len(base)
    found = best_set(f, n, base, max_nodes) if method == "exact" else _greedy(f, n, base)
    places = [*base, *found.chosen]
    tables = _tables(model, f, items, places, len(base)), _pairs(model, items[places], *(
        part[np.ix_(places, places)] for part in (c, both, expected)
    ))  # fmt: skip
    relevance, complementarity, diversity = f.parts(places)
    summary = _summary(found, method, n, len(items) - len(base), topics, weights)
    return Bundle(
        *tables, found.value, relevance, complementarity, diversity, found.upper, found.greedy, found.guarantee,
        len(items) - len(base), found.nodes, summary,
    )  # fmt: skip


def _check_weights(weights: Any) -> None:
    """Refuse what are no three weights."""
    three = list(weights) if isinstance(weights, Iterable) else []
    if len(three) != 3 or not all(isinstance(w, Real) and 0 <= float(w) < np.inf for w in three) or not any(three):
        raise ParameterError(f"weights must be three numbers from 0, not all of them 0; got {weights!r}")


def _greedy(f: SetValue, n: int, base: Sequence[int]) -> Found:
    """The greedy set; the bound is that of the first node of the search, or of the guarantee if that is better."""
    chosen = tuple(greedy_set(f, n, base))
    value, start, sure = f.value([*base, *chosen]), f.value(base), guarantee(f, n, base)
    upper = best_set(f, n, base, max_nodes=1).upper
    if sure > 0:
        upper = min(upper, start + (value - start) / sure)
    return Found(chosen, value, max(upper, value), value, sure, 1)


def _tables(model: Recommender, f: SetValue, items: Array, places: list[int], n_given: int) -> pl.DataFrame:
    whole = f.parts(places)
    lost = [
        [all_ - part for all_, part in zip(whole, f.parts([p for p in places if p != place]), strict=True)]
        for place in places
    ]
    parts = np.array(lost).reshape(len(places), 3)
    names = ("relevance", "complementarity", "diversity")
    table = pl.DataFrame(
        [
            id_series("item", model.train_.items, items[places]),
            *(pl.Series(name, parts[:, at], pl.Float64) for at, name in enumerate(names)),
            pl.Series("value", parts.sum(axis=1), pl.Float64),
            pl.Series("given", np.arange(len(places)) < n_given, pl.Boolean),
        ]
    )
    return _title_second(model._with_titles(table, "item"))


def _title_second(table: pl.DataFrame) -> pl.DataFrame:
    return table.select("item", *(["title"] if "title" in table.columns else []), pl.exclude("item", "title"))


def _pairs(model: Recommender, items: Array, c: Array, both: Array, expected: Array) -> pl.DataFrame:
    one, other = np.triu_indices(len(items), 1)
    vocabulary = model.train_.items
    table = pl.DataFrame(
        [
            id_series("item", vocabulary, items[one]),
            id_series("other", vocabulary, items[other]),
            pl.Series("together", both[one, other], pl.Int64, strict=False),
            pl.Series("expected", expected[one, other], pl.Float64),
            pl.Series("complementarity", c[one, other], pl.Float64),
        ]
    )
    if model.catalog_ is not None:
        titles = [model.catalog_.titles(table[name]).alias(f"{name}_title") for name in ("item", "other")]
        table = table.with_columns(titles).rename({"item_title": "title"})
    return table.filter(pl.col("complementarity") > 0).sort("complementarity", descending=True, maintain_order=True)


def _summary(
    found: Found, method: Method, n: int, n_candidates: int, topics: Topics, weights: tuple[float, float, float]
) -> str:
    if n == 0:
        return f"The value of the set as it is; diversity covers {topics}."
    among = f"of {len(found.chosen)} among {n_candidates} candidates"
    if found.proven:
        how = f"No other set {among} is worth more"
        if method == "exact":
            how += f" (proven by looking at {found.nodes:,} sets)"
            if found.value - found.greedy > 1e-9:
                how += f"; the greedy set is worth {found.greedy:.3f}"
            else:
                how += "; the greedy set is as good"
    else:
        how = f"No set {among} is worth more than {found.upper:.3f}, {found.gap:.3f} more than this one"
    submodular = weights[1] == 0
    sure = (
        f" In advance, greedy is sure of {found.guarantee:.0%} of the best gain"
        + (", the value being submodular." if submodular else "; pairs make the value not submodular.")
        if found.guarantee > 0
        else " In advance, nothing is sure of greedy: pairs make the value not submodular, and some candidate has "
        "nothing to be said for it but its pairs."
    )
    return f"{how}.{sure}"
