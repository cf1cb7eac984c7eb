"""Datasets: which there are, fetching, checking and describing them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.options import DataArgument, spelled_out
from coterie.cli.output import Output, cell, frame_table, heading, table
from coterie.data.wording import counted
from coterie.errors import ParameterError

if TYPE_CHECKING:
    from rich.table import Table

    from coterie.data.dataset import Dataset
    from coterie.data.describe import Description

_COLOURS = {"ok": "green", "warn": "yellow", "error": "red"}


def app() -> typer.Typer:
    """The commands under `coterie data`."""
    made = typer.Typer(no_args_is_help=True, help="List, fetch, check and describe datasets.")
    commands: dict[str, Callable[..., Any]] = {"list": list_names, "get": get, "check": check, "describe": describe}
    for name, command in commands.items():
        made.command(name)(spelled_out(command))
    return made


def list_names(out: Output) -> None:
    """The datasets that can be named, and which of them are kept ready in the store."""
    from coterie.data import builtin, store

    kept = {entry.name: entry.bytes for entry in store.entries() if not entry.problem}
    listed = [
        {"name": name, "stored_bytes": kept.get(name), "description": text}
        for name, text in builtin.descriptions().items()
    ]
    made = table({"name": "left", "stored": "right", "what": "left"})
    for row in listed:
        size = row["stored_bytes"]
        stored = "-" if size is None else f"{size / 1e6:,.1f} MB"  # type: ignore[operator]
        made.add_row(cell(row["name"]), stored, cell(row["description"]))
    any_size = "Any other size is synthetic:USERSxITEMSxRATINGS; a file, folder or .zip is given by its path."
    out.show({"datasets": listed, "store": str(store.cache_folder())}, made, any_size)


def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `coterie data list`.")],
    out: Output,
    from_zip: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The edition's archive, where you have it already.")
    ] = None,
) -> None:
    """Fetch or make a named dataset and keep it ready in the store."""
    from coterie.data import builtin, store

    dataset = builtin.load(name, from_zip=from_zip)
    x = dataset.interactions
    document = {"name": dataset.name, "users": x.n_users, "items": x.n_items, "ratings": x.nnz}
    sizes = f"{counted(x.nnz, 'rating')} of {counted(x.n_items, 'item')} by {counted(x.n_users, 'user')}"
    words = cell(f"{dataset.name}: {sizes}, ready in {store.cache_folder()}")
    out.show({**document, "store": str(store.cache_folder())}, words)


def check(
    data: DataArgument,
    out: Output,
    few: Annotated[int, typer.Option(min=1, metavar="N", help="Count users with fewer ratings than this.")] = 5,
    scale: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH[:STEP]", help="The scale that ratings must lie on, as 0.5:5:0.5.")
    ] = None,
) -> int:
    """What is odd about a dataset. Leaves with status 1 where something makes results wrong."""
    from coterie.data import checks

    report = checks.check(data.load(), min_user_ratings=few, scale=_scale(scale))
    made = table({"status": "left", "count": "right", "check": "left", "detail": "left"})
    for found in report.checks:
        status = f"[{_COLOURS[found.status]}]{found.status}[/]"
        made.add_row(status, f"{found.count:,}", cell(found.name), cell(found.detail))
    document = {"dataset": report.dataset, "exit_status": report.exit_status, "checks": report.to_frame()}
    out.show(document, heading(f"Checks of {report.dataset}"), made)
    return report.exit_status


def _scale(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(":"))
    except ValueError:
        raise ParameterError(f"--scale takes numbers, such as 0.5:5 or 0.5:5:0.5, not {text!r}") from None


def describe(data: DataArgument, out: Output) -> None:
    """How many of everything, how dense, how unevenly spread."""
    from coterie.data.describe import describe as describe_dataset

    dataset = data.load()
    found = describe_dataset(dataset)
    report = dataset.report
    document = {**found.to_dict(), "tables": report.tables, "absent": report.absent}
    document |= {"warnings": report.warnings, "notes": report.notes}
    out.show(document, heading(found.name), _counts(found), *_spread(found), *_sources(dataset))


def _counts(found: Description) -> Table:
    """The counts, without what the dataset does not have."""
    made = table({"count": "left", "value": "right"})
    made.show_header = False
    for what, value in found.to_dict().items():
        if value is None or isinstance(value, (dict, str)):
            continue
        if what.endswith("_time"):
            shown = _day(value)
        elif isinstance(value, int):
            shown = f"{value:,}"
        else:
            shown = f"{value:.3%}" if what == "density" else f"{value:.3f}"
        made.add_row(what.replace("_", " "), shown)
    return made


def _day(seconds: int) -> str:
    """The day of a time, or what cannot be a day as it is: times in milliseconds are 50,000 years away."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:,} (no Unix seconds; see `coterie data check`)"


def _spread(found: Description) -> list[Table]:
    """Quantiles of ratings per user and per item, where there are ratings."""
    import polars as pl

    spreads = {"user": found.ratings_per_user, "item": found.ratings_per_item}
    rows = [{"ratings per": name, **quantiles} for name, quantiles in spreads.items() if quantiles]
    return [frame_table(pl.DataFrame(rows), decimals=0)] if rows else []


def _sources(dataset: Dataset) -> list[str]:
    """What was read, and what was not there."""
    report = dataset.report
    read = [f"{name} ({counted(rows, 'row')})" for name, rows in report.tables.items() if rows is not None]
    lines = [f"Tables: {', '.join(read)}."] if read else []
    if report.absent:
        lines.append(f"Absent: {', '.join(report.absent)}.")
    return [cell(line) for line in [*lines, *(f"Note: {note}" for note in report.notes)]]
