"""Outside ids <-> row numbers. The only place that maps them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import polars as pl

from coterie.errors import DataError, UnknownIdError

Id = int | str
IdArray = np.ndarray[tuple[int], np.dtype[Any]]

# A direct lookup table is used while it has at most this many slots per id (or is small anyway).
_TABLE_SLOTS_PER_ID = 16
_TABLE_SMALL = 1 << 20
_TABLE_LARGE = 1 << 26
# An id as integers are written, and no other spelling of it.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,30}")
_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
# Integers that may not fit into 64 bits with a sign.
_WIDER = (pl.UInt64, pl.Int128, pl.UInt128)


class Vocabulary:
    """An immutable, ordered set of outside ids; the row number of an id is its place in the order.

    Parameters
    ----------
    ids : array (n,)
        Unique ids, all integers (stored int64) or all text (stored as Python strings).
    what : str
        What the ids name ("user" or "item"); used in error messages.
    """

    def __init__(self, ids: IdArray | Sequence[Id], what: str = "id") -> None:
        self.ids: IdArray = _as_ids(ids)
        self.ids.flags.writeable = False
        self.what = what

    @classmethod
    def trusted(cls, ids: IdArray, what: str = "id") -> Vocabulary:
        """From ids known to be unique and of the right type (int64, or object of str): nothing is checked."""
        vocabulary = cls.__new__(cls)
        vocabulary.ids, vocabulary.what = ids, what
        return vocabulary

    @classmethod
    def from_column(cls, column: pl.Series, what: str = "id") -> tuple[Vocabulary, IdArray]:
        """The sorted vocabulary of a column and the row number (int32) of each of its values."""
        if column.null_count():
            row = int(column.is_null().arg_max() or 0)
            raise DataError(f"{what} id missing in row {row + 1} (column {column.name!r}); drop such rows first")
        if column.dtype.is_integer():
            ids, codes = _rank_integers(column, what)
            return cls(ids, what), codes
        if column.dtype in (pl.String, pl.Categorical) or isinstance(column.dtype, pl.Enum):
            column = column.cast(pl.String)
            words = column.unique().sort()
            codes = column.cast(pl.Enum(words)).to_physical().cast(pl.Int32).to_numpy()
            return cls(words.to_numpy().astype(object), what), codes
        remedy = ""
        if column.dtype.is_float():
            remedy = " (integers become floats where a value was missing): drop missing rows, then cast it to integers"
        raise DataError(f"{what} ids must be integers or text, but column {column.name!r} is {column.dtype}{remedy}")

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: object) -> bool:
        try:
            return int(self.indices([cast(Id, id)], missing="skip")[0]) >= 0
        except UnknownIdError:  # nothing that an id can be
            return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.kind == other.kind and np.array_equal(self.ids, other.ids)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} {self.kind} {self.what} ids)"

    @property
    def kind(self) -> Literal["int", "str"]:
        """Whether the ids are integers or text."""
        return "str" if self.ids.dtype == object else "int"

    def parse(self, text: str) -> Id:
        """An id typed as text (a command line, a URL) as this vocabulary's kind."""
        if self.kind == "str":
            return text
        if not _INTEGER.fullmatch(text.strip()):
            raise UnknownIdError(f"{self.what} ids here are integers; {text!r} is not one")
        if not _LEAST <= int(text) <= _MOST:
            raise UnknownIdError(f"unknown {self.what} {text.strip()}")
        return int(text)

    def name(self, row: int | np.integer[Any]) -> str:
        """What messages call a row: "item 50"."""
        return f"{self.what} {self.ids[row : row + 1].tolist()[0]!r}"

    def index(self, id: Id) -> int:
        """The row number of one id; an unknown id is an error that names it."""
        return int(self.indices([id])[0])

    def indices(
        self, ids: IdArray | Iterable[Id] | pl.Series, missing: Literal["error", "skip"] = "error"
    ) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """Row numbers (int32) of many ids. Unknown ids raise, or give -1 with ``missing="skip"``."""
        wanted = _as_query(ids)
        wrong_kind = (wanted.dtype == object) != (self.kind == "str") and len(wanted) > 0
        found = np.full(len(wanted), -1, np.int32) if wrong_kind else self._find(wanted)
        if missing == "error" and len(found) and int(found.min()) < 0:
            unknown = wanted[found < 0]
            shown = ", ".join(repr(u) for u in unknown[:3].tolist())
            more = f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else ""
            hint = f" ({self.what} ids here are {'integers' if self.kind == 'int' else 'text'})" if wrong_kind else ""
            raise UnknownIdError(f"unknown {self.what} {shown}{more}{hint}")
        return found

    def grown(self, other: Vocabulary) -> tuple[Vocabulary, np.ndarray[tuple[int], np.dtype[np.int32]]]:
        """A vocabulary with the ids of `other` that this one lacks appended, and the row numbers of `other`'s ids.

        Known ids keep their row numbers; unknown ones follow in the order in which `other` has them.
        """
        if len(self) and len(other) and self.kind != other.kind:
            known, new = ("integers" if v.kind == "int" else "text" for v in (self, other))
            raise DataError(f"{self.what} ids are {known} here, but the new ones are {new}; convert them to {known}")
        rows = self.indices(other.ids, missing="skip")
        unknown = rows < 0
        if not unknown.any():
            return self, rows
        rows[unknown] = np.arange(len(self), len(self) + np.count_nonzero(unknown))
        ids = np.concatenate([self.ids, other.ids[unknown]]) if len(self) else other.ids
        ids.flags.writeable = False
        return Vocabulary.trusted(ids, self.what), rows

    def _find(self, wanted: IdArray) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        if self.kind == "str":
            column = pl.Series(wanted.tolist(), dtype=pl.String)
            codes = column.cast(self._enum, strict=False).to_physical().cast(pl.Int32)
            return codes.fill_null(-1).to_numpy().astype(np.int32)
        if self._table is not None:
            low, table = self._table
            place = wanted - low
            inside = (place >= 0) & (place < len(table))
            if not len(table):
                return _nowhere(wanted)
            found = table.take(place, mode="clip")
            return found if inside.all() else np.where(inside, found, np.int32(-1))
        order = self._order
        ordered = self.ids if order is None else self.ids[order]
        place = np.minimum(np.searchsorted(ordered, wanted), len(self) - 1)
        row = place if order is None else order[place]
        return np.where(ordered[place] == wanted, row, -1).astype(np.int32)

    @cached_property
    def _enum(self) -> pl.Enum:
        return pl.Enum(self.ids.tolist())

    @cached_property
    def _order(self) -> IdArray | None:
        """The permutation that sorts the ids; None where they are sorted already."""
        return None if bool(np.all(self.ids[1:] > self.ids[:-1])) else np.argsort(self.ids, kind="stable")

    @cached_property
    def _table(self) -> tuple[int, IdArray] | None:
        """(lowest id, row number by id - lowest), or None where the ids are spread too wide."""
        if not len(self):
            return 0, np.empty(0, np.int32)
        low, high = int(self.ids.min()), int(self.ids.max())
        if high - low >= max(_TABLE_SMALL, _TABLE_SLOTS_PER_ID * len(self)):
            return None
        table = np.full(high - low + 1, -1, np.int32)
        table[self.ids - low] = np.arange(len(self), dtype=np.int32)
        return low, table


def _rank_integers(column: pl.Series, what: str) -> tuple[IdArray, IdArray]:
    """The sorted distinct values (int64) of an integer column, and the place (int32) of each value among them."""
    beyond = column.filter(column.cast(pl.Int64, strict=False).is_null()) if column.dtype in _WIDER else column[:0]
    if len(beyond):
        raise DataError(f"{what} id {beyond[0]!r} in column {column.name!r} is beyond 64-bit integers; use text ids")
    column = column if column.dtype == pl.Int32 else column.cast(pl.Int64)
    if not len(column):
        return np.empty(0, np.int64), np.empty(0, np.int32)
    lowest: Any = column.min()
    highest: Any = column.max()
    low, high = int(lowest), int(highest)
    places = np.empty(len(column), np.int32)
    pieces = [chunk.to_numpy() for chunk in column.get_chunks()]
    if high - low < max(_TABLE_SMALL, min(4 * len(column), _TABLE_LARGE)):
        seen = np.zeros(high - low + 1, bool)
        for piece in pieces:
            seen[piece - low] = True
        ids, place_of = np.flatnonzero(seen) + low, np.cumsum(seen, dtype=np.int32) - np.int32(1)
        filled = 0
        for piece in pieces:
            places[filled : filled + len(piece)] = place_of[piece - low]
            filled += len(piece)
        return ids, places
    ids = column.unique().sort().cast(pl.Int64).to_numpy()
    places[:] = np.searchsorted(ids, column.to_numpy())
    return ids, places


def _nowhere(wanted: IdArray) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.full(len(wanted), -1, np.int32)


def _as_ids(ids: IdArray | Sequence[Id]) -> IdArray:
    array = _as_query(ids)
    if array.dtype != object:
        array = array.astype(np.int64)  # a copy: an edit of the caller's array must not reach the vocabulary
    if len(array) and len(np.unique(array)) != len(array):
        raise DataError("ids of a vocabulary must be unique")
    return array


def _as_query(ids: IdArray | Iterable[Id] | pl.Series) -> IdArray:
    """Ids as an int64 or object-of-str array; anything else is an error."""
    if isinstance(ids, (str, int)):
        raise TypeError(f"expected a sequence of ids, got the single id {ids!r}")
    if isinstance(ids, pl.Series):
        ids = ids.to_numpy()
    if isinstance(ids, np.ndarray) and (ids.dtype.kind == "i" or (ids.dtype.kind == "u" and ids.itemsize < 8)):
        return cast(IdArray, ids.astype(np.int64, copy=False))
    values = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    kinds = set(map(type, values))  # looked at one by one: NumPy would turn integers among text into text
    if not values:
        return np.empty(0, np.int64)
    if all(issubclass(kind, str) for kind in kinds):
        texts = np.empty(len(values), object)
        texts[:] = values
        return texts
    if all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in kinds):
        try:
            return np.array(values, np.int64)
        except OverflowError:
            raise UnknownIdError(f"id {max(values, key=abs)} is beyond 64-bit integers; use text ids") from None
    offender = next((v for v in values if isinstance(v, bool) or not isinstance(v, (int, str, np.integer))), None)
    shown = "both kinds" if offender is None else repr(offender)
    raise UnknownIdError(f"ids are integers or text, all of one kind; got {shown}")
