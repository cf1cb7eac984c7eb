"""``synthetic:<shape>``: a generated world of MovieLens' shape at any size, the same bytes for the same seed.

A world is made of integer hashes and single IEEE operations in a fixed order, so neither the number of
threads nor the processor nor its mathematical library changes a bit of it. Ratings are written block by
block of users into memory-mapped files: a world needs memory for its users and items, and disk for its ratings.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import polars as pl

from coterie.data.dataset import Dataset, LoadReport
from coterie.data.progress import progress
from coterie.data.store import cache_folder, cached
from coterie.data.synthetic_catalog import make_catalog
from coterie.data.synthetic_ratings import VERSION, Shape, generate, parse_shape
from coterie.errors import ParameterError
from coterie.storage import replacing, temporary_beside

PREFIX = "synthetic:"
_CSV_BLOCK = 1 << 20


@dataclass(frozen=True)
class Request:
    """Which world is wanted."""

    shape: Shape
    seed: int
    name: str


def parse(name: str, seed: int | None = None) -> Request:
    """The world that ``synthetic:<shape>`` or ``synthetic:<shape>?seed=7`` names; `seed` is 0 unless given."""
    text, _, query = name.removeprefix(PREFIX).partition("?")
    shape = parse_shape(text)
    for option, value in parse_qsl(query, keep_blank_values=True):
        if option != "seed" or not value.isdigit():
            raise ParameterError(f"{name}: after the shape may stand ?seed=NUMBER, not {option}={value}")
        if seed is not None and seed != int(value):
            raise ParameterError(f"{name} names seed {value}, but the option seed is {seed}; give one of them")
        seed = int(value)
    seed = 0 if seed is None else seed
    if not 0 <= seed < 2**63:
        raise ParameterError(f"seed must be a whole number from 0 to 2^63 - 1, not {seed!r}")
    return Request(shape, seed, f"{PREFIX}{text.lower()}" + (f"?seed={seed}" if seed else ""))


def load(name: str, *, cache: bool = True, seed: int | None = None) -> Dataset:
    """The generated world `name`.

    Parameters
    ----------
    name : str
        ``synthetic:100k``, ``1m``, ``10m``, ``20m``, ``25m``, ``32m`` (the numbers of the MovieLens editions), or
        ``synthetic:USERSxITEMSxRATINGS``; ``?seed=7`` may follow.
    cache : bool
        Keep it on disk, and take it from there the next time. Without, ratings and genome stand in memory.
    seed : int from 0, or None for the one of the name (0 where it has none)

    Raises
    ------
    ParameterError
        The shape is impossible, such as more ratings than users x items.
    """
    request = parse(name, seed)
    if not cache:
        return _build(request, None)
    shape = request.shape
    numbers = [shape.n_users, shape.n_items, shape.n_ratings]
    with _work_folder() as folder:
        options = {"synthetic": request.name, "numbers": numbers, "seed": request.seed, "version": VERSION}
        return cached([], options, lambda: _build(request, folder))


def _build(request: Request, folder: Path | None) -> Dataset:
    if folder is not None:
        folder = _made(folder)
    world, ratings = generate(request.shape, request.seed, folder)
    catalog = make_catalog(world, ratings, folder)
    assert catalog.tags is not None and catalog.genome is not None
    rows: dict[str, int | None] = {
        "movies": len(catalog),
        "ratings": ratings.nnz,
        "tags": len(catalog.tags),
        "genome_tags": len(catalog.genome_tags),
        "genome_scores": int(np.isfinite(catalog.genome[:, 0]).sum()) * len(catalog.genome_tags),
    }
    notes = (f"generated, with seed {request.seed}; not real people's ratings",)
    return Dataset(ratings, catalog, request.name, LoadReport(source=request.name, tables=rows, notes=notes))


@contextmanager
def _work_folder() -> Iterator[Path]:
    """The name of a folder beside the cached datasets, for arrays on their way into one; removed at the end."""
    folder = temporary_beside(cache_folder() / "world")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Path | None:
    """The folder, made; None where the cache cannot be written, which the store reports when it tries to keep it."""
    try:
        folder.mkdir(parents=True)
    except OSError:
        return None
    return folder


# ---- as files ------------------------------------------------------------------------------------------------


def write_csv(name: str, folder: str | os.PathLike[str], *, cache: bool = True, seed: int | None = None) -> list[Path]:
    """Write a generated world in the layout of MovieLens 20M: ratings, movies, tags, genome-tags and genome-scores.

    Rows are written in blocks, so that a world of any size needs little memory; each file appears whole or
    not at all.

    Returns
    -------
    list of Path
        The files.
    """
    dataset = load(name, cache=cache, seed=seed)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    blocks = {
        "movies.csv": _movie_blocks(dataset),
        "tags.csv": _tag_blocks(dataset),
        "genome-tags.csv": _genome_tag_blocks(dataset),
        "genome-scores.csv": _genome_score_blocks(dataset),
        "ratings.csv": _rating_blocks(dataset),
    }
    for file, frames in blocks.items():
        rows = dataset.report.tables[file.removesuffix(".csv").replace("-", "_")]
        with replacing(target / file) as out, progress(file, rows) as advance:
            for number, frame in enumerate(frames):
                frame.write_csv(out, include_header=number == 0)
                advance(len(frame))
    return [target / file for file in blocks]


def _rating_blocks(dataset: Dataset) -> Iterator[pl.DataFrame]:
    x = dataset.interactions
    times: Any = x.timestamps
    first = 0
    while first < x.n_users:
        last = int(np.searchsorted(x.indptr, x.indptr[first] + _CSV_BLOCK, side="right")) - 1
        last = max(last, first + 1)
        rows = slice(int(x.indptr[first]), int(x.indptr[last]))
        yield pl.DataFrame(
            {
                "userId": np.repeat(x.users.ids[first:last], np.diff(x.indptr[first : last + 1])),
                "movieId": x.items.ids[x.indices[rows]],
                "rating": x.values[rows],
                "timestamp": times[rows],
            }
        )
        first = last


def _movie_blocks(dataset: Dataset) -> Iterator[pl.DataFrame]:
    assert dataset.catalog is not None
    genres = pl.col("genres").list.join("|")
    yield dataset.catalog.items.select(
        pl.col("item").alias("movieId"),
        "title",
        pl.when(genres == "").then(pl.lit("(no genres listed)")).otherwise(genres).alias("genres"),
    )


def _tag_blocks(dataset: Dataset) -> Iterator[pl.DataFrame]:
    assert dataset.catalog is not None and dataset.catalog.tags is not None
    yield dataset.catalog.tags.rename({"user": "userId", "item": "movieId"})


def _genome_tag_blocks(dataset: Dataset) -> Iterator[pl.DataFrame]:
    assert dataset.catalog is not None
    names = dataset.catalog.genome_tags
    yield pl.DataFrame({"tagId": np.arange(1, len(names) + 1), "tag": list(names)})


def _genome_score_blocks(dataset: Dataset) -> Iterator[pl.DataFrame]:
    assert dataset.catalog is not None and dataset.catalog.genome is not None
    genome, ids = dataset.catalog.genome, dataset.catalog.vocabulary.ids
    n_tags = genome.shape[1]
    present = np.flatnonzero(~np.isnan(genome[:, 0]))
    step = max(1, _CSV_BLOCK // n_tags)
    for start in range(0, len(present), step):
        rows = present[start : start + step]
        yield pl.DataFrame(
            {
                "movieId": np.repeat(ids[rows], n_tags),
                "tagId": np.tile(np.arange(1, n_tags + 1), len(rows)),
                "relevance": genome[rows].ravel(),
            }
        )
