"""Strict reading of delimited text: polars parses whole files; only where it refuses, the faulty lines are named.

Nothing is guessed away. A line with too few or too many fields, an id or rating that is missing or not a
number, a rating that is not finite: each is an error with file, line and content, or a counted skip.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal

import numpy as np
import polars as pl

from coterie.data.findings import Findings, listed, shorten
from coterie.data.sources import Source
from coterie.data.times import INTEGER, NUMBER, is_time, unix_seconds
from coterie.errors import DataError

#: What a column holds: an integer; an id (integer or text); a finite number; a time; any text.
Kind = Literal["integer", "id", "number", "time", "text"]

# Ids that integers can carry without losing anything: "007" and "+7" are text.
CANONICAL = r"^(0|-?[1-9]\d*)$"
_SAMPLE = 100
# A piece of a file in which such ids are looked for; pieces overlap by one byte less than what is looked for.
_PIECE, _OVERLAP = 1 << 20, 3
# The last line is looked for in this many bytes.
_TAIL = 1 << 16
_INTEGER, _NUMBER = re.compile(INTEGER), re.compile(r"\s*" + NUMBER[1:])
_LARGEST_ID, _LARGEST_NUMBER = int(np.iinfo(np.int64).max), float(np.finfo(np.float32).max)


@dataclass
class Delimited:
    """A delimited file and what its columns are.

    Attributes
    ----------
    source : Source
    separator : str
        One character or several (``::``). Quotes are understood only where it is a comma or semicolon.
    kinds : dict of str to Kind
        The columns wanted, by name.
    header : list of str or None
        Names of all columns where the file has no header line; None: the first line names them.
    """

    source: Source
    separator: str
    kinds: Mapping[str, Kind]
    header: list[str] | None = None
    names: list[str] = field(init=False)
    id_types: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.quoted = self.separator in (",", ";")
        self.names = self.header or header_of(self.source, self.separator)
        missing = [name for name in self.kinds if name not in self.names]
        if missing:
            raise DataError(f"{self.source.name} has no column {missing[0]!r}; it has {listed(self.names)}")
        twice = [name for name in self.kinds if self.names.count(name) > 1]
        if twice:
            raise DataError(f"{self.source.name} has more than one column {twice[0]!r}; rename one in the header")
        self.names = [name if name in self.kinds else f"unused {at}" for at, name in enumerate(self.names)]

    # ---- the way in --------------------------------------------------------------------------------

    def read(self, findings: Findings) -> pl.DataFrame:
        """The wanted columns: Int32, Int64 or String ids, Float32 numbers, Int64 Unix seconds, String text."""
        self._look_ahead()
        content = self.source.content()
        if "id" in self.kinds.values() and self._may_hold_other_ids(content):
            self.id_types = [pl.String]
        frame, reason = self._parse(content)
        if frame is None:
            del content
            frame, reason = self._parse(self._mend(findings))
        if frame is None:
            raise DataError(f"{self.source.name} cannot be parsed: {reason}")
        for name, kind in self.kinds.items():
            if kind == "id" and frame.schema[name] == pl.String:
                frame = frame.with_columns(self._settle_id(frame[name], findings))
        return frame

    def _parse(self, content: Any) -> tuple[pl.DataFrame | None, str]:
        """The frame, or None and why it is not to be trusted."""
        reason = ""
        for id_type in self.id_types:
            try:
                frame = self._parse_as(content, id_type)
            except pl.exceptions.PolarsError as error:
                reason = str(error).split("\n")[0]
                continue
            return self._verify(frame, content)
        return None, reason

    def _parse_as(self, content: Any, id_type: Any) -> pl.DataFrame:
        types: dict[Kind, Any] = {
            "integer": pl.Int64 if id_type == pl.String else id_type,
            "id": id_type,
            "number": pl.Float32,
            "time": self.times,
            "text": pl.String,
        }
        schema = {name: types[self.kinds[name]] if name in self.kinds else pl.String for name in self.names}
        if self._has_no_lines(content):
            return pl.DataFrame(schema=schema)
        if len(self.separator) > 1:
            raw = content if isinstance(content, bytes) else content.read_bytes()
            content = raw.replace(self.separator.encode(), b"\t")
        return pl.read_csv(
            content,
            separator=self.separator if len(self.separator) == 1 else "\t",
            has_header=False,
            skip_rows=int(self.header is None),
            schema=schema,
            quote_char='"' if self.quoted else None,
        )

    def _verify(self, frame: pl.DataFrame, content: Any) -> tuple[pl.DataFrame | None, str]:
        """The wanted columns of a parsed frame, unless polars was more forgiving than we are."""
        for name, kind in self.kinds.items():
            column = frame[name]
            if kind in ("integer", "id", "number") and column.null_count():
                return None, f"{name} is missing in {column.null_count():,} lines"
            if kind == "number" and not column.is_finite().all():
                return None, f"{name} is not finite everywhere"
            if kind == "id" and column.dtype == pl.String and column.str.contains("[\r\n\\x00]").any():
                return None, f"{name} runs over the end of a line, or holds a NUL character"
        if frame[self.names[-1]].null_count() and not self._all_complete(content, len(frame)):
            return None, "some lines have too few fields"
        if len(frame) and not self._ends_well(content):
            return None, "the last line is not complete"
        frame = frame.select(list(self.kinds))
        for name, kind in self.kinds.items():
            if kind == "time":
                seconds = unix_seconds(frame[name])
                if seconds.null_count() > frame[name].null_count():
                    return None, f"{name} cannot be read everywhere"
                frame = frame.with_columns(seconds)
        return frame, ""

    def _all_complete(self, content: Any, rows: int) -> bool:
        """Whether there are as many separators as complete lines need (polars fills short lines with nulls)."""
        separator = self.separator.encode()
        if isinstance(content, bytes):
            count = content.count(separator)
        else:
            count = sum(block.count(separator) for block in self.source.blocks())
        return count == (rows + (self.header is None)) * (len(self.names) - 1)

    def _has_no_lines(self, content: Any) -> bool:
        """Whether nothing follows the header."""
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        if size > _TAIL:
            return False
        raw = content if isinstance(content, bytes) else content.read_bytes()
        return not (raw.partition(b"\n")[2] if self.header is None else raw).strip()

    def _ends_well(self, content: Any) -> bool:
        """Whether the last line has its number of fields (polars overlooks a separator at the very end)."""
        if isinstance(content, bytes):
            end = content[-_TAIL:]
        else:
            with open(content, "rb") as stream:
                stream.seek(max(0, content.stat().st_size - _TAIL))
                end = stream.read()
        last = end.rstrip(b"\r\n").rpartition(b"\n")[2].decode("utf-8", "replace").rstrip("\r")
        with suppress(csv.Error):
            return len(split_line(last, self.separator)) == len(self.names)
        return False

    def _look_ahead(self) -> None:
        """From the first lines: how times are written, and which types ids may have, likeliest first."""
        with self.source.open() as stream:
            lines = [line.decode("utf-8", "replace") for line in itertools.islice(stream, _SAMPLE)]
        rows = []
        for line in lines[self.header is None :]:
            with suppress(csv.Error):  # the strict reading names it
                rows.append(dict(zip(self.names, split_line(line.rstrip("\r\n"), self.separator), strict=False)))
        seen: dict[str, list[str]] = {"id": [], "time": []}
        for row, (name, kind) in itertools.product(rows, self.kinds.items()):
            if kind in seen and row.get(name):
                seen[kind].append(row[name])
        self.time_sample = next(filter(is_time, seen["time"]), "0")
        whole, numeric = _INTEGER.match(self.time_sample), _NUMBER.match(self.time_sample)
        self.times = pl.Int64 if whole else pl.Float64 if numeric else pl.String
        self.id_types = [pl.Int32, pl.Int64]
        if "id" in self.kinds.values():
            text = not all(re.match(CANONICAL, value) for value in seen["id"])
            self.id_types = [pl.String] if text else [pl.Int32, pl.Int64, pl.String]

    def _may_hold_other_ids(self, content: Any) -> bool:
        """Whether a field anywhere begins with what integers lose: a zero before a digit, a sign, a space.

        Polars would read 007, +7 and 7 as one id. This looks at all bytes, far faster than they are parsed;
        where it finds something, ids are read as text, and `_settle_id` sees whether they are integers after all.
        """
        before = f'[\n"\\x{{{self.separator.encode()[-1]:x}}}]'
        # Plain characters, since classes of Unicode take three times as long; a rating of -0.5 is no suspect.
        pattern = before + "(?:[+ \t]|-?0[0-9]|-0[^.])"
        end = b""
        with BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as stream:
            while piece := stream.read(_PIECE):
                text = (end + piece + b"\n").decode("latin-1")  # each byte is a character, whatever the encoding
                if pl.Series([text]).str.contains(pattern)[0]:
                    return True
                end = piece[-_OVERLAP:]
        return False

    def _settle_id(self, column: pl.Series, findings: Findings) -> pl.Series:
        """An id column that not all integers fit: text, unless another column was the cause."""
        canonical = column.str.contains(CANONICAL) & column.cast(pl.Int64, strict=False).is_not_null()
        if canonical.all():
            return column.cast(pl.Int64)
        padded = column.str.contains(r"^\s|\s$")
        if padded.any():
            first = column.filter(padded)[0]
            findings.warnings.append(
                f"Column {column.name!r} was read as text: {int(padded.sum()):,} of {len(column):,} ids begin or end "
                f"with spaces, the first {self._shown(column.name, first)}; {first!r} and {first.strip()!r} are "
                "different ids: take the spaces out."
            )
        text = column.filter(~canonical & ~padded)
        if len(text) and canonical.any():
            rare = 2 * int(canonical.sum()) > len(column)  # else text is what the ids are
            (findings.warnings if rare else findings.notes).append(
                f"Column {column.name!r} mixes integers and text, so all of it was read as text: {len(text):,} of "
                f"{len(column):,} ids are not integers, the first {self._shown(column.name, text[0])}"
                f"{'; where that is a slip, mend it' if rare else ''}."
            )
        return column

    def _shown(self, name: str, value: str) -> str:
        """A value of a column, with the first line that has it."""
        place, number, needle = self.names.index(name), 0, value.encode()
        for block in self.source.blocks():
            if needle not in block:
                number += block.count(b"\n")
                continue
            for line in block.removesuffix(b"\n").split(b"\n"):
                number += 1
                with suppress(csv.Error):
                    fields = split_line(line.decode("utf-8", "replace").rstrip("\r"), self.separator)
                    if needle in line and fields[place : place + 1] == [value]:
                        return f"{value!r} in line {number:,}"
        return repr(value)

    # ---- looking for the lines at fault ------------------------------------------------------------

    def _mend(self, findings: Findings) -> bytes:
        """The file without blank and faulty lines; the first faulty one is an error unless they are skipped."""
        good = BytesIO()
        number, head = 0, b""
        for block in self.source.blocks():
            if number == 0 and self.header is None:
                head, _, block = block.partition(b"\n")
                head, number = head + b"\n", 1
                good.write(head)
            lines = block.count(b"\n") + (not block.endswith(b"\n"))
            if block and self._parse(head + block)[0] is None:
                block = b"".join(self._usable(block, number, findings))
            if block and not block.endswith(b"\n"):
                block += b"\n"
            good.write(block)
            number += lines
        return good.getvalue()

    def _usable(self, block: bytes, before: int, findings: Findings) -> Iterator[bytes]:
        for number, line in enumerate(block.removesuffix(b"\n").split(b"\n"), start=before + 1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                fault = self._fault(text) if text.strip() else None
            except UnicodeDecodeError:
                text, fault = line.decode("latin-1").rstrip("\r\n"), ("not UTF-8 text", None)
            if fault:
                findings.fault(f"{self.source.name} line {number:,}", *fault, text)
            elif text.strip():
                yield line + b"\n"

    def _fault(self, line: str) -> tuple[str, str | None] | None:
        """What is wrong with a line: a reason, and the value where one value is at fault."""
        try:
            fields = split_line(line, self.separator)
        except csv.Error as error:
            return f"quotes do not match ({error})", None
        if len(fields) != len(self.names):
            return f"{len(fields)} fields instead of {len(self.names)}", None
        for name, value in zip(self.names, fields, strict=True):
            kind = self.kinds.get(name, "text")
            if value == "" and kind in ("integer", "id", "number"):
                return f"{name} is missing", None
            if kind == "id" and "\0" in value:
                return f"{name} holds a NUL character", value
            if kind == "integer" and not (_INTEGER.match(value) and abs(int(value)) <= _LARGEST_ID):
                return f"{name} is not an integer", value
            if kind == "number" and not (_NUMBER.match(value) and abs(float(value)) <= _LARGEST_NUMBER):
                return f"{name} is not a finite number", value
            if kind == "time" and value and not self._readable_time(value):
                return f"{name} cannot be read", value
        return None

    def _readable_time(self, value: str) -> bool:
        if self.times == pl.Int64:
            return bool(_INTEGER.match(value)) and abs(int(value)) <= _LARGEST_ID
        if self.times == pl.Float64:
            return bool(_NUMBER.match(value))
        seconds = unix_seconds(pl.Series([self.time_sample, value]))
        return seconds[0] is not None and seconds[1] is not None


def header_of(source: Source, separator: str) -> list[str]:
    """The names in the first line of a file."""
    line = source.first_line().decode("utf-8", "replace")
    if not line.strip():
        raise DataError(f"{source.name} is empty, or its first line is; the first line must name the columns")
    try:
        return split_line(line, separator)
    except csv.Error as error:
        raise DataError(f"{source.name} line 1: quotes do not match ({error}): {shorten(line)}") from None


def guess_separator(line: str) -> str:
    """What stands between the fields of a line."""
    if "::" in line:
        return "::"
    return max(",", "\t", ";", "|", key=line.count)


def split_line(line: str, separator: str) -> list[str]:
    """The fields of one line, with quotes undone where the separator is a comma or semicolon."""
    if separator in (",", ";"):
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    return line.split(separator)
