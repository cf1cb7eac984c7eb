"""Metric names -> metrics, and names such as "ndcg@10" -> measures."""

from __future__ import annotations

import re

from coterie.errors import ParameterError
from coterie.evaluation.metrics import beyond, catalogue, ranking, ratings
from coterie.evaluation.metrics.base import Measure, Metric

METRICS: dict[str, Metric] = {
    metric.name: metric for family in (ranking, ratings, catalogue, beyond) for metric in family.METRICS
}
_NAME = re.compile(r"([a-z][a-z0-9_]*)(?:@(\d+))?")


def parse(name: str, k: int = 10) -> Measure:
    """The measure that a name such as ``"rmse"``, ``"ndcg@10"`` or ``"ndcg"`` (cut at `k`) stands for."""
    found = _NAME.fullmatch(name.strip().lower())
    if found is None or found[1] not in METRICS:
        raise ParameterError(f"unknown metric {name!r}; there are {', '.join(METRICS)}, lists cut as in ndcg@10")
    metric = METRICS[found[1]]
    if not metric.cut:
        if found[2]:
            about = "ratings, not lists" if metric.kind == "rating" else "all items, not lists"
            raise ParameterError(f"{name!r}: {metric.name} is about {about}; leave out @{found[2]}")
        return Measure(metric, None)
    cut = int(found[2]) if found[2] else k
    if cut < 1:
        raise ParameterError(f"{name!r}: lists are cut at 1 or more, not at {cut}")
    return Measure(metric, cut)
