"""Which method is best on these ratings."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.judging import Judging
from coterie.cli.options import DataArgument, HyperParameters, as_options, flag, settings, switches
from coterie.cli.output import INTERRUPTED, Output, Side, cell, complain, heading, stderr, table
from coterie.cli.reranking import LIST_FLAGS, reranked_from_text
from coterie.errors import ParameterError
from coterie.models.registry import MODELS, model_class

if TYPE_CHECKING:
    from rich.console import RenderableType

    from coterie.data.dataset import Dataset
    from coterie.evaluation.leaderboard import Leaderboard, Row
    from coterie.models.base import Recommender

_JUDGING, _FILES = "How models are judged", "Files"
_COLOURS = {"error": "red", "warning": "yellow"}
# Answers of interrupted comparisons that nobody went on with are removed after so long.
_FORGOTTEN_SECONDS = 30 * 86400


def compare(
    data: DataArgument,
    out: Output,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            metavar="all|NAME,NAME",
            help=f"Models with their defaults; all (the default) are {', '.join(MODELS)}.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="One more model, its own options after it: -m item-knn --n-neighbors 40. Repeat.",
        ),
    ] = None,
    judging: Judging = Judging(),
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table as CSV too.", rich_help_panel=_FILES)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with pictures that needs no network.", rich_help_panel=_FILES),
    ] = None,
) -> int:
    """Compare models on the same split: who leads, and which differences are noise.

    A model that fails is a row with its error. After Ctrl-C the same command goes on from what is done.
    """
    from coterie.evaluation import ComparisonInterrupted
    from coterie.evaluation import compare as run

    dataset = replace(data, half_life=None).load()  # what models are asked about does not age
    asked = judging.asked(dataset, data)
    contestants = _contestants(models or [], model or [], dataset)
    folder = _folder([*vars(data).items(), *vars(judging).items()])
    try:
        board = _in_options(run(dataset, contestants, progress=_progress(out), resume=folder, **asked))
    except ComparisonInterrupted as interruption:
        return _interrupted(_in_options(interruption.board), out, kept=folder.exists())
    shutil.rmtree(folder, ignore_errors=True)
    if csv is not None:
        _write_csv(board, csv)
    if html is not None:
        from coterie.explore import write_comparison

        write_comparison(html, board)
    _show(board, out)
    failed = [row for row in board.rows if row.error]
    for row in failed if out.as_json else ():  # elsewhere they are in the words
        complain("warning", f"{row.model} failed: {row.error}")
    if len(failed) == len(board.rows):
        complain("error", "no model could be judged: all of them failed")
        return 1
    return 0


def _progress(out: Output) -> bool | Callable[[str], None]:
    """Nothing beside a document for machines; a bar on a terminal; elsewhere, as in a log, a line for each model."""
    if out.as_json:
        return False
    return True if stderr().is_terminal else lambda line: stderr().print(cell(" ".join(line.split())), soft_wrap=True)


def _in_options(board: Leaderboard) -> Leaderboard:
    """The leaderboard with remedies as options of this command, on whichever way it is shown."""
    options = ["--split", "--catalog", "--overlap", "--allow-leaks"]
    return replace(board, findings=[replace(f, message=as_options(f.message, options)) for f in board.findings])


def _show(board: Leaderboard, out: Output) -> None:
    words = [*map(cell, board.words()), *_findings(board)]
    pictures: list[RenderableType] = [heading(board.description), leaderboard_table(board)] if board.rows else []
    out.show(board.to_dict(), *pictures, *words)


def _findings(board: Leaderboard) -> list[str]:
    """What the linter found, worst first."""
    lines = []
    for finding in board.findings:
        text = cell(finding.message)
        colour = _COLOURS.get(finding.severity)
        lines.append(f"[{colour}]{finding.severity}[/{colour}]: {text}" if colour else text)
    return lines


def _interrupted(board: Leaderboard, out: Output, kept: bool) -> int:
    """What is done, and how to go on."""
    done, left = len(board.rows), len(board.unfinished)
    if done or out.as_json:
        _show(board, out)
    how = "the same command goes on from there" if kept else "nothing is kept, so the same command starts afresh"
    complain("interrupted", f"{done} of {done + left} models are done; {how}")
    return INTERRUPTED


def _folder(called: Sequence[tuple[str, Any]]) -> Path:
    """Where the answers of this comparison are kept while it is unfinished; what others left long ago is removed."""
    from coterie.data.store import cache_folder

    home = cache_folder() / "comparisons"
    with suppress(OSError):
        for other in home.iterdir():
            if time.time() - other.stat().st_mtime > _FORGOTTEN_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
    return home / hashlib.sha256(repr(called).encode()).hexdigest()[:32]


def _write_csv(board: Leaderboard, file: Path) -> None:
    from coterie.storage import replacing

    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as stream:
        board.to_frame().write_csv(stream)


# ---- which models ----------------------------------------------------------------------------------------


def with_options_attached(arguments: Sequence[str]) -> list[str]:
    """The command line with each model's own options folded into the model that they follow.

    ``-m item-knn --n-neighbors 40`` becomes ``-m "item-knn:n_neighbors=40"``, so that several models
    may each have options of their own.
    """
    folded: list[str] = []
    place = -1  # where the latest model stands
    own, set_by = dict[str, str](), dict[str, str]()  # its options, and what its flags set
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if word in set_by or name in own:
            setting = set_by.get(word) or f"{own[name]}={value if equals else next(words, '')}"
            folded[place] += f"{',' if ':' in folded[place] else ':'}{setting}"
            continue
        folded += ["--model", value] if name == "--model" and equals else [word]
        if len(folded) > 1 and folded[-2] in ("-m", "--model"):
            place = len(folded) - 1
            known = folded[-1] in MODELS
            own = {flag(p): p for p in model_class(folded[-1]).parameters()} | LIST_FLAGS if known else {}
            set_by = switches(folded[-1]) if known else {}
    return folded


def _contestants(named: Sequence[str], single: Iterable[str], dataset: Dataset) -> list[str | Recommender]:
    """The models of ``--models`` and those of ``--model``; a name that both have counts once."""
    names = [name.strip() for text in named for name in text.split(",") if name.strip()]
    if given := [text for text in named if not text.strip(" ,")]:
        raise ParameterError(f"--models {given[0]!r} names no model; name some, or leave it out to compare all")
    wanted = list(dict.fromkeys([*names, *single])) or ["all"]
    if "all" in wanted:
        wanted = list(dict.fromkeys([*MODELS, *(name for name in wanted if name != "all")]))
    return [contestant(text, dataset) for text in wanted]


def contestant(text: str, dataset: Dataset) -> Recommender:
    """The model that ``item-knn:n_neighbors=40,similarity=cosine`` names."""
    name, _, given = text.partition(":")
    hyper_parameters = HyperParameters()
    lists: list[tuple[str, str]] = []  # how its lists are to be made
    for pair in given.split(",") if given else []:
        option, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f"--model {text!r}: write options as {name}:option=value,option=value")
        option, value = option.strip().replace("-", "_"), value.strip()
        if option in LIST_FLAGS.values():
            lists.append((option, value))
        else:
            hyper_parameters[option] = value
    model = model_class(name)(**settings(name, hyper_parameters))
    return reranked_from_text(model, lists, dataset.interactions, dataset.catalog)


# ---- the table ---------------------------------------------------------------------------------------------


def leaderboard_table(board: Leaderboard) -> Any:
    """A leaderboard, two lines a model; metrics that a narrow terminal has no room for stand in a table below."""
    from coterie.evaluation import units

    rates = all(row.recommend_seconds is None for row in board.rows)
    # What every reader wants comes first, since on a narrow terminal the last columns come further below.
    first, *others = (measure.name.replace("@", "\n@", 1) for measure in board.measures)
    columns: dict[str, Side] = {"model": "left"}
    costs = [f"fit s\n{'predict' if rates else 'list'} s", "memory\nmodel"]
    made = table(columns | dict.fromkeys([first, "against\nleader", *costs, *others], "right"))
    made.last_goes_first = made.stacked = True
    for row in board.rows:
        name = cell("\n".join([row.model.partition("(")[0], *row.options]))
        if row.error:
            made.add_row(name, "failed", *[""] * (len(board.measures) + 2))
            continue
        answering = row.predict_seconds if rates else row.recommend_seconds
        values = [_value(board, row, measure.name) for measure in board.measures]
        made.add_row(
            name,
            values[0],
            _against(board, row),
            f"{units.seconds(row.fit_seconds)}\n{units.seconds(answering)}",
            f"{units.size(row.peak_bytes)}\n{units.size(row.model_bytes)}",
            *values[1:],
        )
    return made


def _value(board: Leaderboard, row: Row, name: str) -> str:
    """A metric; the first one with its interval below."""
    estimate = row.estimates.get(name)
    if estimate is None:
        return "-"
    text = f"{estimate.value:.4f}"
    if name == board.primary.name and estimate.low is not None:
        text += f"\n{estimate.low:.3f}–{estimate.high:.3f}"
    return text


def _against(board: Leaderboard, row: Row) -> str:
    """The difference to the leader by the first metric, and its p-value below."""
    from coterie.evaluation import units

    estimate = row.estimates.get(board.primary.name)
    if estimate is None or estimate.difference is None or not board.concluded:
        return "leads" if board.verdict(row) == "leads" else "-"
    p = "" if estimate.p_value is None else f"\n{units.p_value(estimate.p_value)}"
    return f"{estimate.difference:+.4f}{p}"
