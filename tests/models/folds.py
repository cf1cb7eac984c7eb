"""MovieLens 100K and 1M in the five folds on which accuracies are commonly published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.models.base import Recommender


def ratings(folder: Path, edition: str) -> pl.DataFrame:
    """`user, item, rating` in file order; `edition` is "ml-100k" or "ml-1m"."""
    if edition == "ml-1m":
        lines = pl.read_csv(folder / edition / "ratings-no-timestamps.csv")
    else:
        lines = pl.read_csv(folder / edition / "u.data", separator="\t", has_header=False)[:, :3]
    return lines.rename(dict(zip(lines.columns, ("user", "item", "rating"), strict=True)))


def folds(folder: Path, edition: str = "ml-100k") -> Iterator[tuple[Interactions, pl.DataFrame]]:
    """Training data and held-out `user, item, rating`: file order shuffled with seed 0, five consecutive parts."""
    lines = ratings(folder, edition)
    users, items = (Vocabulary(lines[name].unique().sort(), name) for name in ("user", "item"))
    order = np.arange(len(lines))
    np.random.RandomState(0).shuffle(order)
    for part in np.array_split(order, 5):
        train = lines[np.setdiff1d(order, part)]
        rows, columns = users.indices(train["user"]), items.indices(train["item"])
        yield Interactions.from_arrays(users, items, rows, columns, train["rating"].to_numpy()), lines[part]


def cross_validated(make: Callable[[], Recommender], folder: Path, edition: str = "ml-100k") -> tuple[float, float]:
    """RMSE and MAE, means over the folds."""
    errors = []
    for train, held_out in folds(folder, edition):
        predicted = make().fit(train).predict(held_out["user"], held_out["item"])
        error = predicted.astype(np.float64) - held_out["rating"].to_numpy()
        errors.append((np.sqrt((error**2).mean()), np.abs(error).mean()))
    rmse, mae = np.mean(errors, axis=0)
    return float(rmse), float(mae)
