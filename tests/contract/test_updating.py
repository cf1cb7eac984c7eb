"""What holds of every model that takes in new ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from polars.testing import assert_frame_equal

import coterie as ct
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import CapabilityError, DataError, NotFittedError
from coterie.models.base import Recommender
from tests.contract.cases import (
    CASES,
    KNOWN_BY_MORE,
    Case,
    catalog,
    each_case,
    each_model,
    fitted,
    label,
    make,
    profile_of,
    state,
    times,
    world,
)

NEW_USERS = [9001, 9000]


def ratings(user_ids: list[Any], item_ids: list[Any], rows: list[list[float]]) -> Interactions:
    """Ratings of users (rows, 0 for unrated) of items."""
    dense = np.array(rows, np.float32)
    user, item = np.nonzero(dense)
    return Interactions.from_arrays(
        Vocabulary(user_ids, "user"),
        Vocabulary(item_ids, "item"),
        user,
        item,
        dense[user, item],
        times(user + 5, item),
    )


def new_users() -> Interactions:
    """Two people nobody has met rate items 5, 0 and 3 of the small world."""
    return ratings(NEW_USERS, world().items.ids[[5, 0, 3]].tolist(), [[4.5, 0, 2], [1, 5, 3]])


def new_ratings() -> Interactions:
    """The new users, one known user with a changed rating and two more."""
    x = world()
    known, row = int(x.users.ids[7]), x.to_scipy()[7].indices
    items = [int(row[1]), *np.setdiff1d(np.arange(x.n_items), row)[:2].tolist()]
    return new_users().merge(ratings([known], x.items.ids[items].tolist(), [[3.5, 1, 4]]))


def new_items() -> Interactions:
    """New ratings, two of them of an item nobody has met."""
    x = world()
    fans = [int(x.users.ids[2]), NEW_USERS[0]]
    return new_ratings().merge(ratings(fans, [70_001, int(x.items.ids[1])], [[4, 0], [5, 2]]))


def updated(case: Case, new: Interactions) -> Recommender:
    return make(case).fit(world(), catalog()).update(new)


@each_case
def test_everybody_is_answered_from_the_new_ratings(case: Case) -> None:
    model = make(case).fit(world(), catalog())
    users, profile = world().users.ids.tolist(), profile_of(world(), 7)
    model.recommend(users)
    model.recommend_for(profile)
    model.explain(users[7], int(world().items.ids[0]))  # so that whatever is kept for later is kept
    assert model.update(new_ratings()) is model
    train = model.train_
    assert train.fingerprint == world().merge(new_ratings()).fingerprint
    assert train.users.ids.tolist() == [*users, *NEW_USERS] and train.items == world().items
    rows = np.arange(train.n_users)
    scores = model.score(train.to_scipy(), rows)
    assert scores.shape == train.shape
    for user in (7, train.n_users - 2, train.n_users - 1):
        id, row = int(train.users.ids[user]), train.to_scipy()[user]
        found = model.recommend(id, k=50)
        assert len(found) and not set(found["item"]) & set(train.items.ids[row.indices].tolist())
        columns = train.items.indices(found["item"])
        np.testing.assert_allclose(found["score"], scores[user, columns], rtol=1e-4, atol=1e-5)
        why = model.explain(id, found["item"][0])
        assert why.base + why.contributions["contribution"].sum() + why.cut == pytest.approx(why.score)
        if model.predicts_ratings:
            items = train.items.ids.tolist()
            once, alone = model.predict([id] * len(items), items), model.predict_for(profile_of(train, user), items)
            if model.name not in KNOWN_BY_MORE:
                np.testing.assert_allclose(once, alone, rtol=1e-4)


@pytest.mark.parametrize("new", [new_users, new_ratings, new_items])
@pytest.mark.parametrize("case", [case for case in CASES if make(case).update_equals_refit], ids=label)
def test_an_update_that_claims_so_is_a_fit(case: Case, new: Any) -> None:
    model, again = updated(case, new()), make(case).fit(world().merge(new()), catalog())
    assert model.train_.fingerprint == again.train_.fingerprint
    rows, profiles = np.arange(model.train_.n_users), model.train_.to_scipy()
    np.testing.assert_allclose(model.score(profiles, rows), again.score(profiles, rows), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.score(profiles), again.score(profiles), rtol=1e-4, atol=1e-5)
    if model.predicts_ratings:
        pairs = np.repeat(model.train_.users.ids, 3), np.tile(model.train_.items.ids[[0, 5, -1]], len(rows))
        np.testing.assert_allclose(model.predict(*pairs), again.predict(*pairs), rtol=1e-4)


@each_case
def test_new_items_are_recommended_or_refused(case: Case) -> None:
    model = make(case).fit(world(), catalog())
    before = state(model)
    try:
        model.update(new_items())
    except CapabilityError as error:
        assert not model.update_equals_refit
        for part in (type(model).__name__, "new items: item 70001;", "fit(model.train_.merge(new), model.catalog_)"):
            assert part in str(error)
        assert state(model) == before
        users = world().users.ids.tolist()
        assert_frame_equal(model.recommend(users), fitted(case).recommend(users), check_exact=True)
        return
    assert model.train_.items.ids.tolist() == [*world().items.ids.tolist(), 70_001]
    scores = model.score(model.train_.to_scipy(), np.arange(model.train_.n_users))
    lists = model.recommend(model.train_.users.ids.tolist(), k=50)
    assert np.isfinite(model.explain(NEW_USERS[1], 70_001).score)
    again = make(case).fit(model.train_, catalog())
    if model.update_equals_refit and np.isfinite(again.score(model.train_.to_scipy())[:, -1]).any():
        assert np.isfinite(scores[:, -1]).any()
        titles = lists.filter(item=70_001)["title"]
        assert len(titles) and titles.null_count() == len(titles)


@each_case
def test_an_updated_model_is_kept_and_a_loaded_one_updated(case: Case, tmp_path: Path) -> None:
    model = updated(case, new_ratings())
    fitted(case).save(tmp_path / "first")
    loaded = ct.load_model(tmp_path / "first").update(new_ratings())
    assert state(loaded) == state(model)
    loaded.save(tmp_path / "second")
    ct.load_model(tmp_path / "first").update(new_ratings()).save(tmp_path / "first")  # over what it is mapped from
    users = model.train_.users.ids.tolist()
    for folder in ("first", "second"):
        again = ct.load_model(tmp_path / folder)
        assert state(again) == state(model)
        assert_frame_equal(again.recommend(users), model.recommend(users), check_exact=True)


@each_model
def test_what_cannot_be_taken_in_leaves_the_model_as_it_was(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(case).fit(world(), catalog())
    before = state(model)
    with pytest.raises(TypeError, match="update takes Interactions, not csr_matrix"):
        model.update(world().to_scipy())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="user ids are integers here, but the new ones are text"):
        model.update(ratings(["anna"], [1], [[4]]))

    def fails(self: Recommender, *arguments: Any) -> None:
        for name in list(vars(self)):
            setattr(self, name, None)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(model), "_update", fails)
    with pytest.raises(KeyboardInterrupt):
        model.update(new_users())
    assert state(model) == before
    with pytest.raises(NotFittedError, match="call fit"):
        make(case).update(new_users())


@each_model
def test_nothing_new_changes_nothing(case: Case) -> None:
    nothing = world().select(np.zeros(world().nnz, bool))
    again = make(case).fit(world(), catalog()).update(nothing)
    assert state(again) == state(fitted(case))
