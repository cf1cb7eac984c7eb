"""The rule for equal scores, from a model's scores to its metrics: the larger score first, of equal ones the item with
the smaller row number; and what a model says nothing about is not listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.evaluation import Split, answer
from coterie.evaluation.evaluate import Questions
from coterie.evaluation.metrics import parse
from coterie.models.base import Recommender

Array = np.ndarray[Any, np.dtype[Any]]
N_ITEMS = 90


@dataclass(eq=False)
class Tied(Recommender):
    """Scores of three levels; one item in seven has none."""

    name: ClassVar[str] = "tied"

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.levels_ = (np.arange(train.n_items) * 5 % 3).astype(np.float32)
        self.levels_[::7] = np.nan

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return np.tile(self.levels_, (profiles.shape[0], 1))


def questions(n_users: int, sampled: int | None = None) -> Questions:
    generator = np.random.default_rng(n_users)
    rated = generator.random((n_users, N_ITEMS)) < 0.3
    rated[:, :2] = [True, False]
    tested = ~rated & (generator.random((n_users, N_ITEMS)) < 0.2)
    tested[:, 1] = True
    ids = Vocabulary(np.arange(n_users), "user"), Vocabulary(np.arange(N_ITEMS)[::-1].copy(), "item")
    parts = (Interactions.from_arrays(*ids, *np.nonzero(part)) for part in (rated, tested))
    return Questions(Split.of(*parts), 0.0, 12, False, pairs=True, sampled=sampled)


@pytest.mark.parametrize("n_users", [3, 70])  # few by NumPy, many by a kernel
@pytest.mark.parametrize("sampled", [None, 40])
def test_equal_scores_go_by_row_number_and_metrics_follow(n_users: int, sampled: int | None) -> None:
    asked = questions(n_users, sampled)
    model = Tied()
    found = answer(model, asked).ranking
    assert found is not None and found.users is not None
    train, test = (part.to_scipy().toarray() > 0 for part in (asked.split.train, asked.split.test))
    ndcg, auc = [], []
    for user in range(n_users):
        candidates = np.arange(N_ITEMS) if sampled is None else asked.candidates(user)
        scores = {i: float(model.levels_[i]) for i in candidates.tolist() if not train[user, i]}
        listed = sorted((i for i, s in scores.items() if not np.isnan(s)), key=lambda i: (-scores[i], i))[:12]
        assert found.items[user].tolist() == listed + [-1] * (12 - len(listed))
        gains = [test[user, i] / np.log2(place + 1) for place, i in enumerate(listed, 1)]
        ndcg.append(sum(gains) / sum(1 / np.log2(place + 1) for place in range(1, min(12, test[user].sum()) + 1)))
        everything = {i: -1 if np.isnan(s := model.levels_[i]) else s for i in range(N_ITEMS) if not train[user, i]}
        liked, others = ([s for i, s in everything.items() if test[user, i] == own] for own in (True, False))
        auc.append(np.mean([(a > b) + 0.5 * (a == b) for a in liked for b in others]))
    assert parse("ndcg@12").per_user(found).values == pytest.approx(ndcg, abs=1e-12)
    assert parse("auc").per_user(found).values == pytest.approx(auc, abs=1e-12)


def test_the_order_that_the_rule_gives_is_the_one_that_counts() -> None:
    # Nobody's item 1 comes first by luck: it has the same score as item 4, and stands before it.
    ids = Vocabulary(np.arange(1), "user"), Vocabulary(np.arange(8), "item")
    train, test = (Interactions.from_arrays(*ids, np.zeros(1, int), np.array([item])) for item in (0, 4))
    found = answer(Tied(), Questions(Split.of(train, test), 0.0, 8, False)).ranking
    assert found is not None
    assert Tied().fit(train).levels_[1:].tolist() == pytest.approx([2, 1, 0, 2, 1, 0, np.nan], nan_ok=True)
    assert found.items.tolist() == [[1, 4, 2, 5, 3, 6, -1, -1]]
    assert parse("mrr@8").value(found) == 1 / 2
