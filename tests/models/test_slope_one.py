"""Slope One against loops, hand-worked examples and published accuracies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import coterie as ct
from coterie.errors import MemoryBudgetError
from tests.contract.cases import state
from tests.models.folds import cross_validated
from tests.models.slow import interactions, world
from tests.reference import deviations as reference

NAN = np.nan
# Of the paper's introduction: the second item is half a star better, so who gave the first 2 gives it 2.5.
PAPER = [[1, 1.5], [2, NAN]]
# Three people; deviations of A from B and C: 0.5 over two people and 3 over one.
THREE = [[5, 3, 2], [3, 4, NAN], [NAN, 2, 5]]


def test_hand_worked_examples() -> None:
    assert ct.SlopeOne().fit(interactions(PAPER)).predict_for({101: 2.0}, [102])[0] == 2  # cut to the scale
    stretched = interactions([*PAPER, [NAN, 4]])
    assert ct.SlopeOne().fit(stretched).predict([2], [102])[0] == 2.5
    model = ct.SlopeOne().fit(interactions(THREE))
    assert model.predict([3], [101])[0] == pytest.approx((2 * 2.5 + 1 * 8) / 3)
    plain = ct.SlopeOne(variant="plain").fit(interactions(THREE))
    assert plain.predict([3], [101])[0] == pytest.approx(5)  # (2.5 + 8) / 2, cut


@pytest.mark.parametrize("variant", ["weighted", "plain"])
@pytest.mark.parametrize("min_support", [1, 3])
def test_scores_and_predictions_are_those_of_loops(variant: str, min_support: int) -> None:
    dense = world(40, 12)
    dense[:, 4], dense[7] = NAN, NAN  # an item nobody rated, a person who rated nothing
    x = interactions(dense)
    model = ct.SlopeOne(variant, min_support).fit(x)
    expected = np.array(
        [[reference.predict(dense, row, i, min_support, variant == "weighted") for i in range(12)] for row in dense]
    )
    np.testing.assert_allclose(model.score(x.to_scipy()), expected, rtol=1e-5)
    np.testing.assert_allclose(model.score(x.to_scipy()[:5]), expected[:5], rtol=1e-5)
    means = np.array([np.nanmean(row) if (~np.isnan(row)).any() else np.nanmean(dense) for row in dense])
    predicted = np.clip(np.where(np.isnan(expected), means[:, None], expected), 0.5, 5)
    pairs = np.repeat(x.users.ids, 12), np.tile(x.items.ids, 40)
    np.testing.assert_allclose(model.predict(*pairs), predicted.ravel(), rtol=1e-5)


def test_an_explanation_takes_each_rated_item_by_itself() -> None:
    why = ct.SlopeOne().fit(interactions(THREE)).explain(3, 101, of="score")
    assert why.base == 3.5
    parts = {row["item"]: row for row in why.contributions.iter_rows(named=True)}
    assert (parts[102]["deviation"], parts[102]["support"], parts[102]["rating"]) == (0.5, 2, 2)
    assert parts[102]["contribution"] == pytest.approx(2 * (2 + 0.5 - 3.5) / 3)
    assert parts[103]["contribution"] == pytest.approx(1 * (5 + 3 - 3.5) / 3)
    alone = ct.SlopeOne(min_support=3).fit(interactions(THREE)).explain(3, 101)
    assert alone.score == 3.5 and not len(alone.contributions) and "mean rating" in alone.summary


def test_an_update_is_a_fit_to_the_last_bit() -> None:
    dense = world(60, 30)
    old, later = dense.copy(), np.full_like(dense, NAN)
    later[[3, 17, 59]] = np.where(np.arange(30) % 4 == 0, 4.5, NAN)
    later[50] = dense[50]
    old[50] = NAN
    few = interactions(later)
    x, new = (
        interactions(old),
        few.select(np.ones(few.nnz, bool)),
    )  # only who rated something, in row numbers of its own
    updated, again = ct.SlopeOne().fit(x).update(new), ct.SlopeOne().fit(x.merge(new))
    assert state(updated) == state(again)


def test_pairs_that_do_not_fit_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ct.load("synthetic:300x2000x30000").interactions
    pairs = len(ct.SlopeOne().fit(x).supports_)
    monkeypatch.setenv("COTERIE_MEMORY", str(pairs * 12 * 0.7 / 2**30))
    with pytest.raises(MemoryBudgetError, match=r"SlopeOne with [\d,]+ pairs of items .* a larger min_support"):
        ct.SlopeOne().fit(x)
    assert len(ct.SlopeOne(min_support=5).fit(x).supports_) < pairs / 2


def test_published_accuracy(shared: Path) -> None:
    """Surprise's "SlopeOne" has RMSE 0.946 and MAE 0.743 on these folds."""
    rmse, mae = cross_validated(ct.SlopeOne, shared)
    assert rmse == pytest.approx(0.9390, abs=0.0005)
    assert mae == pytest.approx(0.7391, abs=0.0005)
    rmse, mae = cross_validated(lambda: ct.SlopeOne(variant="plain"), shared)
    assert rmse < 0.946 and mae < 0.743


def test_items_are_alike_where_those_who_rated_both_rated_them_alike() -> None:
    table = ct.SlopeOne().fit(interactions(THREE)).similar_items(101)
    found = dict(zip(table["neighbor"], table["similarity"], strict=True))
    assert found == pytest.approx({102: 2 / 12 / 1.5, 103: 1 / 11 / 4})  # deviations 0.5 of two people, 3 of one
    assert len(ct.SlopeOne(min_support=2).fit(interactions(THREE)).similar_items(101)) == 1
