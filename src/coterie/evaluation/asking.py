"""One model after the other is asked the same questions; what fails or runs over spoils no other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike

from coterie.evaluation import units
from coterie.evaluation.estimates import estimates
from coterie.evaluation.evaluate import Answers, Questions, answer, warm_up
from coterie.evaluation.kept import KeptAnswers
from coterie.evaluation.metrics import Measure
from coterie.evaluation.time_limit import OutOfTime, TimeLimit
from coterie.evaluation.tuning import Tuned, tuned
from coterie.evaluation.watching import Watch
from coterie.models.base import Recommender


@dataclass
class Judged:
    """What a model answered to each split, and how it came to that."""

    answers: list[Answers] = field(default_factory=list)
    tuned: list[Tuned] = field(default_factory=list)
    taken: int = 0


class Asking:
    """One model after the other is asked the same questions.

    `lacking` are the measures that the data cannot serve, by name, and why; nobody has values of those.
    """

    def __init__(
        self,
        questions: Sequence[Questions],
        measures: Sequence[Measure],
        lacking: Mapping[str, str],
        seconds: float | None,
        tune: bool,
        random_state: int,
        resume: str | PathLike[str] | None,
    ) -> None:
        self.questions, self.measures, self.lacking = questions, measures, lacking
        self.seconds, self.tune, self.random_state = seconds, tune, random_state
        tuning = [seconds, measures[0].name, random_state] if tune else None
        self.kept = None if resume is None else [KeptAnswers(resume, q, tuning) for q in questions]
        self.not_kept: str | None = None  # why the folder cannot be written

    def ask(self, label: str, model: Recommender, watch: Watch) -> Judged | str:
        """What it answered; the error, where it failed or ran over."""
        judged = Judged()
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

    def _ask_one(self, model: Recommender, at: int, judged: Judged, watch: Watch) -> None:
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
        questions = questions.for_model(best)
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


def outcome(label: str, judged: Judged | str, measure: Measure) -> str:
    """A model's outcome in a line, while others are still to come."""
    if isinstance(judged, str):
        return f"{label}: failed, {judged}"
    if judged.taken == len(judged.answers):
        return f"{label}: taken from an earlier run"
    value = estimates(measure, {label: judged.answers}, 0).get(label)
    figure = "" if value is None else f"{measure.name} {value.value:.4f}, "
    seconds = sum(a.fit_seconds for a in judged.answers)
    return f"{label}: {figure}fitted in {units.duration(seconds)}"
