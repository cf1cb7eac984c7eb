"""Search for the hyper-parameters with which a model does best on ratings that it has not learned from."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.progress import Advance, quiet
from coterie.data.progress import progress as progress_bar
from coterie.data.wording import counted
from coterie.errors import CapabilityError, DataError, ParameterError, SearchError, check_whole
from coterie.evaluation.arguments import check_number, parts_of
from coterie.evaluation.evaluate import Questions, relevance_threshold
from coterie.evaluation.found import Search
from coterie.evaluation.linter import NOTHING, check_conclusions, check_validation
from coterie.evaluation.linter.conclusions import OPEN
from coterie.evaluation.metrics import Measure, parse
from coterie.evaluation.metrics.ranking import METRICS as RANKING
from coterie.evaluation.space import Space
from coterie.evaluation.splits import Split
from coterie.evaluation.splits import split as make_split
from coterie.evaluation.study import Begun, Record, Study
from coterie.evaluation.time_limit import TimeLimit
from coterie.evaluation.trials import Outcome, Validation, run_trial
from coterie.evaluation.units import parse_duration
from coterie.models.base import Recommender

# Trials of a search that was given neither a number of them nor a time.
N_TRIALS = 50
# A search ends when its first trials all failed, so many of them, and when so many in a row had been tried before.
_FAILURES = 10
_REPEATS = 25


def tune(
    model: str | Recommender,
    data: Dataset | Interactions,
    metric: str = "ndcg@10",
    budget: str | float | None = None,
    n_trials: int | None = None,
    split: Split | str | None = None,
    relevant_from: float | None = None,
    k: int = 10,
    random_state: int = 0,
    fixed: Mapping[str, Any] = {},
    storage: str | os.PathLike[str] | None = None,
    catalog: Catalog | None = None,
    progress: bool = True,
) -> Search:
    """Search for the hyper-parameters of a model that do best on validation ratings carved from `data`.

    Parameters
    ----------
    model : registry name or instance
        Of an instance, what is not as by default is fixed; the rest is searched. It is not fitted itself.
    data : Dataset or Interactions
        What there is to learn from. Nothing else is looked at, so hand over the training part of a comparison, never
        the whole.
    metric : str
        Such as "ndcg@10" or "rmse"; without a length, lists are cut at `k`.
    budget : str or float or None
        Time for this call: ``"90s"``, ``"10m"``, ``"1h"`` or seconds. What it allows depends on the machine, so only
        `n_trials` gives the same twice.
    n_trials : int or None
        Trials in all, with those that `storage` has; 50 where there is no `budget` either.
    split : Split, str or None
        How validation ratings are carved from `data`: a name that `coterie.evaluation.split` knows, or a split of
        `data`. None: by time where there are timestamps, at random elsewhere.
    relevant_from : float or None
        Validation ratings from this on are relevant to lists; None: see `relevance_threshold`.
    k : int, at least 1
    random_state : int
        Seed of the search and of the split.
    fixed : mapping
        Hyper-parameters that are not searched, with their values.
    storage : path or None
        A folder in which every trial is kept (Optuna's journal, a file for each model). A search that is called again
        in the same way goes on from there. One search at a time may use a file.
    catalog : Catalog or None
        What is known about the items; None: that of the dataset.
    progress : bool
        Show progress on a terminal.

    Returns
    -------
    Search

    Raises
    ------
    SearchError
        No trial came to a value: all failed, or the budget ended first.
    CapabilityError
        A metric of ratings, and the model predicts none.
    DataError
        `split` has ratings that `data` lacks: a search must not see what a model is tested on.
    ArtifactError
        `storage` has another search.
    MissingExtraError
        Optuna is not installed.

    Notes
    -----
    Ranges, choices and flags are those of the model's own signature. The first trial are the defaults, so what is
    found is never worse than they are on the validation ratings. The others are drawn by a tree-structured Parzen
    estimator (Bergstra et al., "Algorithms for hyper-parameter optimization", NIPS 2011), each with a seed of its own:
    with `n_trials` alone the same call gives the same, also in several sittings. A trial that fails is noted.

    **Early stopping.** Where a fit that ends early is one with fewer sweeps (`n_iterations` of a model that learns in
    sweeps, such as `ALS`), their number is not drawn. A trial learns with up to the most sweeps of the range, and the
    model so far is judged each time they have grown by a quarter, and at the default. It ends when three looks in a row
    were no better than the best before, and `n_iterations` is the number that was best. Where the learning rate falls
    towards the last sweep (`n_epochs`, such as `BPR`), a fit that ends early is none with fewer sweeps; there the
    number is drawn like any other.

    **Pruning.** A trial is given up when at a look its best so far is worse than the median of the others' there, once
    four are complete. Looks are those above; for all other models that learn in sweeps they are after one, two and
    three quarters of them. Models that learn at once are not looked at before they are done. The defaults are never
    given up.

    **Time.** In the main thread an alarm ends the trial that runs when the budget is over; only a single call of
    compiled code, such as the inverse in `EASE`, ends first. In other threads a trial ends after its sweep. A trial
    whose sweeps are counted then has the best value it got to; any other is cut, and done again when the search goes
    on. Ctrl-C keeps what is done by then, and cuts the trial that runs.
    """
    started = time.perf_counter()
    x, known = parts_of(data)
    check_whole("k", k, 1)
    check_whole("random_state", random_state, 0)
    if relevant_from is not None:
        check_number("relevant_from", relevant_from, " or None")
    seconds = None if budget is None else parse_duration(budget)
    if n_trials is not None:
        check_whole("n_trials", n_trials, 1, " or None")
    measure = parse(metric, k)
    space = Space.of(model, fixed, "ratings" if measure.metric.kind == "rating" else "lists")
    _check_answers(space.model, measure)
    questions = _questions(x, catalog or known, split, measure, relevant_from, random_state).for_model(space.model)
    about = _about(space, measure, questions.relevant_from, random_state)
    if storage is not None:
        parts = (questions.split.train, questions.split.test, questions.split.profiles)
        about |= {"data": x.fingerprint, "validation": [part.fingerprint for part in parts]}
    folder = None if storage is None else Path(storage)
    study = Study(space, about, measure.metric.larger_is_better, random_state, folder)
    n_kept = study.n_done
    hunt = _Hunt(space, study, Validation(questions, measure), started, seconds, n_trials)
    bar = progress_bar(f"tuning {space.model.name}", 100) if progress else nullcontext(None)
    with bar as advance, quiet():
        interrupted = hunt.run(advance)
    best = hunt.best()
    return Search(
        space.make(_settings(space, best)),
        hunt.value_of(best),
        _default_value(space, study),
        measure,
        _frame(space, study.records),
        [*space.searched, *([space.sweeps.name] if space.sweeps else [])],
        space.fixed,
        time.perf_counter() - started,
        questions.split,
        questions.split.n_test_users if measure.metric.kind == "rating" else len(questions.users),
        questions.relevant_from,
        study.importances(),
        interrupted,
        (data.report.source or "DATA",) if isinstance(data, Dataset) else ("DATA",),
        n_kept,
        _doubts(questions, measure, hunt.value_of(best)),
    )


def _doubts(questions: Questions, measure: Measure, best: float) -> list[str]:
    """What a comparison would say of a split from which nothing can be concluded."""
    doubts = [f.message for f in check_conclusions([questions], measure, {}) if f.check == NOTHING]
    if not doubts and measure.metric in RANKING and best == 0:
        n = counted(questions.relevant.nnz, "relevant validation rating")
        doubts = [f"{OPEN}: not one of {n} is in any list of any trial. Judge on more data, or by longer lists."]
    return [text.replace("which model is better", "which options are better") for text in doubts]


def _questions(
    x: Interactions,
    catalog: Catalog | None,
    split: Split | str | None,
    measure: Measure,
    relevant_from: float | None,
    random_state: int,
) -> Questions:
    """What the models of a search are asked: of ratings carved from `x`, and of nothing else."""
    if not (split is None or isinstance(split, (Split, str))):
        raise ParameterError(f"split must be a Split, a name such as 'time' or None, not {split!r}")
    parts = split if isinstance(split, Split) else make_split(x, split, random_state)
    if unsound := check_validation(x, parts):
        raise DataError(" ".join(finding.message for finding in unsound))
    questions = Questions(
        *(parts, relevance_threshold(x) if relevant_from is None else relevant_from, measure.k or 0),
        ratings=measure.metric.kind == "rating",
        catalog=catalog,
        pairs="pairs" in measure.metric.needs,
        deviations="deviations" in measure.metric.needs,
    )
    questions.context.require(measure.metric.needs, measure.name)
    return questions


def _default_value(space: Space, study: Study) -> float | None:
    """The value of the defaults; None where they did not come to one."""
    done = (r.outcome for r in study.records if r.settings == space.defaults and _counts(r.outcome))
    first = next(done, Outcome("cut"))
    return first.value_at_default if space.sweeps else first.value


class _Hunt:
    """Trial after trial, until there is enough."""

    def __init__(
        self,
        space: Space,
        study: Study,
        validation: Validation,
        started: float,
        budget: float | None,
        n_trials: int | None,
    ) -> None:
        self.space, self.study, self.validation = space, study, validation
        self.started, self.budget = started, budget
        self.n_trials = N_TRIALS if n_trials is None and budget is None else n_trials
        self._told = 0.0  # of the progress bar

    def run(self, advance: Advance | None) -> bool:
        """Search; whether Ctrl-C ended it."""
        try:
            while not self._is_over():
                self._tell(advance)
                trial = self.study.begin()
                trial.end(self._outcome(trial, advance))
        except KeyboardInterrupt:
            if not self._values():
                raise
            return True
        return False

    def _outcome(self, trial: Begun, advance: Advance | None) -> Outcome:
        earlier = next((r.outcome for r in self.study.records if self._is_same(r, trial)), None)
        if earlier is not None:
            return Outcome("repeated", earlier.value, earlier.sweeps, error=earlier.error)

        def report(step: int, value: float) -> bool:
            if advance is not None:
                self._tell(advance)
            return trial.report(step, value)

        limit = TimeLimit(None if self.budget is None else self.started + self.budget - time.perf_counter())
        first = trial.settings == self.space.defaults
        return run_trial(self.space, trial.settings, self.validation, report, limit, first)

    def _is_same(self, record: Record, trial: Begun) -> bool:
        return record.settings == trial.settings and record.outcome.state not in ("cut", "repeated")

    def _is_over(self) -> bool:
        records = [r for r in self.study.records if r.outcome.state != "cut"]
        if self.n_trials is not None and len(records) >= self.n_trials:
            return True
        if self.budget is not None and time.perf_counter() - self.started >= self.budget:
            return True
        states = [record.outcome.state for record in records]
        if len(states) >= _FAILURES and not self._values():
            return True
        tried = len(states) - states.count("repeated")
        return tried >= self.space.size or (len(states) > _REPEATS and set(states[-_REPEATS:]) == {"repeated"})

    def _values(self) -> list[float]:
        return [r.outcome.value for r in self.study.records if _counts(r.outcome) and r.outcome.value is not None]

    def best(self) -> Record:
        """The trial with the best value, of equal ones the first."""
        values = self._values()
        if values:
            best = self.validation.best(values)
            return next(r for r in self.study.records if _counts(r.outcome) and r.outcome.value == best)
        name = self.space.model.name
        errors = [r.outcome.error for r in self.study.records if r.outcome.state == "failed"]
        if errors:
            raise SearchError(f"all {len(errors)} trials of {name} failed, the first with {errors[0]}")
        raise SearchError(
            f"the budget of {self.budget or 0:g} seconds ended before one trial of {name} had; give it more, or fewer "
            "ratings"
        )

    def value_of(self, record: Record) -> float:
        """The value of a trial that has one."""
        assert record.outcome.value is not None
        return record.outcome.value

    def _tell(self, advance: Advance | None) -> None:
        if advance is None:
            return
        done, values = self.study.n_done, self._values()
        shares = [done / self.n_trials] if self.n_trials else []
        shares += [(time.perf_counter() - self.started) / self.budget] if self.budget else []
        share = 100 * min(1.0, max(shares))
        best = f", {self.validation.measure.name} {self.validation.best(values):.4f}" if values else ""
        advance(share - self._told, f"trial {done + 1}{best}")
        self._told = share


def _about(space: Space, measure: Measure, relevant_from: float, random_state: int) -> dict[str, Any]:
    """All that a search depends on but for the ratings."""
    asked = {"model": space.model.name, "metric": measure.name, "relevant_from": relevant_from}
    return {**asked, "random_state": random_state, **space.described()}


def _counts(outcome: Outcome) -> bool:
    return outcome.state == "complete"


def _settings(space: Space, record: Record) -> dict[str, Any]:
    """What was drawn for a trial, and the number of sweeps that was best."""
    counted = {} if space.sweeps is None else {space.sweeps.name: record.outcome.sweeps}
    return {**record.settings, **counted}


def _frame(space: Space, records: Sequence[Record]) -> pl.DataFrame:
    lines = [
        {
            "number": number,
            "state": r.outcome.state,
            "value": r.outcome.value,
            "seconds": r.seconds,
            **_settings(space, r),
            "error": r.outcome.error,
        }
        for number, r in enumerate(records)
    ]
    types: dict[str, Any] = {"number": pl.Int32, "state": pl.String, "value": pl.Float64, "seconds": pl.Float64}
    kinds = {bool: pl.Boolean, int: pl.Int64, float: pl.Float64, str: pl.String}
    drawn = [*space.searched.values(), *([space.sweeps] if space.sweeps else [])]
    return pl.DataFrame(lines, {**types, **{p.name: kinds[p.type] for p in drawn}, "error": pl.String})


def _check_answers(model: Recommender, measure: Measure) -> None:
    if measure.metric.kind == "rating" and not model.predicts_ratings:
        raise CapabilityError(
            f"{type(model).__name__} predicts no ratings, so it has no {measure.name}; search by a metric of lists, "
            "such as ndcg@10"
        )
