"""Search for the hyper-parameters with which a model does best on ratings that it has not learned from."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.progress import Advance, quiet
from coterie.data.progress import progress as progress_bar
from coterie.errors import CapabilityError, DataError, ParameterError, SearchError
from coterie.evaluation.evaluate import Questions, relevance_threshold
from coterie.evaluation.linter import check_validation
from coterie.evaluation.metrics import Measure, parse
from coterie.evaluation.space import Space
from coterie.evaluation.splits import Split
from coterie.evaluation.splits import split as make_split
from coterie.evaluation.study import Begun, Record, Study
from coterie.evaluation.time_limit import TimeLimit
from coterie.evaluation.trials import Outcome, Validation, run_trial
from coterie.models.base import Recommender
from coterie.models.config import save_config

# Trials of a search that was given neither a number of them nor a time.
N_TRIALS = 50
# A search ends when its first trials all failed, so many of them, and when so many in a row had been tried before.
_FAILURES = 10
_REPEATS = 25
# With fewer users than this a note warns that what is best is chosen by chance too.
_FEW_USERS = 100


@dataclass(frozen=True)
class Search:
    """The best hyper-parameters that were found.

    Attributes
    ----------
    model : Recommender
        Unfitted, with the best hyper-parameters.
    value : float
        Of the best on the validation ratings. It was chosen for being the best, so on other ratings expect less.
    default_value : float or None
        Of the defaults, with what was fixed; None where they failed.
    measure : Measure
    trials : polars.DataFrame
        `number, state, value, seconds`, each hyper-parameter that was searched, `error`; states as in
        `coterie.evaluation.trials.Outcome`.
    searched : sequence of str
        The hyper-parameters that were searched.
    fixed : mapping of str to value
        Those that were settled beforehand.
    seconds : float
        Of this call.
    split : Split
        Training and validation ratings.
    n_users : int
        Users by whom models were judged.
    relevant_from : float
        Validation ratings from this on counted as relevant.
    importances : mapping of str to float
        Share of the value's variance over the trials that each explains (fANOVA); empty with fewer than ten values.
    interrupted : bool
        Whether Ctrl-C ended it.
    source : sequence of str
        The data as the command line takes them.
    """

    model: Recommender
    value: float
    default_value: float | None
    measure: Measure
    trials: pl.DataFrame = field(repr=False)
    searched: Sequence[str]
    fixed: Mapping[str, Any]
    seconds: float
    split: Split = field(repr=False)
    n_users: int
    relevant_from: float
    importances: Mapping[str, float] = field(repr=False)
    interrupted: bool = False
    source: Sequence[str] = ("DATA",)

    @property
    def parameters(self) -> dict[str, Any]:
        """All hyper-parameters of the best."""
        return {name: getattr(self.model, name) for name in self.model.parameters()}

    @property
    def metric(self) -> str:
        """What was searched for."""
        return self.measure.name

    @property
    def n_trials(self) -> int:
        """Trials that count: all but those that were cut."""
        return int((self.trials["state"] != "cut").sum())

    @property
    def command(self) -> str:
        """The command line that fits the best to all the data; of data without a known source, put it for DATA."""
        words = ["coterie", "fit", self.model.name, *self.source, "--output", f"{self.model.name}-tuned"]
        for name, parameter in self.model.parameters().items():
            value, flag = getattr(self.model, name), name.replace("_", "-")
            if value == parameter.default:
                continue
            if isinstance(value, bool):
                words.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                words += [f"--{flag}", "none" if value is None else str(value)]
        return shlex.join(words)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the hyper-parameters to a TOML file, for `coterie.load_config` and ``coterie fit --config``."""
        save_config(path, self.model, {key: value for key, value in self._found().items() if value is not None})

    def words(self) -> list[str]:
        """What was found, a sentence each."""
        counts = dict(self.trials["state"].value_counts().iter_rows())
        others = [f"{counts[s]:,} {text}" for s, text in _STATES.items() if counts.get(s)]
        said = f"{self.n_trials:,} {'trial' if self.n_trials == 1 else 'trials'} in {self.seconds:.1f} s"
        sentences = [f"{said}{' (' + ', '.join(others) + ')' if others else ''}."]
        if self.default_value is None:
            sentences.append(f"The best has {self.metric} {self.value:.4f}; the defaults did not get to a value.")
        elif self.value == self.default_value:
            sentences.append(f"Nothing tried was better than the defaults, {self.metric} {self.value:.4f}.")
        else:
            sentences.append(f"The best has {self.metric} {self.value:.4f}, the defaults {self.default_value:.4f}.")
            sentences.append("It was chosen by these very ratings; on others expect worse.")
        if self.n_users < _FEW_USERS:
            sentences.append(
                f'{self.n_users:,} users are few to choose by: chance has a say. A random split (split="random") asks '
                "more of them, at the price of knowing the future."
            )
        return sentences

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON knows it."""
        return {
            "model": self.model.name,
            "parameters": self.parameters,
            **self._found(),
            "searched": list(self.searched),
            "fixed": dict(self.fixed),
            "importances": dict(self.importances),
            "interrupted": self.interrupted,
            "command": self.command,
            "trials_done": self.trials.to_dicts(),
            "words": self.words(),
        }

    def _found(self) -> dict[str, Any]:
        """How the best was found."""
        return {
            "metric": self.metric,
            "value": self.value,
            "default_value": self.default_value,
            "trials": self.n_trials,
            "seconds": round(self.seconds, 3),
            "validation": self.split.description,
            "validation_ratings": self.split.test.nnz,
            "judged_users": self.n_users,
            "relevant_from": self.relevant_from,
        }

    def __str__(self) -> str:
        values = ", ".join(f"{name}={self.parameters[name]!r}" for name in self.searched)
        return "\n".join([f"{self.model.name}({values})", *self.words(), self.command])


_STATES = {"pruned": "given up early", "failed": "failed", "repeated": "tried before", "cut": "cut"}


def tune(
    model: str | Recommender,
    data: Dataset | Interactions,
    metric: str = "ndcg@10",
    budget: float | None = None,
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
    budget : float or None
        Seconds for this call. What they allow depends on the machine, so only `n_trials` gives the same twice.
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
    x, known = (data.interactions, data.catalog) if isinstance(data, Dataset) else (data, None)
    _check_ends(budget, n_trials)
    measure = parse(metric, k)
    space = Space.of(model, fixed, "ratings" if measure.metric.kind == "rating" else "lists")
    _check_answers(space.model, measure)
    parts = split if isinstance(split, Split) else make_split(x, split, random_state)
    if unsound := check_validation(x, parts):
        raise DataError(" ".join(finding.message for finding in unsound))
    threshold = relevance_threshold(x) if relevant_from is None else relevant_from
    kind = measure.metric.kind
    needs = measure.metric.needs
    questions = Questions(
        parts, threshold, measure.k or 0, kind == "rating", catalog or known, "pairs" in needs, "deviations" in needs
    )
    questions.context.require(needs)
    about = {
        "model": space.model.name,
        "metric": measure.name,
        "relevant_from": threshold,
        "data": "" if storage is None else x.fingerprint,
        "validation": parts.description,
        "parts": [] if storage is None else [part.fingerprint for part in (parts.train, parts.test, parts.profiles)],
        "random_state": random_state,
        **space.described(),
    }
    folder = None if storage is None else Path(storage)
    study = Study(space, about, measure.metric.larger_is_better, random_state, folder)
    hunt = _Hunt(space, study, Validation(questions, measure), started, budget, n_trials)
    bar = progress_bar(f"tuning {space.model.name}", 100) if progress else nullcontext(None)
    with bar as advance, quiet():
        interrupted = hunt.run(advance)
    best = hunt.best()
    first = next(
        (r.outcome for r in study.records if r.settings == space.defaults and _counts(r.outcome)), Outcome("cut")
    )
    n_users = len(questions.users) if kind != "rating" else parts.n_test_users
    return Search(
        space.make(_settings(space, best)),
        hunt.value_of(best),
        first.value_at_default if space.sweeps else first.value,
        measure,
        _frame(space, study.records),
        [*space.searched, *([space.sweeps.name] if space.sweeps else [])],
        space.fixed,
        time.perf_counter() - started,
        parts,
        n_users,
        threshold,
        study.importances(),
        interrupted,
        (data.report.source or "DATA",) if isinstance(data, Dataset) else ("DATA",),
    )


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
        advance(share - self._told, f"trial {done + 1}{best}")  # type: ignore[arg-type]
        self._told = share


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


def _check_ends(budget: float | None, n_trials: int | None) -> None:
    if budget is not None and not budget > 0:
        raise ParameterError(f"budget must be a number of seconds above 0, not {budget!r}")
    if n_trials is not None and n_trials < 1:
        raise ParameterError(f"n_trials must be at least 1, not {n_trials!r}")
