"""Movies like one, but less of this and more of that: at once, or as a conversation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coterie.cli.constraining import ConstraintOptions
from coterie.cli.options import DATA_ARGUMENT, HyperParameters, WholeDataOptions
from coterie.cli.output import Output, UsageError, cell, complain, frame_table, heading, stdout, working
from coterie.data.wording import counted
from coterie.errors import CoterieError, ParameterError, UnknownIdError
from coterie.models.registry import MODELS, model_class

if TYPE_CHECKING:
    import polars as pl

    from coterie.content.constraints import Constraints
    from coterie.content.critiques import Critique
    from coterie.data.dataset import Dataset
    from coterie.data.vocabulary import Id
    from coterie.models.base import Recommender

_FOR = "For somebody"
_AN_ID = "id:"
_WORDS = f"less TAG, more TAG, pick ROW (or a title, or {_AN_ID}NUMBER), tags, undo, quit"


@dataclass
class CritiqueData(WholeDataOptions):
    """The dataset, with its genome."""

    data: Annotated[str, DATA_ARGUMENT] = field()


def critique(
    data: CritiqueData,
    out: Output,
    start: Annotated[str, typer.Argument(metavar="ITEM", help="Where to start: an id or a title.")],
    less: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Less of this tag; repeat.")] = None,
    more: Annotated[list[str] | None, typer.Option(metavar="TAG", help="More of this tag; repeat.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, metavar="N", help="How many.")] = 10,
    satisfaction: Annotated[
        Literal["diminishing", "linear"], typer.Option(help="Whether a clear change is enough, or more is better.")
    ] = "diminishing",
    chat: Annotated[bool, typer.Option("--chat", metavar="", help=f"Go on in a conversation: {_WORDS}.")] = False,
    person: Annotated[
        str | None,
        typer.Option("--for", metavar="USER", help="Leave out what this user rated.", rich_help_panel=_FOR),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER", help="Prefer what this model says they like; needs --for.", rich_help_panel=_FOR
        ),
    ] = None,
    wanted: ConstraintOptions = ConstraintOptions(),
) -> None:
    """Movies like this one, but less of some tags of the genome and more of others.

    Alone it shows the tags that are worth asking for. Example: coterie critique ml-25m "Heat (1995)" --less violent
    """
    from coterie.content.critiques import Critique

    if chat and out.as_json:
        raise UsageError("--chat is for people and --json for machines; leave one out")
    if model is not None and person is None:
        raise UsageError("--model says what somebody likes; say who with --for USER")
    dataset = data.load(model_class(model)() if model in MODELS else None)
    fitted = None if model is None else _model(model, dataset)
    x = fitted.train_ if fitted is not None else dataset.ratings
    if person is not None and x is None:
        raise UsageError(f"{dataset.name} has no ratings, so there is no user {person}")
    user = x.users.parse(person) if person is not None and x is not None else None
    if dataset.catalog is None:
        raise UsageError(f"{dataset.name} has no catalog, so nothing is known about its items")
    with working("Looking at the genome"):
        now = Critique(start, dataset.catalog, model=fitted, user=user, ratings=x, satisfaction=satisfaction)
    for tag in less or []:
        now = now.less(tag)
    for tag in more or []:
        now = now.more(tag)
    asked = wanted.constraints()
    if chat:
        _converse(now, k, asked)
        return
    document, *pictures = _answer(now, k, asked)
    out.show(document, *pictures)


def _model(name: str, dataset: Dataset) -> Recommender:
    """A model fitted now to the data, or opened from a folder."""
    import coterie as ct
    from coterie.cli.sources import fit_model

    if name in MODELS:
        return fit_model(name, HyperParameters(), dataset)
    if not Path(name).exists():
        raise ParameterError(f"--model {name!r} is neither a folder nor a model; there are {', '.join(MODELS)}")
    with working(f"Opening {name}"):
        return ct.load_model(name)


def _answer(now: Critique, k: int, asked: Constraints | None) -> tuple[Any, ...]:
    """The document of an answer, and its pictures: recommendations, or the tags offered where nothing is asked."""
    said = [f"{direction} {tag}" for tag, direction in now.critiques]
    document: dict[str, Any] = {"item": now.start, "title": now.title, "critiques": said}
    if asked is not None:
        document["constraints"] = asked.to_dict()
    title = cell(now.title or now.start)
    if not said and asked is None:
        offered = now.offered(k)
        document["offered"] = offered
        line = "How many of the nearest movies have clearly less and more of it:"
        return document, heading(f"What may be asked of {now.title or now.start}"), line, _offers(offered)
    found = now.recommend(k, asked)
    document["recommendations"] = found
    like = heading(f"Like {now.title or now.start}" + (f", but {', '.join(said)}" if said else ""))
    empty = f"Nothing is left to recommend like {title}: all that fits was rated or started from already."
    return document, like, _shown(found) if len(found) else empty


def _offers(offered: pl.DataFrame) -> Any:
    if not len(offered):
        return "No tag tells its neighbours apart."
    return frame_table(offered.drop("score"), decimals=2)


def _shown(found: pl.DataFrame) -> Any:
    return frame_table(found, decimals=2)


# ---- a conversation -------------------------------------------------------------------------------------


def _converse(now: Critique, k: int, asked: Constraints | None) -> None:
    """Read what is said line by line, and answer, until `quit` or the end of the input."""
    found = _tell(now, k, asked)
    stdout().print(f"Say {cell(_WORDS)}.")
    for line in _lines():
        word, _, rest = line.strip().partition(" ")
        if word in ("quit", "q", "exit"):
            return
        try:
            if word == "tags":
                stdout().print(_offers(now.offered(k)))
                continue
            after = _heard(now, word, rest.strip(), found)
            if after is None:
                complain("not understood", f"{line.strip()!r}; say {_WORDS}")
                continue
            found, now = _tell(after, k, asked), after
        except CoterieError as error:  # what was said is not taken up, and the conversation goes on
            complain("error", error)


def _tell(now: Critique, k: int, asked: Constraints | None) -> pl.DataFrame | None:
    document, *pictures = _answer(now, k, asked)
    stdout().print(*pictures, sep="\n")
    found: pl.DataFrame | None = document.get("recommendations")
    return found


def _heard(now: Critique, word: str, rest: str, found: pl.DataFrame | None) -> Critique | None:
    """The conversation after a line; None where it is not understood."""
    match word:
        case "less" if rest:
            return now.less(rest)
        case "more" if rest:
            return now.more(rest)
        case "undo":
            return now.undo()
        case "pick" if rest:
            return now.pick(_picked(rest, found))
    return None


def _picked(text: str, found: pl.DataFrame | None) -> Id:
    """The item that is meant: a number is a row of what was shown last, and never an id."""
    if text.startswith(_AN_ID):
        return text.removeprefix(_AN_ID).strip()
    if not text.isdecimal():
        return text
    items: list[Id] = [] if found is None else found["item"].to_list()
    if not 1 <= int(text) <= len(items):
        shown = (
            f"there {'is' if len(items) == 1 else 'are'} {counted(len(items), 'row')}" if items else "no list is shown"
        )
        raise UnknownIdError(f"there is no row {int(text)}, {shown}; an item with this id is {_AN_ID}{text}")
    return items[int(text) - 1]


def _lines() -> Iterator[str]:
    """Lines of the standard input, asked for with a prompt on a terminal."""
    while True:
        if sys.stdin.isatty():
            sys.stdout.write("> ")
            sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line
