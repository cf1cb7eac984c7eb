"""A few films about which much, little or nothing is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

import coterie as ct
from coterie.data.catalog import Catalog

NAN = float("nan")
TAGS = ("dark", "funny", "Sci-Fi", "bèlle époque")
#: id, title, genres, relevances
FILMS: list[tuple[int, str | None, str, list[float]]] = [
    (10, "Alpha (1990)", "Comedy|Drama", [0.9, 0.1, 0.3, 0.2]),
    (20, "Beta (1995)", "Comedy", [0.2, 0.8, 0.1, 0.7]),
    (30, "Gamma (1999)", "Horror|Drama", [0.7, 0.3, 0.9, 0.0]),
    (40, "Delta", "Drama", [0.5, 0.5, 0.5, 0.5]),
    (50, "Épsilon (2001)", "", [NAN, NAN, NAN, NAN]),
    (60, None, "Film-Noir|Comedy", [0.4, NAN, 0.6, 0.1]),
    (70, "Éta [II] (2010)", "Sci-Fi", [0.1, 0.9, 1.0, 0.3]),
]
#: user, item, tag
TAGGINGS = [
    (1, 10, "Dark"),
    (1, 10, "dark "),
    (2, 10, "DARK"),
    (3, 20, "dark"),
    (1, 20, "ｆｕｎｎｙ"),
    (2, 70, "space opera"),
]
#: user, item, rating
RATINGS = [
    (1, 10, 4.0),
    (1, 20, 5.0),
    (2, 10, 3.0),
    (2, 30, 2.0),
    (3, 10, 1.0),
    (3, 70, 5.0),
    (3, 99, 3.0),
    (4, 40, 4.0),
]


def catalog(**changes: Any) -> Catalog:
    """The films' catalog."""
    ids, titles, genres, relevances = zip(*FILMS, strict=True)
    items = pl.DataFrame({"item": ids, "title": titles, "genres": genres})
    tags = pl.DataFrame(TAGGINGS, schema={"user": pl.Int64, "item": pl.Int64, "tag": pl.String}, orient="row")
    given = {"tags": tags, "genome_tags": TAGS, "genome": np.array(relevances, np.float32), **changes}
    return Catalog.from_titles(items, **given)


def ratings() -> ct.Interactions:
    """Who rated what; nobody rated item 50 or 60, and the catalog lacks item 99."""
    frame = pl.DataFrame(RATINGS, schema={"user": pl.Int64, "item": pl.Int64, "rating": pl.Float32}, orient="row")
    return ct.Interactions.from_frame(frame, user="user", item="item", rating="rating")
