"""Errors of predicted ratings in five folds of MovieLens 100K and 1M, as Surprise publishes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike, fspath
from pathlib import Path

import numpy as np
import polars as pl

from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError
from coterie.evaluation.reproduce.protocol import Entry, Figure, Options, Protocol, Result, Stopwatch, find_file
from coterie.models.base import Recommender

#: Where an edition's ratings may be, in the order in which they were published.
FILES: dict[str, tuple[str, ...]] = {"ml-100k": ("u.data",), "ml-1m": ("ratings.dat", "ratings-no-timestamps.csv")}
#: Ratings of the published editions.
N_RATINGS = {"ml-100k": 100_000, "ml-1m": 1_000_209}
N_FOLDS = 5
#: RMSE and MAE as published.
PUBLISHED: dict[str, dict[str, tuple[float, float]]] = {
    "ml-100k": {
        "bias": (0.944, 0.748),
        "slope-one": (0.946, 0.743),
        "user-knn": (0.931, 0.733),
        "co-clustering": (0.963, 0.753),
        "nmf": (0.963, 0.758),
        "biased-mf": (0.934, 0.737),
        "svd++": (0.919, 0.721),
    },
    "ml-1m": {
        "bias": (0.909, 0.719),
        "slope-one": (0.907, 0.715),
        "user-knn": (0.895, 0.706),
        "co-clustering": (0.915, 0.717),
        "nmf": (0.916, 0.723),
        "biased-mf": (0.873, 0.686),
        "svd++": (0.862, 0.672),
    },
}
#: What is not a model's usual setting.
SETTINGS: dict[str, dict[str, str | float | int]] = {
    "user-knn": {"aggregation": "baseline", "similarity": "pearson", "shrinkage": 20.0, "n_neighbors": 40},
}
# The figures have three digits: half of the last one is rounding.
_TOLERANCE = 0.0005
_DATA = (
    "MovieLens 100K (u.data, from https://grouplens.org/datasets/movielens/100k/) or 1M (ratings.dat, from "
    "https://grouplens.org/datasets/movielens/1m/), or both, in folders ml-100k and ml-1m"
)


def ratings(location: str | PathLike[str], edition: str) -> pl.DataFrame:
    """`user, item, rating` in file order; `edition` is "ml-100k" or "ml-1m"."""
    file = find_file(fspath(location), edition, FILES[edition])
    if file is None:
        raise DataError(f"{fspath(location)} has no {' or '.join(FILES[edition])}; needed: {_DATA}")
    return _read(file)


def _read(file: Path) -> pl.DataFrame:
    separator = {".data": "\t", ".dat": ":"}.get(file.suffix, ",")
    lines = pl.read_csv(file, separator=separator, has_header=separator == ",")
    kept = lines[:, :: 2 if separator == ":" else 1][:, :3]  # between the colons of :: is an empty column
    return kept.rename(dict(zip(kept.columns, ("user", "item", "rating"), strict=True)))


def folds(location: str | PathLike[str], edition: str = "ml-100k") -> Iterator[tuple[Interactions, pl.DataFrame]]:
    """Training data and held-out `user, item, rating`: file order shuffled with seed 0, five consecutive parts.

    The parts are those of Surprise's ``KFold`` with ``numpy.random.RandomState(0)``.
    """
    return folds_of(ratings(location, edition))


def folds_of(lines: pl.DataFrame) -> Iterator[tuple[Interactions, pl.DataFrame]]:
    """As `folds`, from `user, item, rating` in file order."""
    users, items = (Vocabulary(lines[name].unique().sort().to_numpy(), name) for name in ("user", "item"))
    order = np.arange(len(lines))
    np.random.RandomState(0).shuffle(order)
    for part in np.array_split(order, N_FOLDS):
        train = lines[np.setdiff1d(order, part)]
        rows, columns = users.indices(train["user"]), items.indices(train["item"])
        yield Interactions.from_arrays(users, items, rows, columns, train["rating"].to_numpy()), lines[part]


def cross_validated(
    make: Callable[[], Recommender], location: str | PathLike[str], edition: str = "ml-100k"
) -> tuple[float, float]:
    """RMSE and MAE of predictions clipped to the scale, means over the folds."""
    return errors_of(make, ratings(location, edition))


def errors_of(make: Callable[[], Recommender], lines: pl.DataFrame) -> tuple[float, float]:
    """As `cross_validated`, from `user, item, rating` in file order."""
    errors = []
    for train, held_out in folds_of(lines):
        predicted = make().fit(train).predict(held_out["user"], held_out["item"])
        error = predicted.astype(np.float64) - held_out["rating"].to_numpy()
        errors.append((np.sqrt((error**2).mean()), np.abs(error).mean()))
    rmse, mae = np.mean(errors, axis=0)
    return float(rmse), float(mae)


def _entries(edition: str) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            model,
            (Figure("rmse", rmse, _TOLERANCE, "at most"), Figure("mae", mae, _TOLERANCE, "at most")),
            "Surprise",
            SETTINGS.get(model, {}),
        )
        for model, (rmse, mae) in PUBLISHED[edition].items()
    )


def _run(location: str, options: Options) -> Iterator[Result]:
    found = {edition: file for edition in FILES if (file := find_file(location, edition, FILES[edition]))}
    if not found:
        raise DataError(f"{location} has none of {', '.join(sum(FILES.values(), ()))}; needed: {_DATA}")
    for edition, file in found.items():
        lines, expected = _read(file), N_RATINGS[edition]
        foreign = "" if len(lines) == expected else f"not the published {edition}: {len(lines):,} ratings"
        for entry in options.chosen(_entries(edition)):
            options.announce(f"{edition}: {entry.label}, {N_FOLDS} folds")
            watch = Stopwatch()
            values = dict(zip(("rmse", "mae"), errors_of(entry.make, lines), strict=True))
            yield from entry.results(edition, values, watch.seconds, foreign)


PROTOCOL = Protocol(
    name="surprise",
    title="Errors of predicted ratings in five folds",
    sources={
        "Surprise": (
            'N. Hug, "Surprise: a Python library for recommender systems", Journal of Open Source Software 5(52), '
            "2020, https://doi.org/10.21105/joss.02174; the table is on https://surpriselib.com"
        )
    },
    data=_DATA,
    duration="100K: seconds; 1M: a minute",
    entries=_entries("ml-100k"),
    function=_run,
)
