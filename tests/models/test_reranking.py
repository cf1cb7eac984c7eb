"""Lists made again: by hand, under rules, with caps, and as part of everything that a model is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import coterie as ct
from coterie.data.catalog import Catalog
from coterie.errors import ArtifactError, FitInterrupted, NotFittedError, ParameterError
from coterie.evaluation import Split
from coterie.evaluation.evaluate import Questions, ask
from coterie.evaluation.resources import learned_bytes
from coterie.models import registry
from coterie.models.base import Recommender
from tests.contract.cases import UNRATED_ITEM, catalog, interactions, profile_of, wide_world, world
from tests.models.fixed import Fixed, about, chosen
from tests.models.test_serving import CODE

MODELS = [ct.EASE(), ct.ItemKNN(), ct.UserKNN(), ct.ALS(n_factors=3, n_iterations=3), ct.P3alpha(), ct.Popularity()]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


# ---- by hand ---------------------------------------------------------------------------------------------


def test_maximal_marginal_relevance_by_hand() -> None:
    """Scores scale to 1, 0.9, 0.5, 0. With weights of one half, after item 1: item 2 (the same genres) is worth
    0.45 - 0.5 = -0.05, item 3 (one of two in common with a single genre: 1 / sqrt(2)) 0.25 - 0.354 = -0.104, and
    item 4 (another genre) 0. After item 4: item 2 is still -0.05 and item 3 as well -0.104."""
    scores, genres = [2.0, 1.8, 1.0, 0.0], ["Drama", "Drama", "Drama|War", "Comedy"]
    assert chosen(scores, genres, diversity=0.5) == [101, 104, 102, 103]
    assert chosen(scores, genres, diversity=0.3) == [101, 102, 103, 104]  # 0.33, 0.138 and 0 for the second place
    assert chosen(scores, genres) == [101, 102, 103, 104]
    assert chosen(scores, genres, diversity=1.0) == [101, 104, 103, 102]


def test_calibration_by_hand() -> None:
    """Somebody who rated two dramas and a comedy: p = (2/3, 1/3). After a drama and with a second one
    KL = 2/3 log(2/3 / (0.99 + 0.01 * 2/3)) + 1/3 log(1 / 0.01) = 1.267, with the comedy
    2/3 log(2/3 / (0.495 + 0.01 * 2/3)) + 1/3 log(1/3 / (0.495 + 0.01 / 3)) = 0.056."""
    scores, genres = [9.0, 9.0, 9.0, 1.0, 0.9, 0.5, 0.0], ["Drama", "Drama", "Comedy"] + ["Drama"] * 3 + ["Comedy"]
    profile = [101, 102, 103]
    assert chosen(scores, genres, profile, calibration=0.4) == [104, 105, 107, 106]
    # at the second place: 0.6 * 0.9 - 0.4 * 1.267 = 0.033 against 0 - 0.4 * 0.056 = -0.022: the drama;
    # with 0.45 and 0.55 it is -0.166 against -0.031: the comedy
    assert chosen(scores, genres, profile, calibration=0.45) == [104, 107, 105, 106]
    assert chosen(scores, genres, profile) == [104, 105, 106, 107]
    assert chosen(scores, genres, calibration=0.9) == [101, 102, 103, 104, 105, 106, 107]  # nothing to calibrate to


def test_low_ratings_weigh_less_in_the_mix() -> None:
    x = interactions([[5, 1, 0, 0]])
    model = ct.Reranked(Fixed((0.0, 0.0, 1.0, 0.99)), calibration=0.9).fit(x, about(["War", "Comedy"] * 2))
    assert model.recommend_for({101: 5.0, 102: 1.0}, 1)["item"].to_list() == [103]
    assert model.recommend_for({101: 1.0, 102: 5.0}, 1)["item"].to_list() == [104]


def test_rules_by_hand() -> None:
    scores, genres = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], ["Horror", "Horror", "Horror|War", "Drama", "War", "Comedy"]
    assert chosen(scores, genres, k=3, at_most={"horror": 1}) == [101, 104, 105]
    assert chosen(scores, genres, k=3, never=["Horror"]) == [104, 105, 106]
    assert chosen(scores, genres, k=3, never=[102]) == [101, 103, 104]
    assert chosen(scores, genres, k=3, must=[106]) == [101, 102, 106]
    assert chosen(scores, genres, k=3, must=["War"]) == [101, 102, 103]
    assert chosen(scores, genres, k=3, must=["War", "Drama"]) == [101, 103, 104]
    assert chosen(scores, genres, k=3, must=["War"], never=[103], at_most={"Horror": 1}) == [101, 104, 105]
    assert chosen(scores, genres, k=6, at_most={"Horror": 1, "War": 0}) == [101, 104, 106]  # shorter, never wrong
    assert chosen(scores, genres, [106], k=3, must=[106]) == [101, 102, 103]  # seen
    assert chosen(scores, genres, k=2, must=["Comedy", 103]) == [103, 106]
    assert chosen(scores, genres, k=2, never="Horror") == [104, 105]


def test_what_rules_need_is_found_beyond_the_pool() -> None:
    scores, genres = list(range(50, 0, -1)), ["Horror"] * 40 + ["Drama"] * 9 + ["War"]
    assert chosen(scores, genres, k=5, pool=5, at_most={"Horror": 2}) == [101, 102, 141, 142, 143]
    assert chosen(scores, genres, k=5, pool=5, must=["War", 149]) == [101, 102, 103, 149, 150]


def test_a_cap_by_hand() -> None:
    """Three lists of two, an item in two of them at most: rows choose in turn, then the last one first."""
    x = interactions([[0, 0, 0, 5, 0], [0, 0, 0, 5, 0], [0, 0, 0, 5, 0]])
    model = ct.Reranked(Fixed((4.0, 3.0, 2.0, 1.0, np.nan)), max_exposure=0.7).fit(x)
    table = model.recommend([1, 2, 3], 2)
    assert table.select("user", "item").rows() == [(1, 101), (1, 103), (2, 101), (2, 102), (3, 102), (3, 103)]
    found = model.recommend([3, 1], 2).select("user", "item").rows()  # seven tenths of two lists are one
    assert found == [(3, 101), (1, 102), (1, 103)]  # user 1 was the first to choose again, and nothing is left for 3
    assert model.recommend(3, 3)["item"].to_list() == [101, 102, 103]  # nobody to share with


# ---- the lists of a model --------------------------------------------------------------------------------


@each_model
def test_without_steps_lists_are_the_models(model: Recommender) -> None:
    x = world()
    plain = type(model)(**{name: getattr(model, name) for name in model.parameters()}).fit(x, catalog())
    same = ct.Reranked(model).fit(x, catalog())
    users, few = x.users.ids.tolist(), x.items.ids[3:9].tolist()
    for options in ({}, {"k": 3}, {"k": 1000}, {"exclude_seen": False}, {"candidates": few}, {"candidates": []}):
        assert_frame_equal(same.recommend(users, **options), plain.recommend(users, **options), check_exact=True)
        for profile in ({}, profile_of(x, 5), dict.fromkeys(x.items.ids.tolist(), 3.0)):
            found, expected = same.recommend_for(profile, **options), plain.recommend_for(profile, **options)
            assert_frame_equal(found, expected, check_exact=True)
    assert same.recommend([]).is_empty()
    assert same.rank(x.to_scipy()[:0])[0].shape == (0, 10)
    assert same.score(x.to_scipy()).tobytes() == plain.score(x.to_scipy()).tobytes()


STEPS: list[dict[str, Any]] = [
    {"diversity": 0.4},
    {"diversity": 0.4, "similarity": "ratings", "pool": 7},
    {"calibration": 0.6},
    {"diversity": 0.2, "calibration": 0.5, "at_most": {"War": 2}, "must": ["Drama"]},
    {"diversity": 0.3, "max_exposure": 0.4},
]
each_step = pytest.mark.parametrize("steps", STEPS, ids=str)


@each_step
@each_model
def test_one_person_gets_what_everybody_gets_among_others(model: Recommender, steps: dict[str, Any]) -> None:
    """NumPy for few, compiled loops for many; with a cap, the first one of the call is the one without competition."""
    x = world()
    reranked = ct.Reranked(model, **steps).fit(x, catalog())
    users = x.users.ids.tolist()
    everybody = reranked.recommend(users, 5)
    for user in users[:1] if "max_exposure" in steps else users[::7]:
        own = everybody.filter(user=user)
        rows = min(len(own), 1) if "max_exposure" in steps else 5
        assert reranked.recommend(user, 5)["item"][:rows].to_list() == own["item"][:rows].to_list()
        profile = profile_of(x, users.index(user))
        scores = dict(zip(x.items.ids.tolist(), reranked.score(x.to_scipy()[users.index(user)])[0], strict=True))
        assert not set(own["item"]) & set(profile)
        if model.name != "user-knn":  # a known user is not their own neighbour, a stranger is
            np.testing.assert_allclose(own["score"], [scores[item] for item in own["item"]], rtol=1e-4)
    few = x.items.ids[3:12].tolist()
    assert set(reranked.recommend(users, 5, candidates=few)["item"]) <= set(few)
    if not {"at_most", "max_exposure"} & set(steps):  # where rules leave too little, lists are shorter
        assert len(everybody) == len(ct.Reranked(model).fit(x, catalog()).recommend(users, 5))


@each_step
def test_any_number_of_threads_gives_the_same_lists(steps: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    x, found = wide_world(), set()
    genres = [("Drama", "War", "Comedy|War", "Drama|Comedy", "")[item % 5] for item in range(x.n_items)]
    content = Catalog.from_titles(pl.DataFrame({"item": x.items.ids, "genres": genres}))
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("COTERIE_THREADS", threads)
        model = ct.Reranked(ct.EASE(), **steps).fit(x, content)
        found.add(model.recommend(x.users.ids.tolist(), 5).write_ipc(None).getvalue())
    assert len(found) == 1


@pytest.mark.parametrize("size", [7, 100])
def test_blocks_do_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = wide_world()
    model = ct.Reranked(ct.EASE(), diversity=0.2, similarity="ratings", max_exposure=0.02).fit(x)
    users = x.users.ids[:300].tolist()
    expected = model.recommend(users)
    monkeypatch.setattr("coterie.models.reranking._BLOCK_ROWS", size)
    assert_frame_equal(model.recommend(users).drop("score"), expected.drop("score"), check_exact=True)


@given(st.data())
def test_rules_hold_in_every_list(data: st.DataObject) -> None:
    x, content = world(), catalog()
    kinds = dict(content.items.select("item", "genres").iter_rows())
    things = st.sampled_from([*x.items.ids.tolist(), *content.genres])
    never = data.draw(st.lists(things, max_size=4))
    at_most = data.draw(st.dictionaries(st.sampled_from(content.genres), st.integers(0, 3)))
    wanted = st.sampled_from(x.items.ids.tolist())
    must = [data.draw(wanted)] if data.draw(st.booleans()) else []
    share = None if must else data.draw(st.sampled_from([None, 0.1, 0.5]))
    weights = data.draw(st.sampled_from([{}, {"diversity": 0.5}, {"calibration": 0.5}]))
    model = ct.Reranked(
        FITTED["ease"], must=must, never=never, at_most=at_most or None, max_exposure=share,
        pool=data.draw(st.integers(1, 30)), **weights,
    )  # fmt: skip
    k = data.draw(st.integers(1, 8))
    try:
        model.wrap()
    except ParameterError as error:  # must against the others, which is for Reranked to find out
        assert (must and str(must[0]) in str(error)) or "must asks for 1 of" in str(error)
        return
    users = data.draw(st.lists(st.sampled_from(x.users.ids.tolist()), max_size=25, unique=True))
    table = model.recommend(users, k)
    barred = set(never) | {item for item, own in kinds.items() if set(own) & set(never)}
    assert not set(table["item"]) & barred
    if share is not None:
        assert table.group_by("item").len()["len"].max() in (None, *range(1, max(1, int(share * len(users))) + 1))
    for user in users:
        own = table.filter(user=user)["item"].to_list()
        seen = profile_of(x, users_at(user))
        assert len(set(own)) == len(own) <= k
        assert not set(own) & set(seen)
        assert set(must) <= set(own) | set(seen) | UNSCORED or not seen  # EASE has nothing to say to those
        for genre, most in at_most.items():
            assert sum(genre in kinds[item] for item in own) <= most


FITTED: dict[str, Recommender] = {}
UNSCORED = {int(world().items.ids[UNRATED_ITEM])}


def users_at(user: int) -> int:
    return world().users.ids.tolist().index(user)


@pytest.fixture(autouse=True, scope="module")
def _fitted() -> None:
    FITTED["ease"] = ct.EASE().fit(world(), catalog())


@given(st.floats(0.01, 1), st.integers(1, 120), st.integers(1, 6))
def test_no_item_is_in_more_lists_than_the_cap_allows(share: float, n: int, k: int) -> None:
    x = wide_world()
    model = ct.Reranked(POPULAR, max_exposure=share).wrap()
    items, _, counts = model.rank(x.to_scipy()[:n], k)  # all have the same favourites, and every list is full
    assert np.unique(items[items >= 0], return_counts=True)[1].max() <= max(1, np.floor(share * n + 1e-9))
    assert (counts == k).all()


POPULAR = ct.Popularity().fit(wide_world())


# ---- what else a model does ------------------------------------------------------------------------------


def test_scores_ratings_and_explanations_are_the_models() -> None:
    x = world()
    plain, reranked = ct.ItemKNN().fit(x, catalog()), ct.Reranked(ct.ItemKNN(), diversity=0.5).fit(x, catalog())
    user, items = int(x.users.ids[0]), x.items.ids.tolist()
    assert reranked.predicts_ratings
    assert reranked.predict([user] * len(items), items).tobytes() == plain.predict([user] * len(items), items).tobytes()
    assert_frame_equal(reranked.similar_items(items[:3]), plain.similar_items(items[:3]))
    for row in reranked.recommend(user, 3).iter_rows(named=True):
        why = reranked.explain(user, row["item"], of="score")
        assert why.score == pytest.approx(row["score"], rel=1e-5)
        assert why.base + why.contributions["contribution"].sum() == pytest.approx(why.score)
    assert not ct.Reranked(ct.EASE()).predicts_ratings
    assert reranked.mean_with_unrated_as_zero(items[0]) == plain.mean_with_unrated_as_zero(items[0])
    with pytest.raises(AttributeError, match="'Reranked' object has no attribute 'mean_with"):
        ct.Reranked(ct.ItemKNN()).mean_with_unrated_as_zero  # noqa: B018


def test_fit_leaves_the_given_model_alone_and_wrap_takes_it() -> None:
    given = ct.EASE()
    reranked = ct.Reranked(given, diversity=0.5).fit(world(), catalog())
    assert not given.is_fitted
    assert reranked.model is given
    with pytest.raises(NotFittedError, match="this EASE is not fitted"):
        ct.Reranked(given).wrap()
    given.fit(world(), catalog())
    wrapped = ct.Reranked(given, diversity=0.5).wrap()
    assert wrapped.model_ is given
    users = world().users.ids.tolist()
    assert_frame_equal(wrapped.recommend(users), reranked.recommend(users), check_exact=True)


def test_update_is_the_models() -> None:
    x = world()
    users, items = [77, 77, int(x.users.ids[1])], [555, int(x.items.ids[0]), 555]
    new = ct.Interactions.from_frame(
        pl.DataFrame({"u": users, "i": items, "r": [4.0, 3.0, 5.0], "t": [10**9] * 3}), "u", "i", "r", "t"
    )
    options: dict[str, Any] = {"diversity": 0.4, "similarity": "ratings", "at_most": {"War": 2}}
    model = ct.Reranked(ct.EASE(), **options).fit(x, catalog())
    before = model.model_
    assert model.update_equals_refit
    model.update(new)
    assert before.train_ is x
    fresh = ct.Reranked(ct.EASE(), **options).fit(x.merge(new), catalog())
    users = fresh.train_.users.ids.tolist()
    assert model.train_.n_items == x.n_items + 1
    assert_frame_equal(model.recommend(users).drop("score"), fresh.recommend(users).drop("score"))
    als = ct.Reranked(ct.SVD(n_factors=3), diversity=0.3, similarity="ratings").fit(x)
    als.update(new)
    assert 555 not in als.recommend(77)["item"]


def test_a_model_that_learns_in_sweeps_does_so_inside(tmp_path: Path) -> None:
    x = world()
    held = x.select(np.arange(x.nnz) % 5 == 0, keep_vocabularies=True)
    model = ct.Reranked(ct.ALS(n_factors=3, n_iterations=4), diversity=0.3)
    assert model.learns_in_sweeps
    model.fit(x, catalog(), validation=held, checkpoint=tmp_path / "sweeps")
    alone = ct.ALS(n_factors=3, n_iterations=4).fit(x, catalog(), validation=held)
    assert model.objective_.tobytes() == alone.objective_.tobytes()
    assert model.held_out_rmse_.tobytes() == alone.held_out_rmse_.tobytes()
    assert (tmp_path / "sweeps").is_dir()


def test_an_interrupted_fit_leaves_a_usable_model(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ct.ALS.fit

    def interrupted(self: Any, *given: Any, **named: Any) -> Any:
        fit(self, *given, **named)
        raise FitInterrupted("ALS", 1, 2)

    monkeypatch.setattr(ct.ALS, "fit", interrupted)
    model = ct.Reranked(ct.ALS(n_factors=3, n_iterations=2), diversity=0.3)
    with pytest.raises(FitInterrupted, match="Reranked was interrupted; it is fitted with 1 of 2 sweeps"):
        model.fit(world(), catalog())
    assert len(model.recommend(world().users.ids.tolist()))


@each_step
def test_a_loaded_one_is_the_saved_one(steps: dict[str, Any], tmp_path: Path) -> None:
    x = world()
    model = ct.Reranked(ct.ALS(n_factors=3, n_iterations=2), never=[int(x.items.ids[2])], **steps).fit(x, catalog())
    model.save(tmp_path / "model")
    loaded = ct.load_model(tmp_path / "model")
    assert isinstance(loaded, ct.Reranked)
    assert repr(loaded) == repr(model)
    assert loaded.model_.train_ is loaded.train_
    assert loaded.model_.catalog_ is loaded.catalog_
    assert not loaded.model.is_fitted
    assert_frame_equal(loaded.recommend(x.users.ids.tolist()), model.recommend(x.users.ids.tolist()), check_exact=True)
    assert_frame_equal(loaded.recommend_for(profile_of(x, 3)), model.recommend_for(profile_of(x, 3)), check_exact=True)
    names = [file.name for file in (tmp_path / "model").rglob("*.npy")]
    assert sum("indptr" in name and "train_" in name for name in names) == 1  # the ratings are stored once
    loaded.save(tmp_path / "again")
    assert repr(ct.load_model(tmp_path / "again")) == repr(model)
    ct.Reranked(loaded.model_, **steps).wrap().save(tmp_path / "wrapped")
    assert repr(ct.load_model(tmp_path / "wrapped").model) == repr(model.model)
    assert learned_bytes(model) >= learned_bytes(model.model_) > 0


def test_a_folder_of_an_unknown_model_inside_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ct.Reranked(ct.EASE(), never=[1000]).model.fit(world()).save(tmp_path / "plain")
    ct.Reranked(ct.EASE()).fit(world()).save(tmp_path / "model")
    others = {name: place for name, place in registry.MODELS.items() if name != "ease"}
    monkeypatch.setattr(registry, "MODELS", others)  # not delitem: undone, it would put the name last
    with pytest.raises(ArtifactError, match="is a 'ease'"):
        ct.load_model(tmp_path / "model")


def test_serving_one_person_loads_no_compiler(tmp_path: Path) -> None:
    x = interactions([[5, 3, 0, 1, 0, 0], [4, 0, 0, 1, 2, 0], [1, 1, 0, 5, 0, 4], [0, 1, 5, 4, 3, 0]])
    steps: dict[str, Any] = {"diversity": 0.2, "calibration": 0.3, "at_most": {"War": 1}, "must": ["Comedy"]}
    model = ct.Reranked(ct.EASE(), max_exposure=0.5, pool=3, **steps).fit(x, about(["War", "Comedy", "Drama|War"] * 2))
    model.save(tmp_path / "model")
    run: Any = subprocess.run([sys.executable, "-c", CODE, tmp_path / "model"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


# ---- on the leaderboard ----------------------------------------------------------------------------------


def often_rated() -> ct.Dataset:
    """The sample without items that few have rated: a third of it, and EASE is fitted in no time."""
    return ct.load("movielens-sample").filter(min_item_ratings=5)


def test_the_cost_in_accuracy_is_a_line_on_the_leaderboard() -> None:
    ds = often_rated()
    models = [ct.EASE(), ct.Reranked(ct.EASE(), diversity=0.3), ct.Reranked(ct.EASE(), diversity=0.7)]
    board = ct.compare(ds, models, split="random", metrics=["ndcg@10"])
    assert [row.model for row in board.rows] == [
        "ease",
        "reranked(ease, diversity=0.3)",
        "reranked(ease, diversity=0.7)",
    ]
    values = [row.estimates["ndcg@10"] for row in board.rows]
    assert all(value is not None for value in values)
    ease, some, much = (value for value in values if value is not None)
    assert ease.value > some.value > much.value
    assert much.difference_high is not None
    assert much.difference_high < 0  # paired, and by more than noise
    assert board.rows[1].parameters["model"] == "ease"
    assert not models[1].is_fitted


@pytest.mark.parametrize("similarity", ["genre", "ratings"])
def test_lists_are_more_diverse_the_more_it_weighs(similarity: Any) -> None:
    ds = often_rated()
    base = ct.EASE().fit(ds.interactions, ds.catalog)
    alike = []
    for diversity in (0.0, 0.2, 0.5, 0.9):
        model = ct.Reranked(base, diversity=diversity, similarity=similarity).wrap()
        items = model.rank(ds.interactions.to_scipy()[:300], 10)[0]
        judged = ct.Reranked(base, diversity=0.5, similarity=similarity).wrap().item_likeness_
        pairs = [judged[own] @ judged[own].T if similarity == "genre" else judged[own][:, own] for own in items]
        alike.append(np.mean([pair.toarray()[np.triu_indices(10, 1)].mean() for pair in pairs]))
    assert alike == sorted(alike, reverse=True)
    assert alike[-1] < 0.6 * alike[0]


def test_lists_are_nearer_to_the_profile_the_more_calibration_weighs() -> None:
    ds = often_rated()
    base = ct.EASE().fit(ds.interactions, ds.catalog)
    shares = ct.Reranked(base, calibration=0.5).wrap().item_genres_.toarray()
    profiles = ds.interactions.to_scipy()[:300]
    own = profiles @ shares
    own /= own.sum(axis=1, keepdims=True)
    apart = []
    for calibration in (0.0, 0.2, 0.5, 0.9):
        items = ct.Reranked(base, calibration=calibration).wrap().rank(profiles, 10)[0]
        lists = 0.99 * shares[items].mean(axis=1) + 0.01 * own
        apart.append(
            np.where(own > 0, own * np.log(np.maximum(own, 1e-12) / np.maximum(lists, 1e-12)), 0).sum(axis=1).mean()
        )
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] < 0.3 * apart[0]


def test_evaluation_asks_for_capped_lists_together_and_for_lists_of_sampled_candidates() -> None:
    x = wide_world()
    train = x.select(np.arange(x.nnz) % 5 != 0, keep_vocabularies=True)
    test = x.select(np.arange(x.nnz) % 5 == 0, keep_vocabularies=True)
    model = ct.Reranked(ct.EASE(), max_exposure=0.01).fit(train)
    questions = Questions(Split.of(train, test), 4.0, 5, False)
    ranking = ask(model, questions).ranking
    assert ranking is not None
    n = len(questions.users)
    assert n > 512
    assert np.unique(ranking.items[ranking.items >= 0], return_counts=True)[1].max() == n // 100
    barred = x.items.ids[:350].tolist()
    model = ct.Reranked(ct.EASE(), never=barred).fit(train)
    sampled = Questions(Split.of(train, test), 4.0, 5, False, sampled=20)
    ranking = ask(model, sampled).ranking
    assert ranking is not None
    assert ranking.items.max() >= 350
    assert (ranking.items[ranking.items >= 0] >= 350).all()
    for row in (0, 5):
        assert set(ranking.items[row]) <= {-1, *sampled.candidates(int(sampled.users[row])).tolist()}
