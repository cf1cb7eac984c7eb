"""What ratings are made of besides stars: behaviours and their weights, age, and plain yes."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coterie.errors import DataError, ParameterError

if TYPE_CHECKING:
    from coterie.data.interactions import Interactions

Array = np.ndarray[Any, np.dtype[Any]]
Weights = Mapping[str, float]

_DAY = 86_400


def checked_weights(behavior: Any, weights: Mapping[Any, float] | None) -> dict[str, float] | None:
    """The weights of behaviours by name, as text; None where there is no column of behaviours."""
    if behavior is None and weights is None:
        return None
    if behavior is None:
        raise ParameterError("weights are given, but no column of behaviours; name it with behavior=...")
    if not weights:
        raise ParameterError(
            f"the column of behaviours {behavior!r} needs a weight for each, such as weights={{'view': 1, 'buy': 5}}"
        )
    for name, weight in weights.items():
        number = isinstance(weight, numbers.Real) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight == 0:
            raise ParameterError(f"the weight of behavior {name!r} must be a number other than 0, not {weight!r}")
    made = {str(name): float(weight) for name, weight in weights.items()}
    if len(made) < len(weights):
        raise ParameterError(f"a behavior has two weights, one as text and one as a number: {dict(weights)}")
    return made


def weights_of(column: pl.Series, weights: Weights) -> pl.Series:
    """The weight (Float32) of each value of a column of behaviours; null where it has none."""
    return column.cast(pl.String).replace_strict(weights, default=None, return_dtype=pl.Float32)


def decayed(x: Interactions, half_life: float, now: int | None) -> Array:
    """The values of `Interactions.decayed`."""
    if isinstance(half_life, bool) or not isinstance(half_life, numbers.Real) or not 0 < half_life < math.inf:
        raise ParameterError(f"half_life must be a number of days above 0, not {half_life!r}")
    if x.timestamps is None:
        raise DataError(
            "these interactions have no timestamps, so their age is not known; name the column with timestamp=..."
        )
    if not x.nnz:
        return x.values
    latest = int(x.timestamps.max())
    if now is None:
        now = latest
    elif isinstance(now, bool) or not isinstance(now, numbers.Integral):
        raise ParameterError(f"now must be a time in whole Unix seconds, not {now!r}")
    elif now < latest:
        raise ParameterError(
            f"now is {now}, but there is a rating of {latest}; leave out later ones: filter(until=now)"
        )
    age = (int(now) - x.timestamps) / _DAY
    return (x.values * np.exp2(-age / float(half_life))).astype(np.float32)


def checked_threshold(implicit: bool | float) -> float | None:
    """The lowest rating that counts as a yes, for `Interactions.binarized`; None: any. `implicit` is not False."""
    if implicit is True:
        return None
    if not isinstance(implicit, numbers.Real) or not math.isfinite(implicit):
        raise ParameterError(f"implicit must be True or the lowest rating that counts, not {implicit!r}")
    return float(implicit)
