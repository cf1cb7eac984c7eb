"""The linter: for every check a case that it finds, with the numbers that it should say, and one that is sound."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.wording import counted
from coterie.errors import DataError
from coterie.evaluation import (
    Answers,
    Finding,
    Questions,
    Split,
    answer,
    check_folds,
    check_validation,
    compare,
    k_folds,
    leave_k_out,
    lint,
    lint_split,
    split,
    split_at_random,
    split_by_time,
    split_items,
    split_users,
)
from coterie.evaluation.leaderboard import Leaderboard
from coterie.evaluation.linter import NOTHING
from coterie.evaluation.linter.finding import listed, share
from coterie.evaluation.metrics import Predictions, Ranking
from coterie.evaluation.splits import splits
from coterie.models.baselines import Popularity
from tests.evaluation.made import make, ratings

SQUARE = make([(u, i, float(1 + (u + i) % 5), 10 * i + u) for u in range(6) for i in range(8)])


def part(keep: Any, x: Interactions = SQUARE) -> Interactions:
    return x.select(np.asarray(keep), keep_vocabularies=True)


def by_hand(train: Interactions, test: Interactions, **more: Any) -> Split:
    """A split that nobody has checked."""
    return Split(train, test, "by hand", more.pop("dropped", {}), **more)


def of_check(found: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in found if finding.check == check]


def only(found: list[Finding], check: str) -> Finding:
    (finding,) = of_check(found, check)
    return finding


def asked(made: Split, k: int = 3, rated: bool = True, relevant_from: float = 1, **more: Any) -> Questions:
    return Questions(made, relevant_from, k, rated, **more)


SOUND = Split.of(part(SQUARE.indices < 6), part(SQUARE.indices >= 6), timed=False)


# ---- leaks -------------------------------------------------------------------------------------------------


def test_test_ratings_in_training_are_an_error() -> None:
    finding = only(lint_split(by_hand(part(SQUARE.indices < 6), part(SQUARE.indices >= 5))), "test ratings in training")
    assert finding.severity == "error" and finding.count == 6
    assert finding.message.startswith(
        "6 test ratings are also training ratings, the first of user 0 and item 5; 6 of them are the very same rows"
    )
    assert 'overlap="drop"' in finding.message
    assert not of_check(lint_split(SOUND), "test ratings in training")


def test_a_pair_that_was_rated_anew_is_shared_and_not_the_same_row() -> None:
    train = part(SQUARE.indices < 6)
    values = np.array(train.values)
    values[train.indices == 5] = 9
    found = lint_split(by_hand(replace(train, values=values), part((SQUARE.indices >= 5) & (SQUARE.user_index == 2))))
    message = only(found, "test ratings in training").message
    assert message.startswith("1 test rating is also a training rating, the first of user 2 and item 5. ")


def test_test_ratings_that_are_given_are_an_error() -> None:
    stranger = SQUARE.user_index >= 4
    train, told, test = part(~stranger), part(stranger & (SQUARE.indices < 4)), part(stranger & (SQUARE.indices > 2))
    finding = only(lint_split(by_hand(train, test, given=told)), "test ratings in training")
    assert finding.count == 2 and "also given ratings" in finding.message


def test_strangers_whom_training_knows_are_an_error() -> None:
    stranger = SQUARE.user_index >= 4
    told, test = part(stranger & (SQUARE.indices < 4)), part(stranger & (SQUARE.indices >= 4))
    known = part(~stranger | ((SQUARE.user_index == 4) & (SQUARE.indices == 7)))
    finding = only(
        lint_split(by_hand(known, part(stranger & (SQUARE.indices == 5)), given=told)), "strangers in training"
    )
    assert (finding.severity, finding.count) == ("error", 1)
    assert finding.message.startswith(
        "1 user that should be a stranger has training ratings, the first of them user 4."
    )
    assert not of_check(lint_split(by_hand(part(~stranger), test, given=told)), "strangers in training")


def test_parts_with_different_ids_are_an_error_and_nothing_else_is_said() -> None:
    found = lint_split(by_hand(part(SQUARE.indices < 6), SQUARE.select(SQUARE.indices >= 6)))
    assert [(f.check, f.severity, f.count) for f in found] == [("ids of the parts", "error", 12)]


def test_the_future_in_training_is_an_error_where_the_split_is_by_time() -> None:
    # Item 6 is rated from 60 on; user 5's rating of item 5 is of 55.
    early = (SQUARE.indices < 6) | ((SQUARE.indices == 7) & (SQUARE.user_index == 0))
    finding = only(lint_split(by_hand(part(early), part(~early), timed=True)), "the future in training")
    assert (finding.severity, finding.count) == ("error", 1)
    assert finding.message.startswith("1 training rating is not earlier than the first test rating")
    assert not of_check(lint_split(by_hand(SOUND.train, SOUND.test, timed=True)), "the future in training")


def test_a_rating_of_the_very_first_test_moment_is_the_future() -> None:
    x = make([(0, 0, 3.0, 1), (0, 1, 3.0, 2), (0, 2, 3.0, 2)])
    finding = only(lint_split(by_hand(part(np.ones(3) == [1, 1, 0], x), part(np.ones(3) == [0, 0, 1], x), timed=True)),
                   "the future in training")  # fmt: skip
    assert finding.count == 1


def test_what_strangers_are_given_from_the_future_is_an_error_too() -> None:
    stranger, late = SQUARE.user_index == 5, SQUARE.indices == 7
    train, told, test = (
        part(~stranger & (SQUARE.indices < 5)),
        part(stranger & late),
        part(stranger & (SQUARE.indices == 6)),
    )
    assert only(lint_split(by_hand(train, test, given=told, timed=True)), "the future in training").count == 1


def test_a_split_by_time_without_times_cannot_be_looked_at() -> None:
    bare = by_hand(replace(SOUND.train, timestamps=None), SOUND.test, timed=True)
    finding = only(lint_split(bare), "the future in training")
    assert finding.severity == "warning" and "not all of its parts have timestamps" in finding.message
    assert not of_check(lint_split(replace(bare, timed=False)), "the future in training")


def test_elsewhere_the_future_is_a_note_with_shares() -> None:
    # Of user 0 the middle rating is tested, of user 1 the last: both are older than user 0's last.
    x = make([(0, 0, 3.0, 1), (0, 1, 3.0, 2), (0, 2, 3.0, 9), (1, 0, 3.0, 1), (1, 1, 3.0, 5)])
    held = np.array([0, 1, 0, 0, 1], bool)
    finding = only(lint_split(Split.of(part(~held, x), part(held, x))), "the future in training")
    assert (finding.severity, finding.count) == ("note", 2)
    assert (
        "100% are older than some training rating, and 50% are older than a rating of the same user" in finding.message
    )
    assert not of_check(lint_split(SOUND), "the future in training")


@given(ratings, st.floats(0.1, 0.9))
def test_a_split_by_time_that_the_room_made_has_no_future_in_training(x: Interactions, test_share: float) -> None:
    try:
        made = split_by_time(x, test_share)
    except DataError:
        assume(False)
    assert not of_check(lint_split(made), "the future in training")


@given(ratings, st.sampled_from(["time", "random", "leave-1-out", "each-user", "users:0.5", "cold-items", "2-fold"]))
def test_nothing_that_the_room_makes_has_errors(x: Interactions, how: str) -> None:
    try:
        made = splits(x, how)
    except DataError:
        assume(False)
    assert [f for one in made for f in lint_split(one) if f.severity == "error"] == [] == check_folds(made)


def test_one_person_under_two_ids() -> None:
    rows = [(u, i, float(1 + i % 5), 100 * min(u, 1) + i) for u in range(3) for i in range(10)]
    x = make(rows)  # users 1 and 2 are the same person
    held = (x.indices == 9) & (x.user_index >= 1)
    finding = only(lint_split(Split.of(part(~held, x), part(held, x))), "people under two ids")
    assert (finding.severity, finding.count) == ("warning", 2)
    assert "2 test users have exactly the ratings of another user, the first of them user 1." in finding.message
    lone = held & (x.user_index == 2)
    assert only(lint_split(Split.of(part(~lone, x), part(lone, x))), "people under two ids").count == 1
    strangers = Split.of(part(x.user_index < 2, x), part(lone, x), given=part((x.user_index == 2) & ~lone, x))
    assert only(lint_split(strangers), "people under two ids").count == 1


@pytest.mark.parametrize("change", [("rating", 4.5, 5), ("time", 3.0, 6), ("few", 3.0, 5)])
def test_people_who_differ_in_anything_or_have_few_ratings_are_two(change: tuple[str, float, int]) -> None:
    what, value, time = change
    n = 9 if what == "few" else 10
    x = make([(u, i, 3.0, 5) for u in range(2) for i in range(n - 1)] + [(0, n, 3.0, 5), (1, n, value, time)])
    held = (x.indices == 3) & (x.user_index == 0)
    assert not of_check(lint_split(Split.of(part(~held, x), part(held, x))), "people under two ids")


# ---- folds and searches ------------------------------------------------------------------------------------


def test_a_rating_that_two_folds_test_is_an_error() -> None:
    folds = k_folds(SQUARE, 3)
    assert check_folds(folds) == check_folds([]) == check_folds(folds[:1]) == []
    (finding,) = check_folds([*folds, folds[0]])
    assert (finding.check, finding.severity, finding.count) == ("ratings tested twice", "error", 16)
    first = folds[0].test.to_frame().row(0)
    assert f"the first of user {first[0]} and item {first[1]}," in finding.message
    (foreign,) = check_folds([folds[0], split_at_random(SQUARE.select(SQUARE.indices < 5))])
    assert foreign.check == "ids of the folds" and foreign.severity == "error"


def test_a_search_that_sees_the_test_is_an_error() -> None:
    outer = split(SQUARE, "random")
    assert check_validation(outer, split(outer.train, "random")) == []
    assert check_validation(outer.train, split(outer.train, "users:0.4")) == []
    found = check_validation(outer, outer)  # the usual mistake
    assert [(f.check, f.severity, f.count) for f in found] == [
        ("tuning on the test set", "error", outer.test.nnz),
        ("validation outside training", "error", outer.test.nnz),
    ]
    assert f"{outer.test.nnz} ratings that the search is judged by belong to the test" in found[0].message
    whole = check_validation(outer, split(SQUARE, "leave-1-out"))
    assert sum(f.count for f in of_check(whole, "tuning on the test set")) == outer.test.nnz
    (alone,) = check_validation(outer.train, outer)
    assert alone.check == "validation outside training" and alone.count == outer.test.nnz


def test_a_search_may_not_know_the_strangers_of_the_test() -> None:
    outer = split_users(SQUARE, n_test_users=2)
    assert check_validation(outer, split(outer.train, "users:0.5")) == []
    assert outer.given is not None
    inner = Split.of(outer.train, outer.test, given=outer.given)
    assert {f.message.split(" that the search ")[1].split(" belong")[0] for f in check_validation(outer, inner)
            if f.check == "tuning on the test set"} == {"is judged by", "is told"}  # fmt: skip


def test_a_validation_split_with_other_ids_is_an_error() -> None:
    outer = split_at_random(SQUARE)
    (finding,) = check_validation(outer, split_at_random(SQUARE.select(SQUARE.indices < 6)))
    assert finding.severity == "error" and "has other ids than training" in finding.message


# ---- limits of the split -----------------------------------------------------------------------------------


def test_users_of_whom_nothing_is_known_are_counted_with_the_policy() -> None:
    x = make([(u, i, 3.0, i) for u in range(12) for i in range(4)] + [(20, 1, 3.0, 9), (20, 2, 3.0, 9)])
    made = Split.of(part(x.timestamps < 3, x), part(x.timestamps >= 3, x))
    finding = only(lint_split(made), "users that cannot be answered")
    assert (finding.severity, finding.count) == ("note", 1)
    assert finding.message.startswith(
        "1 of 13 test users has no training ratings and is left out, with 2 test ratings:"
    )
    many = Split.of(part((x.timestamps < 3) & (x.user_index < 9), x), part(x.timestamps == 3, x))
    finding = only(lint_split(many), "users that cannot be answered")
    assert finding.severity == "warning" and finding.message.startswith("3 of 12 test users have no training ratings")
    assert not of_check(lint_split(SOUND), "users that cannot be answered")


def test_strangers_of_whom_nothing_is_given_are_counted() -> None:
    stranger = SQUARE.user_index >= 3
    told = part(stranger & (SQUARE.user_index < 5) & (SQUARE.indices < 4))
    made = Split.of(part(~stranger), part(stranger & (SQUARE.indices >= 4)), given=told)
    finding = only(lint_split(made), "users that cannot be answered")
    assert finding.message.startswith("1 of 3 test users has no given ratings and is left out, with 4 test ratings:")


def test_users_without_a_profile_in_a_split_by_hand_are_found() -> None:
    train = part((SQUARE.indices < 6) & (SQUARE.user_index > 0))
    finding = only(lint_split(by_hand(train, SOUND.test)), "users that cannot be answered")
    assert (finding.severity, finding.count) == ("warning", 1)
    assert finding.message.startswith("1 test user has no training ratings and is asked about all the same")


def test_items_that_nobody_rated_in_training_are_counted_with_the_policy() -> None:
    found = lint_split(split_items(SQUARE, 0.25))
    finding = only(found, "items that cannot be answered")
    assert (finding.severity, finding.count) == ("warning", 2)
    assert finding.message.startswith(
        "2 test items without training ratings, with 100% of the test ratings (12), stay in the test."
    )
    x = make([(u, i, 3.0, u) for u in range(12) for i in range(4)] + [(0, 9, 3.0, 9)])
    held = (x.indices == 3) | (x.indices == 4) & (x.user_index == 0)
    held[np.flatnonzero(x.indices == 3)[-1]] = False
    finding = only(lint_split(Split.of(part(~held, x), part(held, x))), "items that cannot be answered")
    assert finding.severity == "note" and "with 8% of the test ratings (1), stays in the test" in finding.message
    assert "knows nothing of it: it counts as missed in lists, and its ratings" in finding.message
    assert not of_check(lint_split(leave_k_out(SQUARE)), "items that cannot be answered")


def test_what_else_a_split_counted_is_told_in_its_words() -> None:
    x = make([(0, i, 3.0, i) for i in range(3)] + [(1, 0, 3.0, 0)])
    finding = only(lint_split(leave_k_out(x)), "what the split left out")
    assert finding.message == "1 user with no more than 1 rating, kept for training only."
    assert finding.count == 1 and finding.severity == "note"
    assert not of_check(lint_split(SOUND), "what the split left out")


# ---- limits of the questions -------------------------------------------------------------------------------


def test_few_users_and_few_ratings_are_warnings() -> None:
    found = lint(asked(SOUND))
    assert only(found, "users whose lists are judged").message == (
        "Lists are judged for 6 users; relevant are their test ratings of at least 1."
    )
    few = only(found, "few users")
    assert (few.severity, few.count) == ("warning", 6) and few.message.startswith("6 users are few: expect wide interv")
    assert 'split="random"' not in few.message
    assert 'A random split (split="random")' in only(lint(asked(replace(SOUND, timed=True))), "few users").message
    rated = only(found, "few ratings")
    assert (rated.severity, rated.count) == ("warning", 12)
    assert rated.message.startswith("Metrics of ratings rest on 12 test ratings of 6 users")
    assert not of_check(lint(asked(SOUND, rated=False)), "few ratings")
    assert not of_check(lint(asked(SOUND, k=0)), "few users") + of_check(
        lint(asked(SOUND, k=0)), "users whose lists are judged"
    )


def test_enough_users_and_ratings_are_no_warnings() -> None:
    x = make([(u, i, 3.0, i) for u in range(100) for i in range(11)])
    found = lint(asked(leave_k_out(x, 10, "latest")))
    assert not of_check(found, "few users") + of_check(found, "few ratings")
    assert only(found, "users whose lists are judged").count == 100
    less = lint(asked(leave_k_out(x, 9, "latest")))
    assert only(less, "few ratings").count == 900


def test_test_ratings_off_the_scale_of_training() -> None:
    test = replace(SOUND.test, values=SOUND.test.values * 2)
    finding = only(lint(asked(by_hand(SOUND.train, test))), "ratings off the training scale")
    assert finding.count == int((test.values > 5).sum()) and "outside the training scale of 1 to 5" in finding.message
    assert not of_check(lint(asked(SOUND)), "ratings off the training scale")
    assert not of_check(lint(asked(by_hand(SOUND.train, test), rated=False)), "ratings off the training scale")


def test_sampled_candidates_are_a_warning() -> None:
    finding = only(lint(asked(SOUND, sampled=2)), "sampled candidates")
    assert finding.severity == "warning" and "2 others drawn for each user, not among all 8" in finding.message
    assert not of_check(lint(asked(SOUND)), "sampled candidates")


# ---- answers -----------------------------------------------------------------------------------------------


def given_answers(items: Any = None, answered: Any = None, n_seen: int = 0) -> Answers:
    ranking = None if items is None else Ranking.of(np.asarray(items, np.int32), np.ones((len(items), 8), bool), 8)
    predictions = None
    if answered is not None:
        n = len(answered)
        predictions = Predictions(np.zeros(n, int), np.ones(n), np.ones(n), 1, np.asarray(answered))
    return Answers(ranking, predictions, 0.0, None, None, n_seen=n_seen)


def test_seen_items_in_lists_are_an_error() -> None:
    found = lint(
        asked(SOUND), {"good": given_answers(), "bad": given_answers(n_seen=3), "worse": given_answers(n_seen=3)}
    )
    finding = only(found, "seen items in lists")
    assert (finding.severity, finding.count) == ("error", 3)
    assert finding.message.startswith("bad and worse recommended 3 items that the user's profile has already.")
    assert found[0] == finding
    assert not of_check(lint(asked(SOUND), {"good": given_answers()}), "seen items in lists")


def test_a_model_that_recommends_what_was_seen_is_caught() -> None:
    class Careless(Popularity):
        """Forgets what people have seen."""

        def rank(self, profiles: Any, k: int = 10, users: Any = None, *_: Any, **__: Any) -> Any:
            return super().rank(profiles, k, users, exclude_seen=False)

    questions = asked(SOUND)
    found = lint(questions, {"careless": answer(Careless(), questions), "popularity": answer(Popularity(), questions)})
    assert only(found, "seen items in lists").message.startswith("careless recommended 18 items")


def test_ratings_for_which_the_mean_stood_in_are_counted() -> None:
    answers = {"mean": given_answers(answered=[True] * 11 + [False]), "silent": given_answers(answered=[False] * 12)}
    found = of_check(lint(asked(SOUND), answers), "ratings without a prediction")
    assert [(f.message, f.severity, f.count) for f in found] == [
        ("silent gave no rating for 12 test ratings; the training mean stood in.", "warning", 12),
        ("mean gave no rating for 1 test rating; the training mean stood in.", "note", 1),
    ]
    assert not of_check(lint(asked(SOUND), {"fine": given_answers(answered=[True])}), "ratings without a prediction")


def test_lists_that_end_early_are_counted_but_not_where_nothing_was_left() -> None:
    full, short = [[6, 7]] * 6, [[6, 7]] * 4 + [[7, -1], [-1, -1]]
    questions = asked(SOUND, k=3)  # everybody has seen 6 of 8 items: two are left
    lists = {"full": given_answers([[*row, -1] for row in full]), "short": given_answers([[*row, -1] for row in short])}
    finding = only(lint(questions, lists), "short lists")
    assert (finding.severity, finding.count) == ("note", 2)
    assert finding.message.startswith("short: 2 of 6 lists end before place 3, for there was nothing more that the")
    assert not of_check(lint(asked(SOUND, k=2), {"full": given_answers(full)}), "short lists")


def test_lists_among_sampled_candidates_are_as_long_as_there_are_candidates() -> None:
    sampled = asked(Split.of(SOUND.train, part(SQUARE.indices == 6)), k=3, sampled=1)  # item 6 and one other
    assert not of_check(lint(sampled, {"m": given_answers([[6, 7, -1]] * 6)}), "short lists")
    assert only(lint(sampled, {"m": given_answers([[6, 7, -1]] * 5 + [[6, -1, -1]])}), "short lists").count == 1


def test_models_that_failed_are_passed_over() -> None:
    assert lint(asked(SOUND), {"broken": "MemoryError: no room"}) == lint(asked(SOUND))


# ---- all together ------------------------------------------------------------------------------------------


def test_errors_come_first_and_notes_last_and_json_knows_them() -> None:
    made = by_hand(part(SQUARE.indices < 6), part(SQUARE.indices >= 5), timed=True)
    found = lint(asked(made), {"m": given_answers(n_seen=2)})
    severities = [f.severity for f in found]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert set(severities) == {"error", "warning", "note"}
    assert json.loads(json.dumps([asdict(f) for f in found])) == [asdict(f) for f in found]
    assert str(found[0]) == f"Error: {found[0].message}" and str(found[-1]) == found[-1].message
    assert all(f.count > 0 for f in found)


def test_words() -> None:
    assert [counted(1, "list"), counted(2000, "list")] == ["1 list", "2,000 lists"]
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    shares = [share(part, 1000) for part in (0, 1, 500, 999, 1000)]
    assert shares == ["0%", "less than 1%", "50%", "more than 99%", "100%"]


# ---- whether there is a verdict ---------------------------------------------------------------------------------


def _compared(rows: list[tuple[int, int, float, int]], metrics: str, models: str = "popularity,bias") -> Leaderboard:
    return compare(make(rows), models, "random", [metrics], progress=False)


def _without_a_verdict(board: Leaderboard) -> str:
    """The finding that says why, which stands first."""
    assert not board.concluded
    assert board.words()[0].startswith(f"There is no verdict by {board.primary.name}")
    assert {board.verdict(row) for row in board.rows} == {"no verdict"}
    assert (board.findings[0].check, board.findings[0].severity) == (NOTHING, "error")
    return board.findings[0].message


def test_one_user_decides_nothing() -> None:
    rows = [(1, item, float(1 + item % 5), 0) for item in range(30)]
    assert "the lists of one user alone are judged" in _without_a_verdict(_compared(rows, "ndcg@5"))
    assert "all test ratings are those of one user" in _without_a_verdict(_compared(rows, "rmse", "bias"))
    folds = compare(make([*rows, *((2, *row[1:]) for row in rows)]), "popularity", "5-fold", progress=False)
    assert folds.concluded  # two users


def test_ratings_that_are_all_equal_are_choices() -> None:
    rows = [(user, item, 5.0, 0) for user in range(20) for item in range(15) if (user + item) % 3]
    said = _without_a_verdict(_compared(rows, "rmse,ndcg@5", "bias"))
    assert "All ratings are 5, so they are choices" in said and "implicit-als" in said
    board = _compared(rows, "ndcg@5,rmse")
    assert board.concluded
    assert any("Metrics of ratings say nothing here" in note for note in board.notes)
    assert not any("choices" in note for note in _compared(rows, "ndcg@5").notes)
    assert _compared([*rows[:-1], (*rows[-1][:2], 4.0, 0)], "rmse", "bias").concluded


def test_no_hits_decide_nothing() -> None:
    x = make([(user, item, 4.0 + item % 2, 0) for user in range(12) for item in range(6)])
    train = x.select(np.asarray(x.indices) < 4, keep_vocabularies=True)
    test = x.select(np.asarray(x.indices) >= 4, keep_vocabularies=True)
    unseen = compare(x, "popularity,ease", Split.of(train, test), ["ndcg@2"], progress=False)
    said = _without_a_verdict(unseen)
    assert "no training rating tells of any of 12 relevant test items" in said and "models that read it" in said
    known = Dataset(x, Catalog.from_titles(pl.DataFrame({"item": x.items.ids})))  # some model may know
    assert compare(known, "popularity,ease", Split.of(train, test), ["ndcg@2"], progress=False).concluded
    # an item with one training rating, behind others in every list of one place
    rows = [(user, item, 5.0, 0) for user in range(8) for item in range(4) if user % 4 != item]
    x = make([*rows, *((user, 9, 5.0, 0) for user in range(8))])
    last = (np.asarray(x.indices) == 4) & (x.user_index != 0)
    split = Split.of(x.select(~last, keep_vocabularies=True), x.select(last, keep_vocabularies=True))
    said = _without_a_verdict(compare(x, "popularity", split, ["recall@1"], progress=False))
    assert "not one of 7 relevant test items is in any list of 1 place" in said
