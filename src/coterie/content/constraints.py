"""Constraints: what may be recommended, said alike in Python, in JSON and on the command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args, get_type_hints

from coterie.content.conditions import Condition, Count, Ids, Levels, Names, Years
from coterie.errors import ParameterError

if TYPE_CHECKING:
    from coterie.data.vocabulary import Id


@dataclass(frozen=True)
class Constraints:
    r"""What an item has to be to be recommended. All that is said must hold.

    .. math:: \{\, i : G \subseteq g_i,\ A \cap g_i \neq \emptyset,\ N \cap g_i = \emptyset,\ y_1 \le y_i \le y_2,\
       n_i \ge n,\ r_{it} \ge a_t,\ r_{it} \le b_t,\ c_{it} \ge m_t \,\}

    with the item's genres g, year y, number n of ratings in the training data, relevances r of the tag genome, and
    number c of people who gave it a tag. **What is unknown satisfies nothing**: an item without a year is in no range
    of years, one without genres neither has a genre nor can it be said not to have one, and one that the genome lacks
    is neither at least nor at most as anything. `min_ratings` and `tagged` count, and nobody is 0.

    Give them where candidates are given: ``model.recommend(1, candidates=Constraints(genres=["Comedy"]))``. They are
    looked up when the model answers, so any model follows them without a fit. Case and spelling of Unicode are
    forgiven in names of genres and tags.

    Parameters
    ----------
    genres : texts, or one
        Genres that an item has, all of them.
    any_genres : texts, or one
        Genres of which an item has one or more.
    not_genres : texts, or one
        Genres of which an item has none.
    years : (int or None, int or None), or int, or None
        First and last year, both included; None for no end.
    min_ratings : int, at least 0
        Fewest ratings in the training data.
    tags : {text: float between 0 and 1}
        Least relevance of tags of the genome.
    not_tags : {text: float between 0 and 1}
        Largest relevance of tags of the genome.
    tagged : {text: int, at least 1}
        Fewest people who gave the item a free tag, spelling put right; for catalogs without a genome.
    among : item ids, or one, or None
        Only these items.

    Raises
    ------
    ParameterError
        A field is not what it may be.
    """

    genres: Annotated[Sequence[str], Names("Has this genre; repeat for all of several.", "genre", "NAME")] = ()
    any_genres: Annotated[Sequence[str], Names("Has this genre or another so named; repeat.", "any-genre", "NAME")] = ()
    not_genres: Annotated[Sequence[str], Names("Lacks this genre; repeat.", "not-genre", "NAME")] = ()
    years: Annotated[Sequence[int | None] | int | None, Years("Is of these years; also A- or -B.", "years", "A-B")] = (
        None
    )
    min_ratings: Annotated[int, Count("Has N ratings or more.", "min-ratings", "N")] = 0
    tags: Annotated[
        Mapping[str, float] | None,
        Levels("Relevance of a genome tag, 0 to 1, at least; repeat.", "tag", "'TAG>=NUMBER'"),
    ] = None
    not_tags: Annotated[
        Mapping[str, float] | None,
        Levels("Relevance of a genome tag at most; repeat.", "not-tag", "'TAG<=NUMBER'", "<="),
    ] = None
    tagged: Annotated[
        Mapping[str, int] | None,
        Levels("Free tag that N people gave, or more; repeat.", "tagged", "'TAG>=N'", people=True),
    ] = None
    among: Annotated[Iterable[Id] | Id | None, Ids("Is one of these items.")] = None

    def __post_init__(self) -> None:
        for name, condition in conditions().items():
            value = getattr(self, name)
            if isinstance(condition, Levels) and value is None:
                value = {}
            object.__setattr__(self, name, condition.checked(name, value))

    def __hash__(self) -> int:
        return hash(repr(self))

    def __bool__(self) -> bool:
        """Whether anything is asked."""
        return self != type(self)()

    def to_dict(self) -> dict[str, Any]:
        """What is said, as JSON has it; what is not said is left out."""
        usual = type(self)()
        said = {n: c for n, c in conditions().items() if getattr(self, n) != getattr(usual, n)}
        return {name: condition.plain(getattr(self, name)) for name, condition in said.items()}

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """From what `to_dict` gives, or a request said in JSON; an unknown field is an error that names it."""
        if not isinstance(document, Mapping):
            raise ParameterError(f"constraints are an object of fields, not {document!r}")
        known = conditions()
        for name in document:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                meant = f"; did you mean {near[0]!r}?" if near else "."
                raise ParameterError(f"constraints have no field {name!r}{meant} There are {', '.join(known)}")
        return cls(**document)

    @classmethod
    def from_options(cls, options: Mapping[str, str | Sequence[str] | None]) -> Self:
        """From what a command line says, by the names of the fields: one text, or several where it may be repeated."""
        known, said = conditions(), {}
        for name, texts in options.items():
            if texts:
                said[name] = known[name].parsed([texts] if isinstance(texts, str) else texts)
                known[name].checked(f"--{known[name].option}", said[name])  # so that an error names the option
        return cls(**said)

    def without(self, *parts: tuple[str, Any]) -> Self:
        """Without some parts: a field, and of a field of several which of them (None: the whole field)."""
        left = self
        for name, which in parts:
            value = getattr(left, name)
            if isinstance(value, dict):
                value = {tag: level for tag, level in value.items() if which is not None and tag != which}
            elif isinstance(value, tuple) and which is not None:
                value = tuple(entry for entry in value if entry != which)
            else:
                value = getattr(type(self)(), name)
            left = replace(left, **{name: value})
        return left


def conditions() -> dict[str, Condition]:
    """The fields of `Constraints`, in order: what command lines, JSON and web forms are made from."""
    if not _CONDITIONS:
        hints = get_type_hints(Constraints, localns={"Id": int | str}, include_extras=True)
        for f in fields(Constraints):
            _CONDITIONS[f.name] = next(extra for extra in get_args(hints[f.name]) if isinstance(extra, Condition))
    return _CONDITIONS


_CONDITIONS: dict[str, Condition] = {}


def json_schema() -> dict[str, Any]:
    """JSON Schema of what `Constraints.from_dict` takes."""
    properties = {name: condition.schema() for name, condition in conditions().items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}
