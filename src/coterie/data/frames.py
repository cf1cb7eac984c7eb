"""Frames of any make -> polars -> Interactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from coterie.data.feedback import Weights, weights_of
from coterie.data.findings import Findings, listed
from coterie.data.interactions import Duplicates, Interactions
from coterie.data.times import unix_seconds
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, ParameterError

_BEYOND = 2**63


class Columns(NamedTuple):
    """Which column of a table is what; None: the table has no such thing."""

    user: str
    item: str
    rating: str | None = None
    timestamp: str | None = None
    behavior: str | None = None

    @property
    def named(self) -> list[str]:
        """The columns that are there."""
        return [name for name in self if name is not None]

    def checked(self) -> Columns:
        """These columns, unless one of them is to be two things."""
        if len(set(self.named)) < len(self.named):
            raise ParameterError(f"one column cannot be two things: {self._asdict()}; name another column for one")
        return self


def is_frame(source: Any) -> bool:
    """Whether `source` is a table in memory that `to_polars` can take."""
    return (
        isinstance(source, (pl.DataFrame, pl.LazyFrame, Mapping))
        or _is_pandas(source)
        or hasattr(source, "__arrow_c_stream__")
        or hasattr(source, "__arrow_c_array__")
    )


def column_names(frame: Any) -> list[str]:
    """The names of a frame's columns."""
    if isinstance(frame, pl.LazyFrame):
        return frame.collect_schema().names()
    if isinstance(frame, Mapping):
        return [str(name) for name in frame]
    if isinstance(frame, pl.DataFrame) or _is_pandas(frame):
        return [str(name) for name in frame.columns]
    return _from_arrow(frame).columns


def to_polars(frame: Any, names: Sequence[str], findings: Findings) -> pl.DataFrame:
    """The named columns of a frame as polars columns. Columns of mixed integers and text become text."""
    if not is_frame(frame):
        raise DataError(
            f"cannot read ratings from a {type(frame).__name__}; "
            "give a path, a known name, or a polars, pandas or Arrow frame"
        )
    known = column_names(frame)
    for name in names:
        if name not in known:
            raise DataError(
                f"there is no column {name!r}; the frame has {listed(known)}. "
                "Name the columns with user=..., item=..., rating=..., timestamp=..."
            )
        if known.count(name) > 1:
            raise DataError(f"the frame has more than one column {name!r}; rename one of them")
    places = {name: known.index(name) for name in names}  # a column of another type than text has its name as text
    if isinstance(frame, pl.LazyFrame):
        return frame.select(names).collect()
    if isinstance(frame, pl.DataFrame):
        table = frame.select(names)
    elif _is_pandas(frame):
        return pl.DataFrame([_from_pandas(frame.iloc[:, at], name, findings) for name, at in places.items()])
    elif isinstance(frame, Mapping):
        columns = list(frame.values())
        return _same_length([_from_values(columns[at], name, findings) for name, at in places.items()])
    else:
        table = _from_arrow(frame).select(names)
    return table.with_columns(
        [_from_objects(column.to_list(), column.name, findings) for column in table if column.dtype == pl.Object]
    )


def build(
    table: pl.DataFrame,
    columns: Columns,
    duplicates: Duplicates,
    findings: Findings,
    place: str = "row",
    weights: Weights | None = None,
) -> Interactions:
    """Interactions from a table; rows that cannot be used go to `findings`, named by `place` and number.

    `weights` are those of the column of behaviours, where `columns` has one.
    """
    users, items = table[columns.user], table[columns.item]
    ratings = None if columns.rating is None else _numbers(table[columns.rating])
    times = None if columns.timestamp is None else unix_seconds(table[columns.timestamp])
    faults = [("user id is missing", users.is_null()), ("item id is missing", items.is_null())]
    for what, ids in (("user", users), ("item", items)):
        if ids.dtype == pl.String:
            faults.append((f"{what} id holds a NUL character", ids.str.contains("\0", literal=True).fill_null(False)))
    if columns.rating is not None and ratings is not None:
        faults.append(("rating is missing", table[columns.rating].is_null()))
        faults.append(("rating is not a finite number", ratings.is_finite().not_().fill_null(True)))
    if columns.behavior is not None and weights is not None:
        weight = weights_of(table[columns.behavior], weights)
        faults.append((f"behavior is none of {', '.join(weights)}", weight.is_null()))
        ratings = weight if ratings is None else ratings * weight
    if columns.timestamp is not None and times is not None:
        faults.append(("timestamp cannot be read", times.is_null() & table[columns.timestamp].is_not_null()))
    bad = _report_faults(table.select(columns.named), faults, findings, place)
    if bad is not None:
        users, items = users.filter(~bad), items.filter(~bad)
        ratings = None if ratings is None else ratings.filter(~bad)
        times = None if times is None else times.filter(~bad)
    if findings.skipped and not len(users):
        raise findings.nothing_left()
    if times is not None:
        findings.missing_times = times.null_count() + int((times <= 0).sum())
        if empty := times.null_count():
            were = f"{empty:,} times are" if empty > 1 else "1 time is"
            findings.warnings.append(f"{were} missing and became 0, so such ratings count as the oldest.")
        times = times.fill_null(0)
    made, findings.repeats = Interactions.assemble(
        *_vocabularies(users, items),
        None if ratings is None else ratings.to_numpy(),
        None if times is None else times.to_numpy(),
        duplicates,
    )
    return made


def _vocabularies(users: pl.Series, items: pl.Series) -> tuple[Vocabulary, Vocabulary, Any, Any]:
    user_ids, user_index = Vocabulary.from_column(users, "user")
    item_ids, item_index = Vocabulary.from_column(items, "item")
    return user_ids, item_ids, user_index, item_index


def _numbers(column: pl.Series) -> pl.Series:
    """A column of ratings as Float32; null where a text is not a number."""
    kind = column.dtype
    if not (kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Null)):
        raise DataError(f"ratings must be numbers, but column {column.name!r} is {kind}")
    return column.cast(pl.Float32, strict=False)


def _report_faults(
    table: pl.DataFrame, faults: list[tuple[str, pl.Series]], findings: Findings, place: str
) -> pl.Series | None:
    """Tell `findings` of every row with a fault (its first); which rows those are, or None."""
    faults = [(reason, mask) for reason, mask in faults if mask.any()]
    if not faults:
        return None
    bad = faults[0][1]
    for _, mask in faults[1:]:
        bad = bad | mask
    for row in bad.arg_true().to_list():
        reason = next(reason for reason, mask in faults if mask[row])
        content = ", ".join(f"{name}={value!r}" for name, value in table.row(row, named=True).items())
        findings.fault(f"{place} {row + 1:,}", reason, None, content)
    return bad


# ---- columns of other makes ----------------------------------------------------------------------------


def _is_pandas(frame: Any) -> bool:
    return type(frame).__module__.split(".")[0] == "pandas" and hasattr(frame, "columns")


def _from_arrow(frame: Any) -> pl.DataFrame:
    """Anything with the Arrow interface."""
    try:
        return pl.DataFrame(frame)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise DataError(f"the {type(frame).__name__} cannot be read as a frame: {error}") from error


def _same_length(columns: list[pl.Series]) -> pl.DataFrame:
    """A frame of columns that must be of one length."""
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(f"{column.name!r} {len(column):,}" for column in columns)
        raise DataError(f"columns must be of one length, but they have {lengths}")
    return pl.DataFrame(columns)


def _from_pandas(column: Any, name: str, findings: Findings) -> pl.Series:
    """A pandas column, with or without pyarrow; the values are copied."""
    kind = column.dtype
    if kind.kind in "iufb" and isinstance(kind, np.dtype):
        return pl.Series(name, column.to_numpy(copy=True), nan_to_null=True)
    if kind.kind == "M":
        times = column.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(kind, "tz", None) else column
        return pl.Series(name, times.to_numpy())
    missing = column.isna().to_numpy()
    if kind.kind in "iufb" and not missing.any():  # pandas' own nullable and Arrow types
        return pl.Series(name, column.to_numpy(dtype=kind.kind + "8" if kind.kind != "b" else bool))
    values = column.astype(object).tolist()
    return _from_objects([None if gone else value for value, gone in zip(values, missing, strict=True)], name, findings)


def _from_values(values: Any, name: str, findings: Findings) -> pl.Series:
    """A column given as a polars series, an array or a list."""
    if isinstance(values, pl.Series):
        return values.alias(name)
    array = values if isinstance(values, np.ndarray) else list(values)
    if isinstance(array, np.ndarray) and array.dtype != object:
        return pl.Series(name, array.copy(), nan_to_null=array.dtype.kind == "f")
    return _from_objects(list(array), name, findings)


def _from_objects(values: list[Any], name: str, findings: Findings) -> pl.Series:
    """A column of Python objects: of one kind as it is, of integers and text mixed as text."""
    kinds = {type(value) for value in values if value is not None}
    if str in kinds and len(kinds) > 1:
        words = {value for value in values if isinstance(value, str)}
        both = {str(value) for value in values if value is not None and not isinstance(value, str)} & words
        findings.mixed_ids += len(both)
        alike = f"; {len(both):,} values, such as {min(both)!r}, occur as both and became one" if both else ""
        findings.warnings.append(f"Column {name!r} mixes text with other types, so all of it was read as text{alike}.")
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    if kinds == {int} and (large := next((v for v in values if v is not None and not -_BEYOND <= v < _BEYOND), None)):
        raise DataError(f"column {name!r} holds {large}, which is beyond 64-bit integers; use text ids")
    try:
        return pl.Series(name, values)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        reason = str(error).split("\n")[0]
        raise DataError(f"column {name!r} holds values that are neither numbers, text nor times: {reason}") from None
