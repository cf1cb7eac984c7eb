"""Profiles: what people rated, as rows of a sparse matrix, and what many models ask of them."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.data.vocabulary import Id
from coterie.errors import DataError, DataWarning, ParameterError

if TYPE_CHECKING:
    import scipy.sparse as sp

    from coterie.data.interactions import Interactions

Array = np.ndarray[Any, np.dtype[Any]]
#: What a stranger liked: ratings by item id.
Profile = Mapping[Id, float]

# Up to this many profiles NumPy and SciPy answer, so that serving one person never waits for a compiler.
FEW_ROWS = 16
#: Sums of squares of larger ratings do not fit single precision.
LARGEST_RATING = 1e15


def profile_row(profile: Profile, train: Interactions, stacklevel: int) -> sp.csr_matrix:
    """A stranger's ratings as one row, columns in the order of ``train.items``."""
    if not isinstance(profile, Mapping):
        raise TypeError(f"a profile maps item ids to ratings, such as {{2571: 5.0}}; got {type(profile).__name__}")
    columns = train.items.indices(list(profile))
    if not _plain(profile):
        for item, rating in profile.items():
            if not _is_rating(rating):
                raise ParameterError(
                    f"the profile rates {train.items.name(train.items.index(item))} with {_shown(rating)}; "
                    f"ratings are numbers of at most {LARGEST_RATING:g} in size"
                )
    values = np.array(list(profile.values()), np.float32)
    low, high = train.scale
    if low < high and len(values) and not (values.min() >= low and values.max() <= high):
        item, rating = next((i, r) for i, r in profile.items() if not low <= r <= high)
        warnings.warn(
            f"the profile rates {train.items.name(train.items.index(item))} with {float(rating):g}, "
            f"off the scale of the data, {low:g} to {high:g}",
            DataWarning,
            stacklevel=stacklevel + 1,
        )
    order = np.argsort(columns)
    row = copy(_empty_row(train.n_items))  # SciPy's checks of a new matrix take longer than most profiles
    row.data, row.indices = values[order], columns[order]
    row.indptr = np.array([0, len(columns)], columns.dtype)
    return row


def _plain(profile: Profile) -> bool:
    """Whether all ratings are numbers of Python's own kinds, and none too large, which is quickly seen."""
    ratings = profile.values()
    return {float, int}.issuperset(map(type, ratings)) and all(map(LARGEST_RATING.__ge__, map(abs, ratings)))


def _is_rating(rating: Any) -> bool:
    try:
        return isinstance(rating, numbers.Real | np.bool_) and abs(float(rating)) <= LARGEST_RATING
    except OverflowError:
        return False


def _shown(rating: Any) -> str:
    """What was given; of an integer too long to print, how long it is."""
    too_long = isinstance(rating, int) and rating.bit_length() > 128
    return f"a number of {rating.bit_length():,} bits" if too_long else repr(rating)


@lru_cache(maxsize=8)
def _empty_row(n_items: int) -> sp.csr_matrix:
    import scipy.sparse as sp

    return sp.csr_matrix((1, n_items), dtype=np.float32)  # type: ignore[arg-type]


def profile_rows(profiles: sp.csr_matrix, train: Interactions) -> sp.csr_matrix:
    """Profiles from outside, checked: float32, finite, sorted and unique in a row."""
    import scipy.sparse as sp

    matrix = sp.csr_matrix(profiles, dtype=np.float32)
    if matrix.shape[1] != train.n_items:
        raise ParameterError(f"profiles have {matrix.shape[1]} columns, but the model knows {train.n_items} items")
    fits = np.abs(matrix.data) <= LARGEST_RATING
    if not fits.all():
        worst = matrix.data[fits.argmin()]
        raise ParameterError(f"profiles hold {worst:g}; ratings are numbers of at most {LARGEST_RATING:g} in size")
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # the caller's stays as it is
        matrix.sum_duplicates()
    return matrix


def require_ratings(train: Interactions, who: str) -> None:
    """Refuse data with values that are no numbers, or whose squares leave single precision."""
    worst = max(map(abs, train.scale))
    if train.nnz and not worst <= LARGEST_RATING:
        raise DataError(
            f"{who}: the largest rating in size is {worst:g}, and sums are in single precision; "
            f"divide all ratings so that none is above {LARGEST_RATING:g}"
        )


def require_choices(train: Interactions, who: str) -> None:
    """Refuse data with values that cannot weigh a choice."""
    if train.nnz and train.scale[0] <= 0:
        raise DataError(
            f"{who} takes values above 0 as weights of what was chosen, and there is {train.scale[0]:g}; "
            "leave such rows out, as with interactions.filter(min_rating=...)"
        )


def choice_values(profiles: sp.csr_matrix, who: str) -> Array:
    """The values of profiles, which must be able to weigh a choice."""
    if profiles.nnz and profiles.data.min() <= 0:
        raise ParameterError(f"{who} takes values above 0 as weights of choices, not {profiles.data.min():g}")
    return np.asarray(profiles.data)


def entry_rows(profiles: sp.csr_matrix) -> Array:
    """The row of every entry of a sparse block."""
    return np.repeat(np.arange(profiles.shape[0]), np.diff(profiles.indptr))


def entries_of(profiles: sp.csr_matrix, row: int) -> tuple[Array, Array]:
    """The columns and ratings of one profile."""
    entries = slice(profiles.indptr[row], profiles.indptr[row + 1])
    return profiles.indices[entries], profiles.data[entries]


def mean_ratings(indptr: Array, values: Array, overall: float) -> Array:
    """Mean of each row, float64 (n,); the overall mean for empty rows."""
    counts = np.diff(indptr)
    sums = np.bincount(np.repeat(np.arange(len(counts)), counts), values, len(counts))
    return np.asarray(np.divide(sums, counts, out=np.full(len(counts), overall), where=counts > 0))
