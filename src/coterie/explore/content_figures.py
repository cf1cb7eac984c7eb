"""Pictures of what items are about: which genres go together, which tags people give, what the tag genome says."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from coterie.content.features import taggings
from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset, as_dataset
from coterie.data.vocabulary import Id
from coterie.errors import DataError, ParameterError
from coterie.explore.cells import draw_cells, name_levels, write_in_cells
from coterie.explore.style import (
    SMALL,
    headline,
    label_axes,
    new_axes,
    new_figure,
    no_frame,
    plain,
    ranked_bars,
)
from coterie.models.tables import id_list

Array = np.ndarray[Any, np.dtype[Any]]

_MOST_GENRES = 24  # more would not be legible
_MOST_MOVIES = 8
_MOVIES = 256  # of the genome at once: what is made of them stays in the cache
_LONGEST = 34  # characters of a tag
_GENRE_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_GENRE_NAMES = ("below 5", "5", "10", "20", "30", "50 or more")
_RELEVANCES = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
_RELEVANCE_NAMES = ("below 0.1", "0.1", "0.25", "0.4", "0.55", "0.7", "0.85")


def genre_cooccurrence(catalog: Catalog | Dataset | None) -> Figure:
    """Of the titles of each genre (row), the share that has each other genre (column), in per cent.

    Genres are in the order of their frequency; where there are more than 24, the others are left out.

    Raises
    ------
    DataError
        No title has two genres.
    """
    import scipy.sparse as sp

    catalog = as_dataset(catalog).catalog
    if catalog is None or not catalog.genres:
        raise DataError("nothing is known about genres; load a dataset whose catalog has them")
    lists = catalog.items.select(pl.int_range(pl.len()).alias("row"), "genres").explode("genres").drop_nulls().unique()
    counts = lists["genres"].value_counts().sort(["count", "genres"], descending=[True, False])
    names = counts["genres"].to_list()[:_MOST_GENRES]
    left_out = len(counts) - len(names)
    pairs = lists.filter(pl.col("genres").is_in(names)).sort("row", "genres")
    columns = pairs["genres"].cast(pl.Enum(names)).to_physical().to_numpy()
    has = sp.csr_matrix((np.ones(len(pairs)), (pairs["row"].to_numpy(), columns)), shape=(len(catalog), len(names)))
    together = (has.T @ has).toarray()
    shares = together / np.diag(together)[:, None]
    np.fill_diagonal(shares, 0)
    levels = np.where(shares > 0, np.searchsorted(_GENRE_SHARES, shares, "right"), 0)
    n = len(names)
    if not shares.any():
        raise DataError("no title has two genres, so none go together" if n > 1 else f"all genres are {names[0]}")
    figure = new_figure(height=max(3.4, 2.3 + 0.31 * n), width=max(5.6, 2.2 + 0.36 * n))
    axes = new_axes(figure, grid="")
    draw_cells(axes, levels, len(_GENRE_SHARES), gap=0.06)
    texts = [[f"{100 * share:.0f}" if share >= 0.005 else "" for share in line] for line in shares]
    write_in_cells(axes, levels, len(_GENRE_SHARES), texts, SMALL - 1)
    sizes = np.diag(together).astype(int)
    axes.set_yticks(range(n), [plain(f"{name} ({size:,})") for name, size in zip(names, sizes, strict=True)])
    axes.set_xticks(range(n), [plain(name) for name in names], rotation=45, ha="right", rotation_mode="anchor")
    no_frame(axes)
    label_axes(axes, "also have this genre", "genre (titles)")
    name_levels(figure, _GENRE_NAMES, "of a row's titles, those that have the column's genre too (%)")
    headline(figure, _pair_in_words(shares, names), _of_genres(left_out))
    return figure


def _pair_in_words(shares: Array, names: list[str]) -> str:
    row, column = np.unravel_index(int(shares.argmax()), shares.shape)
    return f"{shares[row, column]:.0%} of {names[row]} is {names[column]} as well"


def _of_genres(left_out: int) -> str:
    note = "the strongest pair; read along a row; genres are in the order of their frequency"
    return f"{note}; {left_out:,} rare genres are left out" if left_out else note


def tag_bars(catalog: Catalog | Dataset | None, items: Iterable[Id] | Id | None = None, n: int = 25) -> Figure:
    """The tags that people gave most often, to all items or to some: a tag cloud that can be read.

    Parameters
    ----------
    items : ids, or None for all
    n : int, 1 to 60
        Tags shown. Spellings that differ by case or blanks are one tag, and a person counts once for a tag of an item.
    """
    if not 1 <= n <= 60:
        raise ParameterError(f"n must be a whole number from 1 to 60, not {n!r}")
    catalog = as_dataset(catalog).catalog
    if catalog is None or catalog.tags is None or catalog.tags.is_empty():
        raise DataError("nothing is known about tags; load a dataset that has them")
    chosen = None if items is None else id_list(items)
    counts = _tag_counts(catalog, chosen)
    if counts.is_empty():
        raise DataError("nobody gave these items a tag")
    shown = counts.head(n)[::-1]
    names = [textwrap.shorten(tag, _LONGEST, placeholder=" …") for tag in shown["tag"]]
    figure = ranked_bars(names, shown["times"].to_list(), "times given (a person counts once for an item)")
    about = "all items"
    if chosen is not None:
        title = catalog.titles(chosen[:1])[0] or f"item {chosen[0]}"
        about = title if len(chosen) == 1 else f"{len(chosen):,} items"
    of = f"{int(counts['times'].sum()):,} taggings, {len(counts):,} different tags"
    headline(figure, f"“{counts['tag'][0]}” is the most frequent tag of {about}", of)
    return figure


def _tag_counts(catalog: Catalog, items: list[Id] | None) -> pl.DataFrame:
    """`tag, times`, the most frequent first."""
    within = catalog if items is None else catalog.select(items)
    counts = taggings(within, within.vocabulary).group_by("tag").agg(pl.col("people").sum().alias("times"))
    return counts.sort(["times", "tag"], descending=[True, False])


def genome_heat_map(catalog: Catalog | Dataset | None, items: Iterable[Id] | Id, n_tags: int = 20) -> Figure:
    """How relevant the tags of the genome are to a few movies; of all tags, those that set these movies apart.

    Parameters
    ----------
    items : one to eight ids
    n_tags : int, 1 to 40
        Tags shown: for each movie in turn, the next one whose relevance stands out most from its mean over all
        movies. Tags are grouped by the movie that they are most relevant to.
    """
    catalog, chosen = as_dataset(catalog).catalog, id_list(items)
    if not 1 <= len(chosen) <= _MOST_MOVIES:
        raise ParameterError(f"items must be one to {_MOST_MOVIES} ids, so that the picture is legible; {len(chosen)}")
    if not 1 <= n_tags <= 40:
        raise ParameterError(f"n_tags must be a whole number from 1 to 40, not {n_tags!r}")
    if catalog is None or catalog.genome is None:
        raise DataError("nothing is known of a tag genome; load a dataset that has one")
    relevance = np.asarray(catalog.genome[catalog.vocabulary.indices(chosen)], np.float64)
    for id, row in zip(chosen, relevance, strict=True):
        if np.isnan(row).all():
            raise DataError(f"the tag genome does not have {catalog.titles([id])[0] or 'item'} [{id}]")
    picked = _standing_out(relevance, _means(catalog.genome), n_tags)
    shown = relevance[:, picked].T
    levels = np.where(np.isnan(shown), 0, np.searchsorted(_RELEVANCES, shown, "right"))
    names = [catalog.titles([id])[0] or f"item {id}" for id in chosen]
    lines = [textwrap.fill(plain(textwrap.shorten(name, 44, placeholder=" …")), 12) for name in names]
    deepest = max(line.count("\n") + 1 for line in lines)
    figure = new_figure(height=1.7 + 0.24 * len(picked) + 0.17 * deepest, width=max(5.6, 2.4 + 0.95 * len(chosen)))
    axes = new_axes(figure, grid="")
    draw_cells(axes, levels, len(_RELEVANCES), gap=0.06)
    write_in_cells(axes, levels, len(_RELEVANCES), [[_digits(value) for value in row] for row in shown], SMALL - 1)
    axes.set_yticks(range(len(picked)), [plain(catalog.genome_tags[tag]) for tag in picked])
    axes.set_xticks(range(len(chosen)), lines)
    axes.xaxis.tick_top()
    no_frame(axes)
    axes.tick_params(labelsize=SMALL - 0.5)
    name_levels(figure, _RELEVANCE_NAMES, "relevance of a tag to a movie, from 0 to 1")
    headline(
        figure,
        f"What sets {names[0] if len(names) == 1 else f'these {len(names)} movies'} apart",
        f"{len(picked)} of {len(catalog.genome_tags):,} tags of the genome: the furthest above their mean",
    )
    return figure


def _digits(value: float) -> str:
    """Two digits; nothing where the genome does not say."""
    return "" if np.isnan(value) else f"{value:.2f}"


def _means(genome: Array) -> Array:
    """Mean relevance of each tag over the movies that have it; 0 where none has."""
    sums, counts = np.zeros(genome.shape[1]), np.zeros(genome.shape[1], np.int64)
    for start in range(0, len(genome), _MOVIES):
        part = genome[start : start + _MOVIES]
        there = ~np.isnan(part)
        sums += np.where(there, part, 0).sum(axis=0, dtype=np.float64)
        counts += there.sum(axis=0)
    return np.asarray(sums / np.maximum(counts, 1))


def _standing_out(relevance: Array, means: Array, n: int) -> Array:
    """Columns of the tags to show, grouped by the movie they are most relevant to, the most relevant first."""
    relevance = np.nan_to_num(relevance, nan=-1)  # what is not given stands out last
    orders = np.argsort(means - relevance, axis=1, kind="stable")
    turns = orders.T.ravel()  # the first of each movie, then the second of each, ...
    _, first = np.unique(turns, return_index=True)
    picked = turns[np.sort(first)][:n]
    best = relevance[:, picked].argmax(axis=0)
    return np.asarray(picked[np.lexsort((-relevance[best, picked], best))])
