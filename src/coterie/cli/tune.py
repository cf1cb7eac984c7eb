"""The hyper-parameters with which a model does best on these ratings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.judging import METRICS, SPLITS
from coterie.cli.options import DataArgument, ModelArgument, as_options, as_words, settings
from coterie.cli.output import INTERRUPTED, Output, Side, cell, complain, heading, stdout, table

if TYPE_CHECKING:
    from coterie.evaluation.found import Search


def tune(
    model: ModelArgument,
    data: DataArgument,
    out: Output,
    metric: Annotated[str, typer.Option(metavar="NAME", help=f"What is to be best. There are {METRICS}.")] = (
        "ndcg@10"
    ),
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Search for so long: 90, 45s, 10m, 1h. Ctrl-C ends it too.")
    ] = None,
    n_trials: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="So many trials, kept ones included; 50 without a budget."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"How validation ratings are held out: {SPLITS}. k is a number."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, metavar="N", help="Length of lists where the metric does not say.")] = (
        10
    ),
    relevant_from: Annotated[
        float | None, typer.Option(metavar="RATING", help="Held-out ratings from this on are relevant.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="Seed of the split and the search.")] = 0,
    storage: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep every trial here, and go on from them when called again."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the best here (TOML), for `coterie fit --config FILE`.")
    ] = None,
) -> int:
    """Search for a model's best options on ratings held out for that.

    What follows the model as its own option stays as given; the rest is searched. To know how good the result is on
    ratings that the search has not seen, hold out a part of the data first.

    Example: coterie tune als ratings.csv --metric rmse --budget 2m --config als.toml
    """
    from coterie.cli.sources import decayed_split
    from coterie.evaluation.search import tune as search
    from coterie.evaluation.splits import split as make_split
    from coterie.evaluation.units import parse_duration

    dataset = replace(data, half_life=None).load()  # what trials are judged by does not age
    parts = decayed_split(make_split(dataset.interactions, split, seed), data)
    try:
        found = search(
            model.model,
            dataset,
            metric,
            None if budget is None else parse_duration(budget, "--budget"),
            n_trials,
            parts,
            relevant_from,
            k,
            seed,
            settings(model.model, model.hyper_parameters),
            storage,
            progress=not out.as_json,
        )
    except KeyboardInterrupt:
        complain("error", "interrupted before the first trial was done; nothing was learned")
        raise
    found = replace(found, source=as_words(data))
    if config is not None:
        found.save(config)
    words = [as_options(sentence, ["--split"]) for sentence in found.words()]
    where = [] if config is None else [cell(f"The best options are in {config}.")]
    stays = ", ".join(f"{name}={_value(value)}" for name, value in found.fixed.items())
    title = heading(f"{model.model}{f' with {stays}' if stays else ''}, validation {found.split.description}")
    document = {**found.to_dict(), "words": words, "config": None if config is None else str(config)}
    out.show(document, title, _table(found), *map(cell, words), *where, "To fit it to all of the data:")
    if not out.as_json:  # in one line, so that it can be copied
        stdout().print(found.command, soft_wrap=True, markup=False)
    return INTERRUPTED if found.interrupted else 0


def _table(found: Search) -> Any:
    """The best beside the defaults, an option a row; the metric last."""
    columns: dict[str, Side] = {"option": "left", "default": "right", "best": "right"}
    made = table(columns | ({"matters": "right"} if found.importances else {}))
    known = found.model.parameters()
    for name in found.searched:
        values = [_value(known[name].default), _value(found.parameters[name])]
        share = found.importances.get(name)
        made.add_row(cell(name), *values, *(["-" if share is None else f"{share:.0%}"] if found.importances else []))
    default = "-" if found.default_value is None else f"{found.default_value:.4f}"
    blank = [""] if found.importances else []
    made.add_row(cell(found.metric), default, f"{found.value:.4f}", *blank, style="bold")
    return made


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return cell(f"{value:g}" if isinstance(value, float) else str(value))
