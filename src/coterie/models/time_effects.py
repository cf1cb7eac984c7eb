"""When a rating was given, as models see it: periods, weekdays, months, and how far from a person's mean date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coterie.errors import DataError
from coterie.models.profiles import entry_rows

if TYPE_CHECKING:
    import scipy.sparse as sp

    from coterie.data.interactions import Interactions

Array = np.ndarray[Any, np.dtype[Any]]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAY = 86_400
_YEAR = 365.25 * _DAY


def known_times(train: Interactions, who: str) -> Array:
    """The timestamps of data of which at least one rating has a time; else an error that names the remedy.

    Raises
    ------
    DataError
        There are ratings, and none of them has a time.
    """
    if train.timestamps is None and train.nnz:
        raise DataError(
            f"{who} learns from when ratings were given, and these have no timestamps; "
            "name their column with timestamp=..., or take bias, the same without time"
        )
    times = np.zeros(0, np.int64) if train.timestamps is None else np.asarray(train.timestamps)
    if len(times) and times.max() <= 0:
        raise DataError(
            f"{who} learns from when ratings were given, and every timestamp here is missing (0 or less); "
            "name their column with timestamp=..., or take bias, the same without time"
        )
    return times


def filled_times(times: Array, rows: Array, n: int, end: int) -> Array:
    """Times of ratings of n people, with missing ones (0 or less, as readers leave them) set to the mean of the same
    person's others, and to `end` where there are none; int64."""
    missing = times <= 0
    if not missing.any():
        return times
    have = np.bincount(rows[~missing], minlength=n)
    sums = np.bincount(rows[~missing], times[~missing], n)
    means = np.where(have > 0, sums / np.maximum(have, 1), end).astype(np.int64)
    return np.where(missing, means[rows], times)


def profile_times(profiles: sp.csr_matrix, users: Array | None, train: Interactions, end: int) -> Array:
    """When each entry of the profiles was given, int64, missing ones as in `filled_times`.

    Those of known users (row numbers in `train`) are looked up; what is not there, and all that a stranger says, is
    said at `end`.
    """
    if users is None or train.timestamps is None:
        return np.full(profiles.nnz, end, np.int64)
    lengths = train.indptr[users + 1] - train.indptr[users]
    first = np.cumsum(lengths) - lengths
    entries = np.repeat(train.indptr[users] - first, lengths) + np.arange(lengths.sum())
    rows = entry_rows(profiles)
    if profiles.nnz == len(entries) and np.array_equal(profiles.indices, train.indices[entries]):
        own = np.asarray(train.timestamps[entries])  # the usual case: the profiles are the rows of training
        return filled_times(own, rows, profiles.shape[0], end)
    keys = np.append(np.repeat(np.arange(len(users)), lengths) * train.n_items + train.indices[entries], -1)
    wanted = rows.astype(np.int64) * train.n_items + profiles.indices
    place = np.searchsorted(keys[:-1], wanted)
    found = keys[place] == wanted
    own = np.full(profiles.nnz, end, np.int64)
    own[found] = train.timestamps[entries[place[found]]]
    return filled_times(own, rows, profiles.shape[0], end)


def periods(times: Array, first: int, last: int, n: int) -> Array:
    """Which of n periods of equal length from `first` to `last` each time is in; earlier and later ones are in the
    first and in the last."""
    share = (times - first) / max(last - first, 1)
    return np.clip((share * n).astype(np.int64), 0, n - 1)


def weekdays(times: Array) -> Array:
    """The weekday in UTC, 0 for Monday."""
    return (times // _DAY + 3) % 7  # 1970 began with a Thursday


def months(times: Array) -> Array:
    """The month in UTC, 0 for January."""
    return times.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12


def days(times: Array) -> Array:
    """The day in UTC, counted from 1970-01-01."""
    return times // _DAY


class Dates(NamedTuple):
    """When people rated: the mean, the first and the last time of each, float64 (n,)."""

    mean: Array
    first: Array
    last: Array

    def deviations(self, times: Array, rows: Array, power: float) -> Array:
        r"""How far times are from the mean date of ``rows``, :math:`\mathrm{sign}(t - t_u) |t - t_u|^\beta` in years;
        before the first and after the last rating it stays what it was there."""
        away = np.clip(times, self.first[rows], self.last[rows]) - self.mean[rows]
        return np.asarray(np.sign(away) * np.abs(away / _YEAR) ** power)


def dates_of(times: Array, rows: Array, n: int, end: int) -> Dates:
    """The dates of n people from the times of their ratings; `rows` is increasing. Who rated nothing is at `end`."""
    counts = np.bincount(rows, minlength=n)
    some = counts > 0
    mean, first, last = (np.full(n, end, np.float64) for _ in range(3))
    starts = (np.cumsum(counts) - counts)[some]
    mean[some] = end + np.bincount(rows, times - float(end), n)[some] / counts[some]  # small numbers add up exactly
    if len(starts):
        first[some], last[some] = np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts)
    return Dates(mean, first, last)
