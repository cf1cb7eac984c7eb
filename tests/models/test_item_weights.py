"""EASE, SLIM, P3alpha and RP3beta against their papers' formulas, and updates against fits."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet
from threadpoolctl import threadpool_limits

import coterie as ct
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, DivergenceError, MemoryBudgetError, PrecisionWarning
from coterie.kernels import dense_inverse
from coterie.models.item_weights import ItemWeightsModel
from tests.contract.cases import UNRATED_ITEM, interactions, world
from tests.reference.matrices import HALF_STARS, POSITIVE, rated
from tests.reference.walks import walk_weights

ONES = st.just(st.just(1.0))


def dense_of(x: ct.Interactions) -> np.ndarray:
    return x.to_scipy().toarray().astype(np.float64)


def from_rated(dense: np.ndarray) -> ct.Interactions:
    """Ratings (users x items, NaN for unrated), with zeros that were given."""
    user, item = np.nonzero(~np.isnan(dense))
    users, items = Vocabulary(np.arange(len(dense)) + 1, "user"), Vocabulary(np.arange(dense.shape[1]) + 101, "item")
    return ct.Interactions.from_arrays(users, items, user, item, dense[user, item])


def random_world(shape: tuple[int, int], share: float, seed: int, ones: bool = True) -> ct.Interactions:
    random = np.random.default_rng(seed)
    values = 1 if ones else random.integers(1, 6, shape)
    return interactions(np.where(random.random(shape) < share, values, 0))


# ---- EASE ------------------------------------------------------------------------------------------------


def ease_weights(x: ct.Interactions, regularization: float) -> np.ndarray:
    """Equation 8, in float64."""
    dense = dense_of(x)
    inverse = np.linalg.inv(dense.T @ dense + regularization * np.eye(x.n_items))
    weights = -inverse / np.diagonal(inverse)
    np.fill_diagonal(weights, 0)
    return np.asarray(weights)


@pytest.mark.parametrize("ones", [True, False])
@pytest.mark.parametrize("regularization", [1.0, 50.0])
def test_ease_is_its_closed_form(ones: bool, regularization: float) -> None:
    x = random_world((200, 70), 0.2, 0, ones)
    model = ct.EASE(regularization=regularization).fit(x)
    expected = ease_weights(x, regularization)
    assert (model.item_weights_.dtype, model.item_weights_.shape) == (np.float32, (70, 70))
    np.testing.assert_allclose(model.item_weights_, expected, atol=1e-5)
    assert not np.diagonal(model.item_weights_).any()
    scores = model.score(x.to_scipy())
    np.testing.assert_allclose(scores, dense_of(x) @ expected, atol=1e-4)
    for rows in (1, 5):
        np.testing.assert_allclose(model.score(x.to_scipy()[:rows]), scores[:rows], atol=1e-5)


def test_ease_minimises_its_objective() -> None:
    x = random_world((40, 8), 0.4, 1, ones=False)
    dense, weights = dense_of(x), ct.EASE(regularization=3.0).fit(x).item_weights_.astype(np.float64)
    slope = dense.T @ (dense @ weights - dense) + 3.0 * weights
    np.fill_diagonal(slope, 0)  # where the constraint holds it
    np.testing.assert_allclose(slope, 0, atol=1e-2)


@pytest.mark.parametrize("rows", [1, 30])
def test_what_nobody_rated_has_no_score_and_gives_none(rows: int) -> None:
    model = ct.EASE(regularization=10.0).fit(world())
    profiles = sp.csr_matrix(np.tile(np.eye(25, dtype=np.float32)[[UNRATED_ITEM]], (rows, 1)))
    assert np.isnan(model.score(profiles)).all()
    assert np.isnan(model.score(sp.csr_matrix((rows, 25), dtype=np.float32))).all()
    profiles = sp.csr_matrix(np.tile(np.eye(25, dtype=np.float32)[[0]], (rows, 1)))
    assert (np.isnan(model.score(profiles)) == (np.arange(25) == UNRATED_ITEM)).all()


def test_a_regularization_too_small_for_single_precision_is_refused() -> None:
    x = interactions(np.tile([3e4, 2e4, 1e4], (50, 1)))
    with pytest.raises(DivergenceError, match=r"EASE: .*regularization=0\.001 cannot be inverted.*larger regular"):
        ct.EASE(regularization=1e-3).fit(x)
    assert ct.EASE(regularization=1e6).fit(x).recommend(1, exclude_seen=False).height


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_weights_of_items_that_always_come_together_are_warned_of(seed: int) -> None:
    """Eight popular items have nothing to do with a hundred others, which fifty people all took."""
    popular = np.kron(np.eye(8), np.full((500, 1), 4000.0))
    together = np.where(np.random.default_rng(seed).random((50, 100)) < 0.97, 2000.0, 0.0)
    x = interactions(scipy.linalg.block_diag(popular, together))
    with pytest.warns(PrecisionWarning, match=r"weights are off by up to about .*, those of item \d+ among others"):
        ct.EASE(regularization=500.0).fit(x)


@pytest.mark.parametrize("model", [ct.EASE(), ct.SLIM()], ids=str)
def test_memory_is_asked_for_before_it_is_taken(model: ItemWeightsModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "1e-6")
    with pytest.raises(MemoryBudgetError, match=r"25 x 25 items would take .*min_item_ratings.*RP3beta"):
        model.fit(world())


def test_weights_that_hold_few_digits_are_warned_of() -> None:
    x = random_world((60, 300), 0.3, 9)
    dense = x.to_scipy().toarray().astype(np.float64)
    for regularization, warns in ((1e-3, True), (10.0, False)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = ct.EASE(regularization=regularization).fit(x)
        inverse = np.linalg.inv(dense.T @ dense + regularization * np.eye(x.n_items))
        exact = -inverse / inverse.diagonal()
        np.fill_diagonal(exact, 0)
        off = np.abs(model.item_weights_ - exact).max() / np.abs(exact).max()
        assert (off > 0.003, len(caught)) == (warns, int(warns)), off
    assert issubclass(PrecisionWarning, UserWarning)


def test_the_inverse_has_the_same_bits_at_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    x = random_world((400, 1100), 0.1, 9)
    found = set()
    for threads in (1, 2, 3):
        monkeypatch.setenv("COTERIE_THREADS", str(threads))
        with threadpool_limits(threads, "blas"):
            found.add(ct.EASE().fit(x).item_weights_.tobytes())
    assert len(found) == 1


def check_update(model: ct.EASE, before: ct.Interactions, new: ct.Interactions) -> None:
    updated = model.fit(before).update(new)
    expected = ease_weights(updated.train_, model.regularization)
    np.testing.assert_allclose(updated.item_weights_, expected, atol=2e-5)
    again = ct.EASE(regularization=model.regularization).fit(updated.train_)
    np.testing.assert_allclose(updated.item_weights_, again.item_weights_, atol=2e-5)
    np.testing.assert_allclose(updated.inverse_diagonal_, again.inverse_diagonal_, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:the model learned from choices")
@given(rated(POSITIVE), rated(POSITIVE))
def test_an_update_of_any_world_is_a_fit_to_all_of_it(old: np.ndarray, new: np.ndarray) -> None:
    # ids from 1 and from 101: the worlds share users and items, and the new one may have more of both
    old, new = np.minimum(old, 5), np.minimum(new, 5)
    check_update(ct.EASE(regularization=5.0), from_rated(old), from_rated(new))


@pytest.mark.parametrize("n_new", [2, 60])
def test_few_new_people_cost_no_inverse_and_many_do(n_new: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before, new = random_world((150, 40), 0.2, 2), random_world((n_new, 43), 0.2, 3)
    model = ct.EASE(regularization=20.0).fit(before)
    inverses = []
    invert = dense_inverse.invert_symmetric
    counted = lambda matrix: inverses.append(len(matrix)) or invert(matrix)  # noqa: E731
    monkeypatch.setattr(dense_inverse, "invert_symmetric", counted)
    model.update(new)
    assert inverses == ([] if n_new == 2 else [43])
    np.testing.assert_allclose(model.item_weights_, ease_weights(model.train_, 20.0), atol=1e-5)


def test_many_small_updates_stay_close_to_a_fit() -> None:
    x = random_world((150, 30), 0.2, 4)
    model = ct.EASE(regularization=20.0).fit(x.select(x.user_index < 100))
    for start in range(100, 150, 2):
        model.update(x.select((x.user_index >= start) & (x.user_index < start + 2)))
    np.testing.assert_allclose(model.item_weights_, ease_weights(model.train_, 20.0), atol=2e-5)


def test_ratings_told_again_change_not_one_bit() -> None:
    model = ct.EASE(regularization=20.0).fit(world())
    before = model.item_weights_.tobytes()
    known = world().select(world().user_index == 3)
    assert model.update(known).item_weights_.tobytes() == before


# ---- SLIM ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(("l1", "l2"), [(2.0, 10.0), (10.0, 0.5)])
def test_slim_is_an_elastic_net_of_every_item(l1: float, l2: float, positive: bool) -> None:
    x = random_world((90, 12), 0.3, 5, ones=False)
    model = ct.SLIM(l1_regularization=l1, l2_regularization=l2, positive=positive, tolerance=1e-10).fit(x)
    weights, dense = model.item_weights_.toarray(), dense_of(x)
    assert (model.gaps_ <= 1e-10).all()
    for j in range(12):
        others = dense.copy()
        others[:, j] = 0
        net = ElasticNet((l1 + l2) / 90, l1_ratio=l1 / (l1 + l2), positive=positive, fit_intercept=False, tol=1e-12)
        np.testing.assert_allclose(weights[:, j], net.fit(others, dense[:, j]).coef_, atol=1e-6)
    assert not positive or (weights >= 0).all()
    assert not np.diagonal(weights).any()


def test_only_the_nearest_items_have_weights() -> None:
    x = random_world((90, 12), 0.3, 6)
    gram = dense_of(x).T @ dense_of(x)
    cosines = gram / np.sqrt(np.outer(np.diagonal(gram), np.diagonal(gram)))
    np.fill_diagonal(cosines, -1)
    nearest = np.argsort(-cosines, axis=0, kind="stable")[:3]
    few = ct.SLIM(n_neighbors=3, l1_regularization=0.1).fit(x).item_weights_.toarray()
    every = ct.SLIM(n_neighbors=11, l1_regularization=0.1).fit(x).item_weights_.toarray()
    for j in range(12):
        assert set(np.flatnonzero(few[:, j])) <= set(nearest[:, j].tolist())
    assert (few != 0).any(axis=0).all()
    np.testing.assert_array_equal(every, ct.SLIM(l1_regularization=0.1).fit(x).item_weights_.toarray())


def test_a_slim_without_a_weight_says_so() -> None:
    x = random_world((90, 12), 0.3, 6)
    with pytest.warns(RuntimeWarning, match=r"nothing will be recommended: l1_regularization=1e\+09 .* lower it"):
        model = ct.SLIM(l1_regularization=1e9).fit(x)
    assert model.item_weights_.nnz == 0


def test_slim_of_no_ratings_has_a_trace_too() -> None:
    model = ct.SLIM().fit(interactions(np.zeros((3, 2))))
    assert model.objective_.tolist() == [0.0]
    assert model.item_weights_.nnz == 0


@pytest.mark.filterwarnings("ignore:the model learned from choices")
@pytest.mark.filterwarnings("ignore:SLIM. no item has a weight")
@settings(max_examples=25)
@given(rated(st.just(HALF_STARS)), rated(st.just(HALF_STARS)), st.sampled_from([None, 2]))
def test_a_warm_slim_ends_where_a_fit_ends(old: np.ndarray, new: np.ndarray, n_neighbors: int | None) -> None:
    model = ct.SLIM(l1_regularization=1.0, l2_regularization=5.0, tolerance=1e-10, n_neighbors=n_neighbors)
    updated = model.fit(from_rated(old)).update(from_rated(new))
    weights = updated.item_weights_.toarray()
    again = model.fit(updated.train_)
    np.testing.assert_allclose(weights, again.item_weights_.toarray(), atol=1e-4)


def test_too_few_sweeps_are_told() -> None:
    x = random_world((90, 12), 0.5, 7)
    with pytest.warns(RuntimeWarning, match=r"of 12 items did not come to tolerance=1e-09 .* in 1 sweeps; raise n_it"):
        model = ct.SLIM(l1_regularization=0.01, l2_regularization=0.0, tolerance=1e-9, n_iterations=1).fit(x)
    assert (model.gaps_ > 1e-9).any()
    assert model.recommend(1).height


# ---- walks -----------------------------------------------------------------------------------------------

SETTINGS = st.fixed_dictionaries(
    {
        "alpha": st.sampled_from([0.0, 0.5, 1.0, 1.7]),
        "n_neighbors": st.sampled_from([1, 2, 3, 100]),
        "normalize": st.booleans(),
    }
)


@given(rated(st.one_of(ONES, POSITIVE, st.just(st.integers(0, 3)))), SETTINGS, st.sampled_from([None, 0.0, 0.6, 1.5]))
def test_walks_are_those_of_whole_matrices(dense: np.ndarray, chosen: dict[str, Any], beta: float | None) -> None:
    model = ct.P3alpha(**chosen) if beta is None else ct.RP3beta(beta=beta, **chosen)
    weights = model.fit(from_rated(dense)).item_weights_
    expected = walk_weights(dense, chosen["alpha"], beta or 0.0, chosen["n_neighbors"], chosen["normalize"])
    # near ties may be cut either way by rounding: what is kept must be as large, sorted, and where both keep it equal
    found = weights.toarray()
    assert weights.dtype == np.float32
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected, axis=0), rtol=1e-4, atol=1e-9)
    both = (found != 0) & (expected != 0)
    np.testing.assert_allclose(found[both], expected[both], rtol=1e-5)


def test_a_walk_by_hand() -> None:
    # users rated {a, b}, {a, b, c}, {c}: from a to b, 1/2 (1/2 + 1/3); from a to c, 1/2 (1/3)
    x = interactions([[1, 1, 0], [1, 1, 1], [0, 0, 1]])
    expected = np.array([[0, 5 / 12, 1 / 6], [5 / 12, 0, 1 / 6], [1 / 6, 1 / 6, 0]])
    weights = ct.P3alpha(normalize=False).fit(x).item_weights_.toarray()
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    held_back = ct.RP3beta(beta=1.0, normalize=False).fit(x).item_weights_.toarray()
    np.testing.assert_allclose(held_back, expected / 2, rtol=1e-6)  # everything was rated twice
    shares = ct.RP3beta(beta=1.0).fit(x).item_weights_.toarray()
    np.testing.assert_allclose(shares, expected / expected.sum(axis=1, keepdims=True), rtol=1e-6)
    # c leads to a, but a is reached from b sooner
    one = ct.P3alpha(n_neighbors=1, normalize=False).fit(x).item_weights_.toarray()
    np.testing.assert_allclose(one, [[0, 5 / 12, 0], [5 / 12, 0, 0], [0, 0, 0]], rtol=1e-6)


def test_popular_tastes_get_lists() -> None:
    x = ct.load("movielens-sample").interactions
    popular = np.argsort(-x.item_counts)[:100]

    def silent(model: ct.P3alpha) -> int:
        return int((np.diff(model.fit(x).item_weights_.indptr)[popular] == 0).sum())

    assert silent(ct.P3alpha(normalize=False)) > 50  # what the default is for
    model = ct.P3alpha()
    assert silent(model) < 10
    assert len(model.recommend_for({1: 5.0, 260: 4.0}))  # Toy Story and Star Wars


@pytest.mark.parametrize("model", [ct.P3alpha(), ct.RP3beta()], ids=str)
def test_there_are_no_negative_probabilities(model: ItemWeightsModel) -> None:
    with pytest.raises(DataError, match=r"values from 0, and the data has -2; keep .*binarized"):
        model.fit(from_rated(np.array([[1.0, -2.0, np.nan]])))


# ---- what they share -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [ct.EASE(), ct.SLIM(), ct.P3alpha(), ct.RP3beta()], ids=lambda m: m.name)
def test_similar_items_are_weights(model: ItemWeightsModel) -> None:
    x = world()
    weights = model.fit(x).item_weights_
    weights = weights if isinstance(weights, np.ndarray) else weights.toarray()
    line = weights[:, 3] if model.name == "slim" else weights[3]
    table = model.similar_items(int(x.items.ids[3]), 4)
    best = sorted(np.flatnonzero(line), key=lambda at: (-line[at], at))[:4]
    assert table["neighbor"].to_list() == x.items.ids[best].tolist()
    np.testing.assert_array_equal(table["similarity"], line[best])
