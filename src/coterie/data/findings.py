"""Findings: what is counted while a source is read, and in the end becomes its `LoadReport`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from coterie.data.dataset import LoadReport
from coterie.data.interactions import Repeats
from coterie.errors import DataError, ParameterError

OnError = Literal["raise", "skip"]

# Skipped lines that are kept to be shown; the rest are counted.
_SHOWN = 10
_FIRST = 3
_WIDEST = 120
_NAMES = 20


def shorten(content: str, width: int = _WIDEST) -> str:
    """Content of a file as messages show it."""
    return content if len(content) <= width else content[: width - 3] + "..."


def listed(names: Sequence[str]) -> str:
    """Names of columns as messages show them."""
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    return (", ".join(repr(shorten(name)) for name in names[:_NAMES]) or "no columns") + more


@dataclass
class Findings:
    """An account of one reading. With ``on_error="raise"`` the first fault ends it."""

    on_error: OnError = "raise"
    skipped: int = 0
    lines: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    repeats: Repeats | None = None
    missing_times: int = 0
    mixed_ids: int = 0

    def __post_init__(self) -> None:
        if self.on_error not in ("raise", "skip"):
            raise ParameterError(f'on_error must be "raise" or "skip", not {self.on_error!r}')

    def fault(self, place: str, reason: str, value: str | None, content: str) -> None:
        """A row that cannot be used. `reason` names the kind; `value` is the offender within `content`."""
        message = f"{place}: {reason}{'' if value is None else f' {shorten(value)!r}'}: {shorten(content)}"
        if self.on_error == "raise":
            raise DataError(f'{message}; mend it, or load with on_error="skip" to leave such rows out and count them')
        self.skipped += 1
        self.reasons[reason] += 1
        if len(self.lines) < _SHOWN:
            self.lines.append(message)

    def nothing_left(self) -> DataError:
        """The error for a source of which every row was skipped."""
        counts = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common())
        first = "; ".join(self.lines[:_FIRST])
        return DataError(
            f"there are no rows of ratings that can be used: all {self.skipped:,} were skipped ({counts}). "
            f"The first: {first}"
        )

    def report(self, source: str, tables: Mapping[str, int | None]) -> LoadReport:
        """The account as it is kept with the dataset."""
        warnings = [*self.warnings]
        if self.repeats:
            warnings.append(f"{self.repeats.message}.")
        if self.skipped:
            lines = f"{self.skipped:,} lines were" if self.skipped > 1 else "1 line was"
            warnings.append(f"{lines} skipped, the first: {self.lines[0]}")
        return LoadReport(
            source=source,
            tables=dict(tables),
            skipped=self.skipped,
            skipped_lines=tuple(self.lines),
            skipped_reasons=dict(self.reasons),
            merged=self.repeats.rows if self.repeats else 0,
            duplicates=self.repeats.policy if self.repeats else None,
            missing_times=self.missing_times,
            mixed_ids=self.mixed_ids,
            warnings=tuple(warnings),
            notes=tuple(self.notes),
        )
