"""What holds of every model's ratings, explanations and similar items."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from coterie.errors import CapabilityError, ParameterError, UnknownIdError
from tests.contract.cases import SILENT_USER, Case, assert_same, each_case, each_model, fitted, profile_of, world

# ---- ratings ---------------------------------------------------------------------------------------------


@each_case
def test_predictions_are_ratings_or_refused(case: Case) -> None:
    model, x = fitted(case), world()
    users, items = np.repeat(x.users.ids, x.n_items), np.tile(x.items.ids, x.n_users)
    if not model.predicts_ratings:
        with pytest.raises(CapabilityError, match="ranks items but does not predict ratings"):
            model.predict(users, items)
        with pytest.raises(CapabilityError, match=type(model).__name__):
            model.predict_for({}, items)
        return
    predicted = model.predict(users, items)
    assert (predicted.dtype, predicted.shape) == (np.float32, (x.n_users * x.n_items,))
    low, high = x.scale
    assert ((predicted >= low) & (predicted <= high)).all()
    assert np.ptp(predicted) > 0.5
    # in any order, alone or together, all at once or a few
    order = np.random.default_rng(0).permutation(len(users))
    assert_same(case, model.predict(users[order], items[order]), predicted[order])
    few = order[:6]
    assert_same(case, model.predict(users[few], items[few]), predicted[few])
    assert model.predict([], []).shape == (0,)


@each_case
def test_a_stranger_is_predicted_what_a_silent_user_is(case: Case) -> None:
    model, x = fitted(case), world()
    if model.predicts_ratings:
        user = x.users.ids[SILENT_USER]
        got = model.predict_for({}, x.items.ids)
        np.testing.assert_allclose(got, model.predict([user] * x.n_items, x.items.ids), rtol=1e-6)
        assert got.dtype == np.float32


@each_case
def test_bad_pairs_are_refused(case: Case) -> None:
    model, x = fitted(case), world()
    if model.predicts_ratings:
        user, item = x.users.ids[0], x.items.ids[0]
        with pytest.raises(ParameterError, match="2 users and 1 items"):
            model.predict([user, user], [item])
        with pytest.raises(UnknownIdError, match="unknown user 3"):
            model.predict([3], [item])
        with pytest.raises(UnknownIdError, match="unknown item 4"):
            model.predict([user], [4])
        with pytest.raises(UnknownIdError, match="unknown item 4"):
            model.predict_for({}, [4])


# ---- explanations ----------------------------------------------------------------------------------------


def check_sum(why: Any, value: float) -> None:
    total = why.base + why.contributions["contribution"].sum() + why.cut
    assert total == pytest.approx(why.score, rel=1e-9)
    assert why.score == pytest.approx(value, rel=1e-4, abs=1e-5)
    magnitudes = why.contributions["contribution"].abs()
    assert magnitudes.to_list() == sorted(magnitudes, reverse=True)
    assert why.summary


@pytest.mark.parametrize("user", [0, 17, SILENT_USER])
@each_case
def test_contributions_add_up_to_the_score(case: Case, user: int) -> None:
    model, x = fitted(case), world()
    row, id = x.to_scipy()[user], int(x.users.ids[user])
    for who, scores in ((id, model.score(row, np.array([user]))), (profile_of(x, user), model.score(row))):
        for item, score in zip(x.items.ids.tolist(), scores[0], strict=True):
            why = model.explain(who, item, of="score")
            assert (why.item, why.of, why.user) == (item, "score", id if who == id else None)
            assert why.cut == 0
            check_sum(why, 0.0 if np.isnan(score) else score)  # nothing to say is nothing to add up
            assert ("no score" in why.summary) == bool(np.isnan(score)), (why.summary, score)


@pytest.mark.parametrize("user", [0, 17, SILENT_USER])
@each_case
def test_contributions_add_up_to_the_predicted_rating(case: Case, user: int) -> None:
    model, x = fitted(case), world()
    id, items = int(x.users.ids[user]), x.items.ids.tolist()
    if not model.predicts_ratings:
        assert model.explain(id, items[0]).of == "score"
        with pytest.raises(CapabilityError):
            model.explain(id, items[0], of="rating")
        return
    low, high = x.scale
    profile = profile_of(x, user)
    for who, ratings in ((id, model.predict([id] * len(items), items)), (profile, model.predict_for(profile, items))):
        for item, rating in zip(items, ratings.tolist(), strict=True):
            why = model.explain(who, item)
            assert why.of == "rating"
            assert not why.cut or why.score in (low, high)
            check_sum(why, rating)


@each_case
def test_neighbors_of_an_explanation_are_ids_with_what_counted(case: Case) -> None:
    model, x = fitted(case, text=True), world(text=True)
    why = model.explain(x.users.ids[0], x.items.ids[0])
    parts = why.contributions
    for column, vocabulary in (("user", x.users), ("item", x.items)):
        if column in parts.columns:
            assert parts.schema[column] == pl.String
            assert set(parts[column]) <= set(vocabulary.ids)
            assert parts[column].is_unique().all()
            assert why.user not in parts[column]
    if "similarity" in parts.columns:
        assert len(parts)
        assert parts["similarity"].is_finite().all()
        assert set(parts["rating"]) <= set(np.arange(1, 11) / 2)
    if "item" in parts.columns:
        assert parts["title"].null_count() == 0


@each_model
def test_only_a_rating_or_a_score_is_explained(case: Case) -> None:
    with pytest.raises(ParameterError, match="of must be 'rating' or 'score', not 'taste'"):
        fitted(case).explain({}, int(world().items.ids[0]), of="taste")  # type: ignore[arg-type]


# ---- similar items ---------------------------------------------------------------------------------------


@each_case
def test_similar_items_are_others_nearest_first(case: Case) -> None:
    model, x = fitted(case), world()
    items = x.items.ids.tolist()
    try:
        table = model.similar_items(items, 4)
    except CapabilityError as error:
        assert type(model).__name__ in str(error)
        return
    assert table.schema == {
        "item": pl.Int64, "rank": pl.Int32, "neighbor": pl.Int64, "similarity": pl.Float32, "title": pl.String,
    }  # fmt: skip
    assert (table["item"] != table["neighbor"]).all()
    assert table["similarity"].is_finite().all()
    assert table["title"].to_list() == [f"Title {i} (1999)" for i in table["neighbor"]]
    seen = 0
    for (_,), part in table.group_by("item", maintain_order=True):
        assert part["rank"].to_list() == list(range(1, len(part) + 1))
        assert len(part) <= 4
        pairs = list(zip((-part["similarity"]).to_list(), x.items.indices(part["neighbor"]).tolist(), strict=True))
        assert pairs == sorted(pairs)
        seen += 1
    assert seen >= x.n_items - 1  # all but the item that nobody rated
    one = model.similar_items(items[0], 4)
    assert_same(case, one, table.filter(pl.col("item") == items[0]))
    assert model.similar_items([]).schema == table.schema
    assert len(model.similar_items(items[0], 1000)) <= x.n_items - 1
    with pytest.raises(UnknownIdError, match="unknown item 4"):
        model.similar_items([items[0], 4])
    with pytest.raises(ParameterError, match="k must be"):
        model.similar_items(items, 0)
