"""An explanation's strongest contributions in one line, for lists where a whole table would be too much."""

from __future__ import annotations

from typing import Any

import polars as pl

from coterie.models.explanation import Explanation


def reason(explanation: Explanation, most: int = 2) -> str:
    """The `most` contributions that speak most for the item, and how many more do; else the model's own summary.

    One more than `most` is named instead of counted.
    """
    speaking = explanation.contributions.filter(pl.col("contribution") > 0).sort("contribution", descending=True)
    by_items = "item" in speaking.columns
    if not len(speaking) or not (by_items or "user" in speaking.columns):  # effects and parts of models are no reasons
        return explanation.summary
    named = most + 1 if len(speaking) == most + 1 else most
    words = [_rated(part) if by_items else _neighbor(part) for part in speaking.head(named).iter_rows(named=True)]
    if more := len(speaking) - len(words):
        words.append(f"and {more:,} more like {'it' if by_items else 'them'}")
    return ("rated " if by_items else "") + "; ".join(words)


def _rated(part: dict[str, Any]) -> str:
    title = part.get("title") or f"item {part['item']}"
    rating = part.get("rating")
    return title if rating is None else f"{title} {rating:g}"


def _neighbor(part: dict[str, Any]) -> str:
    rating = "" if part.get("rating") is None else f" rated it {part['rating']:g}"
    return f"user {part['user']}{rating}"
