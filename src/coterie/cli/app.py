"""The `coterie` command: which commands there are, and what becomes of their errors."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import typer

import coterie
from coterie.cli import (
    ask,
    clusters,
    compare,
    critique,
    data,
    doctor,
    explore,
    fitting,
    models,
    reproduce,
    scenarios,
    serve,
    similar,
    tune,
)
from coterie.cli.options import as_options, flags, model_named_in, spelled_out, takes_model
from coterie.cli.output import INTERRUPTED, complain
from coterie.errors import CoterieError, DataWarning, NothingFitsError, PrecisionWarning
from coterie.models.registry import MODELS

_COMMANDS: dict[str, list[Callable[..., Any]]] = {
    "Start": [models.demo, doctor.doctor],
    "Look": [explore.explore, similar.similar, clusters.cluster],
    "Recommend": [fitting.fit, fitting.update, models.recommend, models.predict, models.explain],
    "In conversation": [ask.ask, critique.critique],
    "More than one": [scenarios.group, scenarios.bundle, scenarios.cohorts],
    "Serve": [serve.serve],
    "Choose": [compare.compare, tune.tune, reproduce.reproduce],
}
# Errors leave with 1, usage errors with 2 (typer's choice).
_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: that of this process) and give its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a title may have letters that this terminal lacks
    try:
        if _command(given) in ("compare", "explore"):
            given = compare.with_options_attached(given)
        elif _command(given) == "fit":
            given = fitting.with_model_of_config(given)
        with warnings.catch_warnings():
            warnings.simplefilter("always", DataWarning)
            warnings.simplefilter("always", PrecisionWarning)
            warnings.showwarning = partial(_show_warning, given)
            status = typer.main.get_command(build(given)).main(given, prog_name="coterie", standalone_mode=False)
            sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the answer has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if "--debug" in given:
            raise
        message = _message(error, given)
        if isinstance(error, NothingFitsError) and "--json" in given:
            _show_relaxations(error)
        if message:  # without one, the help was shown instead
            complain("error", message)
        return error.exit_code if isinstance(error, typer.TyperException) else _FAILED


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application, in which the command that `arguments` name has the options of its model."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich")
    app.callback()(_everywhere)
    model = _model(arguments)
    for panel, commands in _COMMANDS.items():
        for command in commands:
            own = model if command.__name__ == _command(arguments) else None
            app.command(rich_help_panel=panel)(spelled_out(command, own))
    app.add_typer(data.app(), name="data", rich_help_panel="Look")
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"coterie {coterie.__version__}\n")
        raise typer.Exit


def _everywhere(
    version: Annotated[
        bool, typer.Option("--version", metavar="", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", metavar="", help="Show the whole traceback of an error.")] = False,
) -> None:
    """Recommendations a person can check.

    Load ratings, look at them, compare methods, recommend, explain. Every command takes --json.
    """


def _command(arguments: Sequence[str]) -> str | None:
    return next((word for word in arguments if not word.startswith("-")), None)


def _model(arguments: Sequence[str]) -> str | None:
    command = _command(arguments)
    return None if command is None else model_named_in(arguments[arguments.index(command) :])


def _message(error: Exception, arguments: Sequence[str]) -> str:
    """What to say of an error, in one line."""
    if isinstance(error, CoterieError):
        return as_options(str(error), options_of(arguments))
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
    if not isinstance(error, typer.TyperException):
        return f"{type(error).__name__}: {error} (not foreseen; --debug shows where)"
    message = error.format_message()
    if hasattr(error, "possibilities"):  # an unknown option
        named = [c for commands in _COMMANDS.values() for c in commands if c.__name__ == _command(arguments)]
        model = _model(arguments) if any(map(takes_model, named)) else None
        if getattr(error, "option_name", None) in ("-d", "--data"):
            message += "; here the data is an argument, without an option"
        elif model is not None:
            message += f"; options of {model}: {flags(model) or 'none'}"
        elif _command(arguments) in ("fit", "tune"):
            message += f"; which there are depends on the model: {', '.join(MODELS)}"
    context = getattr(error, "ctx", None)
    return message if context is None or not message else f"{message} (see `{context.command_path} --help`)"


def _show_relaxations(error: NothingFitsError) -> None:
    """What to give up and what that would give, for machines; people read it in the message."""
    from coterie.data.plain import to_json

    relaxations = [relaxation.to_dict() for relaxation in error.relaxations]
    told = {"kind": type(error).__name__, "message": str(error), "relaxations": relaxations}
    sys.stdout.write(to_json({"error": told}) + "\n")


def options_of(arguments: Sequence[str]) -> set[str]:
    """The options of the command that `arguments` name."""
    command: Any = typer.main.get_command(build(arguments))
    for word in arguments:
        command = getattr(command, "commands", {}).get(word, command)
    return {option for parameter in command.params for option in parameter.opts}


def _show_warning(arguments: Sequence[str], message: Warning | str, *rest: Any, **named: Any) -> None:
    complain("warning", as_options(str(message), options_of(arguments)))
