"""Options of commands: groups that several commands share, and those that a model's signature brings.

A command is a function with typed arguments. An argument whose type is a dataclass stands for all the
dataclass's fields, and a field of type `HyperParameters` for the options of the model that the command line
names. `spelled_out` writes them all into the command's signature, which is where typer reads them, so that
every option is declared once: shared ones here, a model's in its constructor.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_origin, get_type_hints

import typer

from coterie.errors import ParameterError
from coterie.models.registry import MODELS, model_class

if TYPE_CHECKING:
    from coterie.data.dataset import Dataset
    from coterie.models.base import Recommender
    from coterie.models.parameters import Parameter


# The argument through which typer says what was typed.
_CONTEXT = "typer_context"


class HyperParameters(dict[str, str | bool]):
    """Hyper-parameters as typed, by name (a flag as True or False); which there are depends on the model."""


def spelled_out(command: Callable[..., Any], model: str | None = None) -> Callable[..., Any]:
    """`command` with its option groups replaced by their fields, and with the options of `model`.

    Of the model's options the command gets those that were typed.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    own = model_class(model).parameters() if model is not None and takes_model(command) else {}
    spelled: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            spelled += _fields(groups[name], own, f"Options of {model}")
        else:
            spelled.append(parameter.replace(annotation=hints[name], kind=parameter.KEYWORD_ONLY))
    if takes_model(command):
        spelled.append(_option(_CONTEXT, typer.Context, MISSING))

    @wraps(command)
    def gathered(**given: Any) -> Any:
        context: typer.Context | None = given.pop(_CONTEXT, None)
        values = {p: given.pop(p) for p in own if p in given}
        hyper_parameters = HyperParameters(
            {p: v for p, v in values.items() if context is None or _typed_in(context, p)}
        )
        for name, group in groups.items():
            values = {f.name: given.pop(f.name) for f in fields(group) if f.name in given}
            if "hyper_parameters" in {f.name for f in fields(group)}:
                values["hyper_parameters"] = hyper_parameters
            given[name] = group(**values)
        return command(**given)

    gathered.__signature__ = inspect.Signature(spelled)  # type: ignore[attr-defined]
    gathered.__annotations__ = {parameter.name: parameter.annotation for parameter in spelled}
    return gathered


def _typed_in(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def takes_model(command: Callable[..., Any]) -> bool:
    """Whether a command has the options of one model."""
    hints = get_type_hints(command, include_extras=True).values()
    return any("hyper_parameters" in get_type_hints(hint) for hint in hints if is_dataclass(hint))


def _fields(group: Any, own: dict[str, Parameter], panel: str) -> Iterator[inspect.Parameter]:
    for name, hint in get_type_hints(group, include_extras=True).items():
        if get_origin(hint) is ClassVar:
            continue
        if hint is HyperParameters:
            for parameter in own.values():
                default = parameter.default if _is_flag(parameter) else _typed(parameter.default)
                yield _option(parameter.name, _of_model(parameter, panel), default)
        else:
            f = next(f for f in fields(group) if f.name == name)
            made = MISSING if f.default_factory is MISSING else f.default_factory()
            yield _option(name, hint, made if f.default is MISSING else f.default)


def _option(name: str, hint: Any, default: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if default is MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


# ---- options of a model -------------------------------------------------------------------------------


@dataclass
class ModelArgument:
    """A model to fit."""

    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help=f"One of {', '.join(MODELS)}. With MODEL, --help also lists its options."),
    ]
    hyper_parameters: HyperParameters = field(default_factory=HyperParameters)


@dataclass
class ModelOptions:
    """A model to fit by its name, or a folder with a fitted one."""

    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FOLDER",
            help=f"What recommends: a model to fit now ({', '.join(MODELS)}), or a folder from `coterie fit`.",
            rich_help_panel="Model",
        ),
    ] = "item-knn"
    hyper_parameters: HyperParameters = field(default_factory=HyperParameters)


_LISTS = "How lists are made"


def _list_option(metavar: str, help: str) -> Any:
    return typer.Option(metavar=metavar, help=help, rich_help_panel=_LISTS)


@dataclass
class ListOptions:
    """How lists are chosen from the best items of a model (`coterie.Reranked`); None: by score."""

    diversity: Annotated[
        str | None, _list_option("NUMBER 0..1", "Weight of being unlike what is listed already (MMR).")
    ] = None
    diversity_by: Annotated[
        str | None, _list_option("NAME", "By what items are alike: genre (if nothing is said), genome, ratings.")
    ] = None
    calibration: Annotated[
        str | None, _list_option("NUMBER 0..1", "Weight of the person's own mix of genres in the list.")
    ] = None
    max_exposure: Annotated[
        str | None, _list_option("SHARE", "The largest share of the lists made together that an item may be in.")
    ] = None
    must: Annotated[
        list[str] | None, _list_option("ITEM|GENRE", "What has to be in the list, if not seen; repeat.")
    ] = None
    never: Annotated[list[str] | None, _list_option("ITEM|GENRE", "What is not recommended; repeat.")] = None
    at_most: Annotated[list[str] | None, _list_option("GENRE=N", "The most items of a genre in the list; repeat.")] = (
        None
    )
    pool: Annotated[
        str | None, _list_option("N", "Best items of the model among which the list is chosen: 200 if nothing is said.")
    ] = None


def settings(model: str, hyper_parameters: HyperParameters) -> dict[str, Any]:
    """Hyper-parameters as values, checked against the constructor of `model`."""
    known = model_class(model).parameters()
    values = {}
    for name, text in hyper_parameters.items():
        if name not in known:
            raise ParameterError(f"{model} has no option {flag(name)}; it has {flags(model) or 'none'}")
        values[name] = known[name].parse(_typed(text), model)
    return values


def model_named_in(arguments: Sequence[str]) -> str | None:
    """The registered model whose options a command line may use."""
    if arguments[:1] in (["fit"], ["tune"]):
        return next((text for text in arguments if text in MODELS), None)
    named: str = ModelOptions.model
    for before, text in zip(["", *arguments], arguments, strict=False):
        if before in ("--model", "-m"):
            named = text
        elif text.startswith("--model="):
            named = text.removeprefix("--model=")
    return named if named in MODELS else None


def flag(name: str) -> str:
    """The option of a parameter: ``n_neighbors`` is ``--n-neighbors``."""
    return "--" + name.replace("_", "-")


def flags(model: str) -> str:
    """The options of a model, joined by commas."""
    return ", ".join(map(flag, model_class(model).parameters()))


def switches(model: str) -> dict[str, str]:
    """The flags of a model, each with what it sets: ``--absolute`` sets ``absolute=true``."""
    names = [name for name, parameter in model_class(model).parameters().items() if _is_flag(parameter)]
    return {flag(n): f"{n}=true" for n in names} | {flag(f"no_{n}"): f"{n}=false" for n in names}


def _typed(value: Any) -> str:
    """A parameter's value as a person types it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _of_model(parameter: Parameter, panel: str) -> Any:
    """The annotation that makes typer read a hyper-parameter: a flag, or text that the parameter parses itself."""
    if _is_flag(parameter):
        both = f"{flag(parameter.name)}/{flag('no_' + parameter.name)}"
        return Annotated[bool, typer.Option(both, metavar="", help=parameter.range.help, rich_help_panel=panel)]
    low, high, help = parameter.range.low, parameter.range.high, parameter.range.help
    if parameter.choices is not None:
        values = "NAME"
        help += f": {', '.join(map(_typed, parameter.choices))}"
    else:
        values = {int: "INTEGER", float: "NUMBER"}.get(parameter.type, "TEXT")
        if low is not None or high is not None:
            values += f" {_short(low)}..{_short(high)}"
    if parameter.optional:
        values += "|none"
    return Annotated[str, typer.Option(flag(parameter.name), metavar=values, help=help, rich_help_panel=panel)]


def _is_flag(parameter: Parameter) -> bool:
    return parameter.type is bool and not parameter.optional and parameter.choices is None


def _short(bound: float | None) -> str:
    return "" if bound is None else f"{bound:g}" if bound < 1e6 else f"{bound:.0f}"


# ---- options of data ----------------------------------------------------------------------------------

_DATA_HELP = "A named dataset (`coterie data list`), or a file, a folder or a .zip with ratings."
DATA_ARGUMENT = typer.Argument(metavar="DATA", help=_DATA_HELP)
_DATES = ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]
_READING, _REDUCING = "Reading files", "Using a part of the data"


@dataclass
class DataOptions:
    """Which ratings, how to read them, and which part of them to use."""

    data: Annotated[str, typer.Option("--data", "-d", metavar="NAME|PATH", help=_DATA_HELP)] = "movielens-sample"
    user: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of user ids (name, or place from 0).", rich_help_panel=_READING),
    ] = None
    item: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of item ids.", rich_help_panel=_READING)
    ] = None
    rating: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of ratings.", rich_help_panel=_READING)
    ] = None
    timestamp: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of times.", rich_help_panel=_READING)
    ] = None
    behavior: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of what was done; --weight each.", rich_help_panel=_READING),
    ] = None
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BEHAVIOR=NUMBER", help="What a behavior is worth, as buy=5; repeat.", rich_help_panel=_READING
        ),
    ] = None
    catalog: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Items: item,title,genres (joined by |).", rich_help_panel=_READING),
    ] = None
    separator: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What stands between columns.", rich_help_panel=_READING)
    ] = None
    duplicates: Annotated[
        Literal["last", "first", "mean", "max", "sum", "error"],
        typer.Option(help="What becomes of several ratings of one item by one user.", rich_help_panel=_READING),
    ] = "last"
    on_error: Annotated[
        Literal["raise", "skip"], typer.Option(help="What becomes of a malformed line.", rich_help_panel=_READING)
    ] = "raise"
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", metavar="", help="Read the source itself, not the store.", rich_help_panel=_READING),
    ] = False
    implicit: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|all",
            help="Ratings of NUMBER or more (or all) become 1; others are left out.",
            rich_help_panel=_REDUCING,
        ),
    ] = None
    half_life: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS",
            help="Old ratings weigh less, half in DAYS from the latest: choices decay to 0, ratings, for models that "
            "predict them, to their person's mean.",
            rich_help_panel=_REDUCING,
        ),
    ] = None
    genre: Annotated[
        list[str] | None, typer.Option(help="Only items of this genre; may be repeated.", rich_help_panel=_REDUCING)
    ] = None
    years: Annotated[
        str | None, typer.Option(metavar="A-B", help="Only items of these years.", rich_help_panel=_REDUCING)
    ] = None
    since: Annotated[
        datetime | None,
        typer.Option(formats=_DATES, metavar="DATE", help="Ratings from then on (UTC).", rich_help_panel=_REDUCING),
    ] = None
    until: Annotated[
        datetime | None,
        typer.Option(formats=_DATES, metavar="DATE", help="Ratings before then (UTC).", rich_help_panel=_REDUCING),
    ] = None
    first_users: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N users by id.", rich_help_panel=_REDUCING)
    ] = None
    min_user_ratings: Annotated[
        int, typer.Option(min=1, metavar="N", help="Only users with N ratings or more.", rich_help_panel=_REDUCING)
    ] = 1
    min_item_ratings: Annotated[
        int, typer.Option(min=1, metavar="N", help="Only items with N ratings or more.", rich_help_panel=_REDUCING)
    ] = 1
    k_core: Annotated[
        int | None,
        typer.Option(min=1, metavar="K", help="Repeat until all have K ratings or more.", rich_help_panel=_REDUCING),
    ] = None

    def load(self, model: Recommender | None = None) -> Dataset:
        """The dataset, reduced as asked; `model` is what learns from it, where that is known."""
        from coterie.cli.sources import load_dataset

        return load_dataset(self, model)


@dataclass
class WholeDataOptions(DataOptions):
    """The same for a command whose own options say of which genres and years."""

    genre: ClassVar[None] = None  # type: ignore[misc]
    years: ClassVar[None] = None  # type: ignore[misc]


@dataclass
class DataArgument(DataOptions):
    """The same with the dataset as an argument."""

    data: Annotated[str, typer.Argument(metavar="[DATA]", help=_DATA_HELP)] = "movielens-sample"


@dataclass
class WholeDataArgument(WholeDataOptions):
    """Both."""

    data: Annotated[str, typer.Argument(metavar="[DATA]", help=_DATA_HELP)] = "movielens-sample"


@dataclass
class NewDataArgument(DataOptions):
    """Ratings that are new; which is for the caller to say."""

    data: Annotated[str, DATA_ARGUMENT] = field()
    duplicates: Annotated[
        Literal["last", "first", "mean", "max", "sum", "error"] | None,
        typer.Option(
            help="What becomes of several ratings of one item by one user; as in the fit, else last.",
            rich_help_panel=_READING,
        ),
    ] = None  # type: ignore[assignment]  # as the model's own were read


def as_words(options: DataOptions) -> list[str]:
    """What to type for these options after `coterie fit MODEL`: the data, then what is not as by default."""
    words, usual = [options.data], DataOptions()
    for f in fields(DataOptions):
        value = getattr(options, f.name)
        if f.name == "data" or value == getattr(usual, f.name) or value in (None, []):
            continue
        if value is True:
            words.append(flag(f.name))
            continue
        for single in value if isinstance(value, list) else [value]:
            words += [flag(f.name), single.strftime(_DATES[1]) if isinstance(single, datetime) else str(single)]
    return words


def as_options(text: str, options: Collection[str]) -> str:
    """A message with the library's keywords as options: ``on_error="skip"`` is ``--on-error skip``.

    Only where the command has such an option, and only what a remedy looks like: a text in double quotes, ``...``, or
    True, which is a flag; and *without* a keyword. What the library calls ``similarity`` in `coterie.Reranked` is
    ``--diversity-by``.
    """
    if text.startswith("Reranked: "):
        text = text.removeprefix("Reranked: ").replace("similarity=", "diversity_by=")

    def written(match: re.Match[str]) -> str:
        option = flag(match["name"])
        if option not in options:
            return match[0]
        return option if match[0].endswith("True") else f"{option} {match['text'] or '...'}"

    def left_out(match: re.Match[str]) -> str:
        return f"leave out {flag(match[1])}" if flag(match[1]) in options else match[0]

    text = re.sub(r"\bcall fit without ([a-z_]+)", left_out, text)
    return re.sub(r'\b(?P<name>[a-z_]+)=(?:"(?P<text>[^"\s]+)"|\.\.\.|True\b)', written, text)
