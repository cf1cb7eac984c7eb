"""How alike two users or two items are, step by step; or who is nearest to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coterie.cli.options import DataOptions
from coterie.cli.output import Output, UsageError, cell, counted, frame_table, heading, table

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

    from coterie.data.dataset import Dataset
    from coterie.data.interactions import Axis, Interactions
    from coterie.data.vocabulary import Id
    from coterie.similarity import PairSums, Reading

_ONE = "The nearest of one"


def similar(
    data: DataOptions,
    out: Output,
    ids: Annotated[list[str], typer.Argument(metavar="ID [ID]", help="Two to compare, or one to find its nearest.")],
    items: Annotated[
        bool, typer.Option("--items", metavar="", help="They are items (ids or titles), not users.")
    ] = False,
    k: Annotated[int, typer.Option("-k", min=1, metavar="N", help="Rows of co-rated, or of nearest, to show.")] = 10,
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
    """How alike two users (or items) are by six measures, worked step by step; or the nearest of one."""
    if len(ids) > 2:
        raise UsageError(f"similar takes one id or two, not {len(ids)}")
    from coterie.cli.sources import find_item

    dataset = data.load()
    axis: Axis = "items" if items else "users"
    known = dataset.interactions.vocabulary(axis)
    chosen = [find_item(text, dataset.interactions, dataset.catalog) if items else known.parse(text) for text in ids]
    if len(chosen) == 2:
        if chosen[0] == chosen[1]:
            called = _called(dataset, axis, chosen[0])
            raise UsageError(f"both are {called}; give two different {axis}, or one alone to find its nearest")
        _show_pair(dataset, axis, chosen[0], chosen[1], k, out)
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


def _show_pair(dataset: Dataset, axis: Axis, a: Id, b: Id, k: int, out: Output) -> None:
    from coterie import similarity

    x = dataset.interactions
    sums = similarity.pair_sums(x, a, b, axis)
    shared = _co_rated(dataset, axis, sums)
    measures = [_worked_out(x, axis, a, b, name, sums) for name in similarity.MEASURES]
    kind = kind_of(x)
    document = {
        "axis": axis,
        "ids": [a, b],
        "rated": sums.length,
        "mean": sums.mean,
        "norm": sums.norm,
        "co_rated": shared,
        "measures": measures,
        "data": kind,
        "recommended": [m["name"] for m in measures if kind in m["suits"]],
    }
    names = [_called(dataset, axis, id) for id in (a, b)]
    verb, noun = ("rated", "item") if axis == "users" else ("was rated by", "user")
    facts = [
        f"{cell(name)} {verb} {counted(length, noun)}, mean {mean:.3f}"
        for name, length, mean in zip(names, sums.length, sums.mean, strict=True)
    ]
    both = f"{'Both rated' if axis == 'users' else 'Both were rated by'} {counted(sums.n, noun)}, the set C:"
    both = both if sums.n else "They share nothing: the set C is empty."
    rest = [f"... and {counted(len(shared) - k, 'more row')} (-k {len(shared)} shows all)"] if len(shared) > k else []
    sides = shared.head(k).rename({"a": f"{axis[:-1]} {a}", "b": f"{axis[:-1]} {b}"})
    pictures: list[RenderableType] = [frame_table(sides), *rest] if len(shared) else []
    recommended = ", ".join(m["name"] for m in measures if kind in m["suits"])
    out.show(
        document,
        heading(f"{names[0]} and {names[1]}"),
        *facts,
        both,
        *pictures,
        _overview(measures),
        *(line for measure in measures for line in _lines(measure)),
        f"\nThese are {kind if kind == 'ratings' else kind + ' data'}: the guideline recommends {recommended}.",
    )


def kind_of(x: Interactions) -> str:
    """What the guideline calls these data: "unary" (one value), "binary" (two) or "ratings"."""
    import polars as pl

    distinct = pl.Series(x.values).n_unique()
    return {1: "unary", 2: "binary"}.get(distinct, "ratings")


def _co_rated(dataset: Dataset, axis: Axis, sums: PairSums) -> pl.DataFrame:
    """What both have, side by side: `item` (or `user`), `title`, `a`, `b`, `difference`."""
    import polars as pl

    other: Axis = "items" if axis == "users" else "users"
    ids = dataset.interactions.vocabulary(other).ids[sums.shared].tolist()
    titles = [dataset.catalog.titles(ids)] if other == "items" and dataset.catalog is not None else []
    return pl.DataFrame(
        [
            pl.Series(other[:-1], ids),
            *titles,
            pl.Series("a", sums.a),
            pl.Series("b", sums.b),
            pl.Series("difference", sums.a - sums.b),
        ]
    )


def _worked_out(x: Interactions, axis: Axis, a: Id, b: Id, name: str, sums: PairSums) -> dict[str, Any]:
    """A measure of a pair in both readings: formula, the numbers in it, and the value that the library gives."""
    from coterie import similarity

    measure = similarity.MEASURES[name]
    readings: dict[Reading, str] = {"table": measure.formula, "notebook": measure.notebook_formula}
    return {
        "name": name,
        "closer": "larger" if measure.larger_is_closer else "smaller",
        "suits": measure.suits,
        "guideline": measure.guideline,
        **{
            reading: {
                "formula": formula,
                "worked": _worked(name, reading, sums, x.scale) if sums.n else "nothing shared",
                "value": similarity.pair(x, a, b, name, reading, axis),
            }
            for reading, formula in readings.items()
        },
    }


def _worked(name: str, reading: Reading, sums: PairSums, scale: tuple[float, float]) -> str:
    """The formula of a measure with the pair's numbers in it."""
    import numpy as np

    a, b = sums.a.astype(np.float64), sums.b.astype(np.float64)
    square = f"√({((a - b) ** 2).sum():.6g})"
    match name, reading:
        case "jaccard", _:
            return f"{sums.n} / ({sums.length[0]} + {sums.length[1]} - {sums.n})"
        case "cosine", _:
            return f"{sums.sum_ab:.6g} / ({sums.norm[0]:.6g} · {sums.norm[1]:.6g})"
        case "pearson", _:
            means = sums.mean if reading == "table" else (a.mean(), b.mean())
            a, b = a - means[0], b - means[1]
            return f"{(a * b).sum():.6g} / √({(a * a).sum():.6g} · {(b * b).sum():.6g})"
        case "manhattan", "table":
            return f"{sums.sum_abs:.6g}"
        case "manhattan", _:
            return f"{sums.sum_abs:.6g} / {sums.n}"
        case "euclidean", "table":
            return square
        case "euclidean", _:
            return f"{square} / {sums.n}"
        case "chebyshev", "table":
            return f"{sums.max_abs:.6g}"
        case _:
            return f"{sums.max_abs:.6g} / ({scale[1]:.6g} - {scale[0]:.6g})"


def _overview(measures: list[dict[str, Any]]) -> Any:
    made = table({"measure": "left", "closer is": "left", "table": "right", "notebook": "right"})
    for m in measures:
        made.add_row(m["name"], m["closer"], *(cell(m[reading]["value"]) for reading in ("table", "notebook")))
    return made


def _lines(measure: dict[str, Any]) -> list[str]:
    """A measure in words and numbers."""
    guideline = f"\n[bold]{measure['name']}[/bold]: {cell(measure['guideline'])}"
    steps = {reading: measure[reading] for reading in ("table", "notebook")}
    if steps["table"] == steps["notebook"]:
        steps = {"both": steps["table"]}
    lines = []
    for reading, step in steps.items():
        lines += [f"  {reading:<9} {cell(step['formula'])}", f"{'':11} = {step['worked']} = {cell(step['value'])}"]
    return [guideline, *lines]


def _called(dataset: Dataset, axis: Axis, id: Id) -> str:
    title = dataset.catalog.titles([id])[0] if axis == "items" and dataset.catalog is not None else None
    return title or f"{axis[:-1]} {id}"
