"""One trial of a search: fit a model, look at it on the validation split, stop where going on is of no use."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from coterie.errors import DivergenceError
from coterie.evaluation.evaluate import Questions, ask
from coterie.evaluation.metrics import Measure
from coterie.evaluation.space import Space
from coterie.evaluation.time_limit import OutOfTime, TimeLimit
from coterie.models.base import Recommender

State = Literal["complete", "pruned", "failed", "cut", "repeated"]
#: Told a step and the value there; says whether the trial is not worth going on with.
Report = Callable[[int, float], bool]

# A trial whose sweeps are counted ends after so many looks in a row that were no better than the best before.
_PATIENCE = 3
# Parts of its sweeps after which any other trial is looked at, to give it up early.
_PARTS = 4


@dataclass(frozen=True)
class Validation:
    """What the models of a search are asked, and the measure by which they are judged."""

    questions: Questions
    measure: Measure

    def value(self, model: Recommender) -> float:
        """The measure of a fitted model on the validation ratings."""
        found = ask(model, self.questions)
        answer = found.predictions if self.measure.metric.kind == "rating" else found.ranking
        assert answer is not None
        value = self.measure.value(answer)
        if not math.isfinite(value):
            raise DivergenceError(f"{self.measure.name} is {value}")
        return value

    def best(self, values: list[float]) -> float:
        """The best of some values."""
        return max(values) if self.measure.metric.larger_is_better else min(values)


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes
    ----------
    state : str
        "complete"; "pruned": given up since others were better by then; "failed": `error` says why; "cut": by Ctrl-C or
        the end of the budget, to be done again when the search goes on; "repeated": tried before, `value` is from then.
    value : float or None
        The best so far of a pruned trial.
    sweeps : int or None
        The number of sweeps that `value` belongs to, where they are counted.
    value_at_default : float or None
        The value after the default number of sweeps, where they are counted.
    """

    state: State
    value: float | None = None
    sweeps: int | None = None
    value_at_default: float | None = None
    error: str | None = None


def run_trial(
    space: Space, settings: dict[str, Any], validation: Validation, report: Report, limit: TimeLimit, whole: bool
) -> Outcome:
    """Fit the model with these settings and judge it; `whole`: do not stop before the default number of sweeps."""
    course = _Course(space, validation, report, limit, whole)
    train, catalog = validation.questions.split.train, validation.questions.catalog
    try:
        with limit:
            model = space.make(settings | ({space.sweeps.name: space.rungs[-1]} if space.sweeps else {}))
            model.fit(train, catalog, watch=course if model.learns_in_sweeps else None)
            if space.sweeps is None and not course.given_up:
                return Outcome("complete", validation.value(model))
    except OutOfTime:
        if space.sweeps is None or not course.values:
            return Outcome("cut", error="the budget ended before it did")
    except Exception as error:  # whatever a model meets with settings drawn by chance; the search goes on
        return Outcome("failed", error=f"{type(error).__name__}: {error}")
    return course.outcome()


class _Course:
    """Looks at a model while it learns."""

    def __init__(self, space: Space, validation: Validation, report: Report, limit: TimeLimit, whole: bool) -> None:
        self.space, self.validation, self.report, self.limit, self.whole = space, validation, report, limit, whole
        self.values: dict[int, float] = {}  # by sweeps done
        self.given_up = False

    def __call__(self, done: int, total: int, so_far: Callable[[], Recommender]) -> bool:
        self.limit.check()
        step = self._step(done, total)
        if step is None:
            return False
        self.values[done] = value = self.validation.value(so_far())
        with self.limit.held():
            self.given_up = self.report(step, value) and not self.whole
        return self.given_up or self._is_stale(done)

    def _step(self, done: int, total: int) -> int | None:
        """What the values of other trials are compared at: as many sweeps, or as large a part of all; else None."""
        if self.space.sweeps is not None:
            return done if done in self.space.rungs else None
        marks = {math.ceil(total * part / _PARTS): part for part in range(1, _PARTS)}
        return marks.get(done) if done < total else None

    def _is_stale(self, done: int) -> bool:
        sweeps = self.space.sweeps
        if sweeps is None or (self.whole and done < sweeps.default):
            return False
        values = list(self.values.values())
        return len(values) - 1 - values.index(self.validation.best(values)) >= _PATIENCE

    def outcome(self) -> Outcome:
        """Of a trial that ended with what was seen of it."""
        best = self.validation.best(list(self.values.values()))
        sweeps = at_default = None
        if self.space.sweeps is not None:
            sweeps = next(done for done, value in self.values.items() if value == best)
            at_default = self.values.get(self.space.sweeps.default)
        return Outcome("pruned" if self.given_up else "complete", best, sweeps, at_default)
