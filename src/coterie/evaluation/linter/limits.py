"""Limits: how much the figures rest on, what they leave out, and where something stood in for an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from coterie.data.wording import counted
from coterie.evaluation.evaluate import Answers, Questions, rows_of
from coterie.evaluation.linter.finding import Finding, Severity, alike, chosen, listed, share
from coterie.evaluation.splits.base import (
    ITEMS_UNSEEN,
    RATINGS_LEFT_OUT,
    RATINGS_UNSEEN,
    STRANGERS_LEFT_OUT,
    USERS_LEFT_OUT,
    Split,
    in_words,
)

Array = np.ndarray[Any, np.dtype[Any]]

# With fewer users, or ratings, than this, intervals are wide.
_FEW_USERS = 100
_FEW_RATINGS = 1000
# From this share of the test on, what cannot be answered is a warning and not a note.
_MUCH = 0.1


# ---- the split --------------------------------------------------------------------------------------------


def unknown_users(split: Split) -> Iterator[Finding]:
    """Test users of whom models are told nothing: left out by `Split.of`, and still there in a split made by hand."""
    told = "training" if split.given is None else "given"
    n = split.dropped.get(USERS_LEFT_OUT if split.given is None else STRANGERS_LEFT_OUT, 0)
    if n:
        ratings = split.dropped.get(RATINGS_LEFT_OUT, 0)
        remedy = ' split="users" judges people who are strangers to training.' if split.given is None else ""
        yield Finding(
            "users that cannot be answered",
            _severity(n, n + split.n_test_users),
            f"{n:,} of {counted(n + split.n_test_users, 'test user')} {chosen(n, 'has', 'have')} no {told} ratings and "
            f"{chosen(n, 'is', 'are')} left out, with {counted(ratings, 'test rating')}: figures are about people of "
            f"whom something is known.{remedy}",
            n,
        )
    silent = (split.profiles.user_counts == 0) & (split.test.user_counts > 0)
    if n := int(silent.sum()):
        yield Finding(
            "users that cannot be answered",
            "warning",
            f"{counted(n, 'test user')} {chosen(n, 'has', 'have')} no {told} ratings and {chosen(n, 'is', 'are')} "
            "asked about all the same; models answer them like everybody. Make the split with Split.of, which leaves "
            "them out.",
            n,
        )


def unseen_items(split: Split) -> Iterator[Finding]:
    """Test items without training ratings, which stay in the test."""
    unseen = split.train.item_counts == 0
    n = int((unseen & (split.test.item_counts > 0)).sum())
    if n:
        ratings = int(unseen[split.test.indices].sum())
        yield Finding(
            "items that cannot be answered",
            _severity(ratings, split.test.nnz),
            f"{counted(n, 'test item')} without training ratings, with {share(ratings, split.test.nnz)} of the test "
            f"ratings ({ratings:,}), {chosen(n, 'stays', 'stay')} in the test. A model that reads only ratings knows "
            f"nothing of {chosen(n, 'it: it counts', 'them: they count')} as missed in lists, and "
            f"{chosen(n, 'its', 'their')} ratings are predicted from what else is known. Only models that read "
            "the catalog can do better.",
            n,
        )


def left_out(split: Split) -> Iterator[Finding]:
    """Whatever else the split counted, in its own words."""
    told = (USERS_LEFT_OUT, STRANGERS_LEFT_OUT, RATINGS_LEFT_OUT, ITEMS_UNSEEN, RATINGS_UNSEEN)
    for what, n in split.dropped.items():
        if what not in told:
            yield Finding("what the split left out", "note", f"{in_words(n, what)}.", n)


# ---- the questions ----------------------------------------------------------------------------------------


def judged_lists(questions: Questions) -> Iterator[Finding]:
    """How many users' lists are judged: always a note, and a warning where they are few."""
    if not (questions.k or questions.pairs):
        return
    n = len(questions.users)
    relevant = f"test ratings of at least {questions.relevant_from:g}"
    message = f"Lists are judged for {counted(n, 'user')}; relevant are their {relevant}."
    yield Finding("users whose lists are judged", "note", message, n)
    if n < _FEW_USERS:
        more = (
            ' A random split (split="random") asks more of them, at the price of knowing the future.'
            if questions.split.timed
            else " Hold out a larger share, or judge on more data."
        )
        yield Finding(
            "few users",
            "warning",
            f"{counted(n, 'user')} {chosen(n, 'is', 'are')} few: expect wide intervals.{more}",
            n,
        )


def judged_ratings(questions: Questions) -> Iterator[Finding]:
    """Metrics of ratings on few ratings or few users."""
    n, users = questions.split.test.nnz, questions.split.n_test_users
    if questions.ratings and (n < _FEW_RATINGS or users < _FEW_USERS):
        yield Finding(
            "few ratings",
            "warning",
            f"Metrics of ratings rest on {counted(n, 'test rating')} of {counted(users, 'user')}, which is little: "
            "expect wide intervals. Hold out a larger share, or judge on more data.",
            n,
        )


def foreign_scale(questions: Questions) -> Iterator[Finding]:
    """Test ratings beyond the scale of the training ratings: no model predicts them."""
    low, high = questions.split.train.scale
    values = questions.split.test.values
    if questions.ratings and (n := int(np.count_nonzero((values < low) | (values > high)))):
        yield Finding(
            "ratings off the training scale",
            "warning",
            f"{counted(n, 'test rating')} {chosen(n, 'lies', 'lie')} outside the training scale of {low:g} to "
            f"{high:g}, to which predictions are cut. Bring both parts to one scale.",
            n,
        )


def sampled_candidates(questions: Questions) -> Iterator[Finding]:
    """Lists among a sample of the items (Krichene and Rendle 2020)."""
    if questions.sampled and questions.k:
        yield Finding(
            "sampled candidates",
            "warning",
            f"Lists are made among the relevant items and {questions.sampled:,} others drawn for each user, not among "
            f"all {questions.split.test.n_items:,}: figures are higher than in use, and models may stand in another "
            "order. Compare them only with figures made in the same way.",
            questions.sampled,
        )


# ---- the answers ------------------------------------------------------------------------------------------


def seen_items(questions: Questions, answers: Mapping[str, Answers]) -> Iterator[Finding]:
    """Recommended items that the user has rated: a model that breaks its promise."""
    for n, labels in alike({label: found.n_seen for label, found in answers.items()}).items():
        yield Finding(
            "seen items in lists",
            "error",
            f"{listed(labels)} recommended {counted(n, 'item')} that the user's profile has already. No such item is "
            "relevant, so the figures are too low. The model must leave them out of its lists (exclude_seen).",
            n,
        )


def unanswered_ratings(questions: Questions, answers: Mapping[str, Answers]) -> Iterator[Finding]:
    """Test ratings for which the training mean stood in."""
    for n, labels in alike({label: found.n_unanswered for label, found in answers.items()}).items():
        yield Finding(
            "ratings without a prediction",
            _severity(n, questions.split.test.nnz),
            f"{listed(labels)} gave no rating for {counted(n, 'test rating')}; the training mean stood in.",
            n,
        )


def short_lists(questions: Questions, answers: Mapping[str, Answers]) -> Iterator[Finding]:
    """Lists that end before place k although there were items left to list."""
    if not questions.k:
        return
    possible = _possible_lengths(questions)
    short = {
        label: int(np.count_nonzero((found.ranking.items >= 0).sum(axis=1) < possible))
        for label, found in answers.items()
        if found.ranking is not None
    }
    for n, labels in alike(short).items():
        yield Finding(
            "short lists",
            "note",
            f"{listed(labels)}: {n:,} of {counted(len(possible), 'list')} {chosen(n, 'ends', 'end')} before place "
            f"{questions.k:,}, for there was nothing more that the model could say; the empty places count as misses.",
            n,
        )


def _possible_lengths(questions: Questions) -> Array:
    """How long each judged user's list could be, int64 (n,)."""
    split, users = questions.split, questions.users
    if split.candidates is None:
        left: Array = split.test.n_items - split.profiles.user_counts[users]
    else:
        left = split.candidates.sum() - np.diff(rows_of(split.profiles, users, split.candidates).indptr)
    if questions.sampled:
        others = left - split.test.user_counts[users]
        left = questions.relevant.user_counts[users] + np.minimum(others, questions.sampled)
    lengths: Array = np.minimum(left, questions.k)
    return lengths


def _severity(part: int, whole: int) -> Severity:
    """A warning where a part is a good deal of the whole, else a note."""
    return "warning" if part >= _MUCH * whole else "note"
