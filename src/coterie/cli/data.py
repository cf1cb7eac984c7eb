"""Datasets: which there are, fetching, checking and describing them."""

from __future__ import annotations

import typer

from coterie.cli.options import DataArgument, spelled_out
from coterie.cli.output import Output


def app() -> typer.Typer:
    """The commands under `coterie data`."""
    made = typer.Typer(no_args_is_help=True, help="List, fetch, check and describe datasets.")
    for command in (describe,):
        made.command()(spelled_out(command))
    return made


def describe(data: DataArgument, out: Output) -> None:
    """The counts of a dataset."""
    data.load()
