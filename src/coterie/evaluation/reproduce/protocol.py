"""What a published protocol is, and what comes of running it: ours beside theirs, and whether that is in tolerance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from coterie.errors import DataError, ParameterError

if TYPE_CHECKING:
    from coterie.models.base import Recommender

#: How ours stands to the published figure where it is further away than the tolerance. "equal": out of it on either
#: side. "at most" and "at least": worse above it, or below, and better on the other side.
Direction = Literal["equal", "at most", "at least"]
#: "within" the tolerance; outside it "better", which is no failure and yet not the same method's number, or "worse".
Verdict = Literal["within", "better", "worse"]


@dataclass(frozen=True)
class Result:
    """One figure of one model on one dataset.

    Attributes
    ----------
    figure : str
        What was measured, such as "ndcg@100".
    dataset : str
    model : str
        With the settings that are not its usual ones.
    ours : float or None
        None where we have no such model, or the data at hand does not say: the published figure is then context.
    published : float or None
        None where no published figure goes with the data at hand.
    tolerance : float or None
    direction : {"equal", "at most", "at least"}
    source : str
        Where the published figure stands; a key of the protocol's `sources`.
    seconds : float or None
        What the model took for all its figures, with compiling.
    note : str
        What else must be known to compare the two.
    """

    figure: str
    dataset: str
    model: str
    ours: float | None
    published: float | None
    tolerance: float | None
    direction: Direction
    source: str
    seconds: float | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """How ours stands to theirs; None where there is nothing to compare."""
        if self.ours is None or self.published is None or self.tolerance is None:
            return None
        above = round(self.ours - self.published, 12)  # .3925 is no more than .0015 above .391
        if abs(above) <= self.tolerance:
            return "within"
        is_better = {"equal": False, "at most": above < 0, "at least": above > 0}[self.direction]
        return "better" if is_better else "worse"

    @property
    def within(self) -> bool | None:
        """Whether ours is in tolerance; None where there is nothing to compare."""
        return None if self.verdict is None else self.verdict == "within"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**vars(self), "within": self.within, "verdict": self.verdict}


@dataclass(frozen=True)
class Figure:
    """A published figure and how near ours must come to it."""

    name: str
    published: float | None
    tolerance: float | None = None
    direction: Direction = "equal"


@dataclass(frozen=True)
class Entry:
    """A model in a published table.

    Attributes
    ----------
    model : str
        The registered name; of a model that we do not have, its name in the paper.
    figures : tuple of Figure
    source : str
        A key of the protocol's `sources`.
    settings : dict
        Hyper-parameters that are not the usual ones.
    ours : bool
        False for a model that we do not have: its figures are context.
    note : str
    """

    model: str
    figures: tuple[Figure, ...]
    source: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    ours: bool = True
    note: str = ""

    @property
    def label(self) -> str:
        """The model with its settings."""
        told = ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
                         for name, value in self.settings.items())  # fmt: skip
        return f"{self.model}({told})" if told else self.model

    def make(self) -> Recommender:
        """The model, not fitted."""
        from coterie.models.registry import model_class

        return model_class(self.model)(**self.settings)

    def results(
        self, dataset: str, values: Mapping[str, float], seconds: float | None = None, foreign: str = ""
    ) -> Iterator[Result]:
        """Ours (`values` by the names of figures) beside theirs.

        `foreign` says why the data is not that of the published figures; these are then left out.
        """
        notes = [foreign, self.note]
        for figure in self.figures:
            yield Result(
                figure.name, dataset, self.label, values.get(figure.name),
                None if foreign else figure.published, figure.tolerance, figure.direction, self.source,
                seconds, "; ".join(filter(None, notes)),
            )  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How a protocol is run.

    Attributes
    ----------
    only : tuple of str
        Only these models; empty: all.
    announce : callable
        Told what is begun, in a few words.
    """

    only: tuple[str, ...] = ()
    announce: Callable[[str], None] = lambda text: None

    def chosen(self, entries: tuple[Entry, ...]) -> Iterator[Entry]:
        """The entries that are wanted; context only where all are."""
        return (entry for entry in entries if entry.model in self.only or not self.only)

    def results(
        self,
        entries: tuple[Entry, ...],
        measure: Callable[[Entry], Mapping[str, float]],
        about: str,
        dataset: str,
        foreign: str,
    ) -> Iterator[Result]:
        """The results of the wanted entries in turn: `measure` fits and judges one of ours, after it was announced with
        what it learns from, `about`; `dataset` and `foreign` as in `Entry.results`."""
        for entry in self.chosen(entries):
            values, seconds = dict[str, float](), None
            if entry.ours:
                self.announce(f"{entry.label}: {about}")
                watch = Stopwatch()
                values, seconds = dict(measure(entry)), watch.seconds
            yield from entry.results(dataset, values, seconds, foreign)


@dataclass(frozen=True)
class Protocol:
    """A published experiment that can be run again.

    Attributes
    ----------
    name : str
    title : str
    sources : dict of str to str
        Where the protocol and its figures come from: short names and full citations with links.
    data : str
        Which data it needs, where to get it, and which files of it are looked for.
    duration : str
        Roughly, on two cores.
    entries : tuple of Entry
        The models and their published figures.
    function : callable
        Gives the results as they come, from the place of the data and the options.
    """

    name: str
    title: str
    sources: Mapping[str, str]
    data: str
    duration: str
    entries: tuple[Entry, ...]
    function: Callable[[str, Options], Iterator[Result]]

    @property
    def models(self) -> tuple[str, ...]:
        """What `only` may name."""
        return tuple(dict.fromkeys(entry.model for entry in self.entries))

    def run(self, location: str, options: Options = Options()) -> Iterator[Result]:
        """The results as they come.

        Parameters
        ----------
        location : str
            The folder with the data (see `data`).
        options : Options

        Raises
        ------
        DataError
            The data is not there; the message says where to get it and where to put it.
        ParameterError
            `only` names a model that the protocol does not have.
        """
        unknown = [name for name in options.only if name not in self.models]
        if unknown:
            raise ParameterError(f"{self.name} has no model {unknown[0]!r}; it has {', '.join(self.models)}")
        return self.function(location, options)


def find_file(location: str, folder: str, names: tuple[str, ...]) -> Path | None:
    """The first of `names` that lies at `location`, or in its folder `folder`."""
    places = [Path(location, name) for name in names] + [Path(location, folder, name) for name in names]
    return next((place for place in places if place.is_file()), None)


def require_file(location: str, folder: str, names: tuple[str, ...], data: str) -> Path:
    """As `find_file`; absence is an error that says what to get."""
    found = find_file(location, folder, names)
    if found is None:
        raise DataError(f"{location} has no {' or '.join(names)}, nor has {Path(location, folder)}; needed: {data}")
    return found


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Now."""
        return time.perf_counter() - self._started
