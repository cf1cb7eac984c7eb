"""Everything there is to see of a dataset, as one page and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coterie.cli.clusters import DEFAULT_VECTORS
from coterie.cli.options import DataArgument
from coterie.cli.output import INTERRUPTED, Output, cell, complain, heading, table, working
from coterie.data.wording import counted

if TYPE_CHECKING:
    from coterie.data.dataset import Dataset
    from coterie.data.vocabulary import Id
    from coterie.explore.exploration import Exploration

_WHAT, _MAPS, _FILES = "What is shown", "Maps of items", "Files"


def explore(
    data: DataArgument,
    out: Output,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write.", rich_help_panel=_FILES)
    ] = Path("coterie-explore"),
    png: Annotated[
        bool, typer.Option("--png", metavar="", help="Each picture as PNG too.", rich_help_panel=_FILES)
    ] = False,
    svg: Annotated[
        bool, typer.Option("--svg", metavar="", help="Each picture as SVG too.", rich_help_panel=_FILES)
    ] = False,
    users: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Whose likeness to all others is shown. Repeat.", rich_help_panel=_WHAT),
    ] = None,
    items: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID|TITLE", help="Whose neighbours, tags and genome are shown. Repeat.", rich_help_panel=_WHAT
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="A model to fit and look into, its options after it: -m nmf --n-factors 8. Repeat.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME",
            help="What items are placed by: ratings, genome, tags, titles. Repeat. Default: the first two.",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    map_method: Annotated[
        Literal["pca", "tsne"] | None,
        typer.Option(help="How items are placed; default: as suits them.", rich_help_panel=_MAPS),
    ] = None,
    vectors: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="Word vectors for a map by titles.", rich_help_panel=_MAPS),
    ] = DEFAULT_VECTORS,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of all that is drawn by chance.")] = 0,
) -> int:
    """Look at ratings, items, neighbours and models: one page with pictures that needs no network."""
    so_far = "nothing was written"
    try:
        from coterie.cli.compare import contestant
        from coterie.explore.exploration import explore_dataset

        dataset = data.load()
        chosen_users = None if not users else [dataset.interactions.users.parse(text) for text in users]
        chosen_items = _chosen(dataset, items)
        models = [contestant(text, dataset) for text in model or []]
        with working(f"Drawing {dataset.name}"):
            made = explore_dataset(
                dataset, models, chosen_users, chosen_items, maps, map_method, vectors=vectors, random_state=seed
            )
            so_far = f"not everything was written to {output}"
            files = made.write(output, png, svg)
    except KeyboardInterrupt:
        complain("interrupted", so_far)
        return INTERRUPTED
    _show(made, files, out)
    return 0


def _chosen(dataset: Dataset, items: list[str] | None) -> list[Id] | None:
    from coterie.cli.sources import find_item

    return None if not items else [find_item(text, dataset.interactions, dataset.catalog) for text in items]


def _show(made: Exploration, files: list[Path], out: Output) -> None:
    """What each picture says, and where they are."""
    from coterie.explore.style import description, words

    says = {name: description(figure) for name, figure in made.figures.items()}
    document: dict[str, Any] = {
        "data": made.dataset.name, "report": str(files[0]), "files": [str(file) for file in files],
        "pictures": [{"name": name, "says": text} for name, text in says.items()], "left_out": made.left_out,
    }  # fmt: skip
    shown = table({"picture": "left", "what it says": "left"})
    for name, figure in made.figures.items():
        shown.add_row(cell(name), cell(words(figure)[0]))
    left_out = [f"{cell(name)} is not shown: {cell(why)}" for name, why in made.left_out.items()]
    others = f", and {counted(len(files) - 1, 'picture')} beside it" if len(files) > 1 else ""
    where = f"[bold]{cell(str(files[0]))}[/bold]{others}  (open it in a browser; it needs no network)"
    out.show(document, heading(f"{made.dataset.name}: {counted(len(says), 'picture')}"), shown, *left_out, where)
