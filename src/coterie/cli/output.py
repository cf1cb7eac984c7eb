"""What commands print: tables for people, one JSON document for machines, errors in one line."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console, RenderableType

    from coterie.cli.tables import FittingTable


class UsageError(typer.TyperException):
    """A command line that cannot be meant."""

    exit_code = 2


#: The exit status that shells expect of a command that Ctrl-C ended.
INTERRUPTED = 130


@dataclass
class Output:
    """How a command answers."""

    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON document, for machines.")] = False
    debug: Annotated[bool, typer.Option("--debug", metavar="", help="Show the whole traceback of an error.")] = False

    def show(self, document: Any, *pictures: RenderableType) -> None:
        """`document` with --json, else the `pictures` of it."""
        if self.as_json:
            from coterie.data.plain import to_json

            sys.stdout.write(to_json(document) + "\n")
        else:
            stdout().print(*pictures, sep="\n")


def stdout() -> Console:
    """Where answers go."""
    from rich.console import Console

    return Console(highlight=False)


def stderr() -> Console:
    """Where everything else goes: progress, warnings, errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Say what is being done, on a terminal only and only while it lasts."""
    from coterie.data.progress import quiet

    console = stderr()
    if not console.is_terminal:
        yield
        return
    with console.status(text), quiet():
        yield


def complain(kind: str, message: object) -> None:
    """One line on stderr: a warning or an error."""
    line = " ".join(str(message).split())
    sys.stderr.write(f"{kind}: {line}\n")


Side = Literal["left", "right"]


def heading(text: str) -> str:
    """A line above a table."""
    return f"[bold]{cell(text)}[/bold]"


def table(columns: Mapping[str, Side]) -> FittingTable:
    """An empty table with the given headings; numbers stand to the right, text to the left."""
    from rich import box

    from coterie.cli.tables import FittingTable

    made = FittingTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, side in columns.items():
        made.add_column(name.replace("_", " "), justify=side, no_wrap=side == "right", overflow="fold")
    return made


def frame_table(frame: pl.DataFrame, decimals: int = 4, full: Sequence[str] = ()) -> FittingTable:
    """A polars frame as a table: numbers to the right, with the decimals that the column needs (`full`: all)."""
    made = table({name: "right" if kind.is_numeric() else "left" for name, kind in frame.schema.items()})
    places = [decimals if column.name in full else _places(column, decimals) for column in frame]
    for row in frame.iter_rows():
        made.add_row(*(cell(value, n) for value, n in zip(row, places, strict=True)))
    return made


def _places(column: pl.Series, most: int) -> int:
    """Decimals that show a column of numbers in full, or `most`: half stars need one, counts none."""
    if not column.dtype.is_float():
        return most
    finite = column.filter(column.is_finite()).round(most)
    return next((n for n in range(most) if (finite.round(n) == finite).all()), most)


def cell(value: Any, decimals: int = 4) -> str:
    """A value in a table. Text is escaped: a title in square brackets is no markup."""
    from rich.markup import escape

    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.{decimals}f}" if math.isfinite(value) else "∞" if value > 0 else "-"
    if isinstance(value, list):
        return escape(", ".join(map(str, value)))
    return escape(str(value))
