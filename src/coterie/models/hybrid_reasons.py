"""Explanations of a hybrid: those of its parts, scaled and put together so that they still add up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from coterie.errors import CapabilityError


class Piece(NamedTuple):
    """What a part adds: ``factor * (value - shift)``, where it explains `value` as base + contributions.

    `explain` gives base, contributions and a sentence; None where only the whole can be said, for the value is not
    linear in what the part adds up.
    """

    label: str
    factor: float
    shift: float
    value: float
    explain: Callable[[], tuple[float, pl.DataFrame, str]] | None


def put_together(pieces: Sequence[Piece]) -> tuple[float, pl.DataFrame, str]:
    """Base, contributions and the parts' own sentences.

    A single part keeps its own table. Where several parts all tell of items of the profile there is a row an item, with
    a column for each part beside the sum; else a row a part.
    """
    told = [_told(piece) for piece in pieces]
    given = [part for part in told if part is not None]
    if len(given) == len(pieces) == 1:
        (base, parts, text), piece = given[0], pieces[0]
        scaled = parts.with_columns(pl.col("contribution").cast(pl.Float64) * piece.factor)
        return piece.factor * (base - piece.shift), scaled, text
    if len(given) < len(pieces) or any("item_index" not in parts.columns for _, parts, _ in given):
        whole = [piece.factor * (piece.value - piece.shift) for piece in pieces]
        return 0.0, pl.DataFrame({"part": [piece.label for piece in pieces], "contribution": whole}), ""
    base = sum(piece.factor * (part[0] - piece.shift) for piece, part in zip(pieces, given, strict=True))
    return base, _by_item(pieces, [parts for _, parts, _ in given]), ""


def _told(piece: Piece) -> tuple[float, pl.DataFrame, str] | None:
    if piece.explain is None:
        return None
    try:
        return piece.explain()
    except CapabilityError:
        return None


def _by_item(pieces: Sequence[Piece], tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """A row an item: rating, what each part makes of it, and the sum."""
    labels = [piece.label for piece in pieces]
    rows = [
        parts.select(
            pl.col("item_index").cast(pl.Int64),
            pl.col("rating").cast(pl.Float32)
            if "rating" in parts.columns
            else pl.lit(None, pl.Float32).alias("rating"),
            pl.lit(piece.label).alias("part"),
            pl.col("contribution").cast(pl.Float64) * piece.factor,
        )
        for piece, parts in zip(pieces, tables, strict=True)
    ]
    shares = [pl.col("contribution").filter(pl.col("part") == label).sum().alias(label) for label in labels]
    return (
        pl.concat(rows)
        .group_by("item_index", maintain_order=True)
        .agg(pl.col("rating").drop_nulls().first(), *shares)
        .with_columns(pl.sum_horizontal(labels).alias("contribution"))
    )
