"""Evaluation: which method is best on this data, and how sure is that? Splits, metrics, significance, leaderboard."""

from coterie.evaluation.evaluate import Answers, answer, relevance_threshold
from coterie.evaluation.found import Search
from coterie.evaluation.leaderboard import Leaderboard, compare
from coterie.evaluation.metrics import METRICS, parse
from coterie.evaluation.search import tune
from coterie.evaluation.splits import SPLITS, Split, leave_k_out, split, split_at_random, split_by_time

__all__ = [
    "METRICS",
    "SPLITS",
    "Answers",
    "Leaderboard",
    "Search",
    "Split",
    "answer",
    "compare",
    "leave_k_out",
    "parse",
    "relevance_threshold",
    "split",
    "split_at_random",
    "split_by_time",
    "tune",
]
