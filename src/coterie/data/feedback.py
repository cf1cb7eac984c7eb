"""What ratings are made of besides stars: behaviours and their weights, age, and plain yes."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from coterie.errors import DataError, ParameterError

if TYPE_CHECKING:
    from coterie.data.interactions import Interactions

Array = np.ndarray[Any, np.dtype[Any]]
Weights = Mapping[str, float]
#: What the value of an old rating goes towards.
Towards = Literal["zero", "mean"]

_DAY = 86_400
# Half-lives after which a rating is as old as it can get: squares of 2^-60 are numbers in float32, and no value is 0.
_OLDEST = 60


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


def decayed(x: Interactions, half_life: float, now: int | None, towards: Towards) -> Array:
    """The values of `Interactions.decayed`."""
    if isinstance(half_life, bool) or not isinstance(half_life, numbers.Real) or not 0 < half_life < math.inf:
        raise ParameterError(f"half_life must be a number of days above 0, not {half_life!r}")
    if towards not in ("zero", "mean"):
        raise ParameterError(f"towards must be 'zero' or 'mean', not {towards!r}")
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
    weights = np.exp2(-np.minimum(age / float(half_life), _OLDEST))
    if towards == "zero":
        return (x.values * weights).astype(np.float32)
    values = np.asarray(x.values, np.float64)
    means = np.bincount(x.user_index, values, x.n_users) / np.maximum(x.user_counts, 1)
    values += (1 - weights) * (means[x.user_index] - values)
    return values.astype(np.float32)


def reading(x: Interactions, predicts_ratings: bool) -> Towards:
    """How a model is to read the age of ratings: what predicts ratings takes old ones towards their person's mean, and
    all else takes choices towards 0. Where all values are equal they are choices, whatever the model."""
    return "mean" if predicts_ratings and x.scale[0] < x.scale[1] else "zero"


def checked_threshold(implicit: bool | float) -> float | None:
    """The lowest rating that counts as a yes, for `Interactions.binarized`; None: any. `implicit` is not False."""
    if implicit is True:
        return None
    if not isinstance(implicit, numbers.Real) or not math.isfinite(implicit):
        raise ParameterError(f"implicit must be True or the lowest rating that counts, not {implicit!r}")
    return float(implicit)
