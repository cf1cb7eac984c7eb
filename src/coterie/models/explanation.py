"""Explanation: a score or a predicted rating, taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from coterie.data.vocabulary import Id


@dataclass(frozen=True)
class Explanation:
    """Why an item has the score or the predicted rating it has: ``score = base + sum of contributions + cut``.

    Attributes
    ----------
    user : id or None
        None for a stranger.
    item : id
    score : float
        What the model gives this item for this person: see `of`.
    base : float
        The part of the score that no single contribution carries.
    contributions : polars.DataFrame
        One row a contribution, largest magnitude first: `user` or `item` (the neighbour), `title`
        where known, `similarity`, `rating` (the rating that counted), `contribution`.
    summary : str
        The same in a sentence.
    of : {"score", "rating"}
        What `score` is: the score that ranks, or the predicted rating.
    cut : float
        What a predicted rating loses or gains by being kept on the scale of the data; 0 where it is on it.
    """

    user: Id | None
    item: Id
    score: float
    base: float
    contributions: pl.DataFrame = field(repr=False)
    summary: str = ""
    of: Literal["score", "rating"] = "score"
    cut: float = 0.0
