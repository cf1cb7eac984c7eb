"""What a search has tried, with Optuna choosing what to try next; in memory, or in a folder from which it goes on."""

from __future__ import annotations

import dataclasses
import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.errors import ArtifactError, MissingExtraError, how_to_install
from coterie.evaluation.space import Space
from coterie.evaluation.trials import Outcome

if TYPE_CHECKING:
    import optuna

# Trials that are complete before any is given up for being worse than most.
_BEFORE_PRUNING = 4
_NAME = "coterie"


@dataclass(frozen=True)
class Record:
    """A trial that has ended: what was drawn for it, and what came of it."""

    settings: Mapping[str, Any]
    outcome: Outcome
    seconds: float


class Study:
    """An Optuna study of one model on one validation split.

    Parameters
    ----------
    space : Space
    about : mapping
        All that a search depends on; one that is kept goes on only with the same.
    larger_is_better : bool
    random_state : int
        Each trial is drawn with a seed of its own, from this and from how many there are, so that a search that goes
        on draws what an uninterrupted one does.
    folder : path or None
        Where to keep it, in a file named for the model.
    """

    def __init__(
        self,
        space: Space,
        about: Mapping[str, Any],
        larger_is_better: bool,
        random_state: int = 0,
        folder: Path | None = None,
    ) -> None:
        self.space, self.random_state = space, random_state
        self._optuna = require_optuna()
        with self._quietly():
            self._study = self._open(about, "maximize" if larger_is_better else "minimize", folder)
            self._settle_what_was_cut()
            if not self._study.trials:
                self._study.enqueue_trial(space.defaults)

    def _open(self, about: Mapping[str, Any], direction: str, folder: Path | None) -> optuna.Study:
        library = self._optuna
        pruner = library.pruners.MedianPruner(_BEFORE_PRUNING, n_min_trials=_BEFORE_PRUNING)
        if folder is None:
            return library.create_study(direction=direction, pruner=pruner)  # type: ignore[no-any-return]
        if folder.exists() and not folder.is_dir():
            raise ArtifactError(
                f"storage is a folder, in which each model has a file, and {folder} is a file; choose another"
            )
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.space.model.name}.journal"
        try:
            backend = library.storages.journal.JournalFileBackend(str(file))
            study: optuna.Study = library.create_study(
                storage=library.storages.JournalStorage(backend),
                study_name=_NAME,
                direction=direction,
                pruner=pruner,
                load_if_exists=True,
            )
            kept = study.user_attrs.get("about")
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{file} is not a search that can go on ({error!r}); choose another folder") from error
        if kept is None:
            study.set_user_attr("about", dict(about))
        elif differences := _differences(kept, about):
            raise ArtifactError(
                f"the search kept in {file} is of {'; '.join(differences)}; search as it was begun, or choose another "
                "folder"
            )
        return study

    def _settle_what_was_cut(self) -> None:
        """What an earlier search left unfinished is drawn again, once."""
        trials = self._study.get_trials(deepcopy=False)
        running = [t for t in trials if t.state == self._optuna.trial.TrialState.RUNNING]
        for trial in running:
            self._end(trial.number, _outcome(trial) or Outcome("cut"))
        again = {trial.user_attrs.get("again") for trial in trials}
        for trial in self._study.get_trials(deepcopy=False):
            outcome = _outcome(trial)
            ended = trial.state.is_finished() and (outcome is None or outcome.state == "cut")
            if ended and trial.number not in again:
                self._study.enqueue_trial(trial.params, user_attrs={"again": trial.number})

    # ---- what was tried ----------------------------------------------------------------------------

    @property
    def records(self) -> list[Record]:
        """The trials that have ended, in order."""
        found = []
        for trial in self._study.get_trials(deepcopy=False):
            outcome = _outcome(trial)
            if outcome is not None and trial.state.is_finished():
                found.append(Record(trial.user_attrs["settings"], outcome, trial.user_attrs["seconds"]))
        return found

    @property
    def n_done(self) -> int:
        """Trials that count: all that were not cut."""
        return sum(record.outcome.state != "cut" for record in self.records)

    def importances(self) -> dict[str, float]:
        """How much of the variance of the value each drawn hyper-parameter explains, largest first (fANOVA)."""
        values = {r.outcome.value for r in self.records if r.outcome.state == "complete"}
        if len(values) < 10 or len(self.space.searched) < 2:
            return {}
        with self._quietly():
            evaluator = self._optuna.importance.FanovaImportanceEvaluator(seed=self.random_state)
            shares = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {name: float(share) for name, share in shares.items()}

    # ---- trials ------------------------------------------------------------------------------------

    def begin(self) -> Begun:
        """The next trial, drawn."""
        with self._quietly():
            seed = np.random.SeedSequence([self.random_state, self.n_done]).generate_state(1)[0]
            self._study.sampler = self._optuna.samplers.TPESampler(seed=int(seed), multivariate=True)
            trial = self._study.ask()
            settings = self.space.draw(trial)
            trial.set_user_attr("settings", settings)
        return Begun(self, trial, settings)

    def _end(self, number: int, outcome: Outcome) -> None:
        state = self._optuna.trial.TrialState
        if outcome.state in ("complete", "repeated") and outcome.value is not None:
            self._study.tell(number, outcome.value)
        else:
            self._study.tell(number, state=state.PRUNED if outcome.state == "pruned" else state.FAIL)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Optuna says nothing of what it does, and of itself nothing stays changed."""
        log = self._optuna.logging
        level = log.get_verbosity()
        log.set_verbosity(logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
                yield
        finally:
            log.set_verbosity(level)


class Begun:
    """A trial that runs."""

    def __init__(self, study: Study, trial: optuna.Trial, settings: dict[str, Any]) -> None:
        self.settings = settings
        self._study, self._trial = study, trial
        self._started = time.perf_counter()

    def report(self, step: int, value: float) -> bool:
        """Note the value at a step; whether the trial is worse there than most were."""
        self._trial.report(value, step)
        return bool(self._trial.should_prune())

    def end(self, outcome: Outcome) -> None:
        """Keep what came of it."""
        self._trial.set_user_attr("seconds", time.perf_counter() - self._started)
        self._trial.set_user_attr("outcome", dataclasses.asdict(outcome))
        with self._study._quietly():
            self._study._end(self._trial.number, outcome)


def _differences(kept: Mapping[str, Any], about: Mapping[str, Any]) -> list[str]:
    """What a kept search is of that is not as it is now, in words; what is too long to tell only by its name."""
    long = {"data": "other data", "validation": "other validation ratings", "ranges": "other ranges"}
    long["rungs"] = "other numbers of sweeps"
    unlike = [key for key in about if kept.get(key) != about[key]]
    return [long.get(key, f"{key} {kept.get(key)!r}, and now {about[key]!r}") for key in unlike]


def _outcome(trial: optuna.trial.FrozenTrial) -> Outcome | None:
    found = trial.user_attrs.get("outcome")
    return None if found is None else Outcome(**found)


def require_optuna() -> Any:
    """The library that searches; an error that names the extra where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError(f"searching needs the package optuna ({error}): {how_to_install('tune')}") from error
    return optuna
