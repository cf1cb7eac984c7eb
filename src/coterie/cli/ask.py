"""Ask somebody who has rated nothing, and recommend from the answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coterie.cli.constraining import ConstraintOptions
from coterie.cli.models import K, _label, _name
from coterie.cli.options import ModelOptions, WholeDataArgument
from coterie.cli.output import Output, UsageError, cell, frame_table, heading, stderr
from coterie.data.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from coterie.models.base import Recommender
    from coterie.scenarios.elicitation import Elicitation
    from coterie.scenarios.question_curve import QuestionCurve

_Strategy = Literal["random", "popularity", "popularity_variance", "uncertainty"]
_UNKNOWN = ("", "-", "?")
_ENOUGH = ("q", "quit", "stop")


def ask(
    model: ModelOptions,
    data: WholeDataArgument,
    out: Output,
    questions: Annotated[int, typer.Option("-n", "--questions", min=1, metavar="N", help="How many at most.")] = 10,
    strategy: Annotated[
        _Strategy | None, typer.Option(help="What is asked: uncertainty, if nothing is said; all of them for --curve.")
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(metavar="RATING,...", help="The answers in order, such as 4,-,3.5 (-: not known); asks nobody."),
    ] = None,
    k: K = 10,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve", metavar="", help="Ask held-out users instead: accuracy against the number of questions."
        ),
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --curve: draw it here (.png, .svg, .pdf).")
    ] = None,
    people: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --curve: hold out so many users, not a fifth.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="Seed of all draws.")] = 0,
    wanted: ConstraintOptions = ConstraintOptions(),
) -> None:
    """Ask a stranger for a few ratings, those that tell most, and recommend with reasons.

    Type a rating, or Enter for what you do not know, or q when it is enough.

    Example: coterie ask --answers 4,-,5,2
    Example: coterie ask movielens-sample --curve --model svd --picture curve.png
    """
    among = wanted.constraints()
    if curve:
        if answers is not None:
            raise UsageError("--curve asks the held-out users of the data; leave out --answers")
        if among is not None:
            raise UsageError("--curve judges lists of all items; leave out what may be recommended")
        _curve(model, data, out, questions, strategy, picture, people, seed)
        return
    if picture is not None or people is not None:
        raise UsageError("--picture and --people belong to --curve")
    from coterie.cli.sources import obtain_model
    from coterie.scenarios import Elicitation

    fitted = obtain_model(model, data)
    asking = Elicitation(fitted, strategy or "uncertainty", seed)
    _ask(asking, questions, None if answers is None else answers.split(","))
    found, popular = asking.recommend(k, among), asking.by_popularity
    reasons = _reasons(asking, found)
    document = {
        **fitted.about, "strategy": asking.strategy, "questions": asking.history, "profile": asking.answers,
        "by_popularity": popular, "recommendations": found.with_columns(reasons),
        **({} if among is None else {"constraints": among.to_dict()}),
    }  # fmt: skip
    known = len(asking.answers)
    asked = f"{counted(len(asking.asked), 'question')}, {counted(known, 'answer')}"
    pictures: list[Any] = [heading("What was asked"), frame_table(asking.history, 2), ""]
    pictures.append(heading(f"For you, after {asked}, by {'popularity' if popular else _label(fitted)}"))
    if popular and len(found):
        why = "these answers" if known else "no answers"
        pictures.append(f"{cell(fitted.name)} has nothing to say from {why}; this is what most people have rated.")
    if len(found):
        shown = found.drop("score") if popular or not known else found.drop("score").with_columns(reasons)
        pictures.append(frame_table(shown))
    else:
        pictures.append("Nothing: everything was rated.")
    out.show(document, *pictures)


def _ask(asking: Elicitation, n: int, scripted: list[str] | None) -> None:
    """Put the questions, to a person or to a script."""
    low, high = asking.model.train_.scale
    if scripted is None:
        stderr().print(
            f"Rate from {low:g} to {high:g}; Enter: you do not know it; q: enough.", style="dim", highlight=False
        )
    given = iter(scripted if scripted is not None else ())
    for number in range(1, n + 1):
        if len(asking.asked) == _n_items(asking.model):
            break
        name = _name(asking.model, asking.ask())
        while True:
            text = next(given, None) if scripted is not None else _typed(f"{number}/{n}  {name}: ")
            if text is None or text.strip().lower() in _ENOUGH:
                return
            try:
                rating = None if text.strip() in _UNKNOWN else float(text.replace(",", "."))
            except ValueError:
                rating = float("nan")
            if rating is None or low <= rating <= high:
                asking.answer(rating)
                break
            problem = f"{text.strip()!r} is no rating from {low:g} to {high:g}"
            if scripted is not None:
                raise UsageError(f"--answers: {problem} (- for what is not known)")
            stderr().print(cell(problem))


def _n_items(model: Recommender) -> int:
    return int((model.train_.item_counts > 0).sum())


def _typed(prompt: str) -> str | None:
    """A line from the person; None at the end of input."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        sys.stderr.write("\n")
    return line.rstrip("\n") if line else None


def _reasons(asking: Elicitation, found: pl.DataFrame) -> pl.Series:
    """Why each item, from the answers; empty where the model does not say, or there are none."""
    import polars as pl

    from coterie.errors import CapabilityError
    from coterie.explore import reason

    reasons: list[str | None] = []
    for item in found["item"]:
        try:
            reasons.append(reason(asking.explain(item)) if asking.answers else None)
        except CapabilityError:
            reasons.append(None)
    return pl.Series("because you", reasons, pl.String)


# ---- the curve ------------------------------------------------------------------------------------------


def _curve(
    model: ModelOptions, data: WholeDataArgument, out: Output, questions: int, strategy: _Strategy | None,
    picture: Path | None, people: int | None, seed: int,
) -> None:  # fmt: skip
    from coterie.cli.options import settings
    from coterie.models.registry import MODELS, model_class
    from coterie.scenarios.elicitation import STRATEGIES
    from coterie.scenarios.question_curve import question_curve

    if model.model not in MODELS:
        raise UsageError(f"--curve fits a model to the users who are not held out; name one of {', '.join(MODELS)}")
    learner = model_class(model.model)(**settings(model.model, model.hyper_parameters))
    chosen = STRATEGIES if strategy is None else (strategy,)
    curve = question_curve(data.load(learner), learner, chosen, questions, n_people=people, random_state=seed)
    if picture is not None:
        from coterie.explore import question_curves

        question_curves(curve).savefig(picture, dpi=150)
    everything = {"asked": None, "answered": curve.available, **curve.everything}
    document = {
        "model": curve.model, "split": curve.split, "people": curve.n_people, "curve": curve.table,
        "versus": curve.versus,
        "everything_told": everything, "summary": curve.words(), "picture": None if picture is None else str(picture),
    }  # fmt: skip
    where = [] if picture is None else [cell(f"The picture is in {picture}.")]
    title = f"Accuracy against questions, {curve.model}, {counted(curve.n_people, 'held-out user')}"
    out.show(document, heading(title), *_by_metric(curve), cell(curve.words().replace("_", " ")), *where)


def _by_metric(curve: QuestionCurve) -> list[Any]:
    """A table a metric, strategies side by side; and how many questions could be answered."""
    pictures: list[Any] = []
    for name, title in [*((metric, metric) for metric in curve.metrics), ("answered", "answers given, on average")]:
        wide = curve.table.pivot("strategy", index="asked", values=name)
        wide = wide.rename({column: column.replace("_", " ") for column in wide.columns})
        told = curve.everything.get(name, curve.available)
        note = f"all that can be answered: {told:.4f}" if name in curve.everything else f"of {told:.1f} that they have"
        pictures += [f"[bold]{cell(title)}[/bold] ({note})", frame_table(wide, 4 if name in curve.everything else 2)]
    return pictures
