"""What is known about items, from a table that comes beside the ratings: a row an item with its title and genres."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.delimited import Delimited, Kind, guess_separator, header_of
from coterie.data.findings import Findings, OnError, listed
from coterie.data.frames import column_names, is_frame, to_polars
from coterie.data.sources import PARQUET, Source
from coterie.errors import DataError

# Column names that are recognised, in lower case without underscores; the first that is there.
_USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "item": ("movieid", "itemid", "item", "movie", "iid", "id"),
    "title": ("title", "name"),
    "genres": ("genres", "genre", "categories", "category"),
}


def with_catalog(dataset: Dataset, items: Any, item: str | None = None, on_error: OnError = "raise") -> Dataset:
    """The dataset with a catalog from a table of its items, in place of the catalog it has.

    Parameters
    ----------
    dataset : Dataset
    items : path or frame
        A CSV, TSV or Parquet file whose first line names the columns, or a frame: the id of the item as in the ratings,
        its `title`, and its `genres`, joined by ``|``. Other columns are left alone.
    item : str or None
        The column of ids; None: a usual name (``movieId``, ``item_id``, ``id``, ...), or the first column.
    on_error : {"raise", "skip"}
        Whether a line that cannot be used is an error, or left out and counted.

    Raises
    ------
    DataError
        The table cannot be read, has an item twice, or has none of the items that are rated.
    """
    findings = Findings(on_error)
    ratings = dataset.interactions
    frame = _read(items, item, "integer" if ratings.items.kind == "int" else "text", findings)
    catalog = Catalog.from_titles(frame)
    if not (catalog.vocabulary.indices(ratings.items.ids, missing="skip") >= 0).any():
        what = "the catalog" if is_frame(items) else str(items)
        known, rated = catalog.vocabulary.ids[:1].tolist(), ratings.items.ids[:1].tolist()
        example = f": it has ids such as {known[0]!r}, the ratings such as {rated[0]!r}" if known and rated else ""
        raise DataError(f"{what} has none of the items that are rated{example}; both must name items alike")
    read, report = findings.report("", {}), dataset.report
    report = replace(
        report,
        tables={**report.tables, "movies": len(catalog)},
        skipped=report.skipped + read.skipped,
        skipped_lines=report.skipped_lines + read.skipped_lines,
        skipped_reasons={**report.skipped_reasons, **read.skipped_reasons},
        warnings=report.warnings + read.warnings,
    )
    return replace(dataset, catalog=catalog, report=report)


def _read(items: Any, item: str | None, id_kind: Kind, findings: Findings) -> pl.DataFrame:
    """The columns `item` and, where they are there, `title` and `genres`."""
    if is_frame(items):
        chosen = _choose(column_names(items), item, "the catalog")
        frame = to_polars(items, list(chosen.values()), findings)
    elif not isinstance(items, (str, PathLike)):
        raise DataError(f"catalog must be a path or a frame, not {type(items).__name__}")
    elif not (path := Path(items).expanduser()).is_file():
        raise DataError(f"catalog: {path} is {'a folder' if path.is_dir() else 'not there'}; give a file of items")
    elif path.suffix.lower() in PARQUET:
        try:
            lazy = pl.scan_parquet(path)
            chosen = _choose(lazy.collect_schema().names(), item, path.name)
            frame = lazy.select(list(chosen.values())).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path.name} cannot be read as Parquet: {error}") from error
    else:
        source = Source(path)
        separator = guess_separator(source.first_line().decode("utf-8", "replace"))
        chosen = _choose(header_of(source, separator), item, source.name)
        kinds: dict[str, Kind] = {name: id_kind if role == "item" else "text" for role, name in chosen.items()}
        frame = Delimited(source, separator, kinds).read(findings)
    ids = pl.col("item").cast(pl.Int64 if id_kind == "integer" else pl.String)
    try:
        return frame.select(pl.col(name).alias(role) for role, name in chosen.items()).with_columns(ids)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"the ids of items are integers in the ratings, and not all are in the items: {error}"
        ) from None


def _choose(names: list[str], item: str | None, what: str) -> dict[str, str]:
    """Which column is what: `item`, and of `title` and `genres` what is there."""
    plain = {name.strip().lower().replace("_", ""): name for name in reversed(names)}
    found = {role: next((plain[u] for u in usual if u in plain), None) for role, usual in _USUAL_NAMES.items()}
    if item in names:  # as the ratings call it
        found["item"] = item
    if found["item"] is None or (found["title"] is None and found["genres"] is None):
        raise DataError(
            f"{what} has {listed(names)}; a table of items needs a first line that names its columns: "
            "item, and title or genres or both"
        )
    return {role: name for role, name in found.items() if name is not None}
