"""The best settings of a model, found in the training part of a split alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from coterie.data.dataset import Dataset
from coterie.evaluation.evaluate import Questions
from coterie.evaluation.metrics import Measure
from coterie.evaluation.splits import split as make_split
from coterie.models.base import Recommender


@dataclass(frozen=True)
class Tuned:
    """What a search found before a model was judged.

    Attributes
    ----------
    parameters : dict
        Hyper-parameters that are not the class's defaults, by name.
    n_trials : int
        Settings that were tried.
    seconds : float
    """

    parameters: dict[str, Any]
    n_trials: int
    seconds: float


def tuned(
    model: Recommender, questions: Questions, measure: Measure, seconds: float, random_state: int
) -> tuple[Recommender, Tuned]:
    """The model, unfitted, with the best settings that a search of so many seconds finds, and an account of it."""
    from coterie.evaluation.search import tune

    outer, catalog = questions.split, questions.catalog
    train = outer.train
    inner = None  # carved and weighed as the outer one is: what a search is judged by does not age either
    if outer.half_life is not None:
        inner = make_split(train, None, random_state).decayed(outer.half_life, outer.towards)
    data = train if catalog is None else Dataset(train, catalog)
    name = measure.metric.name if measure.k is None else f"{measure.metric.name}@{measure.k}"
    found = tune(
        model,
        data,
        metric=name,
        budget=seconds,
        split=inner,
        relevant_from=questions.relevant_from,
        random_state=random_state,
        progress=False,
    )
    if found.interrupted:  # a search keeps what it has; a comparison ends
        raise KeyboardInterrupt
    return found.model, Tuned(changed(found.model), int(found.n_trials), float(found.seconds))


def changed(model: Recommender) -> dict[str, Any]:
    """The hyper-parameters that are not the class's defaults, as values that JSON knows."""
    values = {p.name: (getattr(model, p.name), p.default) for p in model.parameters().values()}
    return {name: plain(value) for name, (value, default) in values.items() if value != default}


def plain(value: Any) -> Any:
    """A hyper-parameter as JSON knows it; a model inside a model by its name and options."""
    if isinstance(value, Recommender):
        return value.label
    return value.item() if isinstance(value, np.generic) else value
