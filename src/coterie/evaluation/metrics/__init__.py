"""Metrics: one file a family, one registry. `parse` turns "ndcg@10" into a `Measure`."""

from coterie.evaluation.metrics.base import Measure, Metric, PerUser, Predictions, Ranking
from coterie.evaluation.metrics.context import Context
from coterie.evaluation.metrics.registry import METRICS, parse

__all__ = ["METRICS", "Context", "Measure", "Metric", "PerUser", "Predictions", "Ranking", "parse"]
