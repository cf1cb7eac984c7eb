"""Small ratings for tests of splits and of the linter."""

from __future__ import annotations

import polars as pl
from hypothesis import strategies as st

from coterie.data.interactions import Interactions


def make(rows: list[tuple[int, int, float, int]]) -> Interactions:
    frame = pl.DataFrame(rows, schema=["user", "item", "rating", "time"], orient="row")
    return Interactions.from_frame(frame, "user", "item", "rating", "time")


pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), min_size=2, max_size=30, unique=True)
ratings = pairs.flatmap(
    lambda some: st.lists(st.integers(0, 6), min_size=len(some), max_size=len(some)).map(
        lambda times: make([(u, i, float(1 + (u + i) % 5), t) for (u, i), t in zip(some, times, strict=True)])
    )
)


def triples(x: Interactions) -> set[tuple[object, ...]]:
    return set(x.to_frame().iter_rows())
