"""Recommendations for several people at once, with what each of them would think of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import polars as pl

from coterie.errors import DataError, ParameterError
from coterie.models.base import Candidates, Recommender
from coterie.models.tables import check_length, id_series
from coterie.scenarios.people import (
    Person,
    names_of,
    profiles_of,
    ratings_of,
    scores_are_ratings,
    scores_of,
    seen_by,
    silent_about,
    standardized,
)

Array = np.ndarray[Any, np.dtype[Any]]
Strategy = Literal["average", "least_misery", "most_pleasure", "fair"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
#: Which items are left out: what anybody has rated, what all have rated, or nothing.
Seen = Literal["anybody", "everybody", "nobody"]


@dataclass(frozen=True)
class GroupRecommendation:
    """A list for a group.

    Attributes
    ----------
    items : polars.DataFrame
        `rank, item[, title], score`, and for each member, under their name, what they would think of it (`opinion`
        below).
    opinions : polars.DataFrame
        One row an item and member: `rank` of the item in the group's list, `item[, title], member, utility` in [0, 1],
        `rating` (predicted; null where the model predicts none), `own_rank` (the place of the item in the member's own
        list, among what the group may be recommended), `rated` (what the member gave it, null where nothing).
    members : polars.DataFrame
        One row a member: `member`, mean, lowest and highest `utility` over the list, and `in_own_top`, how many items
        of the list are in the member's own list of the same length.
    strategy : str
    of : {"rating", "score"}
        What utilities are made of.
    summary : str
    """

    items: pl.DataFrame
    opinions: pl.DataFrame = field(repr=False)
    members: pl.DataFrame = field(repr=False)
    strategy: Strategy
    of: Literal["rating", "score"]
    summary: str


class _Group(NamedTuple):
    """Members by row: names (n), utilities (n, n_items), what each has rated (n, n_items), candidates, and the names of
    those who count by popularity."""

    names: list[str]
    utilities: Array
    given: Array
    allowed: Array
    profiles: Any
    rows: Array
    of: Literal["rating", "score"]
    unknown: list[str]


def recommend_to_group(
    model: Recommender,
    members: Mapping[str, Person] | Sequence[Person],
    k: int = 10,
    strategy: Strategy = "fair",
    exclude_seen: Seen = "anybody",
    of: Literal["rating", "score"] | None = None,
    candidates: Candidates = None,
) -> GroupRecommendation:
    r"""The k items that suit several people best.

    Each member m has a utility :math:`u_{mi} \in [0, 1]` of each item (below), and the strategy makes one list of them
    (Masthoff 2011):

    ``"average"``
        the largest :math:`\frac1n \sum_m u_{mi}`: best in sum, and a minority may be outvoted at every place.
    ``"least_misery"``
        the largest :math:`\min_m u_{mi}`, the mean among equals: nobody is to suffer.
    ``"most_pleasure"``
        the largest :math:`\max_m u_{mi}`, the mean among equals: somebody is to be delighted.
    ``"fair"``
        the list S as a whole with the largest smooth Nash welfare :math:`F(S) = \sum_m \log\bigl(1 + \sum_{i \in S}
        u_{mi}\bigr)` (Fain, Munagala and Shah 2018): who got less so far counts for more at the next place. Each item
        is the one with the largest gain. F is monotone and submodular (a concave function of a sum for each member), so
        this greedy list reaches at least :math:`1 - 1/e` of the best F of any list of its length (Nemhauser, Wolsey and
        Fisher 1978), and so does every beginning of it for its own length.

    Parameters
    ----------
    model : Recommender
        Fitted.
    members : names to people, or people
        A person is the id of a known user or a stranger's profile ``{item: rating}``. For somebody of whom the model
        has nothing to say, as for a profile without ratings, the score of an item is the number of people who rated it:
        they count as one who likes what most have rated, and the summary names them.
    k : int, at least 1
    strategy : {"average", "least_misery", "most_pleasure", "fair"}
    exclude_seen : {"anybody", "everybody", "nobody"}
        Leave out what anybody has rated, only what everybody has, or nothing. Where a list may hold what a member has
        rated, the member's utility is that of the model, too: `rated` in the table tells what they gave it.
    of : {"rating", "score"} or None
        What utilities are made of. ``"rating"``: predicted ratings, with the lowest rating of the data as 0 and the
        highest as 1, which can be compared between people. ``"score"``: scores, with the member's lowest of what
        they have not rated as 0 and the highest as 1; an item of which the model says nothing counts 0. None: ratings
        where the model's scores are its predicted ratings, else scores.
    candidates : item ids, or one, or Constraints, or None
        Only these items, or items that satisfy the constraints, may be recommended.

    Returns
    -------
    GroupRecommendation

    Raises
    ------
    UnknownIdError
        A member or a candidate is not known.
    NothingFitsError
        No item satisfies the constraints.
    CapabilityError
        ``of="rating"`` with a model that predicts none.

    References
    ----------
    J. Masthoff, "Group recommender systems: combining individual models", Recommender Systems Handbook, 2011.
    B. Fain, K. Munagala and N. Shah, "Fair allocation of indivisible public goods", EC 2018, section 2.
    G. Nemhauser, L. Wolsey and M. Fisher, "An analysis of approximations for maximizing submodular set functions",
    Mathematical Programming 14, 1978.
    """
    model._fitted()
    check_length(k)
    _check(strategy, STRATEGIES, "strategy")
    group = _gathered(model, members, exclude_seen, of, candidates)
    chosen, scores = choose(np.where(group.allowed, group.utilities, np.nan), k, strategy)
    return _told(model, group, chosen, scores, strategy)


def compare_strategies(
    model: Recommender,
    members: Mapping[str, Person] | Sequence[Person],
    k: int = 10,
    exclude_seen: Seen = "anybody",
    of: Literal["rating", "score"] | None = None,
    candidates: Candidates = None,
) -> pl.DataFrame:
    """What each strategy means for a group: `strategy`; mean utility over the list of the average member (`mean`), of
    the worst off (`worst_off`) and the best off (`best_off`); the `lowest` utility that anybody has of any item."""
    model._fitted()
    check_length(k)
    group = _gathered(model, members, exclude_seen, of, candidates)
    rows = []
    for strategy in STRATEGIES:
        chosen, _ = choose(np.where(group.allowed, group.utilities, np.nan), k, strategy)
        of_list = group.utilities[:, chosen]
        means = of_list.mean(axis=1) if len(chosen) else np.full(len(of_list), np.nan)
        lowest = float(of_list.min()) if len(chosen) else np.nan
        rows.append((strategy, float(means.mean()), float(means.min()), float(means.max()), lowest))
    return pl.DataFrame(rows, ["strategy", "mean", "worst_off", "best_off", "lowest"], orient="row")


def choose(utilities: Array, k: int, strategy: Strategy) -> tuple[Array, Array]:
    """The k best columns of utilities (n_members, n_items), NaN in those that may not be chosen; and their scores.

    Scores are the mean, the least and the greatest utility, and for ``"fair"`` the gain in F. Ties go to the smaller
    column.
    """
    means = utilities.mean(axis=0)
    open_ = np.flatnonzero(np.isfinite(means))
    own = utilities[:, open_]
    if strategy == "fair":
        places, gains = _fair(own, k)
        return open_[places], gains
    first: Array = means[open_]
    if strategy != "average":
        first = own.min(axis=0) if strategy == "least_misery" else own.max(axis=0)
    order = np.lexsort((open_, -means[open_], -first))[:k]
    return open_[order], first[order]


def _fair(utilities: Array, k: int) -> tuple[Array, Array]:
    """Greedy smooth Nash welfare: places and gains."""
    totals = np.ones(len(utilities))
    free = np.ones(utilities.shape[1], bool)
    chosen, gains = [], []
    for _ in range(min(k, utilities.shape[1])):
        gain = np.where(free, np.log1p(utilities / totals[:, None]).sum(axis=0), -np.inf)
        best = int(gain.argmax())
        free[best] = False
        totals += utilities[:, best]
        chosen.append(best)
        gains.append(float(gain[best]))
    return np.array(chosen, np.int64), np.array(gains)


def nash_welfare(utilities: Array) -> float:
    r"""Smooth Nash welfare :math:`\sum_m \log(1 + \sum_i u_{mi})` of a list, utilities (n_members, n)."""
    return float(np.log1p(utilities.sum(axis=1)).sum())


# ---- who they are and what they think -------------------------------------------------------------------


def _gathered(
    model: Recommender,
    members: Mapping[str, Person] | Sequence[Person],
    exclude_seen: Seen,
    of: Literal["rating", "score"] | None,
    candidates: Candidates,
) -> _Group:
    _check(exclude_seen, get_args(Seen), "exclude_seen")
    if of is not None:
        _check(of, ("rating", "score"), "of")
    names, people = names_of(members)
    profiles, rows = profiles_of(model, people)
    scores = scores_of(model, profiles, rows)
    silent = silent_about(scores)
    told = np.flatnonzero(~silent)
    if of is None:
        by_rating = len(told) > 0 and scores_are_ratings(model, profiles[told], rows[told], scores[told])
    else:
        by_rating = of == "rating"
    counts = model.train_.item_counts
    scores[silent] = np.where(counts > 0, counts, np.nan)
    anybody = np.asarray(np.isfinite(scores).any(axis=0))
    given: Array = seen_by(profiles)
    utilities = _by_rating(model, profiles, rows) if by_rating else standardized(scores, given)
    left_out = {"anybody": given.any(axis=0), "everybody": given.all(axis=0), "nobody": np.zeros(given.shape[1], bool)}
    allowed: Array = anybody & ~np.asarray(left_out[exclude_seen])
    wanted = model._allowed(candidates)
    if wanted is not None:
        allowed &= wanted
    unknown = [name for name, is_silent in zip(names, silent, strict=True) if is_silent]
    return _Group(names, utilities, given, allowed, profiles, rows, "rating" if by_rating else "score", unknown)


def _by_rating(model: Recommender, profiles: Any, rows: Array) -> Array:
    low, high = model.train_.scale
    if low == high:
        raise DataError(f"every rating of the data is {low:g}, so predicted ratings tell nothing; use of='score'")
    ratings = ratings_of(model, profiles, rows, np.arange(model.train_.n_items))
    return np.asarray(np.nan_to_num((ratings.astype(np.float64) - low) / (high - low)))


def _check(value: Any, known: Sequence[str], what: str) -> None:
    if value not in known:
        raise ParameterError(f"{what} must be one of {', '.join(map(repr, known))}, not {value!r}")


# ---- the tables -----------------------------------------------------------------------------------------


def _told(model: Recommender, group: _Group, chosen: Array, scores: Array, strategy: Strategy) -> GroupRecommendation:
    train, n, k = model.train_, len(group.names), len(chosen)
    items = pl.DataFrame(
        [
            pl.Series("rank", np.arange(1, k + 1), pl.Int32),
            id_series("item", train.items, chosen),
            pl.Series("score", scores, pl.Float64),
        ]
    )
    items = model._with_titles(items, "item")
    titled = [name for name in items.columns if name != "score"]
    ratings = ratings_of(model, group.profiles, group.rows, chosen) if model.predicts_ratings and k else None
    rated = np.where(group.given[:, chosen], group.profiles[:, chosen].toarray(), np.nan) if k else np.empty((n, 0))
    opinions = pl.concat([items.select(titled)] * n).with_columns(
        pl.Series("member", np.repeat(group.names, k).tolist(), pl.String),
        pl.Series("utility", group.utilities[:, chosen].ravel(), pl.Float64),
        pl.Series("rating", [None] * (n * k) if ratings is None else ratings.ravel(), pl.Float32),
        pl.Series("own_rank", own_ranks(group.utilities, group.allowed, chosen).ravel(), pl.Int64),
        pl.Series("rated", rated.ravel(), pl.Float32).fill_nan(None),
    )
    shown = "rating" if model.predicts_ratings and group.of == "rating" else "utility"
    columns = [
        opinions.filter(pl.col("member") == name).get_column(shown).alias(_free(name, titled)) for name in group.names
    ]
    members = opinions.group_by("member", maintain_order=True).agg(
        pl.col("utility").mean().alias("mean"),
        pl.col("utility").min().alias("lowest"),
        pl.col("utility").max().alias("highest"),
        (pl.col("own_rank") <= k).sum().alias("in_own_top"),
    )
    items = items.select(*titled, "score").with_columns(columns)
    return GroupRecommendation(items, opinions, members, strategy, group.of, _summary(group, members, strategy, k))


def _free(name: str, taken: Sequence[str]) -> str:
    """A column's name for a member who is called as another column is."""
    return f"{name} (member)" if name in (*taken, "score") else name


def own_ranks(utilities: Array, allowed: Array, chosen: Array) -> Array:
    """Place from 1 of each chosen column in each row's order of the allowed ones, equal ones sharing the best."""
    ranks = np.empty((len(utilities), len(chosen)), np.int64)
    for place, item in enumerate(chosen):
        ranks[:, place] = (utilities[:, allowed] > utilities[:, item : item + 1]).sum(axis=1) + 1
    return ranks


_MEANS = {
    "average": "Each item has the best mean over all members.",
    "least_misery": "Each item is the best for whoever likes it least.",
    "most_pleasure": "Each item is the best for whoever likes it most.",
    "fair": "Whoever got less of the list so far counts for more at the next place.",
}


def _summary(group: _Group, members: pl.DataFrame, strategy: Strategy, k: int) -> str:
    if not k:
        return "Nothing is left to recommend to this group."
    ordered = members.sort("mean", maintain_order=True)
    worst, best = ordered.row(0, named=True), ordered.row(-1, named=True)
    scale = "of the way from the lowest rating to the highest" if group.of == "rating" else "of their best score"
    who = (
        f" Over the list {worst['member']} is served least, {worst['mean']:.0%} {scale} on average, and "
        f"{best['member']} best, {best['mean']:.0%}."
        if len(members) > 1
        else ""
    )
    return _MEANS[strategy] + who + _unknown(group)


def _unknown(group: _Group) -> str:
    """Who counts by popularity, in a sentence; nothing where nobody does."""
    if not group.unknown:
        return ""
    names = group.unknown
    whom = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    s = "s" if len(names) == 1 else ""
    if group.of == "rating":
        return f" Nothing is known of {whom}, who count{s} with the ratings that are predicted for anybody."
    return f" Nothing is known of {whom}, who count{s} by popularity: as liking what most people have rated."
