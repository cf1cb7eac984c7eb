"""Comparing models: each is fitted and asked in turn, and what fails, runs over or is interrupted spoils no other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.progress import quiet
from coterie.errors import DataError, ParameterError, check_whole
from coterie.evaluation import units
from coterie.evaluation.arguments import check_number, parts_of, unfitted
from coterie.evaluation.asking import Asking, Judged, outcome
from coterie.evaluation.board import board_of, findings_of
from coterie.evaluation.evaluate import Questions, relevance_threshold
from coterie.evaluation.leaderboard import Leaderboard
from coterie.evaluation.metrics import Measure, parse
from coterie.evaluation.splits import Split
from coterie.evaluation.splits import splits as make_splits
from coterie.evaluation.study import require_optuna
from coterie.evaluation.watching import Watch
from coterie.models.base import Recommender
from coterie.models.registry import MODELS


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
    progress: bool | Callable[[str], None] = True,
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
        The first decides the order. Names without a length are cut at `k`. A text may hold several names. What the
        data cannot serve, such as a metric of genres without any, has no values, and a finding that says why.
    k : int, at least 1
    relevant_from : float or None
        Test ratings from this on are relevant to lists; None: see `relevance_threshold`.
    random_state : int
        Seed of the split, of sampled candidates, of tuning and of the bootstrap.
    progress : bool or callable
        Show progress on a terminal; or what is called with a line for each model that is done.
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
    ParameterError
        An argument is none that it can be, a model has a hyper-parameter out of its range (`Recommender.check`), or
        none has the first metric.
    DataError
        The split leaks, or leaves nothing to judge; or the data cannot serve the first metric.
    ComparisonInterrupted
        Ctrl-C; a KeyboardInterrupt that has the leaderboard of what was done.

    Notes
    -----
    Lists are judged for users with training ratings and at least one relevant test item, exactly over all
    items but those the user has in training. Ratings are judged for models that predict them. A model that
    fails is a row with its error. Intervals are percentile bootstrap intervals over users (1000 draws, the
    same for all models), p-values those of `paired_p_value`, corrected by `holm`.
    """
    x, catalog = parts_of(data)
    check_whole("k", k, 1)
    check_whole("random_state", random_state, 0)
    if relevant_from is not None:
        check_number("relevant_from", relevant_from, " or None")
    contestants = _contestants(models)
    seconds = None if budget is None else units.parse_duration(budget)
    if tune:
        require_optuna()
        if seconds is None:
            raise ParameterError('tune needs to know how long it may take; give budget="10m", say')
    measures = _measures(metrics, k, x, sampled)
    threshold = relevance_threshold(x) if relevant_from is None else relevant_from
    parts = _splits(x, split, random_state)
    questions = [_questions(part, threshold, measures, catalog, sampled, random_state) for part in parts]
    lacking = _lacking(measures, questions[0])
    if not allow_leaks:
        _refuse_leaks(questions)
    _refuse_hopeless(contestants, questions, measures[0])
    asking = Asking(questions, measures, lacking, seconds, tune, random_state, resume)
    judged: dict[str, Judged | str] = {}
    try:
        with Watch(len(contestants), progress) as watch, quiet():
            for label, model in contestants.items():
                judged[label] = asking.ask(label, model, watch)
                watch.done(outcome(label, judged[label], measures[0]))
    except KeyboardInterrupt:
        raise ComparisonInterrupted(board_of(asking, contestants, judged)) from None
    return board_of(asking, contestants, judged)


# ---- what is asked -------------------------------------------------------------------------------------


def _contestants(models: Iterable[str | Recommender] | None) -> dict[str, Recommender]:
    """Unfitted copies of the models by label."""
    if not isinstance(models, Iterable) or isinstance(models, str):
        models = models if models is None else [models]
    wanted: list[str | Recommender] = []
    for model in ["all"] if models is None else models:
        names = [name.strip() for name in model.split(",")] if isinstance(model, str) else [model]
        for name in names:
            wanted += MODELS if name == "all" else [name]
    found: dict[str, Recommender] = {}
    for model in wanted:
        fresh = unfitted(model)
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
    names: list[Any] = [metrics] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else list(metrics)
    if others := [name for name in names if not isinstance(name, str)]:
        raise ParameterError(f'metrics must be names, such as "ndcg@10" or "rmse", not {others[0]!r}')
    if sampled is not None:
        check_whole("sampled", sampled, 1, " or None, which ranks among all items")
    if sampled is not None and sampled >= x.n_items:
        raise ParameterError(f"sampled={sampled} is no sample of {x.n_items} items; leave it out to rank all of them")
    parsed = [parse(name, k) for text in names for name in text.split(",") if name.strip()]
    if sampled is not None:
        parsed = [m if m.k is None else dataclasses.replace(m, sampled=sampled) for m in parsed]
    measures = list({m.name: m for m in parsed}.values())
    if not measures:
        raise ParameterError('metrics is empty; name at least one, such as "ndcg@10"')
    return measures


def _questions(
    part: Split,
    relevant_from: float,
    measures: Sequence[Measure],
    catalog: Catalog | None,
    sampled: int | None,
    random_state: int,
) -> Questions:
    """All that the measures ask of a split."""
    needs = frozenset[str]().union(*(m.metric.needs for m in measures))
    return Questions(
        *(part, relevant_from, max(m.k or 0 for m in measures)),
        ratings=any(m.metric.kind == "rating" for m in measures),
        catalog=catalog,
        pairs="pairs" in needs,
        deviations="deviations" in needs,
        sampled=sampled,
        random_state=random_state,
    )


def _lacking(measures: Sequence[Measure], questions: Questions) -> dict[str, str]:
    """Measures that the data cannot serve, by name, and why; an error where that is the one that decides the order."""
    found: dict[str, str] = {}
    for measure in measures:
        try:
            questions.context.require(measure.metric.needs, measure.name)
        except DataError as error:
            if measure is measures[0]:
                order = " (it stands first, so it would decide the order)" if len(measures) > 1 else ""
                raise DataError(f"{error}{order}") from None
            found[measure.name] = str(error)
    return found


def _splits(x: Interactions, split: Any, random_state: int) -> list[Split]:
    if isinstance(split, Split):
        return [split]
    if split is None or isinstance(split, str):
        return make_splits(x, split, random_state)
    parts = list(split) if isinstance(split, Iterable) else [split]
    if others := [part for part in parts if not isinstance(part, Split)]:
        raise ParameterError(
            f"split must be a Split, several of them, a name such as 'time' or None, not {others[0]!r}"
        )
    if not parts:
        raise ParameterError("split is an empty list; give at least one split, or None")
    first = parts[0].test
    if any(part.test.users != first.users or part.test.items != first.items for part in parts):
        raise DataError("the splits have different ids; cut all of them from the same Interactions")
    return parts


def _refuse_hopeless(contestants: Mapping[str, Recommender], questions: Sequence[Questions], first: Measure) -> None:
    """An error, before anything is fitted, for a model that cannot be, and where none has the first metric."""
    for model in contestants.values():
        for asked in questions:
            model.check(asked.split.train, asked.catalog)
    if first.metric.kind == "rating" and not any(model.predicts_ratings for model in contestants.values()):
        raise ParameterError(
            f"{first.name} is to decide the order, and no model here predicts ratings; name a metric of lists first, "
            "such as ndcg@10, or a model that predicts ratings, such as als"
        )


def _refuse_leaks(questions: Sequence[Questions]) -> None:
    """An error where the linter finds that a split tells models what they are asked."""
    leaks = [f.message for f in findings_of(questions, {}) if f.severity == "error"]
    if leaks:
        raise DataError(
            f"{' '.join(leaks)} Figures of such a split flatter; "
            "split in another way, or pass allow_leaks=True to compare all the same"
        )
