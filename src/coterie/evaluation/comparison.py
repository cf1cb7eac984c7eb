"""Comparing models: each is fitted and asked in turn, and what fails, runs over or is interrupted spoils no other."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike

import numpy as np

from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.progress import quiet
from coterie.errors import DataError, ParameterError
from coterie.evaluation import units
from coterie.evaluation.estimates import Estimate, estimates, listed_popularity
from coterie.evaluation.evaluate import Answers, Questions, answer, relevance_threshold, warm_up
from coterie.evaluation.groups import GROUPINGS, user_groups
from coterie.evaluation.kept import KeptAnswers
from coterie.evaluation.leaderboard import Leaderboard, Row
from coterie.evaluation.linter import Finding, check_folds, lint
from coterie.evaluation.linter.finding import by_severity
from coterie.evaluation.metrics import Measure, parse
from coterie.evaluation.splits import Split
from coterie.evaluation.splits import splits as make_splits
from coterie.evaluation.time_limit import OutOfTime, TimeLimit
from coterie.evaluation.tuning import Tuned, plain, tuned
from coterie.evaluation.watching import Watch
from coterie.models.base import Recommender
from coterie.models.registry import MODELS, model_class


class ComparisonInterrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of `compare`; `board` is the leaderboard of what was done by then."""

    def __init__(self, board: Leaderboard) -> None:
        done, left = len(board.rows), len(board.unfinished)
        super().__init__(f"the comparison was interrupted: {done} models are done, {left} are not")
        self.board = board


def compare(
    data: Dataset | Interactions,
    models: Iterable[str | Recommender] | None = None,
    split: Split | Sequence[Split] | str | None = None,
    metrics: Iterable[str] | None = None,
    k: int = 10,
    relevant_from: float | None = None,
    random_state: int = 0,
    progress: bool = True,
    *,
    budget: str | float | None = None,
    tune: bool = False,
    sampled: int | None = None,
    resume: str | PathLike[str] | None = None,
    allow_leaks: bool = False,
) -> Leaderboard:
    """Train models on the same split, judge them by the same users, and say which differences are noise.

    Parameters
    ----------
    data : Dataset or Interactions
    models : names or instances, or None (or "all") for every registered model with its defaults
        A text may hold several names with commas between them. An instance stands for its hyper-parameters; it is
        not fitted itself.
    split : Split, several of them, str or None
        A split, or a name that `coterie.evaluation.splits` knows. None: by time where there are timestamps, at random
        elsewhere. With several splits, such as folds, users' values are pooled over them (`estimates`).
    metrics : names such as "ndcg@10", "recall", "rmse", or None for a usual choice
        The first decides the order. Names without a length are cut at `k`. A text may hold several names.
    k : int, at least 1
    relevant_from : float or None
        Test ratings from this on are relevant to lists; None: see `relevance_threshold`.
    random_state : int
        Seed of the split, of sampled candidates, of tuning and of the bootstrap.
    progress : bool
        Show progress on a terminal.
    budget : str or float or None
        What each model may take for fitting and answering, for each split: ``"90s"``, ``"10m"``, ``"1h"`` or seconds.
        A model that runs over is a row with an error that says so. See `TimeLimit` for how soon that is noticed; in
        threads other than the main one it is between the steps.
    tune : bool
        Search for each model's best settings first, by the first metric, in the training part of the split alone,
        for as long as `budget` says; with several splits anew for each. The budget holds again for the fit that is
        judged. A model without the first metric stays as it is.
    sampled : int or None
        Rank relevant items among so many others, drawn for each user, and not among all; measures of lists are
        named accordingly, since their values are not those of lists from all items (Krichene and Rendle 2020).
    resume : path or None
        A folder to which answers are written when a model is done, and from which they are taken when the comparison
        is called again in the same way. Models that failed are tried again. See `KeptAnswers`.
    allow_leaks : bool
        Go on where the split tells models what they are asked, and show the finding with the figures.

    Raises
    ------
    DataError
        The split leaks, or leaves nothing to judge.
    ComparisonInterrupted
        Ctrl-C; a KeyboardInterrupt that has the leaderboard of what was done.

    Notes
    -----
    Lists are judged for users with training ratings and at least one relevant test item, exactly over all
    items but those the user has in training. Ratings are judged for models that predict them. A model that
    fails is a row with its error. Intervals are percentile bootstrap intervals over users (1000 draws, the
    same for all models), p-values those of `paired_p_value`, corrected by `holm`.
    """
    x, catalog = (data.interactions, data.catalog) if isinstance(data, Dataset) else (data, None)
    contestants = _contestants(models)
    seconds = None if budget is None else units.parse_duration(budget)
    if tune and seconds is None:
        raise ParameterError('tune needs to know how long it may take; give budget="10m", say')
    measures = _measures(metrics, k, x, sampled)
    threshold = relevance_threshold(x) if relevant_from is None else relevant_from
    needs = frozenset[str]().union(*(m.metric.needs for m in measures))
    questions = [
        Questions(
            *(part, threshold, max(m.k or 0 for m in measures)),
            ratings=any(m.metric.kind == "rating" for m in measures),
            catalog=catalog,
            pairs="pairs" in needs,
            deviations="deviations" in needs,
            sampled=sampled,
            random_state=random_state,
        )
        for part in _splits(x, split, random_state)
    ]
    for measure in measures:
        questions[0].context.require(measure.metric.needs, measure.name)
    if not allow_leaks:
        _refuse_leaks(questions)
    asking = _Asking(questions, measures, seconds, tune, random_state, resume)
    judged: dict[str, _Judged | str] = {}
    try:
        with Watch(len(contestants), progress) as watch, quiet():
            for label, model in contestants.items():
                judged[label] = asking.ask(label, model, watch)
                watch.done(_line(label, judged[label], measures[0]))
    except KeyboardInterrupt:
        raise ComparisonInterrupted(_board(asking, contestants, judged)) from None
    return _board(asking, contestants, judged)


# ---- what is asked -------------------------------------------------------------------------------------


def _contestants(models: Iterable[str | Recommender] | None) -> dict[str, Recommender]:
    """Unfitted copies of the models by label."""
    if isinstance(models, (str, Recommender)):
        models = [models]
    wanted: list[str | Recommender] = []
    for model in ["all"] if models is None else models:
        names = [name.strip() for name in model.split(",")] if isinstance(model, str) else [model]
        for name in names:
            wanted += MODELS if name == "all" else [name]
    found: dict[str, Recommender] = {}
    for model in wanted:
        fresh = model_class(model)() if isinstance(model, str) else dataclasses.replace(model)  # type: ignore[type-var]
        label = fresh.label
        if label in found:
            raise ParameterError(f"models has {label!r} twice; each may stand there once")
        found[label] = fresh
    if not found:
        raise ParameterError("models is empty; name at least one, or pass None for all")
    return found


def _measures(metrics: Iterable[str] | None, k: int, x: Interactions, sampled: int | None) -> list[Measure]:
    if metrics is None:
        has_ratings = x.scale[0] < x.scale[1]
        metrics = ["ndcg", "recall", "precision", "coverage", *(["rmse"] if has_ratings else [])]
    elif isinstance(metrics, str):
        metrics = [metrics]
    if sampled is not None and sampled < 1:
        raise ParameterError(f"sampled must be at least 1, not {sampled}; None ranks among all items")
    if sampled is not None and sampled >= x.n_items:
        raise ParameterError(f"sampled={sampled} is no sample of {x.n_items} items; leave it out to rank all of them")
    parsed = [parse(name, k) for text in metrics for name in text.split(",") if name.strip()]
    if sampled is not None:
        parsed = [m if m.k is None else dataclasses.replace(m, sampled=sampled) for m in parsed]
    measures = list({m.name: m for m in parsed}.values())
    if not measures:
        raise ParameterError('metrics is empty; name at least one, such as "ndcg@10"')
    return measures


def _splits(x: Interactions, split: Split | Sequence[Split] | str | None, random_state: int) -> list[Split]:
    if isinstance(split, Split):
        return [split]
    if split is None or isinstance(split, str):
        return make_splits(x, split, random_state)
    parts = list(split)
    if not parts:
        raise ParameterError("split is an empty list; give at least one split, or None")
    first = parts[0].test
    if any(part.test.users != first.users or part.test.items != first.items for part in parts):
        raise DataError("the splits have different ids; cut all of them from the same Interactions")
    return parts


def _refuse_leaks(questions: Sequence[Questions]) -> None:
    """An error where the linter finds that a split tells models what they are asked."""
    leaks = [f.message for f in _findings(questions, {}) if f.severity == "error"]
    if leaks:
        raise DataError(
            f"{' '.join(leaks)} Figures of such a split flatter; "
            "split in another way, or pass allow_leaks=True to compare all the same"
        )


def _findings(questions: Sequence[Questions], judged: Mapping[str, _Judged | str]) -> list[Finding]:
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


# ---- asking ----------------------------------------------------------------------------------------------


@dataclass
class _Judged:
    """What a model answered to each split, and how it came to that."""

    answers: list[Answers] = field(default_factory=list)
    tuned: list[Tuned] = field(default_factory=list)
    taken: int = 0


class _Asking:
    """One model after the other is asked the same questions."""

    def __init__(
        self,
        questions: Sequence[Questions],
        measures: Sequence[Measure],
        seconds: float | None,
        tune: bool,
        random_state: int,
        resume: str | PathLike[str] | None,
    ) -> None:
        self.questions, self.measures = questions, measures
        self.seconds, self.tune, self.random_state = seconds, tune, random_state
        tuning = [seconds, measures[0].name, random_state] if tune else None
        self.kept = None if resume is None else [KeptAnswers(resume, q, tuning) for q in questions]
        self.not_kept: str | None = None  # why the folder cannot be written

    def ask(self, label: str, model: Recommender, watch: Watch) -> _Judged | str:
        """What it answered; the error, where it failed or ran over."""
        judged = _Judged()
        several = len(self.questions) > 1
        for at in range(len(self.questions)):
            where = f"split {at + 1} of {len(self.questions)}" if several else ""
            watch.begin(f"{label}, {where}" if several else label, "fitting")
            try:
                self._ask_one(model, at, judged, watch)
            except OutOfTime:
                assert self.seconds is not None
                error = f"ran over the budget of {units.duration(self.seconds)} for fitting and answering"
            except Exception as found:  # whatever a model meets is its own row; the others go on
                error = f"{type(found).__name__}: {found}"
            else:
                continue
            return f"{where}: {error}" if several else error
        return judged

    def _ask_one(self, model: Recommender, at: int, judged: _Judged, watch: Watch) -> None:
        """One split: from what was kept, or by fitting; the model itself stays as it is."""
        questions = self.questions[at]
        if self.kept is not None and (known := self.kept[at].find(model)) is not None:
            judged.answers.append(known[0])
            judged.tuned += [known[1]] if known[1] is not None else []
            judged.taken += 1
            return
        best, account = dataclasses.replace(model), None  # type: ignore[type-var]
        if self.tune and (self.measures[0].metric.kind != "rating" or model.predicts_ratings):
            assert self.seconds is not None
            watch.now("tuning")
            best, account = tuned(best, questions, self.measures[0], self.seconds, self.random_state)
            watch.now("fitting")
        warm_up(best, questions)
        limit = TimeLimit(self.seconds)

        def tick() -> None:
            limit.check()
            watch.now("answering")

        answers = answer(best, questions, tick, limit)
        limit.check()  # where there is no alarm, as in other threads
        judged.answers.append(answers)
        judged.tuned += [account] if account is not None else []
        if self.kept is not None and self.not_kept is None:
            try:
                self.kept[at].keep(model, answers, account)
            except OSError as error:  # only a resumption is lost
                self.not_kept = str(error)


# ---- what came of it ---------------------------------------------------------------------------------------


def _board(asking: _Asking, contestants: Mapping[str, Recommender], judged: Mapping[str, _Judged | str]) -> Leaderboard:
    measures, questions, seed = asking.measures, asking.questions, asking.random_state
    answers = {label: j.answers for label, j in judged.items() if isinstance(j, _Judged)}
    by_measure = {m.name: estimates(m, answers, seed) for m in measures}
    rows = [
        _row(label, model, judged[label], {name: found.get(label) for name, found in by_measure.items()}, measures)
        for label, model in contestants.items()
        if label in judged
    ]
    findings = _findings(questions, judged)
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
        _by_group(questions, measures[0], answers, seed),
        _own_popularity(questions),
        asking.seconds,
        [label for label in contestants if label not in judged],
    )


def _by_group(
    questions: Sequence[Questions], measure: Measure, answers: Mapping[str, Sequence[Answers]], random_state: int
) -> dict[str, dict[str, dict[str, Estimate]]]:
    """The measure by group of users, for each way of grouping; over several splits, users are in the group in which
    they are in the first split that asks them."""
    found: dict[str, dict[str, dict[str, Estimate]]] = {}
    for by in () if measure.metric.kind == "catalogue" else GROUPINGS:
        first, *others = (user_groups(q, by) for q in questions)
        members = first.members
        for groups in others:
            members = np.where(members < 0, groups.members, members)
        found[by] = {
            label: of_models
            for place, label in enumerate(first.labels)
            if (of_models := estimates(measure, answers, random_state, within=np.flatnonzero(members == place)))
        }
    return found


def _row(
    label: str,
    model: Recommender,
    judged: _Judged | str,
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


def _line(label: str, judged: _Judged | str, measure: Measure) -> str:
    """A model's outcome in a line, while others are still to come."""
    if isinstance(judged, str):
        return f"{label}: failed, {judged}"
    if judged.taken == len(judged.answers):
        return f"{label}: taken from an earlier run"
    value = estimates(measure, {label: judged.answers}, 0).get(label)
    figure = "" if value is None else f"{measure.name} {value.value:.4f}, "
    seconds = sum(a.fit_seconds for a in judged.answers)
    return f"{label}: {figure}fitted in {units.duration(seconds)}"
