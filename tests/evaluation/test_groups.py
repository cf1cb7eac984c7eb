"""Groups of users, and metrics by group."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import ParameterError
from coterie.evaluation import Split, answer, by_group, user_groups
from coterie.evaluation.evaluate import Answers, Questions
from coterie.evaluation.groups import GroupEstimate, Groups
from coterie.evaluation.metrics import Predictions, Ranking, parse
from coterie.models.baselines import BiasBaseline, Popularity


def interactions(pairs: list[tuple[int, int]], n_users: int, n_items: int) -> Interactions:
    user, item = np.array(pairs, np.int64).T
    ids = Vocabulary(np.arange(n_users) + 100, "user"), Vocabulary(np.arange(n_items) + 500, "item")
    return Interactions.from_arrays(*ids, user, item, 1 + (user + item) % 5)


def questions(counts: list[int], untested: tuple[int, ...] = ()) -> Questions:
    """User u has the first ``counts[u]`` items as their profile, and the last item as their test."""
    n, n_items = len(counts), max(counts) + 1
    train = interactions([(u, i) for u, count in enumerate(counts) for i in range(count)], n, n_items)
    test = interactions([(u, n_items - 1) for u in range(n) if u not in untested], n, n_items)
    return Questions(Split.of(train, test), 0.0, 3, True)


def test_activity_in_thirds_with_bounds_in_the_labels() -> None:
    groups = user_groups(questions([1, 9, 2, 8, 3, 7, 5]), "activity")
    assert groups.labels == ("few (up to 3)", "some (4 to 7)", "many (8 or more)")
    assert groups.members.tolist() == [0, 2, 0, 2, 0, 1, 1]


def test_users_who_are_not_asked_about_are_in_no_group_and_move_no_bound() -> None:
    groups = user_groups(questions([1, 50, 2, 60, 3, 4, 5, 6], untested=(1, 3)))
    assert groups.labels == ("few (up to 2)", "some (3 to 4)", "many (5 or more)")
    assert groups.members.tolist() == [0, -1, 0, -1, 1, 1, 2, 2]


def test_equal_users_share_a_group_and_empty_groups_are_left_out() -> None:
    groups = user_groups(questions([4, 4, 4, 4]))
    assert groups.labels == ("few (up to 4)",) and groups.members.tolist() == [0, 0, 0, 0]
    groups = user_groups(questions([2, 2, 2, 2, 7]))
    assert groups.labels == ("few (up to 2)", "many (3 or more)") and groups.members.tolist() == [0, 0, 0, 0, 1]


def test_popularity_of_profiles() -> None:
    # Items 0, 1 and 2 were rated by 3 of 3, 2 of 3 and 1 of 3: profiles have means of 1, 5/6 and 2/3.
    groups = user_groups(questions([1, 2, 3]), "popularity")
    assert groups.labels == ("niche (up to 66.7%)", "mixed (up to 83.3%)", "mainstream (above 83.3%)")
    assert groups.members.tolist() == [2, 1, 0]


def test_only_known_groupings() -> None:
    with pytest.raises(ParameterError, match="by must be one of 'activity', 'popularity', not 'age'"):
        user_groups(questions([1, 2]), "age")


def test_values_are_those_of_the_groups_users_alone() -> None:
    asked = questions([1, 9, 2, 8, 3, 7, 5, 4, 6, 6])
    found = answer(BiasBaseline(), asked)
    assert found.ranking is not None and found.predictions is not None
    groups = user_groups(asked)
    for name in ("ndcg@3", "rmse", "r2", "novelty@2"):
        measure = parse(name)
        by_label = {estimate.group: estimate for estimate in by_group(measure, found, groups)}
        for place, label in enumerate(groups.labels):
            own = np.flatnonzero(groups.members == place)
            value = measure.value(_of(found, own, rating=measure.metric.kind == "rating"))
            if np.isnan(value):
                assert label not in by_label
                continue
            estimate = by_label[label]
            assert estimate.value == pytest.approx(value) and estimate.n_users == len(own)
            assert estimate.low is not None and estimate.high is not None
            assert estimate.low <= estimate.value + 1e-12 and estimate.value <= estimate.high + 1e-12


def _of(found: Answers, users: np.ndarray, rating: bool) -> Ranking | Predictions:
    """The answers about some users, cut out by hand."""
    if rating:
        p = found.predictions
        assert p is not None and p.users is not None
        kept = np.isin(p.users[p.user], users)
        return Predictions(np.searchsorted(users, p.users[p.user[kept]]), p.actual[kept], p.predicted[kept], len(users))
    r = found.ranking
    assert r is not None and r.users is not None
    kept = np.isin(r.users, users)
    return Ranking(r.items[kept], r.hits[kept], r.n_relevant[kept], r.n_items, r.users[kept], r.context)


def test_what_has_no_value_by_group() -> None:
    asked = questions([1, 2, 3])
    found = answer(Popularity(), asked)
    groups = user_groups(asked)
    assert by_group(parse("rmse"), found, groups) == []
    assert (
        by_group(parse("ndcg@2"), found, Groups("activity", ("all", "nobody"), np.zeros(3, np.int8)))[0].group == "all"
    )
    single = by_group(parse("precision@3"), found, groups)
    assert [e.n_users for e in single] == [1, 1, 1] and single[0].low is None


def test_metrics_of_the_catalogue_are_those_of_the_group_s_lists() -> None:
    items = np.array([[0, 1], [0, 1], [2, 3], [2, -1]], np.int32)
    users = np.arange(4)
    made = Answers(Ranking(items, items == 9, np.ones(4, np.int64), 8, users), None, 0.0, None, None)
    groups = Groups("half", ("first", "second", "nobody"), np.array([0, 0, 0, 1], np.int8))
    covered = by_group(parse("coverage@2"), made, groups)
    assert [(e.group, e.n_users, e.value, e.low) for e in covered] == [
        ("first", 3, 4 / 8, None), ("second", 1, 1 / 8, None)
    ]  # fmt: skip
    assert by_group(parse("gini@2"), made, groups)[1].value == pytest.approx(7 / 8)  # one item has all


def test_the_interval_is_that_of_the_group_by_itself() -> None:
    hits = np.random.default_rng(0).random((400, 1)) < 0.5
    items, users = np.zeros((400, 1), np.int32), np.arange(400)
    made = Answers(Ranking(items, hits, np.ones(400, np.int64), 5, users), None, 0.0, None, None)
    groups = Groups("half", ("first", "second"), np.repeat([0, 1], 200).astype(np.int8))
    first, second = by_group(parse("precision@1"), made, groups, random_state=1)
    assert isinstance(first, GroupEstimate) and first.low is not None and first.high is not None
    assert first.high - first.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(200), rel=0.1)
    assert first.value == hits[:200].mean() and second.value == hits[200:].mean()
