"""`load`: a name, a folder, a zip, a file or a frame -> Dataset."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import polars as pl

from coterie.data.compress import check_duplicates
from coterie.data.dataset import Dataset
from coterie.data.delimited import Delimited, Kind, guess_separator, header_of
from coterie.data.feedback import Weights, checked_threshold, checked_weights
from coterie.data.findings import Findings, OnError, listed, shorten
from coterie.data.frames import Columns, build, column_names, is_frame, to_polars
from coterie.data.interactions import Duplicates, Interactions
from coterie.data.items import with_catalog
from coterie.data.movielens import find_layout, only_file, read_movielens
from coterie.data.sources import PARQUET, Source
from coterie.data.times import NUMBER
from coterie.errors import DataError, DataWarning, ParameterError

# Column names that are recognised without being told, in lower case without underscores; the first that is there.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "user": ("userid", "user", "uid"),
    "item": ("movieid", "itemid", "item", "movie", "iid"),
    "rating": ("rating", "ratings"),
    "timestamp": ("timestamp", "time", "datetime", "date"),
}
# Endings of MovieLens' files without a header: user, item, rating and time in this order.
_HEADERLESS = (".dat", ".data", ".base", ".test")

Column = str | int | None


def load(
    name_or_path: Any = "movielens-sample",
    *,
    user: Column = None,
    item: Column = None,
    rating: Column = None,
    timestamp: Column = None,
    behavior: Column = None,
    weights: Mapping[str, float] | None = None,
    separator: str | None = None,
    duplicates: Duplicates = "last",
    implicit: bool | float = False,
    half_life: float | None = None,
    catalog: Any = None,
    on_error: OnError = "raise",
    cache: bool = True,
    **options: Any,
) -> Dataset:
    """A dataset from a known name, MovieLens as a folder or zip, a file of ratings, or a frame.

    Parameters
    ----------
    name_or_path : str, path or frame
        A name that `coterie data list` shows (a path of the same spelling is given as ``./name``); a
        folder or ``.zip`` in any layout of MovieLens; one CSV, TSV (also gzipped, or alone in a
        zip) or Parquet file; or a polars, pandas or Arrow frame.
    user, item, rating, timestamp : str, int or None
        Columns of a single file or frame. None: the usual names (``userId``, ``movieId``, ``item_id``,
        ``rating``, ``timestamp``, ...) are recognised; without ratings every value is 1. Integers are
        positions from 0 in a file that has no header line.
    behavior : str, int or None
        Column of what was done, such as ``view`` or ``buy``; `weights` says what each is worth.
    weights : dict of str to float, or None
        As in `Interactions.from_frame`.
    separator : str or None
        Between the fields of a text file, one character or several; None: seen from the first line.
    duplicates : {"last", "first", "mean", "max", "sum", "error"}
        What becomes of several rows for one (user, item), as in `Interactions.from_frame`.
    implicit : bool or float
        True: every rating becomes 1. A number: those of at least that become 1, the others are left out.
        See `Interactions.binarized`.
    half_life : float or None
        Days in which a rating loses half its value, counted back from the latest one. See `Interactions.decayed`,
        which has another reading for models that predict ratings (``towards="mean"``).
    catalog : path, frame or None
        What is known about the items: a table of their ids, titles and genres (joined by ``|``), for ratings that come
        in a single file or frame; elsewhere it takes the place of what comes along. See `with_catalog`.
    on_error : {"raise", "skip"}
        Whether a line that cannot be used is an error, or left out and counted in `Dataset.report`.
    cache : bool
        Keep what was read from files, so that the next load of the same content is memory-mapped.
    **options
        Options of a known name, such as the seed of a generated dataset.

    Raises
    ------
    DataError
        Nothing is there, or what is there cannot be read as ratings; the message names file and line.
    """
    check_duplicates(duplicates)
    findings = Findings(on_error)
    given = {"user": user, "item": item, "rating": rating, "timestamp": timestamp, "behavior": behavior}
    weights = checked_weights(behavior, weights)
    if is_frame(name_or_path):
        _refuse_options(options, "a frame")
        _refuse_separator(separator, "a frame")
        dataset = _from_frame(name_or_path, given, weights, duplicates, findings)
    elif not isinstance(name_or_path, (str, PathLike)):
        raise DataError(
            f"cannot load a {type(name_or_path).__name__}; give a name, a path, or a polars, pandas or Arrow frame"
        )
    elif isinstance(name_or_path, str) and _is_known_name(name_or_path):
        _refuse(given, separator, "a known name")
        dataset = _known(name_or_path, duplicates, on_error, cache, options)
    else:
        if not str(name_or_path).strip():
            raise ParameterError(f"the name or path is empty ({name_or_path!r}); the folder one is in is '.'")
        path = Path(name_or_path).expanduser()
        _refuse_options(options, "a path")
        if not path.exists():
            raise _not_there(path)
        dataset = load_path(path, _bare_name(path), given, separator, duplicates, on_error, cache, weights)
    if catalog is not None:
        dataset = with_catalog(dataset, catalog, item if isinstance(item, str) else None, on_error)
    _tell(dataset)
    if implicit is not False:
        dataset = replace(dataset, ratings=dataset.interactions.binarized(checked_threshold(implicit)))
    if half_life is not None:
        dataset = replace(dataset, ratings=dataset.interactions.decayed(half_life))
    return dataset


def interactions_from_frame(
    frame: Any,
    columns: Columns,
    weights: Mapping[str, float] | None,
    duplicates: Duplicates,
) -> Interactions:
    """See `Interactions.from_frame`."""
    check_duplicates(duplicates)
    findings = Findings()
    columns, weights = columns.checked(), checked_weights(columns.behavior, weights)
    made = build(to_polars(frame, columns.named, findings), columns, duplicates, findings, weights=weights)
    for message in findings.report("", {}).warnings:
        warnings.warn(message, DataWarning, stacklevel=3)
    return made


# ---- where it comes from -----------------------------------------------------------------------------------


def _is_known_name(text: str) -> bool:
    from coterie.data import builtin

    return builtin.is_name(text)


def _known(name: str, duplicates: Duplicates, on_error: OnError, cache: bool, options: dict[str, Any]) -> Dataset:
    from coterie.data import builtin

    if duplicates != "last":
        options = {**options, "duplicates": duplicates}
    if on_error != "raise":
        options = {**options, "on_error": on_error}
    return builtin.load(name, cache=cache, **options)


def load_path(
    path: Path,
    name: str,
    given: Mapping[str, Column] = dict.fromkeys(Columns._fields),
    separator: str | None = None,
    duplicates: Duplicates = "last",
    on_error: OnError = "raise",
    cache: bool = True,
    weights: Weights | None = None,
) -> Dataset:
    """A dataset called `name` from a folder, zip or file, by way of the store; as `load`, but without warnings."""
    findings = Findings(on_error)
    source: Source | None = Source(path)
    if path.is_dir():
        source = None
    elif path.suffix.lower() == ".zip":
        source = only_file(path)
    if source is None:
        _refuse(given, separator, "MovieLens")
        layout = find_layout(path)
        files = layout.files

        def read() -> Dataset:
            return read_movielens(layout, name, duplicates, findings)
    else:
        files, only = [path], source

        def read() -> Dataset:
            return _from_file(only, name, given, weights, separator, duplicates, findings)

    if not cache:
        return read()
    from coterie.data.store import cached

    settings = {
        "kind": "file",
        "name": name,
        "columns": dict(given),
        "weights": weights,
        "separator": separator,
        "duplicates": duplicates,
        "on_error": findings.on_error,
    }
    dataset = cached(files, settings, read)
    return replace(dataset, report=replace(dataset.report, source=str(path)))


def _from_file(
    source: Source,
    name: str,
    given: Mapping[str, Column],
    weights: Weights | None,
    separator: str | None,
    duplicates: Duplicates,
    findings: Findings,
) -> Dataset:
    """From one file of ratings."""
    path = source.path
    if path.suffix.lower() in PARQUET:
        _refuse_separator(separator, "a Parquet file")
        try:
            lazy = pl.scan_parquet(path)
            columns = _choose(lazy.collect_schema().names(), given, path.name, findings)
            table = lazy.select(columns.named).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path.name} cannot be read as Parquet: {error}") from error
        place = f"{path.name} row"
    else:
        table, columns = _from_text(source, given, separator, findings)
        place = f"{source.name} record"
    if not len(table) and not findings.skipped:
        raise DataError(f"{source.name} has no rows of ratings")
    rows = len(table)
    ratings = build(table, columns, duplicates, findings, place, weights)
    return Dataset(ratings, None, name, findings.report(str(path), {"ratings": rows}))


def _from_text(
    source: Source, given: Mapping[str, Column], separator: str | None, findings: Findings
) -> tuple[pl.DataFrame, Columns]:
    """The columns of a delimited file."""
    first = source.first_line().decode("utf-8", "replace")
    separator = separator or guess_separator(first)
    names = header_of(source, separator)
    header = None
    if source.file_name.removesuffix(".gz").endswith(_HEADERLESS) and set(given.values()) == {None}:
        given = {**given} | dict(zip(USUAL_NAMES, range(len(names)), strict=False))
    positions = [column for column in given.values() if isinstance(column, int)]
    if positions:
        if any(isinstance(column, str) for column in given.values()):
            raise ParameterError(f"give all columns by name or all by position, not {given}")
        if max(positions) >= len(names) or min(positions) < 0:
            raise ParameterError(f"{source.name} has columns 0 to {len(names) - 1}, not {given}")
        header = [f"column {at}" for at in range(len(names))]
        given = {role: None if at is None else header[int(at)] for role, at in given.items()}
        names = header
    elif all(pl.Series(names).str.contains(NUMBER)):
        raise DataError(
            f"the first line of {source.name} looks like data and not like a header: {shorten(first)}; "
            "give the columns by position, such as user=0, item=1, rating=2"
        )
    columns = _choose(names, given, source.name, findings)
    kinds: dict[str, Kind] = {columns.user: "id", columns.item: "id"}
    if columns.rating is not None:
        kinds[columns.rating] = "number"
    if columns.timestamp is not None:
        kinds[columns.timestamp] = "time"
    if columns.behavior is not None:
        kinds[columns.behavior] = "text"
    return Delimited(source, separator, kinds, header).read(findings), columns


def _from_frame(
    frame: Any, given: dict[str, Column], weights: Weights | None, duplicates: Duplicates, findings: Findings
) -> Dataset:
    columns = _choose(column_names(frame), given, "the frame", findings)
    table = to_polars(frame, columns.named, findings)
    ratings = build(table, columns, duplicates, findings, weights=weights)
    return Dataset(ratings, None, "frame", findings.report("a frame", {"ratings": len(table)}))


# ---- which column is what ----------------------------------------------------------------------------------


def _choose(names: Sequence[str], given: Mapping[str, Column], what: str, findings: Findings) -> Columns:
    """The columns that the caller named, or that have a usual name."""
    plain = {name.strip().lower().replace("_", ""): name for name in reversed(names)}
    chosen: dict[str, str | None] = {}
    for role, wanted in given.items():
        usual = USUAL_NAMES.get(role, ())
        if wanted is not None and wanted not in names:
            raise DataError(f"there is no column {wanted!r}; {what} has {listed(names)}")
        chosen[role] = str(wanted) if wanted is not None else next((plain[u] for u in usual if u in plain), None)
    for role in ("user", "item"):
        if chosen[role] is None:
            raise DataError(
                f"which column holds the {role}s? {what} has {listed(names)}; "
                "name the columns with user=..., item=..., and where there are any rating=..., timestamp=..."
            )
    columns = Columns(
        str(chosen["user"]), str(chosen["item"]), chosen["rating"], chosen["timestamp"], chosen["behavior"]
    )
    columns = columns.checked()
    unused = [name for name in names if name not in columns.named]
    if (
        columns.rating is None
        and columns.behavior is None
        and unused
        and not any(isinstance(v, int) for v in given.values())
    ):
        findings.warnings.append(
            f"No column was taken for ratings, so every value is 1; not used: {listed(unused)} (rating=... names one)."
        )
    return columns


# ---- words to the caller -----------------------------------------------------------------------------------


def _bare_name(path: Path) -> str:
    """A file's name without its endings, or a folder's name."""
    name = path.resolve().name
    for ending in () if path.is_dir() else (".gz", ".zip", ".csv", ".tsv", ".txt", *PARQUET):
        name = name.removesuffix(ending)
    return name or "dataset"


def _refuse_options(options: Mapping[str, Any], what: str) -> None:
    """Options that `load` does not know are for known names only."""
    for name, value in options.items():
        raise ParameterError(
            f"{name}={value!r} is no option for {what}; there are user, item, rating, timestamp, behavior, weights, "
            "separator, duplicates, implicit, half_life, catalog, on_error and cache"
        )


def _refuse_separator(separator: str | None, what: str) -> None:
    if separator is not None:
        raise ParameterError(f"separator cannot be given for {what}; it is for text files")


def _refuse(given: Mapping[str, Column], separator: str | None, what: str) -> None:
    """Columns that are known are an error, not ignored."""
    useless = [role for role, column in given.items() if column is not None]
    useless += ["separator"] if separator is not None else []
    if useless:
        raise ParameterError(f"{', '.join(useless)} cannot be given for {what}; there the columns are known")


def _not_there(path: Path) -> DataError:
    """The error for a path that does not exist, with what it might have meant."""
    from coterie.data import builtin

    known = builtin.names()
    folder = path.parent
    beside = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    near = [str(folder / name) for name in difflib.get_close_matches(path.name, beside, n=2, cutoff=0.7)]
    near += difflib.get_close_matches(str(path), known, n=2, cutoff=0.7)
    missing = "" if folder.is_dir() else f" (nor is the folder {folder})"
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return DataError(f"{path} is not there{missing}, and is no known name.{hint} Known names: {', '.join(known)}")


def _tell(dataset: Dataset) -> None:
    """Warn of what was put right; `Dataset.report` has the whole account."""
    for message in dataset.report.warnings:
        warnings.warn(f"{dataset.name}: {message}", DataWarning, stacklevel=3)
