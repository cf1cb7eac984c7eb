"""The linter: before a leaderboard is believed, is the comparison sound? What it finds is printed with the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from coterie.evaluation.evaluate import Answers, Questions
from coterie.evaluation.linter import leaks, limits
from coterie.evaluation.linter.conclusions import NOTHING, check_conclusions
from coterie.evaluation.linter.finding import Finding, by_severity
from coterie.evaluation.linter.tuning import check_folds, check_validation
from coterie.evaluation.splits.base import Split

__all__ = ["CHECKS_OF_ANSWERS", "CHECKS_OF_QUESTIONS", "CHECKS_OF_SPLITS", "NOTHING", "Finding", "check_conclusions",
           "check_folds", "check_validation", "lint", "lint_split"]  # fmt: skip

#: What is looked at in a split; findings of equal severity come in the order of these three lists.
CHECKS_OF_SPLITS: tuple[Callable[[Split], Iterable[Finding]], ...] = (
    leaks.shared_ratings,
    leaks.strangers_in_training,
    leaks.the_future,
    leaks.people_twice,
    limits.unknown_users,
    limits.unseen_items,
    limits.left_out,
)
#: What is looked at in what models are asked.
CHECKS_OF_QUESTIONS: tuple[Callable[[Questions], Iterable[Finding]], ...] = (
    limits.judged_lists,
    limits.judged_ratings,
    limits.foreign_scale,
    limits.sampled_candidates,
)
#: What is looked at in what models answered, by model.
CHECKS_OF_ANSWERS: tuple[Callable[[Questions, Mapping[str, Answers]], Iterable[Finding]], ...] = (
    limits.seen_items,
    limits.unanswered_ratings,
    limits.short_lists,
)


def lint(questions: Questions, answers: Mapping[str, Answers | str] = {}) -> list[Finding]:
    """Whatever makes a comparison wrong (errors), weak (warnings), or must be known to read it (notes), worst first.

    Parameters
    ----------
    questions : Questions
        What the models are asked, the split in it.
    answers : mapping of str to Answers or str
        What models answered, by label; texts, which are errors of models that failed, are passed over. Without
        answers, whatever can be known before models are fitted.
    """
    found = lint_split(questions.split)
    if leaks.foreign_ids(questions.split):
        return found
    found += [finding for check in CHECKS_OF_QUESTIONS for finding in check(questions)]
    answered = {label: given for label, given in answers.items() if isinstance(given, Answers)}
    found += [finding for check in CHECKS_OF_ANSWERS for finding in check(questions, answered)]
    return by_severity(found)


def lint_split(split: Split) -> list[Finding]:
    """What of `lint` is about a split alone."""
    if foreign := leaks.foreign_ids(split):
        return foreign  # nothing else can be told of parts whose row numbers mean different things
    return by_severity(finding for check in CHECKS_OF_SPLITS for finding in check(split))
