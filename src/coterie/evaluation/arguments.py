"""What comparisons and searches are called with: checked before anything is done."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.errors import ParameterError
from coterie.models.base import Recommender
from coterie.models.registry import model_class


def parts_of(data: Any) -> tuple[Interactions, Catalog | None]:
    """The ratings, and what is known about the items."""
    if isinstance(data, Dataset):
        return data.interactions, data.catalog
    if isinstance(data, Interactions):
        return data, None
    raise ParameterError(
        f"data must be a Dataset or Interactions, not {_kind(data)}; coterie.load reads files and tables, and "
        "coterie.Interactions.from_frame takes a table"
    )


def unfitted(model: Any) -> Recommender:
    """A model that has learned nothing, from a registered name or an instance."""
    if isinstance(model, str):
        return model_class(model)()
    if isinstance(model, Recommender):
        return dataclasses.replace(model)  # type: ignore[type-var]
    if isinstance(model, type) and issubclass(model, Recommender):
        name = model.__name__
        raise ParameterError(f"{name} is a class and no model; give an instance, {name}(), or the name {model.name!r}")
    raise ParameterError(f"a model is a name, such as 'ease', or an instance, such as EASE(), and not {_kind(model)}")


def check_number(name: str, value: Any, otherwise: str = "") -> None:
    """`ParameterError` unless a value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ParameterError(f"{name} must be a number{otherwise}, not {value!r}")


def _kind(value: Any) -> str:
    """A value that is none of what was wanted, in a few words."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"{value!r:.40} ({type(value).__name__})"
