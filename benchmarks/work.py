"""What a contender hands to the worker that times it, and the data that all contenders read.

Both interpreters import this: it needs NumPy and SciPy and nothing of Coterie's.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
#: What was found, by what it is; contenders must agree about what both have.
Check = dict[str, Any]
#: How good it is, by measure.
Quality = dict[str, float]

#: Neighbours that are asked for, as in every row about neighbours.
K = 50
#: Rows whose neighbours are compared between contenders.
CHECKED_ROWS = 200
#: Movies that have a tag genome in the full edition of MovieLens, about, and tags.
GENOME_ROWS, GENOME_TAGS = 13_000, 1128
#: Strangers served before the clock starts.
WARM_CALLS = 20
#: Sweeps (or epochs) after which models are judged; the time of one is taken over all but the first.
SWEEPS = 6


@dataclass(frozen=True)
class Work:
    """One contender's job in one process.

    Attributes
    ----------
    act : callable
        What is timed.
    warm_up : callable
        The same on little data, before the clock starts: imports, compilation, thread pools.
    times : int
        Calls of `act`, each timed on its own.
    check : callable or None
        Makes of the last result a `Check`, as JSON values.
    seconds : callable or None
        Seconds of the whole job from the result and the seconds measured, where only a part was done.
    quality : callable or None
        How good the last result is: numbers by name, printed beside the time.
    """

    act: Callable[[], Any]
    warm_up: Callable[[], Any] = lambda: None
    times: int = 1
    check: Callable[[Any], Check] | None = None
    seconds: Callable[[Any, float], float] | None = None
    quality: Callable[[Any], Quality] | None = None


@dataclass(frozen=True)
class Sweeps:
    """A model trained for `SWEEPS` sweeps, and how long one of them takes without what is done once."""

    model: Any
    seconds: float


def in_sweeps(fit: Callable[[int], Any], few: Callable[[], Any], quality: Callable[[Any, float], Quality]) -> Work:
    """A sweep of what ``fit(number of sweeps)`` trains: a fit of `SWEEPS` less a fit of one, over those between.

    `few` warms up; `quality` is told the model and the seconds of a sweep.
    """

    def act() -> Sweeps:
        started = time.perf_counter()
        fit(1)
        one = time.perf_counter()
        model = fit(SWEEPS)
        return Sweeps(model, (time.perf_counter() - one - (one - started)) / (SWEEPS - 1))

    return _sweeps(act, few, quality)


def by_callback(
    fit: Callable[[Callable[[], None]], Any], few: Callable[[], Any], quality: Callable[[Any, float], Quality]
) -> Work:
    """The same where ``fit(ended)`` calls `ended` after each of its `SWEEPS` sweeps; the first does not count."""

    def act() -> Sweeps:
        ends: list[float] = []
        model = fit(lambda: ends.append(time.perf_counter()))
        return Sweeps(model, (ends[-1] - ends[0]) / (len(ends) - 1))

    return _sweeps(act, few, quality)


def _sweeps(act: Callable[[], Sweeps], few: Callable[[], Any], quality: Callable[[Any, float], Quality]) -> Work:
    return Work(
        act=act,
        warm_up=few,
        seconds=lambda done, _: done.seconds,
        quality=lambda done: quality(done.model, done.seconds),
    )


@dataclass(frozen=True)
class HeldOut:
    """Ratings that no model has seen: rows and columns of the matrix, and values."""

    users: Array
    items: Array
    values: Array


@dataclass(frozen=True)
class Data:
    """The files of one dataset that `benchmarks.data` has laid out."""

    folder: Path
    seed: int
    threads: int

    @classmethod
    def of(cls, request: dict[str, Any]) -> Data:
        return cls(Path(request["folder"]), request["seed"], request["threads"])

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.folder / "facts.json").read_text())
        return facts

    @property
    def csv(self) -> Path:
        return self.folder / "ratings.csv"

    @property
    def few_csv(self) -> Path:
        """The first lines of `csv`."""
        return self.folder / "few.csv"

    def artefact(self, name: str) -> Path:
        """Where a fitted model is kept, by its name in the registry."""
        return self.folder / name

    @property
    def held_out(self) -> Array:
        """bool (ratings,): a tenth of the ratings, drawn with the seed, that models are judged by."""
        return np.asarray(np.load(self.folder / "held-out.npy"))

    def split(self) -> tuple[sp.csr_matrix, HeldOut]:
        """The ratings to learn from, float32, and those held out."""
        x, held = self.matrix(), self.held_out
        rows = np.repeat(np.arange(x.shape[0], dtype=np.int32), np.diff(x.indptr))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[~held], minlength=x.shape[0]))]).astype(np.int32)
        train = sp.csr_matrix((x.data[~held], x.indices[~held], indptr), shape=x.shape)
        return train, HeldOut(rows[held], x.indices[held], x.data[held])

    def matrix(self, dtype: Any = np.float32) -> sp.csr_matrix:
        """Users x items, float32 unless told, in memory."""
        indptr, indices, values = (np.load(self.folder / f"{part}.npy") for part in ("indptr", "indices", "values"))
        shape = (self.facts["users"], self.facts["items"])
        return sp.csr_matrix((values.astype(dtype), indices, indptr.astype(np.int32)), shape=shape)

    def genome(self) -> Array:
        """Relevances of tags to half of the items, at most 13,000, as MovieLens has them: float32 (rows, 1128).

        Made here, from the seed: items are mixtures of twenty themes, and every tag has something of each.
        """
        random = np.random.default_rng(self.seed)
        themes = random.random((GENOME_ROWS, 20), np.float32)[: self.facts["items"] // 2] ** 4
        tags = random.random((20, GENOME_TAGS), np.float32) ** 4
        noise = random.random((GENOME_ROWS, GENOME_TAGS), np.float32)[: len(themes)]
        made: Array = np.clip(0.5 * themes @ tags + 0.1 * noise, 0, 1)
        return made

    def profiles(self, size: int) -> Iterator[Array]:
        """Without end, for strangers: the item numbers of `size` ratings of a real row, in a repeatable order."""
        indptr, indices = (np.load(self.folder / f"{part}.npy", mmap_mode="r") for part in ("indptr", "indices"))
        random = np.random.default_rng(self.seed)
        able = np.flatnonzero(np.diff(indptr) >= size)
        if not len(able):
            raise ValueError(f"no user of {self.name} has {size} ratings")
        while True:
            row = random.choice(able)
            yield np.sort(random.choice(indices[indptr[row] : indptr[row + 1]], size, replace=False))


def few_rows(n: int) -> int:
    """Of n users, how many make a warm-up: enough that the same kernels are chosen as for all."""
    return min(n, max(n // 16, 8192))


def checked_rows(n: int) -> Array:
    """The rows that are compared, evenly over the first tenth, which every contender gets to."""
    return np.unique(np.linspace(0, max(n // 10 - 1, 0), CHECKED_ROWS).astype(np.int64))


def check_matrix(indptr: Array, indices: Array, values: Array) -> Check:
    """A digest of a matrix: equal for equal rows, columns and ratings."""
    sha = hashlib.sha256()
    for array, dtype in ((indptr, np.int64), (indices, np.int32), (values, np.float32)):
        sha.update(np.ascontiguousarray(array, dtype).data)
    return {"matrix": sha.hexdigest()}


def check_lists(values: Array, what: str) -> Check:
    """Neighbours' values (rows, K) by a measure, best first; 0 where there are fewer."""
    return {what: np.nan_to_num(values.astype(np.float64)).round(6).tolist()}


def check_scores(scores: Array) -> Check:
    """The scores of the items in lists, best first; 0 where a list has no more."""
    return {"scores": scores.astype(np.float64).round(6).tolist()}


def value_errors(data: Data, values: Array) -> Quality:
    """How far off singular values (largest first) are at most, as a share of the true ones."""
    true = np.load(data.folder / "singular-values.npy")
    return {"largest error of a singular value": float(np.max(np.abs(values - true) / true))}


def check_sparse_lists(similar: sp.csr_matrix, rows: Array) -> Check:
    """The same of a sparse matrix of cosines in which everyone is their own neighbour too."""
    lists = np.zeros((len(rows), K))
    for line, row in enumerate(rows):
        entries = slice(similar.indptr[row], similar.indptr[row + 1])
        others = similar.indices[entries] != row
        best = np.sort(similar.data[entries][others])[::-1][:K]
        lists[line, : len(best)] = best
    return check_lists(lists, "cosine")
