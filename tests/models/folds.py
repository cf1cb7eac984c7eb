"""MovieLens 100K and 1M in the five folds on which accuracies are commonly published."""

from __future__ import annotations

from coterie.evaluation.reproduce.surprise import cross_validated, folds, ratings

__all__ = ["cross_validated", "folds", "ratings"]
