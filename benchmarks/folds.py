"""MovieLens 100K and 1M in the five folds on which accuracies are commonly published, for both interpreters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.work import Array

FOLDS = 5
#: Where an edition's ratings may be, in the order in which they were published.
FILES = {"ml-100k": ("u.data",), "ml-1m": ("ratings.dat", "ratings-no-timestamps.csv")}
#: Ratings that are learnt and predicted before the clock starts.
_WARM = 20_000


@dataclass(frozen=True)
class Ratings:
    """Users and items as numbers from 0, and how many there are in the whole edition."""

    users: Array
    items: Array
    values: Array
    shape: tuple[int, int]

    def __getitem__(self, some: Any) -> Ratings:
        return Ratings(self.users[some], self.items[some], self.values[some], self.shape)

    def __len__(self) -> int:
        return len(self.values)


def lay_out(request: dict[str, Any]) -> dict[str, Any]:
    """Write an edition as arrays, shuffled: lines in file order, `numpy.random.RandomState(0)`."""
    import polars as pl

    names = FILES[request["edition"]]
    file = next((file for name in names if (file := Path(request["source"], request["edition"], name)).exists()), None)
    if file is None:
        return {"missing": f"{request['source']}/{request['edition']} has no {' or '.join(names)}"}
    separator = {"u.data": "\t", "ratings.dat": ":"}.get(file.name, ",")
    lines = pl.read_csv(file, separator=separator, has_header=separator == ",")
    columns = lines[:, :: 2 if separator == ":" else 1].to_numpy()  # between the colons of :: is an empty column
    order = np.arange(len(lines))
    np.random.RandomState(0).shuffle(order)
    numbers = [np.unique(columns[:, side], return_inverse=True)[1] for side in (0, 1)]
    whole = np.column_stack([*numbers, columns[:, 2]]).astype(np.float32)[order]
    np.save(Path(request["folder"], f"{request['edition']}.npy"), whole)
    return {"ratings": len(whole)}


def folds(folder: str, edition: str) -> Iterator[tuple[Ratings, Ratings]]:
    """What is learnt from and what is held out: five consecutive parts."""
    whole = np.load(Path(folder, f"{edition}.npy"))
    users, items = whole[:, 0].astype(np.int32), whole[:, 1].astype(np.int32)
    ratings = Ratings(users, items, whole[:, 2], (int(users.max()) + 1, int(items.max()) + 1))
    everything = np.arange(len(ratings))
    for part in np.array_split(everything, FOLDS):
        yield ratings[np.setdiff1d(everything, part)], ratings[part]


def judge(
    request: dict[str, Any],
    prepare: Callable[[Ratings], Any],
    fit: Callable[[Any], Any],
    predict: Callable[[Any, Ratings], Array],
) -> dict[str, Any]:
    """RMSE, MAE and seconds of `fit` and `predict` in every fold; `prepare` makes of ratings what `fit` takes."""
    found: dict[str, list[float]] = {"rmse": [], "mae": [], "fit": [], "predict": []}
    for number, (train, held_out) in enumerate(folds(request["folder"], request["edition"])):
        if number == 0:
            predict(fit(prepare(train[:_WARM])), held_out[:_WARM])
        data = prepare(train)
        started = time.perf_counter()
        model = fit(data)
        fitted = time.perf_counter()
        predicted = predict(model, held_out)
        ended = time.perf_counter()
        error = np.asarray(predicted, np.float64) - held_out.values
        measured = (np.sqrt(np.mean(error**2)), np.mean(np.abs(error)), fitted - started, ended - fitted)
        for values, value in zip(found.values(), measured, strict=True):
            values.append(float(value))
        if number + 1 == request["folds"]:
            break
    return {name: float(np.mean(values)) for name, values in found.items()}
