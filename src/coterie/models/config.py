"""Settings of a model in a file: what a search finds, and what a fit takes.

::

    model = "als"

    [parameters]
    n_factors = 64
    regularization = 0.05

    [search]          # how they were found: for people, not read again
    metric = "ndcg@10"
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coterie.errors import DataError, ParameterError
from coterie.models.registry import MODELS, model_class
from coterie.storage import replace_text

if TYPE_CHECKING:
    from coterie.models.base import Recommender

# TOML has no word for nothing.
_NONE = "none"


def save_config(path: str | os.PathLike[str], model: Recommender, search: Mapping[str, Any] | None = None) -> None:
    """Write the hyper-parameters of a registered model to a TOML file, all of them; `load_config` reads it.

    Parameters
    ----------
    search : mapping or None
        How they were found: texts and numbers, kept beside them for people.
    """
    if MODELS.get(model.name) is None or model_class(model.name) is not type(model):
        raise ParameterError(f"{type(model).__name__} is not a registered model; there are {', '.join(MODELS)}")
    tables = {"parameters": {name: getattr(model, name) for name in model.parameters()}, "search": dict(search or {})}
    text = f"model = {_toml(model.name)}\n"
    for title, entries in tables.items():
        if entries:
            lines = (f"{key if key.isidentifier() else _toml(key)} = {_toml(value)}" for key, value in entries.items())
            text += "\n".join([f"\n[{title}]", *lines, ""])
    replace_text(Path(path), text)


def load_config(path: str | os.PathLike[str]) -> Recommender:
    """The unfitted model with the hyper-parameters that a file has; what it leaves out is as by default.

    Raises
    ------
    DataError
        The file is absent, or not what `save_config` writes.
    ParameterError
        The model or one of its hyper-parameters is unknown, or a value is out of its range.
    """
    name, values = read_config(path)
    return model_class(name)(**values)


def read_config(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """The name of the model and the checked hyper-parameters that a file has."""
    where = os.fspath(path)
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        raise DataError(f"there is no file {where!r}; `coterie tune MODEL --config FILE` writes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{where!r} is not a TOML file: {error}; see coterie.models.config for what it has") from None
    name, given = content.get("model"), content.get("parameters", {})
    if not isinstance(name, str) or not isinstance(given, dict):
        raise DataError(f'{where!r} names no model; it should begin with a line such as model = "als"')
    if name not in MODELS:
        raise ParameterError(f"{where!r} is about an unknown model {name!r}; there are {', '.join(MODELS)}")
    known, values = model_class(name).parameters(), {}
    for key, value in given.items():
        if key not in known:
            raise ParameterError(
                f"{where!r}: {name} has no {key!r}; it has {', '.join(known) or 'no hyper-parameters'}"
            )
        parameter = known[key]
        if parameter.optional and value == _NONE:
            value = None
        elif parameter.type is float and type(value) is int:  # 5 is 5.0 to whoever writes it by hand
            value = float(value)
        parameter.check(value, f"{where}, {name}")
        values[key] = value
    return name, values


def _toml(value: Any) -> str:
    if value is None:
        return _toml(_NONE)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
