"""How ratings were prepared for a model: kept with it, so that `coterie update` prepares new ones alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from coterie.cli.options import DataOptions, NewDataArgument, flag
from coterie.cli.sources import behavior_weights, threshold
from coterie.errors import ParameterError
from coterie.models.base import Recommender

# Where a file has what. New ratings may have it elsewhere, so these may be given anew.
_COLUMNS = ("user", "item", "rating", "timestamp", "behavior")
# What decides the values, and what the options say. Two of one kind would be two scales in one model.
_VALUES: dict[str, Callable[[Any], Any]] = {
    "weight": lambda texts: behavior_weights(DataOptions(weight=texts)),
    "duplicates": str,
    "implicit": threshold,
    "half_life": float,
}


def record(options: DataOptions) -> dict[str, Any]:
    """What is to be kept as a model's `prepared_`: options as typed, by name."""
    return {name: value for name in (*_COLUMNS, *_VALUES) if (value := getattr(options, name))}


def prepared(options: NewDataArgument, model: Recommender, folder: Path) -> DataOptions:
    """The options for new ratings, with what the model's own were prepared by; as they are where that is not known.

    Raises
    ------
    ParameterError
        The model was fitted with a half-life, or an option contradicts what it was fitted with.
    """
    known = model.prepared_
    if known is None:
        return replace(options, duplicates=options.duplicates or DataOptions.duplicates)
    if "half_life" in known:
        raise ParameterError(
            f"{folder} was fitted with --half-life {known['half_life']:g}, and new ratings make all that it has older; "
            "fit it anew to all the data"
        )
    for name, meaning in _VALUES.items():
        given, then = getattr(options, name), known.get(name)
        if given is not None and (then is None or meaning(given) != meaning(then)):
            how = "without" if then is None else "with"
            raise ParameterError(
                f"{folder} was fitted {how} {_typed(name, then)}, and new ratings are to mean the same; "
                f"leave out {_typed(name, given)}, or fit it anew to all the data"
            )
    kept: dict[str, Any] = {name: known.get(name) for name in (*_COLUMNS, *_VALUES) if getattr(options, name) is None}
    return replace(options, **kept)


def _typed(name: str, value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return " ".join(flag(name) if single is None else f"{flag(name)} {single}" for single in values)
