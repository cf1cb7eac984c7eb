"""How alike two users or two items are, step by step; or who is nearest to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coterie.cli.options import DataOptions
from coterie.cli.output import Output, UsageError, cell, frame_table, heading, table
from coterie.data.wording import counted

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

    from coterie.data.dataset import Dataset
    from coterie.data.interactions import Axis
    from coterie.data.vocabulary import Id
    from coterie.lessons import Lesson, MeasureLesson
    from coterie.similarity import Reading

_ONE = "The nearest of one"
_TWO = "Two side by side"


def similar(
    data: DataOptions,
    out: Output,
    ids: Annotated[list[str], typer.Argument(metavar="ID [ID]", help="Two to compare, or one to find its nearest.")],
    items: Annotated[
        bool, typer.Option("--items", metavar="", help="They are items (ids or titles), not users.")
    ] = False,
    k: Annotated[
        int,
        typer.Option("-k", min=1, metavar="N", help="Rows of co-rated (and terms of sums), or of nearest, to show."),
    ] = 10,
    change: Annotated[
        str | None,
        typer.Option(
            metavar="ID=RATING",
            help="What if the first had rated this so? Default: what they most differ on.",
            rich_help_panel=_TWO,
        ),
    ] = None,
    measure: Annotated[
        str, typer.Option(metavar="NAME", help="What nearness is: jaccard, cosine, pearson ...", rich_help_panel=_ONE)
    ] = "cosine",
    reading: Annotated[
        Literal["table", "notebook"],
        typer.Option(help="As the module's table has it, or as its notebook computes it.", rich_help_panel=_ONE),
    ] = "table",
    min_overlap: Annotated[
        int, typer.Option(min=1, metavar="N", help="Fewest co-rated of the nearest.", rich_help_panel=_ONE)
    ] = 1,
    shrinkage: Annotated[
        float, typer.Option(min=0, metavar="N", help="Trust by what is co-rated: s·n / (n + N).", rich_help_panel=_ONE)
    ] = 0.0,
) -> None:
    """How alike two users (or items) are by six measures, worked step by step; or the nearest of one.

    Example: coterie similar 4 59
    """
    if len(ids) > 2:
        raise UsageError(f"similar takes one id or two, not {len(ids)}")
    if change is not None and len(ids) != 2:
        raise UsageError("--change is asked of two; give two ids")
    from coterie.cli.sources import find_item

    dataset = data.load()
    axis: Axis = "items" if items else "users"
    known = dataset.interactions.vocabulary(axis)
    chosen = [find_item(text, dataset.interactions, dataset.catalog) if items else known.parse(text) for text in ids]
    if len(chosen) == 2:
        if chosen[0] == chosen[1]:
            called = _called(dataset, axis, chosen[0])
            raise UsageError(f"both are {called}; give two different {axis}, or one alone to find its nearest")
        _show_pair(dataset, axis, chosen[0], chosen[1], change, k, out)
        return
    found = nearest(dataset, axis, chosen[0], measure, reading, min_overlap, shrinkage).head(k)
    document = {"axis": axis, "id": chosen[0], "measure": measure, "reading": reading, "neighbors": found}
    title = heading(f"Nearest to {_called(dataset, axis, chosen[0])} by {measure}, {_closer(measure)}")
    out.show(document, title, frame_table(found) if len(found) else "Nobody shares enough with it.")


# ---- one: who is nearest -------------------------------------------------------------------------------


def nearest(
    dataset: Dataset, axis: Axis, id: Id, name: str, reading: Reading, min_overlap: int, shrinkage: float
) -> pl.DataFrame:
    """Everyone who shares something with `id`, nearest first: `rank, neighbor[, title], co_rated, value`."""
    import numpy as np
    import polars as pl

    from coterie import similarity

    x = dataset.interactions
    measure, known = similarity.measure(name), x.vocabulary(axis)
    row, rows = known.index(id), x.rows(axis)
    part = slice(rows.indptr[row], rows.indptr[row + 1])
    against = similarity.AgainstAll(x, measure, reading, axis, shrinkage)
    values, shared = against.measure(rows.indices[part], rows.values[part])
    others = np.flatnonzero((shared >= min_overlap) & (np.arange(len(known)) != row))
    order = others[np.argsort(-values[others] if measure.larger_is_closer else values[others], kind="stable")]
    found = pl.DataFrame(
        {
            "rank": np.arange(1, len(order) + 1, dtype=np.int32),
            "neighbor": known.ids[order].tolist(),
            "co_rated": shared[order].astype(np.int64),
            "value": values[order],
        }
    )
    if axis == "items" and dataset.catalog is not None:
        found.insert_column(2, dataset.catalog.titles(found["neighbor"]))
    return found


def _closer(name: str) -> str:
    from coterie import similarity

    return "larger is closer" if similarity.measure(name).larger_is_closer else "smaller is closer"


# ---- two: step by step -----------------------------------------------------------------------------------


def _show_pair(dataset: Dataset, axis: Axis, a: Id, b: Id, change: str | None, k: int, out: Output) -> None:
    from coterie.lessons import lesson, showing

    found = lesson(dataset, a, b, axis, None if change is None else _change(change, dataset, axis))
    shared, n = found.co_rated, len(found.co_rated)
    rest = [f"... and {counted(n - k, 'more row')} (-k {n} shows all, and all terms)"] if n > k else []
    sides = shared.head(k).rename({"a": f"{axis[:-1]} {a}", "b": f"{axis[:-1]} {b}"})
    side_by_side: list[RenderableType] = [frame_table(sides), *rest] if n else []
    what_if: list[RenderableType] = []
    if found.what_if is not None:
        what_if = ["\n" + heading(showing.change(found.what_if, found)), _changes(found)]
    out.show(
        found.to_dict(),
        heading(" and ".join(found.names)),
        *(cell(line) for line in showing.facts(found)),
        *side_by_side,
        _overview(found),
        *(line for measure in found.measures for line in _lines(measure, k)),
        "\n" + heading(found.summary),
        cell(showing.advice(found)),
        *what_if,
    )


def _change(text: str, dataset: Dataset, axis: Axis) -> tuple[Id, float]:
    """``ITEM=RATING`` (for items ``USER=RATING``)."""
    from coterie.cli.sources import find_item

    what = "ITEM" if axis == "users" else "USER"
    name, sign, rating = text.rpartition("=")
    try:
        value = float(rating)
    except ValueError:
        raise UsageError(f"--change {text!r} is not {what}=RATING, such as {what}=4.5") from None
    if not sign or not name:
        raise UsageError(f"--change {text!r} is not {what}=RATING, such as {what}=4.5")
    x = dataset.interactions
    return (find_item(name, x, dataset.catalog) if axis == "users" else x.users.parse(name)), value


def _overview(found: Lesson) -> Any:
    made = table({"measure": "left", "closer is": "left", "table": "right", "notebook": "right"})
    for m in found.measures:
        made.add_row(m.name, m.closer, cell(m.table.value), cell(m.notebook.value))
    return made


def _changes(found: Lesson) -> Any:
    from rich import box

    from coterie.cli.tables import FittingTable
    from coterie.lessons import showing

    made = FittingTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in showing.CHANGE_COLUMNS:
        made.add_column(name, justify="left" if name in ("measure", "so") else "right", no_wrap=True)
    if found.what_if is not None:
        for row in showing.change_rows(found.what_if):
            made.add_row(*row)
    return made


def _lines(measure: MeasureLesson, k: int) -> list[RenderableType]:
    """A measure in words and numbers; what is too long for a line goes on below its beginning."""
    from rich.padding import Padding

    from coterie.lessons import showing

    lines: list[RenderableType] = [f"\n[bold]{measure.name}[/bold]: {cell(measure.guideline)}"]
    for line in showing.measure_lines(measure, k):
        text = line.lstrip()
        lines.append(Padding(cell(text), (0, 0, 0, len(line) - len(text)), expand=False))
    return lines


def _called(dataset: Dataset, axis: Axis, id: Id) -> str:
    title = dataset.catalog.titles([id])[0] if axis == "items" and dataset.catalog is not None else None
    return title or f"{axis[:-1]} {id}"
