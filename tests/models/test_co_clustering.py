"""Co-clustering against its formula, loops and published accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie as ct
from tests.models.folds import cross_validated
from tests.models.slow import interactions, world
from tests.reference import coclusters as reference

NAN = np.nan


def blocks(noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Two groups of users that like two groups of items the other way round, a third of the ratings missing."""
    random = np.random.default_rng(seed)
    users, items = np.arange(60) % 2, np.arange(40) % 2
    full = np.where(users[:, None] == items, 4.0, 2.0) + random.normal(0, noise, (60, 40))
    return np.where(random.random(full.shape) < 0.67, full, NAN)


def by_loops(model: ct.CoClustering, dense: np.ndarray) -> np.ndarray:
    """The formula of the model, of every user and item, from its clusters alone."""
    g, h = model.user_clusters_, model.item_clusters_
    user_means, item_means = np.nanmean(dense, axis=1), np.nanmean(dense, axis=0)
    out = np.empty_like(dense)
    for user in range(len(dense)):
        for item in range(dense.shape[1]):
            of_both = ~np.isnan(dense) & (g[:, None] == g[user]) & (h == h[item])
            rows, columns = np.nonzero(of_both)
            ratings = dense[of_both]
            if model.averages == "cocluster":
                levels = user_means[rows].mean(), item_means[columns].mean()
            else:
                levels = np.nanmean(dense[g == g[user]]), np.nanmean(dense[:, h == h[item]])
            out[user, item] = ratings.mean() + user_means[user] - levels[0] + item_means[item] - levels[1]
    return out


@pytest.mark.parametrize("averages", ["cocluster", "cluster"])
def test_predictions_are_the_formula_s(averages: Any) -> None:
    dense = world(30, 20)
    x = interactions(dense)
    model = ct.CoClustering(2, 2, n_iterations=60, averages=averages).fit(x)
    assert model.objective_[-1] == model.objective_[-2], "it has come to rest, so that clusters and means agree"
    expected = by_loops(model, dense)
    np.testing.assert_allclose(model.score(x.to_scipy()), expected, rtol=1e-5)
    pairs = np.repeat(x.users.ids, 20), np.tile(x.items.ids, 30)
    np.testing.assert_allclose(model.predict(*pairs), np.clip(expected, 0.5, 5).ravel(), rtol=1e-5)
    assert model.objective_[-1] == pytest.approx(np.nansum((dense - expected) ** 2), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_objective_never_rises(seed: int) -> None:
    x = interactions(world(80, 50, seed))
    trace = ct.CoClustering(4, 5, random_state=seed).fit(x).objective_
    assert len(trace) == 20 and trace[-1] < 0.97 * trace[0]
    assert (np.diff(trace) <= 1e-9 * trace[0]).all()
    trace = ct.CoClustering(4, 5, averages="cluster", random_state=seed).fit(x).objective_
    assert trace[-1] < trace[0]


def test_groups_that_are_there_are_found() -> None:
    model = ct.CoClustering(2, 2).fit(interactions(blocks(0.3)))
    for clusters in (model.user_clusters_, model.item_clusters_):
        assert clusters[0] != clusters[1]
        assert (clusters == np.where(np.arange(len(clusters)) % 2, clusters[1], clusters[0])).all()
    assert model.predict_for({101: 4.0, 102: 2.0}, [103])[0] > 3 > model.predict_for({101: 4.0, 102: 2.0}, [104])[0]


def test_a_stranger_takes_the_cluster_of_least_squares() -> None:
    dense = world(40, 30)
    x = interactions(dense)
    model = ct.CoClustering(5, 4).fit(x)
    levels = model.cluster_means_ - model.user_levels_ - model.item_levels_
    for user, row in enumerate(dense):
        costs = [
            reference.cost(row, np.nanmean(row), model.item_means_, model.item_clusters_, levels[g]) for g in range(5)
        ]
        assert costs[model.user_clusters_[user]] == pytest.approx(min(costs), rel=1e-9)


def test_what_is_not_known_is_a_mean() -> None:
    dense = world(20, 10)
    dense[3], dense[:, 7] = NAN, NAN
    model = ct.CoClustering().fit(interactions(dense))
    assert model.predict([4], [101])[0] == pytest.approx(np.nanmean(dense[:, 0]), rel=1e-6)
    assert model.predict([1], [108])[0] == pytest.approx(np.nanmean(dense[0]), rel=1e-6)
    assert model.predict([4], [108])[0] == pytest.approx(np.nanmean(dense), rel=1e-6)
    assert 108 not in model.recommend(1, k=20, exclude_seen=False)["item"].to_list()


def test_an_explanation_has_the_three_terms() -> None:
    x = interactions(world(30, 20))
    model = ct.CoClustering().fit(x)
    g, h = model.user_clusters_[1], model.item_clusters_[2]
    why = model.explain(2, 103)
    assert why.base == model.cluster_means_[g, h]
    parts = dict(why.contributions.select("term", "contribution").iter_rows())
    assert parts["item's offset"] == pytest.approx(model.item_means_[2] - model.item_levels_[g, h])
    assert f"cluster {g} give items of cluster {h}" in why.summary


def test_a_new_item_takes_the_cluster_of_its_raters_taste() -> None:
    dense = blocks(0.3)
    model = ct.CoClustering(2, 2).fit(interactions(dense))
    before = model.predict_for({101: 4.0, 102: 2.0}, [103])
    liked = np.where(np.arange(60) % 2, 2.0, 4.0)  # as the even items are
    new = ct.Interactions.from_frame({"u": np.arange(60) + 1, "i": np.full(60, 777), "r": liked}, "u", "i", "r")
    model.update(new)
    assert model.item_clusters_[-1] == model.item_clusters_[0] != model.item_clusters_[1]
    assert model.predict_for({101: 4.0, 102: 2.0}, [103]) == pytest.approx(before, abs=1e-6)
    assert model.predict_for({101: 4.0, 102: 2.0}, [777])[0] == pytest.approx(before[0], abs=0.2)


def test_published_accuracy(shared: Path) -> None:
    """Surprise's "Co-Clustering" has RMSE 0.963 and MAE 0.753 on these folds; it varies by its seed."""
    rmse, mae = cross_validated(ct.CoClustering, shared)
    assert rmse == pytest.approx(0.9528, abs=0.0005)
    assert mae == pytest.approx(0.7478, abs=0.0005)
    rmse, mae = cross_validated(lambda: ct.CoClustering(averages="cluster", random_state=1), shared)
    assert rmse < 0.963 and mae < 0.753


def test_items_are_alike_where_people_would_rate_them_alike() -> None:
    dense = world(30, 20)
    dense[:, 3] = NAN
    x = interactions(dense)
    model = ct.CoClustering(3, 3).fit(x)
    ratings = model.score(x.to_scipy()).astype(np.float64)  # before they are cut
    item = int(x.items.ids[0])
    table = model.similar_items(item, 20)
    assert (
        len(table) == 18 and int(x.items.ids[3]) not in table["neighbor"].to_list()
    )  # what nobody rated is like nothing
    for other, similarity in zip(x.items.indices(table["neighbor"]), table["similarity"], strict=True):
        apart = np.sqrt(np.mean((ratings[:, 0] - ratings[:, other]) ** 2))
        assert similarity == pytest.approx(1 / (1 + apart), rel=1e-4)
    assert not len(model.similar_items(int(x.items.ids[3])))
