"""Names of splits, as the command line and `compare` take them."""

from __future__ import annotations

import re
from collections.abc import Callable

from coterie.data.interactions import Interactions
from coterie.errors import ParameterError
from coterie.evaluation.splits.base import Split
from coterie.evaluation.splits.by_rating import k_folds, leave_k_out, split_at_random, split_by_time, split_each_user
from coterie.evaluation.splits.whole import split_items, split_users

#: What `split` and `splits` understand, and what it means. A share may follow those in `_SHARED`, as in ``time:0.1``.
SPLITS = {
    "time": "one cut in time for everyone: learn from the past (the default where there are timestamps)",
    "random": "a random share of all ratings (the default where there are no timestamps)",
    "each-user": "the same share of every user's ratings, at random",
    "each-user-latest": "the same share of every user's ratings, the latest",
    "leave-k-out": "k random ratings of every user, as in leave-1-out",
    "leave-last-k-out": "the k latest ratings of every user, as in leave-last-1-out",
    "users": "strangers: a share of the users is kept from training; most of their ratings are given, the rest asked",
    "cold-items": "all ratings of a share of the items, none of which is in training",
    "new-items": "the same, with lists made of these items alone",
    "k-fold": "cross-validation: k parts at random, each the test once, as in 5-fold",
}
_SHARED: dict[str, Callable[[Interactions, float, int], Split]] = {
    "time": lambda x, share, seed: split_by_time(x, share),
    "random": split_at_random,
    "each-user": lambda x, share, seed: split_each_user(x, share, "random", seed),
    "each-user-latest": lambda x, share, seed: split_each_user(x, share, "latest", seed),
    "users": lambda x, share, seed: split_users(x, share, random_state=seed),
    "cold-items": split_items,
    "new-items": lambda x, share, seed: split_items(x, share, seed, "cold"),
}
_TEST_SHARE = 0.2
_LEAVE = re.compile(r"leave-(last-)?(\d+)-out")
_FOLDS = re.compile(r"(\d+)-fold")


def split(x: Interactions, how: str | None = None, random_state: int = 0) -> Split:
    """The split that a name stands for.

    Parameters
    ----------
    how : str or None
        One of `SPLITS`, k being a number, and where it holds out a share (0.2 unless said), that share after a colon:
        ``"time"``, ``"time:0.1"``, ``"leave-last-1-out"``, ``"users:0.1"``. None: by time where there are timestamps,
        at random elsewhere.
    random_state : int

    Raises
    ------
    ParameterError
        There is no such name, or it stands for several splits (``"5-fold"``): `splits` makes those.
    DataError
        The ratings cannot be split like this.
    """
    if how is None:
        how = "random" if x.timestamps is None else "time"
    if folds := _FOLDS.fullmatch(how):
        raise ParameterError(
            f"{how!r} stands for several splits, and one is wanted here; random:{1 / max(int(folds[1]), 2):.2g} "
            "holds out as much as one of them"
        )
    if leave := _LEAVE.fullmatch(how):
        return leave_k_out(x, int(leave[2]), "latest" if leave[1] else "random", random_state)
    name, colon, text = how.partition(":")
    if name not in _SHARED:
        names = ", ".join(SPLITS)
        raise ParameterError(f"unknown split {how!r}; there are {names} (k is a number), and shares as in random:0.1")
    try:
        test_share = float(text) if colon else _TEST_SHARE
    except ValueError:
        raise ParameterError(f"{how!r}: {text!r} is not a share between 0 and 1") from None
    return _SHARED[name](x, test_share, random_state)


def splits(x: Interactions, how: str | None = None, random_state: int = 0) -> list[Split]:
    """All splits that a name stands for: the k of ``"k-fold"`` (`k_folds`), one for every other name (`split`)."""
    if how is not None and (folds := _FOLDS.fullmatch(how)):
        return k_folds(x, int(folds[1]), random_state)
    return [split(x, how, random_state)]
