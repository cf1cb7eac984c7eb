"""The leaderboard: models on the same split, with intervals, paired differences and what of it is noise, in words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import polars as pl

from coterie.evaluation import units
from coterie.evaluation.estimates import Estimate
from coterie.evaluation.linter import NOTHING, Finding
from coterie.evaluation.metrics import Measure
from coterie.evaluation.splits import Split
from coterie.evaluation.tuning import Tuned

_COSTS = ("fit_seconds", "recommend_seconds", "predict_seconds", "peak_bytes", "model_bytes")
#: By what users are grouped by, group and model.
Grouped = Mapping[str, Mapping[str, Mapping[str, Estimate]]]
# Between the options of a label, and not inside the brackets of one.
_BETWEEN = re.compile(r", (?![^(\[{]*[)\]}])")
_DIFFERENCE = ("difference", "difference_low", "difference_high", "p_value", "p_uncorrected")


@dataclass(frozen=True)
class Row:
    """A model's line. Over several splits, times are means and sizes are the largest.

    Attributes
    ----------
    model : str
        The label: the name, and in brackets the hyper-parameters that are not its defaults.
    parameters : mapping
        All hyper-parameters as they were given; what tuning made of them is in `tuned`.
    estimates : mapping of str to Estimate or None
        By the name of the measure; None where the model cannot answer.
    fit_seconds, recommend_seconds, predict_seconds : float or None
    error : str or None
        None where nothing failed.
    peak_bytes, model_bytes : int or None
        The most memory held while it was fitted and asked, and the size of what it has learned.
    popularity : float or None
        `listed_popularity`: how popular the items are that it recommends; None without lists.
    taken : bool
        Whether the answers were taken from an earlier run.
    tuned : sequence of Tuned
        What tuning found, for each split; empty where the model was not tuned.
    """

    model: str
    parameters: Mapping[str, Any]
    estimates: Mapping[str, Estimate | None]
    fit_seconds: float | None = None
    recommend_seconds: float | None = None
    predict_seconds: float | None = None
    error: str | None = None
    peak_bytes: int | None = None
    model_bytes: int | None = None
    popularity: float | None = None
    taken: bool = False
    tuned: Sequence[Tuned] = ()

    @property
    def options(self) -> list[str]:
        """The hyper-parameters that are not defaults, as ``name=value``; what tuning found, where it found one set."""
        if len(self.tuned) == 1:
            return [f"{name}={_short(value)}" for name, value in self.tuned[0].parameters.items()]
        options = self.model.partition("(")[2].removesuffix(")")
        return _BETWEEN.split(options) if options else []


@dataclass(frozen=True)
class Leaderboard:
    """Models compared on the same split, the best by the first metric first, failed ones last.

    Attributes
    ----------
    rows : sequence of Row
    measures : sequence of Measure
        The first decides the order.
    splits : sequence of Split
        One, or several over which users' values are pooled (`estimates`).
    n_users : int
        Users whose lists were judged, or without lists those whose ratings were.
    relevant_from : float
        Test ratings from this on counted as relevant.
    findings : sequence of Finding
        What a reader must know before believing the figures, errors first.
    groups_by_metric : mapping of str to mapping of str to mapping of str to mapping of str to Estimate
        Each metric by what users are grouped by (`user_groups`), group and model (`estimates_within`).
    profile_popularity : float or None
        How popular the items are that the judged users have rated themselves, to hold `Row.popularity` against: the
        mean over their profiles.
    budget : float or None
        Seconds that a model was allowed.
    unfinished : sequence of str
        Models that were not reached, because the comparison was interrupted.
    """

    rows: Sequence[Row]
    measures: Sequence[Measure]
    splits: Sequence[Split] = field(repr=False)
    n_users: int
    relevant_from: float
    findings: Sequence[Finding] = ()
    groups_by_metric: Mapping[str, Grouped] = field(default_factory=dict, repr=False)
    profile_popularity: float | None = None
    budget: float | None = None
    unfinished: Sequence[str] = ()

    @property
    def split(self) -> Split:
        """The first split."""
        return self.splits[0]

    @property
    def description(self) -> str:
        """How the data was split, in a sentence."""
        several = f"{len(self.splits)} splits, the first: " if len(self.splits) > 1 else ""
        return several + self.split.description

    @property
    def notes(self) -> list[str]:
        """The findings as sentences, worst first."""
        return [str(finding) for finding in self.findings]

    @property
    def primary(self) -> Measure:
        """The measure that decides the order."""
        return self.measures[0]

    @property
    def groups(self) -> Grouped:
        """The first metric by what users are grouped by, group and model."""
        return self.groups_by_metric.get(self.primary.name, {})

    @property
    def leader(self) -> Row | None:
        """The first row with a value; None where every model failed."""
        return next((row for row in self.rows if row.estimates.get(self.primary.name)), None)

    @property
    def concluded(self) -> bool:
        """Whether there is a verdict at all; if not, the first findings say why (`check_conclusions`)."""
        return not any(finding.check == NOTHING for finding in self.findings)

    def short_name(self, row: Row) -> str:
        """The model's name, without its options where no other row has that name."""
        name = row.model.partition("(")[0]
        return name if sum(r.model.partition("(")[0] == name for r in self.rows) == 1 else row.model

    def verdict(self, row: Row) -> str:
        """The row's standing by the first metric, in words."""
        estimate = row.estimates.get(self.primary.name)
        if row.error is not None:
            return "failed"
        if estimate is None:
            return f"has no {self.primary.name}"
        if not self.concluded:
            return "no verdict"
        if row is self.leader:
            return "leads"
        if estimate.p_value is None:
            return "behind (no interval)"
        return "within noise of the leader" if estimate.within_noise else "behind the leader"

    def words(self) -> list[str]:
        """What the figures say, a sentence each."""
        leader, name = self.leader, self.primary.name
        by_verdict: dict[str, list[Row]] = {}
        for row in self.rows:
            by_verdict.setdefault(self.verdict(row), []).append(row)
        sentences = ["No model could be judged."]
        if leader is not None and not self.concluded:
            sentences = [f"There is no verdict by {name}: see what was found."]
        elif leader is not None:
            best = leader.estimates[name]
            assert best is not None
            sure = "" if best.low is None else f" (95 % interval {best.low:.4f} to {best.high:.4f})"
            sentences = [f"By {name}, {self.short_name(leader)} leads with {best.value:.4f}{sure}."]
        if close := by_verdict.get("within noise of the leader"):
            sentences.append(
                f"{self._list(close)} {_is(close)} within noise of it: on other users of this kind the order may turn."
            )
        if behind := by_verdict.get("behind the leader"):
            p = max(e.p_value for row in behind if (e := row.estimates[name]) and e.p_value is not None)
            most = units.p_value(p) + (" or less" if len(behind) > 1 and p >= 0.001 else "")
            sentences.append(f"{self._list(behind)} {_is(behind)} behind it by more than noise (corrected {most}).")
        sentences += [
            f"{row.model} failed: {' '.join((row.error or '').split())}" for row in by_verdict.get("failed", [])
        ]
        return sentences + self._how_it_went()

    def _how_it_went(self) -> list[str]:
        """Tuning, what an earlier run did, and what was not reached, a sentence each."""
        sentences = []
        if tuned := [row for row in self.rows if row.tuned]:
            n = sum(t.n_trials for row in tuned for t in row.tuned)
            up_to = "" if self.budget is None else f" for up to {units.duration(self.budget)} each"
            which = "all models" if len(tuned) == len(self.rows) > 1 else self._list(tuned)
            sentences.append(f"Tuned first{up_to}, on training ratings alone: {which} ({n:,} trials).")
        if taken := [row for row in self.rows if row.taken]:
            which = "all models" if len(taken) == len(self.rows) > 1 and not self.unfinished else self._list(taken)
            sentences.append(f"Taken from an earlier run: {which}.")
        if self.unfinished:
            sentences.append(f"Interrupted; not compared: {_joined(self.unfinished)}.")
        return sentences

    def _list(self, rows: Sequence[Row]) -> str:
        return _joined([self.short_name(row) for row in rows])

    def to_frame(self) -> pl.DataFrame:
        """One row a model; a metric's interval is in ``<metric>_low`` and ``<metric>_high``, differences and p-values
        are of the first metric."""
        text = {"rank": pl.Int32, "model": pl.String, "verdict": pl.String, "error": pl.String}
        whole = {"peak_bytes": pl.Int64, "model_bytes": pl.Int64}
        records = [self._record(rank, row) for rank, row in enumerate(self.rows, 1)]
        names = list(records[0]) if records else ["rank", "model"]
        return pl.DataFrame(records, schema={name: (text | whole).get(name, pl.Float64) for name in names})

    def _record(self, rank: int, row: Row) -> dict[str, Any]:
        record: dict[str, Any] = {"rank": rank, "model": row.model}
        for measure in self.measures:
            estimate = row.estimates.get(measure.name)
            record[measure.name] = estimate and estimate.value
            if measure.metric.kind != "catalogue":
                record[f"{measure.name}_low"] = estimate and estimate.low
                record[f"{measure.name}_high"] = estimate and estimate.high
        first = row.estimates.get(self.primary.name)
        record |= {part: first and getattr(first, part) for part in _DIFFERENCE}
        costs = {name: getattr(row, name) for name in _COSTS}
        return {
            **record,
            "verdict": self.verdict(row),
            **costs,
            "mean_popularity": row.popularity,
            "error": row.error,
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON knows it."""
        return {
            "split": _described(self.split),
            "splits": [_described(split) for split in self.splits],
            "judged_users": self.n_users,
            "relevant_from": self.relevant_from,
            "budget_seconds": self.budget,
            "profile_popularity": self.profile_popularity,
            "metrics": [
                {
                    "name": m.name,
                    "title": m.title,
                    "variant": m.metric.variant,
                    "larger_is_better": m.metric.larger_is_better,
                    "sampled": m.sampled,
                }
                for m in self.measures
            ],
            "rows": [self._row_as_dict(row) for row in self.rows],
            "groups": _grouped_as_dict(self.groups),
            "groups_by_metric": {name: _grouped_as_dict(found) for name, found in self.groups_by_metric.items()},
            "words": self.words(),
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "unfinished": list(self.unfinished),
        }

    def _row_as_dict(self, row: Row) -> dict[str, Any]:
        return {
            "model": row.model,
            "parameters": dict(row.parameters),
            "tuned": [dataclasses.asdict(found) for found in row.tuned],
            "verdict": self.verdict(row),
            "metrics": {
                name: estimate and {**dataclasses.asdict(estimate), "within_noise": estimate.within_noise}
                for name, estimate in row.estimates.items()
            },
            **{name: getattr(row, name) for name in _COSTS},
            "mean_popularity": row.popularity,
            "from_earlier_run": row.taken,
            "error": row.error,
        }

    def __str__(self) -> str:
        costs = ["fit s", "recommend s", "predict s", "peak", "model"]
        table = [["model", *(m.name for m in self.measures), "difference", *costs, "standing"]]
        for row in self.rows:
            values = [str(row.estimates.get(m.name) or "-") for m in self.measures]
            first = row.estimates.get(self.primary.name)
            apart = "-" if first is None or first.difference is None else f"{first.difference:+.4f}"
            if first is not None and first.p_value is not None:
                apart += f" ({units.p_value(first.p_value)})"
            times = [units.seconds(getattr(row, name)) for name in _COSTS[:3]]
            sizes = [units.size(getattr(row, name)) for name in _COSTS[3:]]
            table.append([row.model, *values, apart, *times, *sizes, row.error or self.verdict(row)])
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in table]
        return "\n".join([*map(str, self.splits), *lines, *self.words(), *self.notes])

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        return f'<pre style="overflow-x:auto">{escape(str(self))}</pre>'


def _grouped_as_dict(found: Grouped) -> dict[str, Any]:
    return {
        by: {group: {model: dataclasses.asdict(e) for model, e in of.items()} for group, of in groups.items()}
        for by, groups in found.items()
    }


def _described(split: Split) -> dict[str, Any]:
    return {
        "description": split.description,
        "train_ratings": split.train.nnz,
        "test_ratings": split.test.nnz,
        "test_users": split.n_test_users,
        "dropped": dict(split.dropped),
    }


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _is(rows: Sequence[Row]) -> str:
    return "is" if len(rows) == 1 else "are"
