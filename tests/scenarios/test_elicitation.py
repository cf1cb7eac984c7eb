"""Questions to a stranger: the posterior against direct inversion, what strategies ask, and the curve."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coterie as ct
from coterie.data.interactions import Interactions
from coterie.errors import DataError, NotFittedError, ParameterError
from coterie.models.registry import model_class
from coterie.scenarios import Elicitation, question_curve
from coterie.scenarios.elicitation import STRATEGIES, Asking, Inquiry
from coterie.scenarios.question_curve import QuestionCurve
from coterie.scenarios.taste import TasteSpace, moments
from tests.scenarios.made import two_camps


def space(seed: int, n: int = 8, d: int = 3) -> TasteSpace:
    generator = np.random.default_rng(seed)
    root = generator.standard_normal((d, d))
    vectors = np.hstack([generator.standard_normal((n, d - 1)), np.ones((n, 1))])
    return TasteSpace(vectors, generator.random(n), generator.standard_normal(d), root @ root.T + np.eye(d), 0.7)


@pytest.fixture(scope="module")
def model() -> ct.Recommender:
    return ct.EASE(regularization=10.0).fit(*two_camps())


# ---- the posterior ---------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 7), st.floats(1, 5)), max_size=12))
def test_updates_one_by_one_are_the_inverse_of_all_at_once(seed: int, answers: list[tuple[int, float]]) -> None:
    s = space(seed)
    taste = s.stranger()
    for item, rating in answers:
        taste = taste.after(item, rating)
    x = s.vectors[[item for item, _ in answers]].reshape(-1, 3)
    r = np.array([rating - s.offsets[item] for item, rating in answers])
    precision = np.linalg.inv(s.covariance)
    covariance = np.linalg.inv(precision + x.T @ x / s.noise)
    assert taste.covariance == pytest.approx(covariance, abs=1e-8)
    assert taste.mean == pytest.approx(covariance @ (precision @ s.mean + x.T @ r / s.noise), abs=1e-6)
    assert taste.ratings() == pytest.approx(s.offsets + s.vectors @ taste.mean)


@given(st.integers(0, 10_000))
def test_a_reduction_is_what_an_answer_takes_away(seed: int) -> None:
    s = space(seed)
    weights = np.random.default_rng(seed).random(8)
    taste = s.stranger().after(2, 4.0)
    before = sum(w * x @ taste.covariance @ x for w, x in zip(weights, s.vectors, strict=True)) / weights.sum()
    assert taste.uncertainty(weights) == pytest.approx(before)
    expected = [taste.uncertainty(weights) - taste.after(i, 3.0).uncertainty(weights) for i in range(8)]
    assert taste.reductions(moments(s.vectors, weights)) == pytest.approx(expected)
    assert min(expected) >= 0


def test_the_prior_makes_ratings_more_likely_with_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    from coterie.scenarios import taste as module

    x, _ = two_camps()
    fitted = ct.EASE(regularization=10.0).fit(x)

    def likelihood(steps: int) -> float:
        monkeypatch.setattr(module, "_STEPS", steps)
        s = TasteSpace.of(fitted)
        total = 0.0
        for u in range(x.n_users):
            own = slice(x.indptr[u], x.indptr[u + 1])
            v = s.vectors[x.indices[own]]
            cov = v @ s.covariance @ v.T + s.noise * np.eye(len(v))
            e = x.values[own] - s.offsets[x.indices[own]] - v @ s.mean
            total -= 0.5 * (e @ np.linalg.solve(cov, e) + np.linalg.slogdet(cov)[1])
        return total

    values = [likelihood(n) for n in (1, 2, 4, 8)]
    assert (np.diff(values) > -1e-3 * abs(values[0])).all()
    assert values[-1] > values[0]


# ---- what is asked ---------------------------------------------------------------------------------------


def test_popularity_and_its_product_with_variance(model: ct.Recommender) -> None:
    x = model.train_
    frame = x.to_frame().group_by("item").agg(pl.len().alias("n"), pl.col("rating").var(ddof=0).alias("var"))
    counts = dict(frame.select("item", "n").iter_rows())
    asking = Elicitation(model, "popularity")
    for _ in range(4):
        item = asking.ask()
        assert counts[item] == max(c for i, c in counts.items() if i not in asking.asked)
        assert asking.ask() == item  # until it is answered
        asking.answer(None)
    everything = float(x.values.var(dtype=np.float64))
    worth = {item: n * (n * var + 20 * everything) / (n + 20) for item, n, var in frame.iter_rows()}
    assert Elicitation(model, "popularity_variance").ask() == max(worth, key=lambda item: worth[item])


def test_random_is_repeatable_and_asks_everything_once(model: ct.Recommender) -> None:
    orders = []
    for seed in (0, 0, 1):
        asking = Elicitation(model, "random", seed)
        for _ in range(model.train_.n_items):
            asking.ask()
            asking.answer(None)
        orders.append(asking.asked)
        with pytest.raises(DataError, match="all 30 items were asked"):
            asking.ask()
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == model.train_.items.ids.tolist()


def test_what_is_known_moves_what_is_thought_to_be_known(model: ct.Recommender) -> None:
    asking = Asking(model, "uncertainty")
    inquiry = Inquiry(asking)
    assert inquiry.chances() == pytest.approx(asking.known)
    inquiry.hear(3, 4.0)
    inquiry.hear(5, None)
    y = 0.5 * (asking.rated.toarray() + asking.known)
    w = y[:, 3] * (1 - y[:, 5])
    own = w @ asking.rated.toarray() / w.sum()
    assert inquiry.chances() == pytest.approx(0.5 * own + 0.5 * asking.known)


def test_answers_teach_and_what_is_not_known_does_not(model: ct.Recommender) -> None:
    asking = Elicitation(model)
    before = asking.uncertainty
    first = asking.ask()
    asking.answer(None)
    assert asking.uncertainty == before
    camp = {}
    for _ in range(6):
        item = asking.ask()
        camp[item] = 5.0 if item < 115 else 1.0
        asking.answer(camp[item])
    assert asking.uncertainty < before
    assert asking.answers == camp
    assert asking.history["item"].to_list() == [first, *camp]
    assert asking.history["rating"].to_list() == [None, *camp.values()]
    found = asking.recommend(5)
    assert found.equals(model.recommend_for(camp, 5))
    assert set(asking.explain(found["item"][0]).contributions["item"]) <= set(camp)
    assert asking._inquiry.taste is not None
    ratings = asking._inquiry.taste.ratings()
    assert ratings[:15].mean() > ratings[15:].mean() + 1  # the camp is found


def test_not_knowing_what_everybody_has_rated_says_nothing_of_whom_one_is_like() -> None:
    x = Interactions.from_frame(
        pl.DataFrame({"u": [1, 1, 2, 2, 3], "i": [7, 8, 7, 9, 7], "r": [1.0, 5.0, 2.0, 4.0, 3.0]}), "u", "i", "r"
    )
    inquiry = Inquiry(Asking(ct.Popularity().fit(x), "uncertainty"))
    before = inquiry.chances()
    inquiry.hear(0, None)
    assert inquiry.chances().tolist() == before.tolist()


@pytest.mark.parametrize("name", ["ease", "item-knn"])
def test_who_answers_nothing_gets_what_most_people_have_rated(name: str) -> None:
    x, catalog = two_camps()
    model = model_class(name)().fit(x, catalog)
    asking = Elicitation(model, "popularity")
    counts = dict(x.to_frame().group_by("item").len().iter_rows())
    for _ in range(2):
        assert asking.by_popularity
        found = asking.recommend(4)
        assert found["score"].to_list() == sorted(counts.values(), reverse=True)[:4]
        assert [counts[item] for item in found["item"]] == found["score"].to_list()
        assert "people rated it" in asking.explain(found["item"][0]).summary
        asking.ask()
        asking.answer(None)
    asking.ask()
    asking.answer(5.0)
    assert not asking.by_popularity
    assert asking.recommend(4).equals(model.recommend_for(asking.answers, 4))


def test_ratings_that_are_all_equal() -> None:
    x, _ = two_camps()
    ones = ct.EASE().fit(x.binarized())
    with pytest.raises(DataError, match="ratings are equal, so that an answer"):
        Elicitation(ones)
    asking = Elicitation(ones, "popularity")
    asking.ask()
    asking.answer(1.0)
    assert len(asking.recommend(3)) == 3


def test_one_user_one_item() -> None:
    x = Interactions.from_frame(pl.DataFrame({"u": ["a", "b"], "i": ["x", "x"], "r": [1.0, 5.0]}), "u", "i", "r")
    asking = Elicitation(ct.Popularity().fit(x))
    assert asking.ask() == "x"
    asking.answer(2.0)
    assert asking.history["item"].dtype == pl.String
    assert not len(asking.recommend())


def test_errors(model: ct.Recommender) -> None:
    with pytest.raises(ParameterError, match="strategy must be one of"):
        Elicitation(model, "entropy")  # type: ignore[arg-type]
    with pytest.raises(NotFittedError):
        Elicitation(ct.EASE())
    asking = Elicitation(model, "popularity")
    with pytest.raises(ParameterError, match="nothing was asked"):
        asking.answer(3)
    asking.ask()
    with pytest.raises(ParameterError, match="ratings here go from 1 to 5; 9 is not one"):
        asking.answer(9)
    with pytest.raises(ParameterError, match="keeps no uncertainty"):
        _ = asking.uncertainty


# ---- the curve -------------------------------------------------------------------------------------------


def test_the_curve_starts_alike_and_ends_where_all_is_told() -> None:
    x, _ = two_camps()
    curve = question_curve(x, ct.SVD(n_factors=2), STRATEGIES, n_questions=30, n_people=12)
    table = curve.table
    assert table["strategy"].unique(maintain_order=True).to_list() == list(STRATEGIES)
    start, end = table.filter(pl.col("asked") == 0), table.filter(pl.col("asked") == 30)
    for metric in ("rmse", "ndcg@10"):
        assert start[metric].n_unique() == 1
        # all 30 items were asked about, so all that can be answered was
        assert end[metric].to_list() == pytest.approx([curve.everything[metric]] * 4)
        assert (table[f"{metric}_low"] <= table[metric] + 1e-9).all()
        assert (table[f"{metric}_high"] >= table[metric] - 1e-9).all()
    assert start["answered"].to_list() == [0.0] * 4
    assert end["answered"].to_list() == pytest.approx([curve.available] * 4)
    assert (end["rmse"] < start["rmse"] - 0.2).all()
    assert set(curve.versus["metric"]) == {"rmse", "ndcg@10"}
    assert "After 30 questions rmse is best for" in curve.words()


def test_a_ranker_has_no_rmse_and_one_strategy_no_rival() -> None:
    x, _ = two_camps()
    curve = question_curve(x, "ease", ["popularity"], n_questions=3, n_people=5)
    assert curve.metrics == ("ndcg@10",)
    assert curve.table["asked"].to_list() == [0, 1, 2, 3]
    assert not len(curve.versus)
    assert "before" not in curve.words()
    with pytest.raises(ParameterError, match="unknown strategy 'entropy'"):
        question_curve(x, "ease", ["entropy"])  # type: ignore[list-item]
    with pytest.raises(ParameterError, match="at least one question"):
        question_curve(x, "ease", n_questions=0)


def test_the_picture() -> None:
    from coterie.explore import question_curves, to_svg

    x, _ = two_camps()
    curve = question_curve(x, "svd", ["random", "uncertainty"], n_questions=4, n_people=6)
    figure = question_curves(curve)
    assert len(figure.axes) == 4
    assert "After 4 questions" in str(figure.get_label())
    assert to_svg(figure) == to_svg(question_curves(curve))


@pytest.mark.parametrize("rating", ["4", True, [4.0], float("nan")])
def test_an_answer_that_is_no_rating(model: ct.Recommender, rating: object) -> None:
    asking = Elicitation(model, "popularity")
    asking.ask()
    with pytest.raises(ParameterError, match="ratings here go from 1 to 5"):
        asking.answer(rating)  # type: ignore[arg-type]
    assert asking.asked == []


def drawn(values: list[float], told: float) -> tuple[float, float, str]:
    """The ends of the axis and its label for a curve of NDCG after 0, 1, 2, ... questions."""
    from coterie.explore import question_curves

    asked = np.arange(len(values))
    table = pl.DataFrame({"strategy": "popularity", "asked": asked, "answered": asked / 2, "ndcg@10": values})
    figure = question_curves(QuestionCurve(table, {"ndcg@10": told}, "svd", "", 9, 5.0, ("ndcg@10",)))
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim()
    return *left.get_ylim(), left.get_ylabel()


def test_the_axis_begins_near_what_is_drawn_and_says_so() -> None:
    low, high, label = drawn([0.0731, 0.0708, 0.0764], told=0.105)  # which is too far to be drawn
    assert 0.07 < low < 0.0708
    assert 0.0764 + 0.1 * (high - low) < high < 0.078
    assert label.endswith(f"from {low:.3g}")
    low, high, _ = drawn([0.0731, 0.0708, 0.0764], told=0.08)
    assert 0.08 + 0.1 * (high - low) < high < 0.083
    low, high, _ = drawn([0.5, 0.5001, 0.5], told=0.9)  # no difference fills the picture
    assert 0.01 < high - low < 0.02
    low, _, label = drawn([0.0, 0.3, 0.9], told=0.9)
    assert low == 0
    assert "from" not in label
