"""Critique: movies like this one, but less of this and more of that, as a conversation."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Self, get_args

import numpy as np
import polars as pl

from coterie.content.constraints import Constraints
from coterie.content.facts import ItemFacts, meant_name
from coterie.content.offers import offered_tags
from coterie.content.parts import Part, all_hold, parts_of
from coterie.content.tag_space import TagSpace, tag_space
from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Id
from coterie.errors import AmbiguousTitleError, DataWarning, ParameterError, UnknownIdError, check_whole
from coterie.kernels.topk import top_k_row

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
Direction = Literal["less", "more"]
Satisfaction = Literal["diminishing", "linear"]

# How soon more of a change stops to count for more: a change of 0.2 in relevance satisfies to 63 %, one of 0.5 to 92 %.
_STEEPNESS = 5.0


class Scorer(Protocol):
    """What a critique asks of a model: every fitted `coterie.Recommender` has it."""

    train_: Interactions
    catalog_: Catalog | None

    def score(self, profiles: sp.csr_matrix, users: Array | None = None) -> Array:
        """Scores, float32 (n, n_items), of profiles."""


class Step(NamedTuple):
    """A step of a conversation: an item and what was said of it."""

    start: Id
    title: str | None
    critiques: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Setting:
    """What stays the same in a conversation, in the order of ``space.items``."""

    catalog: Catalog
    space: TagSpace
    facts: ItemFacts
    satisfaction: Satisfaction
    seen: Array | None
    preference: Array | None


class Critique:
    r"""A conversation about items by tags of the genome: "like this one, but less violence, more special effects".

    It never changes: every step gives a new one, so any of them can be gone back to. An item j is scored against the
    start i under critiques of tags t in directions :math:`d_t` (+1 for more, -1 for less) by

    .. math:: s_j = \operatorname{sim}(i, j) \prod_t \sigma\bigl(\max(0, d_t (r_{jt} - r_{it}))\bigr), \qquad
       \sigma(x) = 1 - e^{-5 x} \ \text{or}\ x

    with the relevance r of a tag in [0, 1] and the weighted cosine of `TagSpace`. So what is recommended moves along
    every critiqued tag in the direction asked for and keeps the rest as far as it can. The diminishing σ lets a clear
    change do, and similarity decide among those; the linear one goes on asking for more.

    This follows the Movie Tuner of Vig, Sen and Riedl: similarity times the satisfaction of the critique, linear or
    diminishing, and tags offered by how they split the neighbours, by popularity and by diversity. That several
    critiques multiply, the smoothing of the weights, and the constants of `offered` are ours.

    Parameters
    ----------
    start : item id, or text
        Where to start. A text that is no id is a title as a person writes it; where several items may be meant and only
        one has a genome, that one, with a `DataWarning`.
    catalog : Catalog or None
        With a tag genome; None for that of `model`.
    model : fitted Recommender or None
        With a `user`, scores are multiplied by the share of items that the model scores no higher for them; an item
        about which it has nothing to say is not recommended. Its training ratings are those of `ratings`.
    user : user id, or {item: rating}, or None
        Whom to recommend to: what they rated is left out.
    ratings : Interactions or None
        For `user` and for constraints on numbers of ratings; None for those of `model`.
    satisfaction : {"diminishing", "linear"}

    Attributes
    ----------
    start : item id
    critiques : tuple of (tag, "less" or "more")
    previous : Critique or None
        The conversation a step before.

    Raises
    ------
    UnknownIdError
        The start, or a tag, is unknown, with the nearest that there are; or the genome lacks the start.
    DataError
        There is no tag genome.

    References
    ----------
    J. Vig, S. Sen and J. Riedl, "The tag genome: encoding community knowledge to support novel interaction", ACM
    Transactions on Interactive Intelligent Systems 2(3), 2012; "Navigating the tag genome", IUI 2011.
    """

    def __init__(
        self,
        start: Id,
        catalog: Catalog | None = None,
        *,
        model: Scorer | None = None,
        user: Id | Mapping[Id, float] | None = None,
        ratings: Interactions | None = None,
        satisfaction: Satisfaction = "diminishing",
    ) -> None:
        if satisfaction not in get_args(Satisfaction):
            raise ParameterError(f"satisfaction must be 'diminishing' or 'linear', not {satisfaction!r}")
        catalog = model.catalog_ if catalog is None and model is not None else catalog
        if catalog is None:
            raise ParameterError("a critique needs a catalog with a tag genome: Critique(start, dataset.catalog)")
        self._setting = _setting(catalog, model, user, ratings, satisfaction)
        self.start = self._found(start)
        self.critiques: tuple[tuple[str, Direction], ...] = ()
        self.previous: Self | None = None

    def __repr__(self) -> str:
        said = "".join(f".{direction}({tag!r})" for tag, direction in self.critiques)
        return f"Critique({self.title or self.start!r}){said}"

    # ---- what can be said ----------------------------------------------------------------------------

    def less(self, tag: str) -> Self:
        """The same with less of a tag; what was said of that tag before is taken back."""
        return self._said(tag, "less")

    def more(self, tag: str) -> Self:
        """The same with more of a tag; what was said of that tag before is taken back."""
        return self._said(tag, "more")

    def pick(self, item: Id) -> Self:
        """Go on from another item (an id or a title), of which nothing has been said yet."""
        return self._next(self._found(item), ())

    def undo(self) -> Self:
        """The conversation before the last `less`, `more` or `pick`."""
        if self.previous is None:
            raise ParameterError("nothing was said yet, so there is nothing to undo")
        return self.previous

    @property
    def title(self) -> str | None:
        """The title of the start."""
        title: str | None = self._setting.catalog.titles([self.start])[0]
        return title

    @property
    def history(self) -> tuple[Step, ...]:
        """From which items the conversation went, and what was said of each, the first one first."""
        steps: list[Step] = []
        now: Critique | None = self
        last: Critique | None = None
        while now is not None:
            if last is None or last.start != now.start or (now.critiques and not last.critiques):
                said = tuple(f"{direction} {tag}" for tag, direction in now.critiques)
                steps.append(Step(now.start, now.title, said))
            last, now = now, now.previous
        return tuple(reversed(steps))

    # ---- answers -------------------------------------------------------------------------------------

    def offered(self, n: int = 10) -> pl.DataFrame:
        r"""The tags most worth critiquing here, by what can be reached with them (see `offered_tags`).

        Returns
        -------
        polars.DataFrame
            `rank, tag, relevance` (to the start), `less`, `more` (how many of the 100 nearest items have clearly less
            or more of it) and `score`.
        """
        check_whole("n", n, 1)
        space = self._setting.space
        said = [space.places[tag] for tag, _ in self.critiques]
        return offered_tags(space, self._row, self._similarities, n, said)

    def recommend(self, k: int = 10, candidates: Iterable[Id] | Id | Constraints | None = None) -> pl.DataFrame:
        """The k best items, never one from which the conversation went.

        Parameters
        ----------
        k : int, at least 1
        candidates : item ids, or one, or Constraints, or None
            Only these items, or items that satisfy the constraints.

        Returns
        -------
        polars.DataFrame
            `rank, item, title, score, similarity`, with a model and a user `preference`, and for each critique a
            column such as ``less violence`` with the change of the tag's relevance.

        Raises
        ------
        NothingFitsError
            No item is what was asked for; the error says what to take back and what that would give.
        """
        check_whole("k", k, 1)
        setting, sims = self._setting, self._similarities
        constraints = candidates if isinstance(candidates, Constraints) else Constraints(among=candidates)
        changes = {f"{direction} {tag}": self._change(tag) for tag, direction in self.critiques}
        gains = [c if d == "more" else -c for c, (_, d) in zip(changes.values(), self.critiques, strict=True)]
        said = [Part(words, gain > 0, ("", words)) for words, gain in zip(changes, gains, strict=True)]
        usable = self._usable
        parts = [*said, *parts_of(constraints, setting.facts)]
        holds = all_hold(parts, setting.facts, constraints, sims, lambda: usable) & usable
        scores = sims.copy()
        for gain in gains:
            gain = np.maximum(gain, 0)
            scores *= gain if setting.satisfaction == "linear" else 1 - np.exp(-_STEEPNESS * gain)
        if setting.preference is not None:
            scores *= setting.preference
        scores[~holds] = -np.inf
        return self._table(top_k_row(scores, k), scores, changes)

    # ---- how ------------------------------------------------------------------------------------------

    def _found(self, item: Id) -> Id:
        """The item of the genome that an id, as it is or in writing, or a title means."""
        setting, known = self._setting, self._setting.catalog.vocabulary
        if isinstance(item, str) and item not in known:
            text = item.strip()
            written = known.kind == "int" and text.isdecimal() and int(text) in known
            item = int(text) if written else self._titled(text)
        known.index(item)
        if item not in setting.space.items:
            raise UnknownIdError(
                f"{setting.catalog.titles([item])[0] or 'item'} [{item}] has no tag genome; "
                f"{len(setting.space.items):,} of the {len(setting.catalog):,} items have one"
            )
        return item

    def _titled(self, text: str) -> Id:
        """The item that a title means; of several, the only one with a genome, which is said in a warning."""
        setting = self._setting
        try:
            return setting.catalog.find(text)
        except AmbiguousTitleError as error:
            there = [item for item in error.candidates if item in setting.space.items]
            if len(there) != 1:
                raise
            warnings.warn(
                f"{text!r} could be any of {len(error.candidates):,} titles; "
                f"{setting.catalog.titles(there)[0]} is taken, which alone has a tag genome",
                DataWarning,
                stacklevel=4,
            )
            return there[0]

    def _said(self, tag: str, direction: Direction) -> Self:
        if not isinstance(tag, str):
            raise ParameterError(f"tag must be a text, the name of a tag of the genome, not {tag!r}")
        known = meant_name(tag, self._setting.space.places, "tag of the genome")
        others = tuple(pair for pair in self.critiques if pair[0] != known)
        return self._next(self.start, (*others, (known, direction)))

    def _next(self, start: Id, critiques: tuple[tuple[str, Direction], ...]) -> Self:
        made = type(self).__new__(type(self))
        made._setting, made.start, made.critiques, made.previous = self._setting, start, critiques, self
        if start == self.start and "_similarities" in vars(self):
            vars(made)["_similarities"] = self._similarities
        return made

    @property
    def _row(self) -> int:
        return self._setting.space.items.index(self.start)

    @cached_property
    def _similarities(self) -> Array:
        return self._setting.space.similarities(self._row)

    @property
    def _usable(self) -> Array:
        """bool (n_items,): neither seen nor a start of the conversation, and something the model can speak of."""
        seen, preference, items = self._setting.seen, self._setting.preference, self._setting.space.items
        usable = np.ones(len(items), bool) if seen is None else ~seen
        if preference is not None:
            usable &= np.isfinite(preference)
        now: Critique | None = self
        while now is not None:
            usable[items.index(now.start)] = False
            now = now.previous
        return usable

    def _change(self, tag: str) -> Array:
        """How much more relevant a tag is to each item than to the start, float32 (n_items,)."""
        column = self._setting.space.relevance[:, self._setting.space.places[tag]]
        change: Array = column - column[self._row]
        return change

    def _table(self, rows: Array, scores: Array, changes: dict[str, Array]) -> pl.DataFrame:
        setting = self._setting
        text = setting.space.items.kind == "str"
        items = pl.Series("item", setting.space.items.ids[rows].tolist(), pl.String if text else pl.Int64)
        columns = {"score": scores, "similarity": self._similarities}
        if setting.preference is not None:
            columns["preference"] = setting.preference
        return pl.DataFrame(
            [
                pl.Series("rank", np.arange(1, len(rows) + 1), pl.Int32),
                items,
                setting.catalog.titles(items),
                *(pl.Series(name, values[rows], pl.Float32) for name, values in {**columns, **changes}.items()),
            ]
        )


def _setting(
    catalog: Catalog,
    model: Scorer | None,
    user: Id | Mapping[Id, float] | None,
    ratings: Interactions | None,
    satisfaction: Satisfaction,
) -> _Setting:
    space = tag_space(catalog)
    x = model.train_ if model is not None else ratings
    if x is None:
        if user is not None:
            raise ParameterError("what the user has rated is needed to leave it out; give model or ratings")
        return _Setting(catalog, space, ItemFacts(space.items, catalog), satisfaction, None, None)
    rows = x.items.indices(space.items.ids, missing="skip")
    rated = np.where(rows >= 0, x.item_counts[rows], 0) if x.n_items else np.zeros(len(rows), np.int64)
    facts = ItemFacts(space.items, catalog, rated)
    if user is None:
        return _Setting(catalog, space, facts, satisfaction, None, None)
    profile, known = _profile(user, x)
    there = np.zeros(x.n_items + 1, bool)  # the last one stands for items that nobody rated
    there[profile.indices] = True
    preference = None
    if model is not None:
        preference = _shares(model.score(profile, known)[0], rows)
    return _Setting(catalog, space, facts, satisfaction, there[rows], preference)


def _profile(user: Id | Mapping[Id, float], x: Interactions) -> tuple[sp.csr_matrix, Array | None]:
    """The ratings of a known user or a stranger as one row, and the row number of a known one."""
    import scipy.sparse as sp

    if not isinstance(user, Mapping):
        row = x.users.indices([user])
        return x.to_scipy()[row], row
    columns = x.items.indices(list(user))
    values = np.array(list(user.values()), np.float32)
    return sp.csr_matrix((values, (np.zeros(len(columns), int), columns)), shape=(1, x.n_items)), None


def _shares(scores: Array, rows: Array) -> Array:
    """For each of `rows` (-1: none) the share of them that is scored no higher, float32; NaN without a score."""
    own = np.where(rows >= 0, scores[rows], np.nan) if len(scores) else np.full(len(rows), np.nan)
    told = np.isfinite(own)
    ordered = np.sort(own[told])
    shares = np.full(len(rows), np.nan, np.float32)
    shares[told] = np.searchsorted(ordered, own[told], side="right") / max(1, len(ordered))
    return shares
