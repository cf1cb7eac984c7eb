"""From what models answered to the leaderboard: rows, estimates, groups of users, and what the linter finds."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coterie.evaluation.asking import Asking, Judged
from coterie.evaluation.estimates import Estimate, estimates, estimates_within, listed_popularity
from coterie.evaluation.evaluate import Answers, Questions
from coterie.evaluation.groups import GROUPINGS, user_groups
from coterie.evaluation.leaderboard import Leaderboard, Row
from coterie.evaluation.linter import Finding, check_conclusions, check_folds, lint
from coterie.evaluation.linter.finding import by_severity
from coterie.evaluation.metrics import Measure
from coterie.evaluation.tuning import plain
from coterie.models.base import Recommender


def board_of(asking: Asking, contestants: Mapping[str, Recommender], judged: Mapping[str, Judged | str]) -> Leaderboard:
    """The leaderboard of what is judged so far; contestants that are not, it calls unfinished."""
    measures, questions, seed = asking.measures, asking.questions, asking.random_state
    answers = {label: j.answers for label, j in judged.items() if isinstance(j, Judged)}
    by_measure = {m.name: {} if m.name in asking.lacking else estimates(m, answers, seed) for m in measures}
    rows = [
        _row(label, model, judged[label], {name: found.get(label) for name, found in by_measure.items()}, measures)
        for label, model in contestants.items()
        if label in judged
    ]
    findings = [
        *check_conclusions(questions, measures[0], answers),
        *_empty_columns(by_measure, asking.lacking, len(answers)),
        *findings_of(questions, judged),
    ]
    if asking.not_kept is not None:
        text = f"Answers could not be kept, so an interrupted comparison starts afresh: {asking.not_kept}."
        findings.append(Finding("resuming", "warning", text, 1))
    return Leaderboard(
        sorted(rows, key=lambda row: _order(row, measures[0])),
        measures,
        [asked.split for asked in questions],
        len(_users(questions, measures[0])),
        questions[0].relevant_from,
        by_severity(findings),
        _by_group(questions, [m for m in measures if m.name not in asking.lacking], answers, seed),
        _own_popularity(questions),
        asking.seconds,
        [label for label in contestants if label not in judged],
    )


def _empty_columns(
    by_measure: Mapping[str, Mapping[str, Estimate]], lacking: Mapping[str, str], n_judged: int
) -> list[Finding]:
    """Why there are measures without a single value."""
    found = [Finding("metrics without values", "warning", f"{reason}.", 1) for reason in lacking.values()]
    mute = [name for name, values in by_measure.items() if n_judged and not values and name not in lacking]
    for name in mute:
        text = f"None of these models has a value of {name}: they predict no such thing."
        found.append(Finding("metrics without values", "note", text, 1))
    return found


def _by_group(
    questions: Sequence[Questions],
    measures: Sequence[Measure],
    answers: Mapping[str, Sequence[Answers]],
    random_state: int,
) -> dict[str, dict[str, dict[str, dict[str, Estimate]]]]:
    """Each measure by group of users, for each way of grouping; over several splits, users are in the group in which
    they are in the first split that asks them."""
    groups: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
    for by in GROUPINGS:
        first, *others = (user_groups(q, by) for q in questions)
        members = first.members
        for later in others:
            members = np.where(members < 0, later.members, members)
        groups[by] = {label: np.flatnonzero(members == place) for place, label in enumerate(first.labels)}
    return {m.name: {by: estimates_within(m, answers, random_state, of) for by, of in groups.items()} for m in measures}


def _row(
    label: str,
    model: Recommender,
    judged: Judged | str,
    found: Mapping[str, Estimate | None],
    measures: Sequence[Measure],
) -> Row:
    values = {name: plain(getattr(model, name)) for name in model.parameters()}
    if isinstance(judged, str):
        return Row(label, values, found, error=judged)
    peaks = [a.peak_bytes for a in judged.answers]
    rankings = [a.ranking for a in judged.answers if a.ranking is not None]
    depth = measures[0].k or max(m.k or 0 for m in measures)
    return Row(
        label,
        values,
        found,
        _mean([a.fit_seconds for a in judged.answers]),
        _mean([a.recommend_seconds for a in judged.answers]),
        _mean([a.predict_seconds for a in judged.answers]),
        peak_bytes=None if None in peaks else max(p for p in peaks if p is not None),
        model_bytes=max(a.model_bytes for a in judged.answers),
        popularity=listed_popularity(rankings, depth) if rankings and depth else None,
        taken=judged.taken == len(judged.answers),
        tuned=judged.tuned,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _order(row: Row, measure: Measure) -> tuple[bool, float]:
    estimate = row.estimates[measure.name]
    sign = -1 if measure.metric.larger_is_better else 1
    return row.error is not None, math.inf if estimate is None else sign * estimate.value


def _users(questions: Sequence[Questions], measure: Measure) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Row numbers of the users who are judged by a measure in any split."""
    rates = measure.metric.kind == "rating"
    parts = [np.flatnonzero(q.split.test.user_counts) if rates else q.users for q in questions]
    return np.unique(np.concatenate(parts))


def _own_popularity(questions: Sequence[Questions]) -> float | None:
    """How popular the items are that the users whose lists are judged have rated; None without lists."""
    values = np.concatenate([q.context.profile_popularity[q.users] for q in questions if q.k] or [np.empty(0)])
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def findings_of(questions: Sequence[Questions], judged: Mapping[str, Judged | str]) -> list[Finding]:
    """What the linter finds, errors first; what it finds in several splits is said once, with the largest count."""
    found: dict[tuple[str, ...], list[Finding]] = {}
    for at, asked in enumerate(questions):
        answers = {label: j if isinstance(j, str) else j.answers[at] for label, j in judged.items()}
        for finding in lint(asked, answers):
            alike = finding.check, finding.severity, re.sub(r"(more|less) than |[\d.,]+", "", finding.message)
            found.setdefault(alike, []).append(finding)
    most = [max(alike, key=lambda f: f.count) for alike in found.values()]
    if len(questions) > 1:
        most = [
            dataclasses.replace(
                f, message=f"{f.message} (In {len(alike)} of {len(questions)} splits; this is the most.)"
            )
            for f, alike in zip(most, found.values(), strict=True)
        ]
    # Test ratings that several splits have count several times; users' values, over which intervals are, stay sound.
    twice = [dataclasses.replace(f, severity="warning") for f in check_folds([asked.split for asked in questions])]
    return by_severity([*twice, *most])
