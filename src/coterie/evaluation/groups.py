"""Groups of users, so that a mean over all cannot hide whom a model serves badly."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.errors import ParameterError
from coterie.evaluation.metrics import Context

Array = np.ndarray[Any, np.dtype[Any]]

_THIRDS = ("few ratings", "some ratings", "many ratings")


def user_groups(context: Context, users: Array, by: str = "activity") -> dict[str, Array]:
    """Users (row numbers) by group: those with the fewest ratings in their profile, a third of all, come first."""
    if by != "activity":
        raise ParameterError(f"by must be 'activity', not {by!r}")
    order = users[np.argsort(context.profiles.user_counts[users], kind="stable")]
    return dict(zip(_THIRDS, map(np.sort, np.array_split(order, len(_THIRDS))), strict=True))
