"""Splits that a person brings along: training and test ratings in two files."""

from __future__ import annotations

from typing import Any, Literal

from coterie.data.dataset import Dataset
from coterie.data.readers import load
from coterie.evaluation.splits.base import Split


def load_split(
    train: Any,
    test: Any,
    overlap: Literal["error", "drop", "keep"] = "error",
    timed: bool = False,
    **reading: Any,
) -> tuple[Dataset, Split]:
    """The training dataset, and the split that it makes with test ratings of its own.

    Parameters
    ----------
    train, test : whatever `coterie.load` takes, or a Dataset
        What is known about items comes from `train`.
    overlap, timed
        As in `Split.of_parts`.
    reading
        Options of `coterie.load`, for both parts: `user`, `item`, `rating`, `timestamp`, `separator`, ...

    Raises
    ------
    DataError
        A part cannot be read, or `Split.of_parts` refuses the two.

    Examples
    --------
    >>> data, split = load_split("train.csv", "test.csv", user="who", item="what")  # doctest: +SKIP
    >>> coterie.compare(data, split=split)  # doctest: +SKIP
    """
    parts = [part if isinstance(part, Dataset) else load(part, **reading) for part in (train, test)]
    names = " and ".join(part.name for part in parts)
    description = f"training and test ratings as supplied ({names})"
    return parts[0], Split.of_parts(parts[0].interactions, parts[1].interactions, overlap, description, timed)
