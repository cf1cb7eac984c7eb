"""CSV, Parquet, Arrow, polars and pandas frames -> Interactions."""

from __future__ import annotations

from typing import Any

import polars as pl

from coterie.data.interactions import Duplicates, Interactions
from coterie.data.vocabulary import Vocabulary


def interactions_from_frame(
    frame: Any, user: str, item: str, rating: str | None, timestamp: str | None, duplicates: Duplicates
) -> Interactions:
    """See `Interactions.from_frame`."""
    table = frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
    users, user_index = Vocabulary.from_column(table[user], "user")
    items, item_index = Vocabulary.from_column(table[item], "item")
    values = None if rating is None else table[rating].cast(pl.Float32).to_numpy()
    times = None if timestamp is None else table[timestamp].cast(pl.Int64).to_numpy()
    return Interactions.from_arrays(users, items, user_index, item_index, values, times, duplicates)
