"""Evaluation: which method is best on this data, and how sure is that? Splits, a linter, metrics, leaderboard."""

from coterie.evaluation.comparison import ComparisonInterrupted, compare
from coterie.evaluation.evaluate import Answers, Questions, answer, ask, relevance_threshold
from coterie.evaluation.found import Search
from coterie.evaluation.groups import by_group, user_groups
from coterie.evaluation.leaderboard import Leaderboard
from coterie.evaluation.linter import Finding, check_folds, check_validation, lint, lint_split
from coterie.evaluation.metrics import METRICS, parse
from coterie.evaluation.search import tune
from coterie.evaluation.splits import (
    SPLITS,
    Split,
    k_folds,
    leave_k_out,
    load_split,
    split,
    split_at_random,
    split_by_time,
    split_each_user,
    split_items,
    split_users,
)

# `splits`, which makes all the splits of a name, stays in the module of that name.
__all__ = [
    "METRICS",
    "SPLITS",
    "Answers",
    "ComparisonInterrupted",
    "Finding",
    "Leaderboard",
    "Questions",
    "Search",
    "Split",
    "answer",
    "ask",
    "by_group",
    "check_folds",
    "check_validation",
    "compare",
    "k_folds",
    "leave_k_out",
    "lint",
    "lint_split",
    "load_split",
    "parse",
    "relevance_threshold",
    "split",
    "split_at_random",
    "split_by_time",
    "split_each_user",
    "split_items",
    "split_users",
    "tune",
    "user_groups",
]
