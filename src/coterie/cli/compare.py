"""Which method is best on these ratings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.options import DataArgument, HyperParameters, as_options, flag, settings, switches
from coterie.cli.output import Output, Side, cell, heading, table
from coterie.errors import ParameterError
from coterie.models.registry import MODELS, model_class

if TYPE_CHECKING:
    from coterie.evaluation.leaderboard import Leaderboard, Row
    from coterie.models.base import Recommender


def compare(
    data: DataArgument,
    out: Output,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help=f"A model to compare ({', '.join(MODELS)}), its own options after it: -m item-knn --n-neighbors 40. "
            "Repeat; without any, all are compared.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What is held out: time, random, leave-last-1-out ..."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="ndcg@10, recall@20, rmse ...; the first decides. Repeat.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, metavar="N", help="Length of lists where a metric does not say.")] = 10,
    relevant_from: Annotated[
        float | None, typer.Option(metavar="RATING", help="Held-out ratings from this on are relevant.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="Seed of the split and the intervals.")] = 0,
) -> int:
    """Compare models on the same split: who leads, and which differences are noise."""
    import coterie as ct

    board = ct.compare(
        data.load(),
        models=[_contestant(text) for text in model] if model else None,
        split=split,
        metrics=metric or None,
        k=k,
        relevant_from=relevant_from,
        random_state=seed,
        progress=not out.as_json,
    )
    failures = [f"{row.model} failed: {row.error}" for row in board.rows if row.error]
    notes = [as_options(note, ["--split"]) for note in board.notes]
    words = map(cell, [*board.words(), *failures, *notes])
    out.show(board.to_dict(), heading(board.split.description), leaderboard_table(board), *words)
    return 1 if all(row.error for row in board.rows) else 0


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
            own = {flag(p): p for p in model_class(folded[-1]).parameters()} if known else {}
            set_by = switches(folded[-1]) if known else {}
    return folded


def _contestant(text: str) -> Recommender:
    """The model that ``item-knn:n_neighbors=40,similarity=cosine`` names."""
    name, _, given = text.partition(":")
    hyper_parameters = HyperParameters()
    for pair in given.split(",") if given else []:
        option, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f"--model {text!r}: write options as {name}:option=value,option=value")
        hyper_parameters[option.strip().replace("-", "_")] = value.strip()
    return model_class(name)(**settings(name, hyper_parameters))


def leaderboard_table(board: Leaderboard) -> Any:
    """A leaderboard that fits a terminal of 80 columns."""
    # Headings and labels take two lines, so that a usual choice of metrics fits 80 columns.
    headings = [measure.name.replace("@", "\n@") for measure in board.measures] + ["fit\nsec."]
    columns: dict[str, Side] = {"model": "left"}
    made = table(columns | dict.fromkeys(headings, "right"))
    made.last_goes_first = True
    for row in board.rows:
        name, _, changed = row.model.partition("(")
        seconds = "-" if row.fit_seconds is None else f"{row.fit_seconds:.2f}"
        values = [_value(board, row, measure.name) for measure in board.measures]
        made.add_row(cell(f"{name}\n{changed.removesuffix(')').replace(', ', chr(10))}".rstrip()), *values, seconds)
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
