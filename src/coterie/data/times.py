"""Times in any usual form -> Unix seconds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from coterie.errors import DataError, ParameterError

#: Times as a caller gives them: Unix seconds, datetimes or text.
Times = Iterable[int] | Iterable[str] | Iterable[datetime]

INTEGER = r"^[+-]?\d+$"
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"

# Values among which the form of a text column is looked for.
_SAMPLE = 100

# What text may look like -> how polars reads it. Text without an offset is UTC.
_FORMATS = {
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$": "%Y-%m-%d %H:%M:%S",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$": "%Y-%m-%dT%H:%M:%S",
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+$": "%Y-%m-%d %H:%M:%S%.f",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+$": "%Y-%m-%dT%H:%M:%S%.f",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$": "%Y-%m-%dT%H:%M:%S%.f%#z",
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? ?(Z|[+-]\d\d:?\d\d)$": "%Y-%m-%d %H:%M:%S%.f%#z",
    r"^\d{4}-\d\d-\d\d$": "%Y-%m-%d",
}


def is_time(text: str) -> bool:
    """Whether a text is in one of the forms that can be read."""
    return bool(re.match(NUMBER, text)) or any(re.match(looks, text) for looks in _FORMATS)


def unix_seconds(column: pl.Series) -> pl.Series:
    """Int64 Unix seconds of a column of integers, numbers, dates, datetimes or text; null where it cannot be read.

    Integers and numbers are taken to be Unix seconds already. A datetime without a time zone is UTC.

    Raises
    ------
    DataError
        The column is of a type that cannot hold times.
    """
    kind = column.dtype
    if kind == pl.Null or kind.is_integer():
        return column.cast(pl.Int64, strict=False)
    if kind.is_float():
        usable = column.is_finite() & (column.abs() < 2.0**62)
        return pl.select(pl.when(usable).then(column.floor())).to_series().cast(pl.Int64).alias(column.name)
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        return column.dt.epoch("s") if isinstance(kind, pl.Datetime) else column.cast(pl.Datetime("us")).dt.epoch("s")
    if kind == pl.String or kind == pl.Categorical or isinstance(kind, pl.Enum):
        return _from_text(column.cast(pl.String))
    raise DataError(f"times must be Unix seconds, datetimes or text, but column {column.name!r} is {kind}")


def given_times(times: Any, n: int, what: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Unix seconds, int64 (n,), of the times that a caller gives for n `what`, in any form that `unix_seconds` takes.

    Raises
    ------
    ParameterError
        There are not n of them, or one is missing or cannot be read.
    """
    values = times if isinstance(times, (np.ndarray, pl.Series)) else list(times)
    if len(values) != n or np.ndim(values) != 1:
        raise ParameterError(f"{len(values)} timestamps for {n} {what}; give as many, or leave timestamps out")
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        values = values.astype("datetime64[us]")  # polars does not know all units
    try:
        seconds = unix_seconds(pl.Series("timestamps", values, strict=True))
    except (DataError, TypeError, pl.exceptions.PolarsError) as error:
        why = str(error).partition("\n")[0]
        raise ParameterError(f"timestamps must be Unix seconds, datetimes or text: {why}") from error
    if seconds.null_count():
        place = int(seconds.is_null().arg_max() or 0)
        raise ParameterError(
            f"timestamps: number {place + 1} of {n}, {values[place]!r}, is missing or cannot be read; "
            "give every one, or leave timestamps out"
        )
    return seconds.to_numpy().astype(np.int64)


def _from_text(column: pl.Series) -> pl.Series:
    """Seconds from text, all in the form of the first value that has a known form."""
    first = next(filter(is_time, column.drop_nulls().head(_SAMPLE)), "")
    if re.match(NUMBER, first):
        return unix_seconds(column.cast(pl.Float64, strict=False))
    for looks, form in _FORMATS.items():
        if re.match(looks, first):
            if form.endswith("%#z"):
                return column.str.to_datetime(form, strict=False, time_zone="UTC").dt.epoch("s")
            if form == "%Y-%m-%d":
                return unix_seconds(column.str.to_date(form, strict=False)).alias(column.name)
            return column.str.to_datetime(form, strict=False).dt.epoch("s")
    return pl.Series(column.name, [None] * len(column), dtype=pl.Int64)
