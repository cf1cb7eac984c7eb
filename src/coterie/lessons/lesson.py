"""How alike two users or items are, by six measures, step by step.

Nothing here computes with ratings: sums, means, terms and values come from the kernels of `coterie.similarity`,
which also find neighbours. What is done here is to name them, to order them and to put them into words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from coterie import similarity
from coterie.data.dataset import Dataset, as_dataset
from coterie.data.interactions import Axis, Interactions
from coterie.data.vocabulary import Id
from coterie.errors import ParameterError
from coterie.lessons import showing, words
from coterie.measures import MEASURES, Measure, Reading
from coterie.similarity import Parts, Profile

READINGS: tuple[Reading, ...] = ("table", "notebook")


@dataclass(frozen=True)
class Step:
    """One measure in one reading.

    Attributes
    ----------
    formula : str
        In symbols; C is what both rated.
    worked : str
        The formula with the pair's numbers in it.
    value : float
        As `similarity.pair` gives it.
    terms : tuple of float
        One for each co-rated rating: what it adds to the sum (of Chebyshev's distance: what it puts up for the
        largest). Jaccard's are 1 each.
    total : float
        The sum (the largest) of the terms, as the kernel adds it up.
    parts : dict of str to float
        The numbers in the formula by name.
    words : str
        What the value says; `lessons.words` has the thresholds.
    """

    formula: str
    worked: str
    value: float
    terms: tuple[float, ...]
    total: float
    parts: dict[str, float]
    words: str


@dataclass(frozen=True)
class MeasureLesson:
    """One measure in both readings, and what it is good for."""

    name: str
    closer: str
    suits: tuple[str, ...]
    guideline: str
    table: Step
    notebook: Step

    def step(self, reading: Reading) -> Step:
        """The step of a reading."""
        return self.table if reading == "table" else self.notebook


@dataclass(frozen=True)
class WhatIf:
    """What becomes of the measures when one rating changes.

    Attributes
    ----------
    id, title
        The co-rated item (or user).
    before, after : float
        The rating of `a`, as it is and as it would be; `other` is that of `b`.
    values : dict
        Measure -> reading -> (before, after, "closer", "farther" or "the same").
    """

    id: Id
    title: str | None
    before: float
    after: float
    other: float
    values: dict[str, dict[Reading, tuple[float, float, str]]]


@dataclass(frozen=True, eq=False)
class Lesson:
    """Two users or items and what six measures make of them.

    Attributes
    ----------
    axis : {"users", "items"}
    ids : (a, b)
    names : (str, str)
        What to call them: a title, or "user 1".
    rated, mean, norm : pairs
        Of the whole profiles.
    co_rated : polars.DataFrame
        What both have, side by side: `item` (or `user`), `title` where known, `a`, `b`, `apart`.
    measures : tuple of MeasureLesson
    data : {"unary", "binary", "ratings"}
        What kind of data these are.
    recommended : tuple of str
        The measures that the guideline recommends for that kind.
    summary : str
        What the measures say together, in a sentence.
    what_if : WhatIf or None
        None where nothing is shared, or where all ratings of the data are equal.
    """

    axis: Axis
    ids: tuple[Id, Id]
    names: tuple[str, str]
    rated: tuple[int, int]
    mean: tuple[float, float]
    norm: tuple[float, float]
    co_rated: pl.DataFrame = field(repr=False)
    measures: tuple[MeasureLesson, ...] = field(repr=False)
    data: str
    recommended: tuple[str, ...]
    summary: str
    what_if: WhatIf | None = field(repr=False)

    def __getitem__(self, name: str) -> MeasureLesson:
        """The measure of a name or alias."""
        wanted = similarity.measure(name).name
        return next(m for m in self.measures if m.name == wanted)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON. What is infinite stays so; `co_rated` becomes a list of rows."""
        return showing.to_dict(self)

    def to_text(self, k: int = showing.SHOWN) -> str:
        """In words and numbers, with the first `k` of what they share, and of the terms of each sum."""
        return showing.to_text(self, k)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        return showing.to_html(self)


def lesson(
    data: Dataset | Interactions, a: Id, b: Id, axis: Axis = "users", change: tuple[Id, float] | None = None
) -> Lesson:
    """How alike `a` and `b` are by each of the six measures, worked step by step.

    Parameters
    ----------
    data : Dataset or Interactions
        With a catalog, items have titles.
    a, b : ids
        Two different users, or with ``axis="items"`` two items.
    axis : {"users", "items"}
    change : (id, rating) or None
        Ask what becomes of the measures if `a` had given this co-rated item another rating (if this user had
        given item `a` another). None asks about the largest disagreement: what if `a` rated it as `b` did?

    Raises
    ------
    UnknownIdError
        `a` or `b` is not there.
    ParameterError
        Both are the same; or `change` is about something they do not share, or off the scale.
    """
    x, catalog = as_dataset(data).interactions, as_dataset(data).catalog
    x.vocabulary(axis).indices([a, b])
    if a == b:
        raise ParameterError(f"both are {axis[:-1]} {a!r}; give two different {axis}")
    profiles = similarity.profile(x, a, axis), similarity.profile(x, b, axis)
    sums, spread, kind = similarity.sums_of(*profiles), similarity.spread(x), kind_of(x)
    measures = tuple(_measure_lesson(m, *profiles, sums.n, spread) for m in MEASURES.values())
    of = {m.name: m for m in measures}
    other: Axis = "items" if axis == "users" else "users"
    ids = x.vocabulary(other).ids[sums.shared].tolist()
    titled = other == "items" and catalog is not None
    titles = catalog.titles(ids) if titled and catalog is not None else None
    columns = [pl.Series(other[:-1], ids), *([titles] if titles is not None else [])]
    sides = [pl.Series("a", sums.a), pl.Series("b", sums.b), pl.Series("apart", of["manhattan"].table.terms)]
    named = catalog.titles([a, b]).to_list() if axis == "items" and catalog is not None else [None, None]
    names = [title or f"{axis[:-1]} {id}" for title, id in zip(named, (a, b), strict=True)]
    changed = _chosen_change(x, ids, sums.a, sums.b, of["chebyshev"].table, change, other)
    return Lesson(
        axis=axis, ids=(a, b), names=(names[0], names[1]), rated=sums.length, mean=sums.mean, norm=sums.norm,
        co_rated=pl.DataFrame([*columns, *sides]),
        measures=measures,
        data=kind,
        recommended=tuple(m.name for m in measures if kind in m.suits),
        summary=words.together(
            of["jaccard"].table.value, of["manhattan"].notebook.value, of["pearson"].notebook.value, sums.n, spread,
            kind, axis,
        ),
        what_if=None if changed is None else _what_if(profiles, measures, sums, ids, titles, spread, changed),
    )  # fmt: skip


def kind_of(x: Interactions) -> str:
    """What the guideline calls these data: "unary" (one value), "binary" (two) or "ratings"."""
    return {0: "unary", 1: "unary", 2: "binary"}.get(pl.Series(x.values).n_unique(), "ratings")


def _measure_lesson(measure: Measure, a: Profile, b: Profile, n: int, spread: float) -> MeasureLesson:
    steps = []
    for reading, formula in zip(READINGS, (measure.formula, measure.notebook_formula), strict=True):
        parts = similarity.parts_of(a, b, measure, spread, reading)
        value = similarity.value_of(a, b, measure, spread, reading)
        names, worked = showing.worked(measure.name, reading, parts)
        says = words.of_value(measure.name, reading, value, n, spread, _constant(measure.name, parts))
        terms = tuple(parts.entries[:, 0].tolist())
        steps.append(Step(formula, worked if n else "nothing shared", value, terms, parts.whole[0], names, says))
    closer = "larger" if measure.larger_is_closer else "smaller"
    return MeasureLesson(measure.name, closer, measure.suits, measure.guideline, *steps)


def _constant(name: str, parts: Parts) -> bool:
    """Whether one of the two does not vary over what they share, so that there is no correlation."""
    return name == "pearson" and 0.0 in parts.whole[1:]


# ---- what if one rating changes --------------------------------------------------------------------------


def _chosen_change(
    x: Interactions, ids: list[Id], a: Any, b: Any, gaps: Step, change: tuple[Id, float] | None, what: Axis
) -> tuple[int, float] | None:
    """The place among the co-rated and a's new rating there."""
    low, high = x.scale
    if change is None:
        if not ids or low == high:
            return None
        place = int(np.argmax(gaps.terms))
        if a[place] != b[place]:
            return place, float(b[place])
        return place, float(low if a[place] != low else high)
    try:
        id, rating = change[0], float(change[1])
    except (TypeError, IndexError, ValueError):
        raise ParameterError(f"change is a pair (shared {what[:-1]}, rating), not {change!r}") from None
    if id not in ids:
        shared = f"they share {', '.join(map(repr, ids[:5]))}{' ...' if len(ids) > 5 else ''}" if ids else "nothing is"
        raise ParameterError(f"change names {what[:-1]} {id!r}, which is not shared by both; {shared}")
    if not low <= rating <= high:
        raise ParameterError(f"change gives a rating of {rating:g}; the ratings here go from {low:g} to {high:g}")
    return ids.index(id), rating


def _what_if(
    profiles: tuple[Profile, Profile], measures: tuple[MeasureLesson, ...], sums: similarity.PairSums, ids: list[Id],
    titles: pl.Series | None, spread: float, changed: tuple[int, float],
) -> WhatIf:  # fmt: skip
    place, rating = changed
    a, b = profiles
    values = a.values.copy()
    values[np.searchsorted(a.columns, sums.shared[place])] = rating
    other = Profile(a.columns, values)
    found: dict[str, dict[Reading, tuple[float, float, str]]] = {}
    for m in measures:
        found[m.name] = {}
        for reading in READINGS:
            before, after = m.step(reading).value, similarity.value_of(other, b, MEASURES[m.name], spread, reading)
            found[m.name][reading] = before, after, _moved(before, after, m.closer == "larger")
    title = None if titles is None else titles[place]
    return WhatIf(ids[place], title, float(sums.a[place]), rating, float(sums.b[place]), found)


def _moved(before: float, after: float, larger_is_closer: bool) -> str:
    if showing.same(before, after):
        return "the same"
    return "closer" if (after > before) == larger_is_closer else "farther"
