"""What a reader must know before believing the figures of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from coterie.evaluation.evaluate import Answers, Questions

Severity = Literal["error", "warning", "note"]

# With fewer users than this a finding warns that intervals are wide.
_FEW_USERS = 100


@dataclass(frozen=True)
class Finding:
    """Something that was noticed.

    Attributes
    ----------
    check : str
        The short name of what was looked at.
    severity : {"error", "warning", "note"}
    message : str
        A sentence for people.
    count : int
        How many users, ratings or items it is about.
    """

    check: str
    severity: Severity
    message: str
    count: int = 0


def lint(questions: Questions, answers: Mapping[str, Answers | str]) -> list[Finding]:
    """What is to be said of a split and, where there are any, of the answers to it."""
    found = []
    if questions.k:
        n = len(questions.users)
        relevant = f"test ratings of at least {questions.relevant_from:g}"
        text = f"Lists are judged for {n:,} users; relevant are their {relevant}."
        found.append(Finding("judged users", "note", text, n))
        if n < _FEW_USERS:
            text = (
                f'{n:,} users are few: expect wide intervals. A random split (split="random") asks more of them, '
                "at the price of knowing the future."
            )
            found.append(Finding("few users", "warning", text, n))
    found += [Finding("left out", "note", f"{n:,} {what}.", n) for what, n in questions.split.dropped.items()]
    for label, answer in answers.items():
        if not isinstance(answer, Answers):
            continue
        if n := answer.n_unanswered:
            text = f"{label} gave no rating for {n:,} test ratings; the training mean stood in."
            found.append(Finding("unanswered", "warning", text, n))
        if n := answer.n_seen:
            text = f"{label} recommended {n:,} items that the users' profiles have."
            found.append(Finding("seen items", "error", text, n))
    return found
