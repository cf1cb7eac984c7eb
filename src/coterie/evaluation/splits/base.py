"""What a split is: what a model may learn from and what it is asked about, with the same vocabularies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from coterie.data.feedback import Towards, reading
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, ParameterError

if TYPE_CHECKING:
    from coterie.models.base import Recommender

Array = np.ndarray[Any, np.dtype[Any]]
_PLURAL = re.compile(r"(?<=user|item)s\b|(?<=rating)s\b")

#: What `Split.of` counts in `Split.dropped`.
USERS_LEFT_OUT = "test users without training ratings, left out"
STRANGERS_LEFT_OUT = "test users without given ratings, left out"
RATINGS_LEFT_OUT = "test ratings of those users, left out"
ITEMS_UNSEEN = "test items without training ratings, kept"
RATINGS_UNSEEN = "test ratings of those items"
GIVEN_UNSEEN = "given ratings of items without training ratings, kept"
OVERLAP_LEFT_OUT = "test ratings that training has too, left out"


def in_words(n: int, what: str) -> str:
    """A count of `Split.dropped` as a reader has it: "1 test user without ...", "2 test users without ..."."""
    return f"{n:,} {_PLURAL.sub('', what, count=1) if n == 1 else what}"


@dataclass(frozen=True)
class Split:
    """Training and test ratings with the same vocabularies.

    Attributes
    ----------
    train, test : Interactions
        Disjoint; every user with a test rating has a training rating, or one in `given`.
    description : str
        How it was made, in a sentence.
    dropped : mapping of str to int
        What could not be tested or cannot be answered, counted, in words; zeros are left out.
    given : Interactions or None
        Strong generalisation: the tested users are strangers, nothing of theirs is in `train`, and this is what models
        are told of them when they are asked. None: the tested users are known from `train`.
    timed : bool
        Whether all test ratings are meant to be later than all training ratings.
    candidates : bool (n_items,) or None
        The items that lists are made of; None: all.
    half_life : float or None
        Days in which what is learnt from loses half its weight, once a model learns from it (`for_model`); `train`
        and `given` themselves are not weighed.
    towards : {"zero", "mean"} or None
        What it decays towards (`Interactions.decayed`); None: what suits the model.

    Made by `of`, `of_parts` and the functions of this room, all of that holds. Made by hand, it may not: the linter
    (`coterie.evaluation.lint`) looks.
    """

    train: Interactions
    test: Interactions
    description: str
    dropped: Mapping[str, int]
    given: Interactions | None = None
    timed: bool = False
    candidates: Array | None = field(default=None, repr=False)
    half_life: float | None = None
    towards: Towards | None = None

    @property
    def profiles(self) -> Interactions:
        """What models are told of the tested users."""
        return self.train if self.given is None else self.given

    def decayed(self, half_life: float, towards: Towards | None = None) -> Split:
        """The split of which models learn with old ratings weighing less (`Interactions.decayed`), ages counted from
        the latest of them.

        Models that predict ratings learn from ratings that decay towards their person's mean, all others from values
        that decay towards 0; `towards` says otherwise for all of them. What is asked about stays as it was, so that
        half-lives are compared on the same questions::

            parts = split(x, "time")
            for days in (30, 365):
                print(compare(x, ["ease", "item-knn"], parts.decayed(days), "ndcg@10"))

        Raises
        ------
        DataError
            There are no timestamps.
        """
        self._weighed(half_life, towards or "zero")  # what is wrong is said now, and not when a model is fitted
        description = f"{self.description}; old training ratings weigh less, half in {half_life:g} days"
        return replace(self, half_life=half_life, towards=towards, description=description)

    def for_model(self, model: Recommender) -> Split:
        """The split as `model` is to learn from it: with a half-life, `train` and `given` weighed by age."""
        if self.half_life is None:
            return self
        return self._weighed(self.half_life, self.towards or reading(self.train, model.predicts_ratings))

    def _weighed(self, half_life: float, towards: Towards) -> Split:
        parts = [self.train] if self.given is None else [self.train, self.given]
        latest = [int(part.timestamps.max()) for part in parts if part.timestamps is not None and part.nnz]
        train, *given = (part.decayed(half_life, max(latest, default=None), towards) for part in parts)
        return replace(self, train=train, given=given[0] if given else None, half_life=None, towards=None)

    @classmethod
    def of(
        cls,
        train: Interactions,
        test: Interactions,
        description: str = "as given",
        dropped: Mapping[str, int] = {},
        given: Interactions | None = None,
        timed: bool = False,
        candidates: Array | None = None,
        *,
        leaky: bool = False,
    ) -> Split:
        """A split from its parts: checked, and without test users of whom nothing is known (they are counted).

        Items that nobody rated in training stay in the test, and are counted too.

        Parameters
        ----------
        train, test, description, dropped, given, timed, candidates
            The attributes.
        leaky : bool
            Let test ratings be training or given ratings too; the linter says so, and `compare` refuses such a split
            unless leaks are allowed there.

        Raises
        ------
        DataError
            The parts have different ids, share a (user, item) pair (unless `leaky`), or one of them is empty; or
            somebody in `given` has training ratings; or a test rating is of an item that is no candidate.
        """
        _check_parts(train, test, given, leaky)
        profiles = train if given is None else given
        stranger = (profiles.user_counts == 0) & (test.user_counts > 0)
        n_ratings = test.nnz
        if stranger.any():
            test = test.select(~stranger[test.user_index], keep_vocabularies=True)
        unseen = train.item_counts == 0
        counted = {
            **dropped,
            USERS_LEFT_OUT if given is None else STRANGERS_LEFT_OUT: int(stranger.sum()),
            RATINGS_LEFT_OUT: n_ratings - test.nnz,
            ITEMS_UNSEEN: int((unseen & (test.item_counts > 0)).sum()),
            RATINGS_UNSEEN: int(unseen[test.indices].sum()),
            GIVEN_UNSEEN: 0 if given is None else int(unseen[given.indices].sum()),
        }
        counted = {what: n for what, n in counted.items() if n}
        for part, name in ((train, "training"), (test, "test")):
            if not part.nnz:
                account = "".join(f"; {in_words(n, what)}" for what, n in counted.items())
                remedy = "choose another, or another share"
                if part is test and stranger.any():  # then they were all of the test
                    told = "training" if given is None else "given"
                    remedy = f"a test needs people who have {told} ratings too"
                    remedy += ', and split="users" makes one of strangers' if given is None else ""
                raise DataError(f"the split ({description}) leaves no {name} ratings{account}; {remedy}")
        if candidates is not None:
            candidates = _checked_candidates(candidates, test)
        return cls(train, test, description, counted, given, timed, candidates)

    @classmethod
    def of_parts(
        cls,
        train: Interactions,
        test: Interactions,
        overlap: Literal["error", "drop", "keep"] = "error",
        description: str = "training and test ratings as supplied",
        timed: bool = False,
    ) -> Split:
        """A split from two sets of ratings that were loaded on their own, each with ids of its own.

        The ids become one: those of `train` keep their row numbers, those that only `test` has follow.

        Parameters
        ----------
        overlap : {"error", "drop", "keep"}
            What becomes of a (user, item) pair that both parts have: the split is refused; the pair is left out of the
            test and counted; or it stays, as with `leaky` in `of`.
        timed : bool
            Whether all test ratings are meant to be later than all training ratings; the linter then looks.

        Raises
        ------
        DataError
            As `of`; and where ids are text in one part and integers in the other.
        """
        if overlap not in ("error", "drop", "keep"):
            raise ParameterError(f"overlap must be 'error', 'drop' or 'keep', not {overlap!r}")
        users, rows = train.users.grown(test.users)
        items, columns = train.items.grown(test.items)
        ends = np.full(len(users) - train.n_users, train.nnz)
        train = replace(train, users=users, items=items, indptr=np.concatenate([train.indptr, ends]))
        test = _renumbered(test, users, items, rows, columns)
        counted = 0
        if overlap == "drop":
            keep = np.ones(test.nnz, bool)
            keep[shared_pairs(train, test)] = False
            counted = test.nnz - int(keep.sum())
            test = test.select(keep, keep_vocabularies=True)
        return cls.of(train, test, description, {OVERLAP_LEFT_OUT: counted}, timed=timed, leaky=overlap == "keep")

    @property
    def n_test_users(self) -> int:
        """Users who have test ratings."""
        return int(np.count_nonzero(self.test.user_counts))

    def __str__(self) -> str:
        lines = [
            f"{self.description}: {self.train.nnz:,} training ratings, {self.test.nnz:,} test ratings "
            f"of {self.n_test_users:,} users"
        ]
        return "\n".join(lines + [f"  {in_words(n, what)}" for what, n in self.dropped.items()])


def cut(
    x: Interactions, held: Array, description: str, dropped: Mapping[str, int] = {}, timed: bool = False,
    candidates: Array | None = None,
) -> Split:  # fmt: skip
    """The split that tests on the ratings where `held` (bool (nnz,)) is true."""
    train, test = x.select(~held, keep_vocabularies=True), x.select(held, keep_vocabularies=True)
    return Split.of(train, test, description, dropped, timed=timed, candidates=candidates)


def check_share(share: float, name: str = "test_share", example: str = "0.2 tests on a fifth") -> None:
    """`ParameterError` unless a share lies between 0 and 1."""
    if not 0 < share < 1:
        raise ParameterError(f"{name} must lie between 0 and 1, not {share!r}; {example}")


def portion(share: float, counts: Array) -> Array:
    """The whole numbers (int64) nearest to a share of each count, halves rounded up."""
    exact = np.round(share * np.asarray(counts, np.float64), 6)  # (1 - 0.7) * 10 is 3, and not a bit less
    return np.floor(exact + 0.5).astype(np.int64)


def pair_numbers(x: Interactions) -> Array:
    """Every (user, item) pair as one number, int64 (nnz,), increasing."""
    return x.user_index.astype(np.int64) * x.n_items + x.indices


def shared_pairs(one: Interactions, other: Interactions) -> Array:
    """Where the (user, item) pairs stand in `other` that `one` has too; both have the same vocabularies."""
    ours, theirs = pair_numbers(one), pair_numbers(other)
    if not len(ours):
        return np.empty(0, np.int64)
    place = np.minimum(np.searchsorted(ours, theirs), len(ours) - 1)
    return np.flatnonzero(ours[place] == theirs)


def pair_in_words(x: Interactions, at: int) -> str:
    """The rating at a place of `x` by its ids."""
    return f"{x.users.name(x.user_index[at])} and {x.items.name(x.indices[at])}"


def _check_parts(train: Interactions, test: Interactions, given: Interactions | None, leaky: bool) -> None:
    for part, name in ((test, "test"), *([] if given is None else [(given, "given")])):
        if train.users != part.users or train.items != part.items:
            raise DataError(
                f"training ({train.n_users:,} users, {train.n_items:,} items) and {name} ratings ({part.n_users:,} "
                f"users, {part.n_items:,} items) have different ids; cut both from one Interactions with "
                "select(keep, keep_vocabularies=True), or let Split.of_parts make their ids one"
            )
    for part, name in () if leaky else ((train, "training"), *([] if given is None else [(given, "given")])):
        both = shared_pairs(part, test)
        if len(both):
            are, them = (f"is also a {name} rating", "it") if len(both) == 1 else (f"are also {name} ratings", "them")
            raise DataError(
                f"{in_words(len(both), 'test ratings')} {are}, the first of {pair_in_words(test, both[0])}; "
                f'remove {them} from one part; of parts that were loaded on their own, overlap="drop" leaves {them} '
                "out of the test"
            )
    if given is not None and (known := np.flatnonzero((given.user_counts > 0) & (train.user_counts > 0))).size:
        raise DataError(
            f"{len(known):,} users have both given and training ratings, the first of them "
            f"{given.users.name(known[0])}; the users of given must be strangers to training"
        )


def _checked_candidates(candidates: Array, test: Interactions) -> Array:
    """A mask of items that has all tested ones."""
    mask = np.asarray(candidates)
    if mask.dtype != bool or mask.shape != (test.n_items,):
        raise DataError(
            f"candidates must say of each of {test.n_items:,} items whether lists may have it (bool), "
            f"not {mask.dtype} {mask.shape}"
        )
    outside = np.flatnonzero(~mask[test.indices])
    if len(outside):
        raise DataError(
            f"{len(outside):,} test ratings are of items that are no candidates, the first of "
            f"{pair_in_words(test, outside[0])}; make every tested item a candidate"
        )
    return mask


def _renumbered(x: Interactions, users: Vocabulary, items: Vocabulary, rows: Array, columns: Array) -> Interactions:
    """`x` with other vocabularies, where its users have the numbers `rows` and its items `columns`."""
    return Interactions.from_arrays(users, items, rows[x.user_index], columns[x.indices], x.values, x.timestamps)
