"""Ranking metrics against ranx, an independent library, on random runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import ranx

from coterie.evaluation.metrics import Ranking, parse

# Ours on the left; ranx divides average precision by all relevant items, and ends R-precision where the run ends.
SAME = {
    "precision": "precision",
    "recall": "recall",
    "ndcg": "ndcg",
    "map_full": "map",
    "mrr": "mrr",
    "hit_rate": "hit_rate",
}
LONGEST = 20


def random_run(seed: int, n_users: int, n_items: int, longest: int) -> tuple[Ranking, ranx.Qrels, ranx.Run]:
    """Lists of 1 to `longest` items, and one relevant item to nearly all: many more and many fewer than listed."""
    generator = np.random.default_rng(seed)
    items = np.full((n_users, longest), -1)
    relevant = np.zeros((n_users, n_items), bool)
    for user in range(n_users):
        listed = generator.choice(n_items, generator.integers(1, longest + 1), replace=False)
        items[user, : len(listed)] = listed
        relevant[user, generator.choice(n_items, generator.integers(1, n_items), replace=False)] = True
        relevant[user, listed] &= generator.random(len(listed)) < generator.random()
        relevant[user, generator.integers(n_items)] = True
    qrels = {f"u{user:04}": {f"i{item}": 1 for item in np.flatnonzero(row)} for user, row in enumerate(relevant)}
    run = {
        f"u{user:04}": {f"i{item}": float(-place) for place, item in enumerate(row[row >= 0])}
        for user, row in enumerate(items)
    }
    return Ranking.of(items, relevant, n_items), ranx.Qrels(qrels), ranx.Run(run)


@pytest.mark.parametrize(("seed", "n_items"), [(0, 25), (1, 60), (2, 200)])
def test_values_of_every_user_are_those_of_ranx(seed: int, n_items: int) -> None:
    ours, qrels, run = random_run(seed, 200, n_items, LONGEST)
    for k in (1, 3, 10, LONGEST):
        names = [f"{theirs}@{k}" for theirs in SAME.values()]
        theirs = ranx.evaluate(qrels, run, names, return_mean=False)
        for name, same in SAME.items():
            values = parse(f"{name}@{k}").per_user(ours).values
            np.testing.assert_allclose(values, theirs[f"{same}@{k}"], rtol=0, atol=1e-9, err_msg=f"{name}@{k}")
    r_precision = ranx.evaluate(qrels, run, "r-precision", return_mean=False)
    values = parse(f"r_precision@{LONGEST}").per_user(ours).values
    np.testing.assert_allclose(values, r_precision, rtol=0, atol=1e-9)
    assert 0 < values.mean() < 1


@pytest.mark.parametrize(
    ("name", "same", "scale"),
    [
        ("map", "map", lambda n, k: n / np.minimum(n, k)),
        ("recall_capped", "recall", lambda n, k: n / np.minimum(n, k)),
    ],
)
def test_our_other_variants_differ_from_it_by_their_denominators(
    name: str, same: str, scale: Callable[[np.ndarray, int], np.ndarray]
) -> None:
    ours, qrels, run = random_run(3, 200, 50, LONGEST)
    for k in (2, 10):
        theirs = ranx.evaluate(qrels, run, f"{same}@{k}", return_mean=False)
        values = parse(f"{name}@{k}").per_user(ours).values
        np.testing.assert_allclose(values, theirs * scale(ours.n_relevant, k), rtol=0, atol=1e-9)
