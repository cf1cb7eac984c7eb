"""Constraints taken apart: which items each part leaves, and what to give up where together they leave none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from coterie.content.constraints import Constraints
from coterie.content.facts import ItemFacts
from coterie.data.vocabulary import Id
from coterie.data.wording import counted
from coterie.errors import NothingFitsError

Array = np.ndarray[Any, np.dtype[Any]]
#: A part that asks for less: in words, and as constraints (None where it is none of theirs).
Looser = tuple[str, Constraints | None]

# Titles and relaxations that an error shows.
_TITLES, _SHOWN = 3, 3
# More people than there are; NumPy compares no larger numbers with counts.
_EVERYBODY = 1 << 30


@dataclass(frozen=True, eq=False)
class Part:
    """One condition of several.

    Attributes
    ----------
    words : str
        What it asks.
    holds : bool (n_items,)
        Of which items it is true.
    key : (str, Any)
        The field of `Constraints`, and which of its entries; an empty field where it is none of theirs.
    loosened : callable or None
        What it would have to be for the nearest of some items (row numbers) to satisfy it; None if nothing would do.
    """

    words: str
    holds: Array
    key: tuple[str, Any]
    loosened: Callable[[Array], Looser | None] | None = None


@dataclass(frozen=True)
class Relaxation:
    """What to give up, and what that would give.

    Attributes
    ----------
    leave_out : tuple of str
        The conditions to leave out, in words.
    n_items : int
        How many items there are without them.
    items : tuple of ids
        Some of these items.
    titles : tuple of str
        Their titles, where known.
    constraints : Constraints or None
        The constraints without these conditions.
    instead : str
        The nearest condition in the place of the one left out, in words; empty where there is none.
    instead_constraints : Constraints or None
        The constraints with that one.
    """

    leave_out: tuple[str, ...]
    n_items: int
    items: tuple[Id, ...]
    titles: tuple[str, ...]
    constraints: Constraints | None = None
    instead: str = ""
    instead_constraints: Constraints | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        said = {name: getattr(self, name) for name in ("constraints", "instead_constraints")}
        return {
            "leave_out": list(self.leave_out),
            "n_items": self.n_items,
            "items": list(self.items),
            "titles": list(self.titles),
            "instead": self.instead or None,
            **{name: None if value is None else value.to_dict() for name, value in said.items()},
        }

    def __str__(self) -> str:
        names = ", ".join(self.titles or map(str, self.items)) + (", ..." if self.n_items > len(self.items) else "")
        left_out = " and ".join(f"'{words}'" for words in self.leave_out)
        instead = f", the nearest already with '{self.instead}'" if self.instead else ""
        return f"without {left_out} {self.n_items:,} item{'' if self.n_items == 1 else 's'} ({names}){instead}"


def satisfying(constraints: Constraints, facts: ItemFacts, within: Callable[[], Array] | None = None) -> Array:
    """bool (n_items,): which items satisfy the constraints. Where none does, `within` gives of which items, bool
    (n_items,), an error may speak.

    Raises
    ------
    NothingFitsError
        None does; the error says what to relax and what that would give.
    UnknownIdError
        A genre, a tag or an item is unknown.
    DataError
        What is asked for is not known of any item: there is no catalog, no genome, no tags.
    """
    parts = list(parts_of(constraints, facts))
    holds = all_hold(parts, facts, constraints, within=within)
    if not holds.any():
        asked = "; ".join(part.words for part in parts)
        raise NothingFitsError(f"no item satisfies all of: {asked}; and nothing else could be recommended here either")
    return holds


def all_hold(
    parts: Sequence[Part],
    facts: ItemFacts,
    constraints: Constraints,
    order: Array | None = None,
    within: Callable[[], Array] | None = None,
) -> Array:
    """Where all parts hold; `NothingFitsError` where there is no such item.

    `order` (n_items,) says which items an error shows first; without it the most rated ones. `within` gives of which
    items, bool (n_items,), it may speak; where there are none of these, there is no error.
    """
    holds = np.ones(len(facts.items), bool)
    for part in parts:
        holds &= part.holds
    if holds.any():
        return holds
    usable = None if within is None else within()
    if usable is not None and not usable.any():
        return holds
    asked = "; ".join(part.words for part in parts)
    if not len(holds):
        raise NothingFitsError(f"there are no items, so none satisfies {asked or 'anything'}")
    found = relaxations(parts, facts, constraints, order, usable)
    n, shown = len(found[0].leave_out), "; or ".join(map(str, found[:_SHOWN]))
    remedy = "Relax one" if n == 1 else f"No single one is to blame; relax {n} together"
    raise NothingFitsError(f"no item satisfies all of: {asked}. {remedy}: {shown}", tuple(found))


def relaxations(
    parts: Sequence[Part],
    facts: ItemFacts,
    constraints: Constraints,
    order: Array | None = None,
    within: Array | None = None,
) -> list[Relaxation]:
    """The smallest sets of parts without which there are items, those that give most items first.

    An item fails some parts; without these it would do. So the smallest sets are those of the items that fail fewest.
    """
    fails = ~np.stack([part.holds for part in parts], axis=1)  # (n_items, n_parts)
    failed = fails.sum(axis=1)
    if within is not None:
        failed[~within] = len(parts) + 1
    nearest = np.flatnonzero(failed == failed.min())
    patterns, which = np.unique(fails[nearest], axis=0, return_inverse=True)
    which = which.reshape(-1)  # NumPy 2.0 gives it another shape
    if order is None:
        order = facts.counts if facts.has_counts else np.zeros(len(fails))
    found = []
    for place, pattern in enumerate(patterns):
        gained = nearest[which == place]
        gained = gained[np.argsort(-order[gained], kind="stable")]
        found.append(_relaxation([parts[j] for j in np.flatnonzero(pattern).tolist()], gained, facts, constraints))
    return sorted(found, key=lambda relaxation: -relaxation.n_items)


def _relaxation(parts: list[Part], gained: Array, facts: ItemFacts, constraints: Constraints) -> Relaxation:
    ids = tuple(facts.items.ids[gained[:_TITLES]].tolist())
    titles = [] if facts.catalog is None else facts.catalog.titles(ids).to_list()
    named = tuple(title or str(id) for title, id in zip(titles, ids, strict=False))
    alone = parts[0].loosened if len(parts) == 1 else None
    looser = None if alone is None else alone(gained)
    without = constraints.without(*(part.key for part in parts if part.key[0]))
    return Relaxation(tuple(part.words for part in parts), len(gained), ids, named, without, *(looser or ("", None)))


# ---- the parts of constraints --------------------------------------------------------------------------


def parts_of(constraints: Constraints, facts: ItemFacts) -> Iterator[Part]:
    """The parts of constraints, one for each thing that can be given up."""
    yield from _genre_parts(constraints, facts)
    if constraints.years is not None:
        yield _years(constraints, facts)
    if constraints.min_ratings:
        least, counts = constraints.min_ratings, facts.counts
        yield Part(
            f"at least {counted(least, 'rating')}", counts >= least, ("min_ratings", None),
            lambda rows: _counted(constraints, int(counts[rows].max())),
        )  # fmt: skip
    for field in ("tags", "not_tags", "tagged"):
        for tag in getattr(constraints, field):
            yield _tag(constraints, field, tag, facts)
    if constraints.among is not None:
        among: Any = constraints.among
        holds = np.zeros(len(facts.items), bool)
        holds[facts.items.indices(among) if among else []] = True
        words = "the one named item" if len(among) == 1 else f"one of {len(among):,} named items"
        yield Part(words, holds, ("among", None))


def _genre_parts(constraints: Constraints, facts: ItemFacts) -> Iterator[Part]:
    for name in constraints.genres:
        known, has = facts.genre(name)
        yield Part(f"genre {known}", has, ("genres", name))
    if constraints.any_genres:
        found = [facts.genre(name) for name in constraints.any_genres]
        words = f"genre {' or '.join(known for known, _ in found)}"
        yield Part(words, np.logical_or.reduce([has for _, has in found]), ("any_genres", None))
    for name in constraints.not_genres:
        known, has = facts.genre(name)
        yield Part(f"not genre {known}", ~has & facts.has_genres, ("not_genres", name))


def _years(constraints: Constraints, facts: ItemFacts) -> Part:
    first, last = constraints.years  # type: ignore[misc]  # checked to be a pair
    years = facts.years
    low, high = -np.inf if first is None else first, np.inf if last is None else last

    def loosened(rows: Array) -> Looser | None:
        known = years[rows][~np.isnan(years[rows])]
        if not len(known):
            return None
        off = np.maximum(low - known, known - high)
        year = int(known[np.argmin(off)])
        wider = (min(first, year) if first is not None else None, max(last, year) if last is not None else None)
        return _range_words(*wider), replace(constraints, years=wider)

    return Part(_range_words(first, last), (years >= low) & (years <= high), ("years", None), loosened)


def _range_words(first: int | None, last: int | None) -> str:
    if first == last:
        return f"year {first}"
    return f"from {first} on" if last is None else f"up to {last}" if first is None else f"years {first}-{last}"


def _counted(constraints: Constraints, least: int) -> Looser | None:
    return (f"at least {counted(least, 'rating')}", replace(constraints, min_ratings=least)) if least else None


def _tag(constraints: Constraints, field: str, tag: str, facts: ItemFacts) -> Part:
    levels: dict[str, Any] = getattr(constraints, field)
    known, values = facts.people(tag) if field == "tagged" else facts.relevance(tag)
    at_most = field == "not_tags"

    def words(level: float) -> str:
        if field == "tagged":
            return f"tagged {known} by at least {level:,} {'person' if level == 1 else 'people'}"
        return f"relevance of {known} at {'most' if at_most else 'least'} {level:g}"

    def loosened(rows: Array) -> Looser | None:
        told = values[rows][~np.isnan(values[rows])]
        if not len(told):
            return None
        if field == "tagged":
            level: float = int(told.max())
        else:
            level = float(np.ceil(told.min() * 1000) if at_most else np.floor(told.max() * 1000)) / 1000
        wider: dict[str, Any] = {field: {**levels, tag: level}}
        return (words(level), replace(constraints, **wider)) if level else None

    # As it is stored: a relevance of 0.7 is not more than 0.7.
    level = np.asarray(min(levels[tag], _EVERYBODY), values.dtype)
    return Part(words(levels[tag]), values <= level if at_most else values >= level, (field, tag), loosened)
