"""Fit a model and keep it; let it take in what is new."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from coterie.cli.models import _label
from coterie.cli.options import DataArgument, ModelArgument, NewDataArgument, settings
from coterie.cli.output import INTERRUPTED, Output, UsageError, cell, complain, working
from coterie.data.wording import counted
from coterie.errors import FitInterrupted
from coterie.models.registry import MODELS, model_class


def fit(
    model: ModelArgument,
    data: DataArgument,
    out: Output,
    folder: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the fitted model goes.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Keep every sweep here, and go on from it where an earlier fit was cut off."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Model and options from `coterie tune --config`; MODEL may be left out, options win."
        ),
    ] = None,
) -> int:
    """Fit a model and keep it in a folder, for `--model FOLDER`.

    Ctrl-C ends a model that learns in sweeps after the running one, keeps what was learned by then, and exits with 130.
    """
    from coterie.cli.prepared import record
    from coterie.cli.sources import fit_to
    from coterie.models.config import read_config

    named, values = (model.model, {}) if config is None else read_config(config)
    if named != model.model:
        raise UsageError(f"{config} is about {named}, not {model.model}; leave out {model.model}")
    values |= settings(model.model, model.hyper_parameters)
    fitted = model_class(model.model)(**values)
    dataset = data.load(fitted)
    start = time.perf_counter()
    stop: FitInterrupted | None = None
    try:
        fit_to(fitted, dataset, checkpoint)
    except FitInterrupted as early:
        stop = early
    except KeyboardInterrupt:
        complain("error", "interrupted before there was a model; nothing was saved")
        raise
    seconds = time.perf_counter() - start
    fitted.prepared_ = record(data)
    with working(f"Saving {folder}"):
        fitted.save(folder)
    done = len(fitted.objective_) if hasattr(fitted, "objective_") else None
    about = {"data": dataset.name, "seconds": round(seconds, 3), "folder": str(folder), "interrupted": stop is not None}
    shape = f"{counted(fitted.train_.nnz, 'rating')} of {counted(fitted.train_.n_users, 'user')}"
    how = f", interrupted after {stop.done} of {counted(stop.total, 'sweep')}," if stop else ""
    text = f"{_label(fitted)}: fitted to {shape} in {seconds:.1f} s{how} and saved to {folder}"
    out.show({**fitted.about, **about, "sweeps": done}, cell(text))
    return INTERRUPTED if stop else 0


def with_model_of_config(arguments: Sequence[str]) -> list[str]:
    """The command line with the model that ``--config FILE`` is about, where it names none."""
    given = list(arguments)
    for place, word in enumerate(given):
        option, equals, path = word.partition("=")
        if option == "--config" and not any(text in MODELS for text in given):
            from coterie.models.config import read_config

            if not equals and place + 1 == len(given):
                break  # typer says what is missing
            name, _ = read_config(path if equals else given[place + 1])
            given.insert(given.index("fit") + 1, name)
            break
    return given


def update(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A fitted model, from `coterie fit`.")],
    data: NewDataArgument,
    out: Output,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where the updated model goes; else where it was."),
    ] = None,
) -> None:
    """Let a fitted model take in new ratings, of new users or of old ones.

    They are read and prepared as those that it was fitted to: what `coterie fit` was told is kept in the folder.
    """
    import coterie as ct
    from coterie.cli.prepared import prepared

    with working(f"Opening {folder}"):
        model = ct.load_model(folder)
    new = prepared(data, model, folder).load().interactions
    with working(f"Updating {folder}"):
        before = model.train_
        model.update(new).save(output or folder)
    after = model.train_
    added = {
        "users": after.n_users - before.n_users,
        "items": after.n_items - before.n_items,
        "ratings": after.nnz - before.nnz,
    }
    news = ", ".join(counted(number, f"new {what.removesuffix('s')}") for what, number in added.items())
    replaced = new.nnz - added["ratings"]
    words = cell(f"{_label(model)}: {news}, {counted(replaced, 'rating')} replaced; saved to {output or folder}")
    out.show({**model.about, "added": added, "replaced": replaced, "folder": str(output or folder)}, words)
