"""The leaderboard: models on the same split, with intervals, paired differences and what of it is noise, in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.progress import quiet
from coterie.errors import ParameterError
from coterie.evaluation.estimates import Estimate, estimates
from coterie.evaluation.evaluate import Answers, Questions, answer, relevance_threshold
from coterie.evaluation.metrics import Measure, parse
from coterie.evaluation.splits import Split
from coterie.evaluation.splits import split as make_split
from coterie.models.base import Recommender
from coterie.models.registry import MODELS, model_class

if TYPE_CHECKING:
    from rich.progress import Progress

# With fewer users than this a note warns that intervals are wide.
_FEW_USERS = 100
_TIMES = ("fit_seconds", "recommend_seconds", "predict_seconds")


@dataclass(frozen=True)
class Row:
    """A model's line. `estimates` has None where the model cannot answer; `error` is None where nothing failed."""

    model: str
    parameters: Mapping[str, Any]
    estimates: Mapping[str, Estimate | None]
    fit_seconds: float | None = None
    recommend_seconds: float | None = None
    predict_seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Leaderboard:
    """Models compared on one split, the best by the first metric first, failed ones last.

    Attributes
    ----------
    rows : sequence of Row
    measures : sequence of Measure
        The first decides the order.
    split : Split
    n_users : int
        Users whose lists were judged.
    relevant_from : float
        Test ratings from this on counted as relevant.
    notes : sequence of str
        What a reader must know before believing the figures.
    """

    rows: Sequence[Row]
    measures: Sequence[Measure]
    split: Split = dataclasses.field(repr=False)
    n_users: int
    relevant_from: float
    notes: Sequence[str] = ()

    @property
    def primary(self) -> Measure:
        """The measure that decides the order."""
        return self.measures[0]

    @property
    def leader(self) -> Row | None:
        """The first row with a value; None where every model failed."""
        return next((row for row in self.rows if row.estimates.get(self.primary.name)), None)

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
        if row is self.leader:
            return "leads"
        if estimate.low is None:
            return "behind (no interval)"
        return "within noise of the leader" if estimate.within_noise else "behind the leader"

    def words(self) -> list[str]:
        """What the figures say, a sentence each."""
        leader, name = self.leader, self.primary.name
        if leader is None:
            return ["No model could be judged."]
        best = leader.estimates[name]
        assert best is not None
        sure = "" if best.low is None else f" (95 % interval {best.low:.4f} to {best.high:.4f})"
        sentences = [f"By {name}, {self.short_name(leader)} leads with {best.value:.4f}{sure}."]
        by_verdict: dict[str, list[str]] = {}
        for row in self.rows:
            by_verdict.setdefault(self.verdict(row), []).append(self.short_name(row))
        if close := by_verdict.get("within noise of the leader"):
            sentences.append(
                f"{_list(close)} {_is(close)} within noise of it: on other users of this kind the order may turn."
            )
        if behind := by_verdict.get("behind the leader"):
            sentences.append(f"{_list(behind)} {_is(behind)} behind it by more than noise.")
        if failed := by_verdict.get("failed"):
            sentences.append(f"{_list(failed)} failed; the error stands in the table.")
        return sentences

    def to_frame(self) -> pl.DataFrame:
        """One row a model; a metric's interval is in ``<metric>_low`` and ``<metric>_high``, differences are of the
        first metric."""
        records = []
        for rank, row in enumerate(self.rows, 1):
            record: dict[str, Any] = {"rank": rank, "model": row.model}
            for measure in self.measures:
                estimate = row.estimates.get(measure.name)
                record[measure.name] = estimate and estimate.value
                if measure.metric.kind != "catalogue":
                    record[f"{measure.name}_low"] = estimate and estimate.low
                    record[f"{measure.name}_high"] = estimate and estimate.high
            first = row.estimates.get(self.primary.name)
            for part in ("difference", "difference_low", "difference_high"):
                record[part] = first and getattr(first, part)
            times = {name: getattr(row, name) for name in _TIMES}
            records.append({**record, "verdict": self.verdict(row), **times, "error": row.error})
        text = {"rank": pl.Int32, "model": pl.String, "verdict": pl.String, "error": pl.String}
        return pl.DataFrame(records, schema={name: text.get(name, pl.Float64) for name in records[0]})

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON knows it."""
        return {
            "split": {
                "description": self.split.description,
                "train_ratings": self.split.train.nnz,
                "test_ratings": self.split.test.nnz,
                "test_users": self.split.n_test_users,
                "dropped": dict(self.split.dropped),
            },
            "judged_users": self.n_users,
            "relevant_from": self.relevant_from,
            "metrics": [
                {
                    "name": m.name,
                    "title": m.title,
                    "variant": m.metric.variant,
                    "larger_is_better": m.metric.larger_is_better,
                }
                for m in self.measures
            ],
            "rows": [
                {
                    "model": row.model,
                    "parameters": dict(row.parameters),
                    "verdict": self.verdict(row),
                    "metrics": {
                        name: estimate and {**dataclasses.asdict(estimate), "within_noise": estimate.within_noise}
                        for name, estimate in row.estimates.items()
                    },
                    **{name: getattr(row, name) for name in _TIMES},
                    "error": row.error,
                }
                for row in self.rows
            ],
            "words": self.words(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        head = ["model", *(m.name for m in self.measures), "fit s", "recommend s", "predict s", "standing"]
        table = [head]
        for row in self.rows:
            cells = [str(row.estimates.get(m.name) or "-") for m in self.measures]
            times = ["-" if (t := getattr(row, name)) is None else f"{t:.2f}" for name in _TIMES]
            table.append([row.model, *cells, *times, row.error or self.verdict(row)])
        widths = [max(len(line[i]) for line in table) for i in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in table]
        return "\n".join([str(self.split), *lines, *self.words(), *self.notes])


def compare(
    data: Dataset | Interactions,
    models: Iterable[str | Recommender] | None = None,
    split: Split | str | None = None,
    metrics: Iterable[str] | None = None,
    k: int = 10,
    relevant_from: float | None = None,
    random_state: int = 0,
    progress: bool = True,
) -> Leaderboard:
    """Train models on the same split, judge them by the same users, and say which differences are noise.

    Parameters
    ----------
    data : Dataset or Interactions
    models : names or instances, or None for every registered model with its defaults
        An instance stands for its hyper-parameters; it is not fitted itself.
    split : Split, str or None
        A split, or a name that `coterie.evaluation.split` knows. None: by time where there are
        timestamps, at random elsewhere.
    metrics : names such as "ndcg@10", "recall", "rmse", or None for a usual choice
        The first decides the order. Names without a length are cut at `k`.
    k : int, at least 1
    relevant_from : float or None
        Test ratings from this on are relevant to lists; None: see `relevance_threshold`.
    random_state : int
        Seed of the split and of the bootstrap.
    progress : bool
        Show progress on a terminal.

    Notes
    -----
    Lists are judged for users with training ratings and at least one relevant test item, exactly over all
    items but those the user has in training. Ratings are judged for models that predict them. A model that
    fails is a row with its error. Intervals are percentile bootstrap intervals over users (1000 draws, the
    same for all models).
    """
    x, catalog = (data.interactions, data.catalog) if isinstance(data, Dataset) else (data, None)
    contestants = _contestants(models)
    measures = _measures(metrics, k, x)
    parts = split if isinstance(split, Split) else make_split(x, split, random_state)
    kinds = {m.metric.kind for m in measures}
    depth = max([m.k or 0 for m in measures])
    threshold = relevance_threshold(x) if relevant_from is None else relevant_from
    needs = frozenset[str]().union(*(m.metric.needs for m in measures))
    questions = Questions(parts, threshold, depth, "rating" in kinds, catalog, "pairs" in needs, "deviations" in needs)
    questions.context.require(needs)
    answers: dict[str, Answers | str] = {}
    with _progress(progress) as shown, quiet():
        for label, model in contestants.items():
            task = shown.add_task(label, total=None)
            try:
                answers[label] = answer(model, questions, lambda t=task: shown.advance(t))  # type: ignore[misc]
            except Exception as error:  # whatever a model meets is its own row; the others go on
                answers[label] = f"{type(error).__name__}: {error}"
            shown.remove_task(task)
    rows = _rows(contestants, answers, measures, random_state)
    return Leaderboard(rows, measures, parts, len(questions.users), threshold, _notes(questions, answers))


def _contestants(models: Iterable[str | Recommender] | None) -> dict[str, Recommender]:
    """Unfitted copies of the models by label."""
    if isinstance(models, (str, Recommender)):
        models = [models]
    found: dict[str, Recommender] = {}
    for model in MODELS if models is None else models:
        fresh = model_class(model)() if isinstance(model, str) else dataclasses.replace(model)  # type: ignore[type-var]
        label = fresh.label
        if label in found:
            raise ParameterError(f"models has {label!r} twice; each may stand there once")
        found[label] = fresh
    if not found:
        raise ParameterError("models is empty; name at least one, or pass None for all")
    return found


def _measures(metrics: Iterable[str] | None, k: int, x: Interactions) -> list[Measure]:
    if metrics is None:
        has_ratings = x.scale[0] < x.scale[1]
        metrics = ["ndcg", "recall", "precision", "coverage", *(["rmse"] if has_ratings else [])]
    elif isinstance(metrics, str):
        metrics = [metrics]
    measures = list({m.name: m for m in (parse(name, k) for name in metrics)}.values())
    if not measures:
        raise ParameterError('metrics is empty; name at least one, such as "ndcg@10"')
    return measures


def _rows(
    contestants: Mapping[str, Recommender],
    answers: Mapping[str, Answers | str],
    measures: Sequence[Measure],
    random_state: int,
) -> list[Row]:
    fine = {label: a for label, a in answers.items() if isinstance(a, Answers)}
    by_measure = {m.name: estimates(m, fine, random_state) for m in measures}
    rows = []
    for label, model in contestants.items():
        of_model = {name: found.get(label) for name, found in by_measure.items()}
        values = {n: v.label if isinstance(v := getattr(model, n), Recommender) else v for n in model.parameters()}
        if isinstance(found := answers[label], Answers):
            rows.append(Row(label, values, of_model, *(getattr(found, name) for name in _TIMES)))
        else:
            rows.append(Row(label, values, of_model, error=found))
    first, sign = measures[0].name, -1 if measures[0].metric.larger_is_better else 1

    def order(row: Row) -> tuple[bool, float]:
        estimate = row.estimates[first]
        return row.error is not None, math.inf if estimate is None else sign * estimate.value

    return sorted(rows, key=order)


def _notes(questions: Questions, answers: Mapping[str, Answers | str]) -> list[str]:
    notes = []
    if questions.k:
        n = len(questions.users)
        relevant = f"test ratings of at least {questions.relevant_from:g}"
        notes.append(f"Lists are judged for {n:,} users; relevant are their {relevant}.")
        if n < _FEW_USERS:
            notes.append(
                f'{n:,} users are few: expect wide intervals. A random split (split="random") asks more of them, '
                "at the price of knowing the future."
            )
    notes += [f"{n:,} {what}." for what, n in questions.split.dropped.items()]
    for label, found in answers.items():
        if isinstance(found, Answers) and found.n_unanswered:
            notes.append(f"{label} gave no rating for {found.n_unanswered:,} test ratings; the training mean stood in.")
    return notes


def _progress(wanted: bool) -> Progress:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("comparing: {task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not (wanted and console.is_terminal))


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
