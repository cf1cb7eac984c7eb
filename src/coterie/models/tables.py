"""Tables that models answer with: ids in, ids out, ranks from 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Id, Vocabulary
from coterie.errors import check_whole

Array = np.ndarray[Any, np.dtype[Any]]
#: A block of lists: row numbers (n, k), scores (n, k), and how many of each row count (n,).
Top = tuple[Array, Array, Array]

_NOTHING: Top = (np.empty((0, 0), np.int32), np.empty((0, 0), np.float32), np.empty(0, np.int64))


def id_list(ids: Iterable[Id] | Id) -> list[Id]:
    """One id or many as a list; the vocabulary judges what is no id."""
    return list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else [ids]


def check_length(k: Any) -> None:
    """Refuse a length of lists that is none."""
    check_whole("k", k, 1)


def id_series(name: str, vocabulary: Vocabulary, rows: Array) -> pl.Series:
    """A column of ids by row number."""
    ids = vocabulary.ids[rows]
    return pl.Series(name, ids.tolist(), pl.String) if vocabulary.kind == "str" else pl.Series(name, ids)


def ranked(parts: list[Top], items: Vocabulary) -> pl.DataFrame:
    """Blocks of lists as `rank, item, score`."""
    ranks, columns, scores = map(np.concatenate, zip(*map(_entries, parts or [_NOTHING]), strict=True))
    return pl.DataFrame([pl.Series("rank", ranks), id_series("item", items, columns), pl.Series("score", scores)])


def _entries(part: Top) -> Top:
    """The ranks, row numbers and scores of a block's valid entries."""
    indices, scores, counts = part
    n, width = indices.shape
    ranks = np.arange(1, width + 1, dtype=np.int32)
    if n == 1:
        return ranks[: counts[0]], indices[0, : counts[0]], scores[0, : counts[0]]
    valid = ranks <= counts[:, None]
    return np.broadcast_to(ranks, indices.shape)[valid], indices[valid], scores[valid]


def owned(table: pl.DataFrame, owner: str, vocabulary: Vocabulary, rows: Array, parts: list[Top]) -> pl.DataFrame:
    """The table of lists with, as its first column, whose list it is: list j is that of row number ``rows[j]``."""
    owners = np.repeat(rows, np.concatenate([counts for _, _, counts in parts]) if parts else 0)
    return table.insert_column(0, id_series(owner, vocabulary, owners))


def named(contributions: pl.DataFrame, train: Interactions) -> pl.DataFrame:
    """Contributions with ids, in the first column, in place of `user_index` or `item_index`."""
    for axis, vocabulary in (("user", train.users), ("item", train.items)):
        if f"{axis}_index" in contributions.columns:
            ids = id_series(axis, vocabulary, contributions[f"{axis}_index"].to_numpy())
            contributions = contributions.with_columns(ids).drop(f"{axis}_index").select(axis, pl.exclude(axis))
    return contributions


def no_contributions() -> pl.DataFrame:
    """The contributions where nothing in the profile has a say."""
    return pl.DataFrame(schema={"item_index": pl.Int64, "rating": pl.Float32, "contribution": pl.Float64})
