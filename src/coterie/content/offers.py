"""Tags worth critiquing: those that split an item's neighbours, that people use, and that differ from one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from coterie.content.tag_space import TagSpace
from coterie.kernels.topk import top_k_row

Array = np.ndarray[Any, np.dtype[Any]]

# Neighbours that are looked at, and the change of relevance that is clear.
_N_NEIGHBORS, _CLEAR = 100, 0.25


def offered_tags(space: TagSpace, row: int, similarities: Array, n: int, said: Sequence[int] = ()) -> pl.DataFrame:
    r"""Tags in the order in which they are offered for an item.

    Each next one has the largest

    .. math:: H_t \, \frac{\log(e + p_t)}{\max_u \log(e + p_u)} \, \bigl(1 - \max_{u \in S} |\rho_{tu}|\bigr)

    with the entropy :math:`H_t` in [0, 1] of how many of the 100 nearest items have clearly less (a relevance lower by
    0.25 or more), about as much, or clearly more of the tag; :math:`p_t` people who gave the tag by themselves; and the
    correlation ρ, over these items, with the tags S that are offered already or that something was `said` of. A tag
    of which all of these items have about as much, or all less, or all more, tells nothing and is not offered.

    Returns
    -------
    polars.DataFrame
        `rank, tag, relevance, less, more, score`; fewer than n rows where no more tags lead anywhere.
    """
    others = similarities.copy()
    others[row] = -np.inf
    near = space.relevance[top_k_row(others, _N_NEIGHBORS)]  # (n_near, n_tags)
    change = near - space.relevance[row]
    less, more = np.count_nonzero(change <= -_CLEAR, axis=0), np.count_nonzero(change >= _CLEAR, axis=0)
    popularity = np.log(np.e + space.popularity)
    worth = _entropy(np.stack([less, len(near) - less - more, more])) * popularity / popularity.max(initial=1)
    unit = _unit_columns(near)
    free = np.ones(len(worth))
    chosen: list[int] = []
    scores: list[float] = []
    for place in said:
        free = np.minimum(free, 1 - np.abs(unit[:, place] @ unit))
        worth[place] = 0
    while len(chosen) < n and (worth * free).max(initial=0) > 1e-6:
        best = int(np.argmax(worth * free))
        chosen.append(best)
        scores.append(worth[best] * free[best])
        free = np.minimum(free, 1 - np.abs(unit[:, best] @ unit))
        worth[best] = 0
    return pl.DataFrame(
        [
            pl.Series("rank", np.arange(1, len(chosen) + 1), pl.Int32),
            pl.Series("tag", [space.tags[place] for place in chosen], pl.String),
            pl.Series("relevance", space.relevance[row, chosen], pl.Float32),
            pl.Series("less", less[chosen], pl.Int64),
            pl.Series("more", more[chosen], pl.Int64),
            pl.Series("score", scores, pl.Float64),
        ]
    )


def _entropy(counts: Array) -> Array:
    """Entropy of the columns of counts (3, n), as a share of the most that it can be."""
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    entropy: Array = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=0) / np.log(len(counts))
    return entropy


def _unit_columns(near: Array) -> Array:
    """Columns less their means, of length 1; 0 where a column does not vary."""
    centred = near - near.mean(axis=0, keepdims=True) if len(near) else near
    lengths = np.linalg.norm(centred, axis=0)
    unit: Array = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-6)
    return unit
