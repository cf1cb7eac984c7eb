"""Splits that hold out whole users or whole items: people and things that a model has not seen."""

from __future__ import annotations

from typing import Literal

import numpy as np

from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.evaluation.splits.base import Split, check_share, cut, portion
from coterie.evaluation.splits.by_rating import last_of_each


def split_users(
    x: Interactions,
    test_share: float = 0.2,
    n_test_users: int | None = None,
    given_share: float = 0.8,
    random_state: int = 0,
) -> Split:
    """Strong generalisation (Marlin 2004; Liang et al. 2018): hold out *users*. Nothing of theirs is in training; a
    part of their ratings is told to the model when it is asked, and the rest is to be predicted.

    Only users with two ratings or more can be held out, for one must be given and one asked. Those with one rating stay
    in training, and are counted. The split is for models that answer strangers.

    Parameters
    ----------
    test_share : float between 0 and 1
        Which share of the users with two ratings or more is held out, drawn at random.
    n_test_users : int or None
        How many are held out, instead of a share.
    given_share : float between 0 and 1
        Which share of each one's ratings is given, drawn at random; rounded to whole ratings, halves up, at least one
        given and at least one asked.
    random_state : int

    Raises
    ------
    ParameterError
        A share does not lie between 0 and 1, or `n_test_users` is below 1.
    DataError
        So many users cannot be held out, or nobody is left to learn from.
    """
    check_share(test_share)
    check_share(given_share, "given_share", "0.8 gives four ratings of five")
    able = np.flatnonzero(x.user_counts > 1)
    n = int(portion(test_share, np.asarray(len(able)))) if n_test_users is None else n_test_users
    if n < 1 and n_test_users is not None:
        raise ParameterError(f"n_test_users must be at least 1, not {n_test_users}")
    n_users = int(np.count_nonzero(x.user_counts))
    if not 1 <= n <= min(len(able), n_users - 1):
        raise DataError(
            f"{n:,} of {n_users:,} users cannot be held out: at least 1 must be, at least 1 must stay to learn from, "
            f"and {len(able):,} have the two ratings that it takes; choose another "
            + ("test_share" if n_test_users is None else "n_test_users")
        )
    generator = np.random.default_rng(random_state)
    chosen = np.zeros(x.n_users, bool)
    chosen[generator.permutation(able)[:n]] = True
    given = np.clip(portion(given_share, x.user_counts), 1, np.maximum(x.user_counts - 1, 1))
    tested = last_of_each(x, np.where(chosen, x.user_counts - given, 0), "random", generator)
    of_strangers = chosen[x.user_index]
    train, told, test = (
        x.select(keep, keep_vocabularies=True) for keep in (~of_strangers, of_strangers & ~tested, tested)
    )
    single = int(np.count_nonzero(x.user_counts == 1))
    description = f"{n:,} users held out as strangers, {given_share:.0%} of their ratings given (seed {random_state})"
    return Split.of(train, test, description, {"users with a single rating, kept for training only": single}, told)


def split_items(
    x: Interactions, test_share: float = 0.2, random_state: int = 0, candidates: Literal["all", "cold"] = "all"
) -> Split:
    """Cold start: all ratings of some items are test ratings, and none of them training ratings.

    A model that reads only ratings has nothing to say about such items: to compare is what models that know titles,
    genres or tags make of them. Users who rated nothing else are left out and counted.

    Parameters
    ----------
    test_share : float between 0 and 1
        Which share of the rated items is held out, drawn at random, halves rounded up.
    random_state : int
    candidates : {"all", "cold"}
        What lists are made of: all items, where one that was held out has to stand above those that everybody rates,
        none of which counts as right; or the items held out, which asks who will like which of what is new.

    Raises
    ------
    ParameterError
        `test_share` does not lie between 0 and 1, or `candidates` is something else.
    DataError
        There are too few items.
    """
    if candidates not in ("all", "cold"):
        raise ParameterError(f"candidates must be 'all' or 'cold', not {candidates!r}")
    check_share(test_share)
    rated = np.flatnonzero(x.item_counts)
    n = int(portion(test_share, np.asarray(len(rated))))
    if not 1 <= n < len(rated):
        raise DataError(
            f"{test_share:g} of {len(rated):,} rated items are {n:,}: at least 1 must be held out and at least 1 must "
            "stay to learn from; choose another test_share"
        )
    cold = np.zeros(x.n_items, bool)
    cold[np.random.default_rng(random_state).permutation(rated)[:n]] = True
    among = ", lists made of these" if candidates == "cold" else ""
    description = f"all ratings of {n:,} items held out{among} (seed {random_state})"
    return cut(x, cold[x.indices], description, candidates=cold if candidates == "cold" else None)
