"""A finding of the linter, and the words that findings share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]

_ORDER: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that a reader must know before believing the figures.

    Attributes
    ----------
    check : str
        What was looked at, in a few words.
    severity : {"error", "warning", "note"}
        An error makes figures wrong; a warning makes them weak, or narrows what they are about; a note says how they
        came about.
    message : str
        Plain sentences with the numbers, and with the remedy where there is one.
    count : int
        How many ratings, users, items or lists it is about.
    """

    check: str
    severity: Severity
    message: str
    count: int

    def __str__(self) -> str:
        return self.message if self.severity == "note" else f"{self.severity.capitalize()}: {self.message}"


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; each kind in the order in which it was found."""
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))


def chosen(n: int, one: str, many: str) -> str:
    """The word for one or for many: "is" or "are"."""
    return one if n == 1 else many


def listed(names: Sequence[str]) -> str:
    """Names as in a sentence: "a, b and c"."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def share(part: int, whole: int) -> str:
    """A part in per cent; what is not all never reads as all, nor what is something as nothing."""
    text = f"{part / whole:.0%}"
    if part and text == "0%":
        return "less than 1%"
    return "more than 99%" if part < whole and text == "100%" else text


def alike(counts: Mapping[str, int]) -> dict[int, list[str]]:
    """Labels by their count, without those of zero, the largest count first."""
    groups: dict[int, list[str]] = {}
    for label, n in sorted(counts.items(), key=lambda pair: -pair[1]):
        if n:
            groups.setdefault(n, []).append(label)
    return groups
