"""Splits: what a split is (`base`), ways of making one (`by_rating`, `whole`, `files`), and their names (`names`)."""

from coterie.evaluation.splits.base import Split
from coterie.evaluation.splits.by_rating import k_folds, leave_k_out, split_at_random, split_by_time, split_each_user
from coterie.evaluation.splits.files import load_split
from coterie.evaluation.splits.names import SPLITS, split, splits
from coterie.evaluation.splits.whole import split_items, split_users

__all__ = [
    "SPLITS",
    "Split",
    "k_folds",
    "leave_k_out",
    "load_split",
    "split",
    "split_at_random",
    "split_by_time",
    "split_each_user",
    "split_items",
    "split_users",
    "splits",
]
