"""The people and ratings of a generated world: shapes, long tails, tastes; blocks of users written one by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coterie.data.interactions import Interactions
from coterie.data.progress import progress
from coterie.data.vocabulary import Vocabulary
from coterie.errors import ParameterError
from coterie.kernels.parallel import run_blocks
from coterie.kernels.sampling import bells, exps, fill_alias, logs, permutation, subkey, words
from coterie.kernels.world import Items, People, fill_users

Array = np.ndarray[Any, np.dtype[Any]]

# Raised whenever the same seed would give other bytes than before, so that stored worlds are made anew.
VERSION = 1

# The tastes of the world: the genre of each, and how many of 100 items are mainly of it.
TASTES = (
    *(("Drama", 9), ("Drama", 8), ("Drama", 7), ("Comedy", 8), ("Comedy", 7), ("Comedy", 6), ("Action", 6)),
    *(("Action", 5), ("Thriller", 7), ("Romance", 6), ("Adventure", 5), ("Crime", 4), ("Sci-Fi", 4), ("Horror", 4)),
    *(("Documentary", 3), ("Fantasy", 2), ("Children", 2), ("Animation", 2), ("Mystery", 2), ("War", 1)),
    *(("Musical", 1), ("Western", 1), ("Film-Noir", 1), ("IMAX", 1)),
)
N_TASTES = len(TASTES)
N_TRAITS = 12
_BLOCK_USERS = 1024
PEOPLE = People(
    breadth=2.5,
    mean=3.03,
    user_spread=0.5,
    noise=0.88,
    opinion=0.6,
    leaning=1.2,
    whole_stars=0.4,
    start=820_454_400,  # 1996-01-01
    window=631_152_000,  # up to the end of 2015
    session=40,
)
# Of an item's ratings, how much comes through its main taste, its second one, and all others together.
_MAIN, _SECOND, _REST = 0.75, 0.18, 0.07
_WEIGHT_SPREAD = 1.9  # of the logarithm of how much more some people care for an item than others


@dataclass(frozen=True)
class Shape:
    """How many users, items and ratings; and where the middle and the end of their long tails lie."""

    n_users: int
    n_items: int
    n_ratings: int
    user_median: float
    user_max: int
    item_median: float
    item_max: int


# The numbers that GroupLens publishes of its editions, and the quantiles of their ratings per user and item.
SHAPES = {
    "100k": Shape(943, 1_682, 100_000, 65, 737, 27, 583),
    "1m": Shape(6_040, 3_706, 1_000_209, 96, 2_314, 123.5, 3_428),
    "10m": Shape(69_878, 10_677, 10_000_054, 69, 7_359, 135, 34_864),
    "20m": Shape(138_493, 26_744, 20_000_263, 68, 9_254, 18, 67_310),
    "25m": Shape(162_541, 59_047, 25_000_095, 71, 32_202, 6, 81_491),
    "32m": Shape(200_948, 84_432, 32_000_204, 73, 33_332, 5, 102_929),
}


def parse_shape(text: str) -> Shape:
    """The shape that ``100k``, ``20m`` or ``USERSxITEMSxRATINGS`` names; an impossible one is an error."""
    if text.lower() in SHAPES:
        return SHAPES[text.lower()]
    numbers = re.fullmatch(r"(\d[\d_,]*)[x×](\d[\d_,]*)[x×](\d[\d_,]*)", text.strip().lower())
    if numbers is None:
        raise ParameterError(
            f"shape of a generated world must be one of {', '.join(SHAPES)}, "
            f"or USERSxITEMSxRATINGS such as 1000x500x20000, not {text!r}"
        )
    n_users, n_items, n_ratings = (int(n.replace(",", "").replace("_", "")) for n in numbers.groups())
    least, most = max(n_users, n_items), n_users * n_items
    if n_users < 1 or n_items < 1 or not least <= n_ratings <= most:
        raise ParameterError(
            f"{n_users:,} users and {n_items:,} items, each with a rating and none twice, need between "
            f"{max(least, 1):,} and {max(most, 1):,} ratings, not {n_ratings:,}; change one of the three numbers"
            if n_users and n_items
            else f"a generated world needs at least 1 user and 1 item, not {text!r}"
        )
    if max(n_users, n_items) >= 2**31:
        raise ParameterError(f"a generated world has fewer than 2^31 users and items, not {text!r}")
    per_user, per_item = n_ratings / n_users, n_ratings / n_items
    low = _fewest(n_users, n_items, n_ratings)
    return Shape(
        n_users,
        n_items,
        n_ratings,
        low + 0.4 * (per_user - low),
        min(n_items, int(20 * per_user) + 1),
        1 + 0.3 * (per_item - 1),
        min(n_users, int(30 * per_item) + 1),
    )


def _fewest(n_users: int, n_items: int, n_ratings: int) -> int:
    """Ratings that every user has at least: 20 as in MovieLens where there are enough for that."""
    return 20 if n_ratings >= 20 * n_users and n_items >= 20 else 1


@dataclass(frozen=True, eq=False)
class World:
    """All of a world but its ratings, which `fill` writes block by block.

    Attributes
    ----------
    main_taste, second_taste : int64 (n_items,)
    popularity : int64 (n_items,)
        Ratings that each item is meant to get.
    """

    shape: Shape
    key: int
    indptr: Array
    given_ptr: Array
    given: Array
    item_ids: Array
    items: Items
    main_taste: Array
    second_taste: Array
    popularity: Array

    def fill(self, first: int, last: int, indices: Array, values: Array, timestamps: Array) -> None:
        """Write the rows of users first .. last - 1 into arrays of the whole world."""
        rows = slice(self.indptr[first], self.indptr[last])
        with np.errstate(over="ignore"):  # 64-bit words wrap around by design; heard only without the compiler
            fill_users(
                first,
                last,
                np.uint64(subkey(self.key, 20)),
                self.indptr,
                self.given_ptr,
                self.given,
                self.items,
                PEOPLE,
                indices[rows],
                values[rows],
                timestamps[rows],
            )


def make_world(shape: Shape, seed: int = 0) -> World:
    """Everything that ratings depend on: activity, popularity, tastes, traits.

    A user's share of each taste is log-normal; a rating's taste is drawn from these shares, then an item
    from the taste's popular items. Stars follow item quality, the user's mood, and the agreement of their
    opinions with the item's traits, which lean towards the tastes that they watch by.
    """
    key = subkey(seed, 1)
    low = _fewest(shape.n_users, shape.n_items, shape.n_ratings)
    activity = long_tail(shape.n_users, shape.n_ratings, low, shape.user_median, shape.user_max)
    popularity = long_tail(shape.n_items, shape.n_ratings, 1, shape.item_median, shape.item_max)
    weights = _calibrate(popularity, activity)
    activity = activity[permutation(subkey(key, 2), shape.n_users)]
    order = permutation(subkey(key, 3), shape.n_items)
    popularity, weights = popularity[order], weights[order]
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(activity)])
    main, second = _draw_tastes(subkey(key, 4), shape.n_items), _draw_tastes(subkey(key, 5), shape.n_items)
    given_ptr, given = _first_raters(shape, indptr, subkey(key, 6))
    return World(
        shape=shape,
        key=key,
        indptr=indptr,
        given_ptr=given_ptr,
        given=given,
        item_ids=_sparse_ids(shape.n_items, subkey(key, 7)),
        items=_make_items(key, weights, popularity, main, second),
        main_taste=main,
        second_taste=second,
        popularity=popularity,
    )


def generate(shape: Shape, seed: int = 0, folder: Path | None = None) -> tuple[World, Interactions]:
    """A world and its ratings, the same bytes for the same seed at any number of threads.

    Parameters
    ----------
    folder : Path or None
        Where the arrays of ratings are written as memory-mapped ``.npy`` files while blocks of users are
        made, so that they need no memory; None keeps them in memory.
    """
    world = make_world(shape, seed)
    n = shape.n_ratings
    if folder is None:
        indices, values, times = np.empty(n, np.int32), np.empty(n, np.float32), np.empty(n, np.int64)
    else:
        new: Callable[..., Array] = np.lib.format.open_memmap
        indices, values, times = (
            np.asarray(new(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(n,)))
            for name, dtype in (("indices", np.int32), ("values", np.float32), ("timestamps", np.int64))
        )
    with progress("ratings", n) as advance:

        def fill(first: int, last: int) -> None:
            world.fill(first, last, indices, values, times)
            advance(int(world.indptr[last] - world.indptr[first]))

        run_blocks(fill, shape.n_users, _BLOCK_USERS)
    users = Vocabulary(np.arange(1, shape.n_users + 1), "user")
    return world, Interactions(users, Vocabulary(world.item_ids, "item"), world.indptr, indices, values, times)


def long_tail(n: int, total: int, low: int, median: float, high: int) -> Array:
    """n whole numbers between `low` and `high`, increasing and adding up to `total`, log-normal about `median`.

    The spread of the logarithm is what makes the sum come out; a soft ceiling keeps the largest near `high`.
    """
    p = (np.arange(n, dtype=np.float64) + 0.5) / n
    z = (exps(0.135 * logs(p)) - exps(0.135 * logs(1.0 - p))) / 0.1975  # Tukey's lambda, close to normal quantiles
    middle, room = max(median - low, 1e-3), max(float(high - low), 1e-3)

    def counts(spread: float) -> Array:
        body = middle * exps(spread * z)
        return low + np.floor(body * room / (body + room)).astype(np.int64)

    narrow, wide = 0.0, 4.0
    for _ in range(40):
        spread = (narrow + wide) / 2
        if int(counts(spread).sum()) < total:
            narrow = spread
        else:
            wide = spread
    values = counts(narrow)
    values[-1] = high
    return _settle(values, total, low, high)


def _settle(values: Array, total: int, low: int, high: int) -> Array:
    """Add or take evenly, within the bounds, until the sum is `total`; then sort."""
    while (missing := total - int(values.sum())) != 0:
        able = np.flatnonzero(values[:-1] < high if missing > 0 else values[:-1] > low)
        if not len(able):  # only the largest has room left
            able = np.array([len(values) - 1])
        step, many = max(abs(missing) // len(able), 1), min(abs(missing), len(able))
        chosen = able[np.arange(many) * len(able) // many]
        values[chosen] = np.clip(values[chosen] + (step if missing > 0 else -step), low, high)
    return np.sort(values)


def _calibrate(popularity: Array, activity: Array) -> Array:
    """Weights with which draws without repeats give each item about as many ratings as it should have.

    Item i comes up for a user with probability 1 - exp(-w_i t h): t grows with the user's activity, h is how
    much more than others the user cares for it. Solved on a grid of weights and 64 quantiles of users, by
    turns for w (given t) and for t (so that each user's probabilities add up to their activity). Sums run
    along the first axis only, in the order of the rows.
    """
    n_users, n_quantiles = len(activity), 64
    quantiles = activity[(np.arange(n_quantiles) * 2 + 1) * n_users // (2 * n_quantiles)].astype(np.float64)
    p = (np.arange(5, dtype=np.float64) + 0.5) / 5
    care = exps(_WEIGHT_SPREAD * (exps(0.135 * logs(p)) - exps(0.135 * logs(1.0 - p))) / 0.1975)
    care /= care.sum() / len(care)
    grid = exps(np.arange(-380, 101, dtype=np.float64) * 0.05)  # 6e-9 .. 150; at first the largest weight is 1
    wanted = np.maximum(popularity - 1, 0.02).astype(np.float64)  # one rating comes from the first rater
    pace, weights = quantiles * popularity.max() / popularity.sum(), np.empty(0)
    for _ in range(25):
        hit = np.zeros((len(grid), n_quantiles))
        for level in care:
            hit += 1.0 - exps(-np.minimum(grid[:, None] * (pace[None, :] * level), 40.0))
        hit /= len(care)
        expected = np.ascontiguousarray(hit.T).sum(axis=0) * (n_users / n_quantiles)
        place = np.clip(np.searchsorted(expected, wanted), 1, len(grid) - 1)
        part = (wanted - expected[place - 1]) / np.maximum(expected[place] - expected[place - 1], 1e-12)
        weights = grid[place - 1] + (grid[place] - grid[place - 1]) * np.clip(part, 0.0, 1.0)
        per_bin = np.bincount(place, minlength=len(grid)).astype(np.float64)
        reached = (hit * per_bin[:, None]).sum(axis=0)
        pace *= np.clip(quantiles / np.maximum(reached, 1e-12), 0.5, 2.0)
    return weights


def _draw_tastes(key: int, n: int) -> Array:
    """A taste for each of n items, in proportion to the tastes' sizes."""
    deck = np.repeat(np.arange(N_TASTES), [size for _, size in TASTES])
    return deck[(words(key, n) % np.uint64(len(deck))).astype(np.int64)]


def _first_raters(shape: Shape, indptr: Array, key: int) -> tuple[Array, Array]:
    """For every item one user who rates it whatever their taste: `ptr` (n_users + 1,) and items by user.

    The items, shuffled, are laid evenly along all ratings, which never gives a user more than they rate.
    """
    slots = np.arange(shape.n_items, dtype=np.int64) * shape.n_ratings // shape.n_items
    owner = np.searchsorted(indptr, slots, side="right") - 1
    ptr = np.zeros(shape.n_users + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=shape.n_users), out=ptr[1:])
    return ptr, permutation(key, shape.n_items).astype(np.int32)


def _sparse_ids(n: int, key: int) -> Array:
    """Increasing item ids with gaps, as in MovieLens: few at first, many later."""
    place = np.arange(n, dtype=np.int64)
    gaps = (words(key, n) % (1 + 9 * (place > n // 3)).astype(np.uint64)).astype(np.int64)
    gaps += (words(key ^ 1, n) % np.uint64(16) == 0).astype(np.int64)
    gaps[:1] = 0
    return 1 + place + np.cumsum(gaps)


def _make_items(key: int, weights: Array, popularity: Array, main: Array, second: Array) -> Items:
    n = len(weights)
    rows = np.arange(n)
    affinity = np.full((n, N_TASTES), _REST / N_TASTES)
    np.add.at(affinity, (rows, main), _MAIN)
    np.add.at(affinity, (rows, second), _SECOND)
    mass = weights[:, None] * affinity
    totals = mass.sum(axis=0)
    thresholds, others = np.empty((N_TASTES, n), np.uint32), np.empty((N_TASTES, n), np.int32)
    for taste in range(N_TASTES):
        fill_alias(np.ascontiguousarray(mass[:, taste]), thresholds[taste], others[taste])
    taste_traits = bells(subkey(key, 8), N_TASTES * N_TRAITS).reshape(N_TASTES, N_TRAITS)
    traits = 0.95 * taste_traits[main] + 0.35 * taste_traits[second]
    traits = (traits + 0.9 * bells(subkey(key, 9), n * N_TRAITS).reshape(n, N_TRAITS)) / 1.36
    rank = np.empty(n)
    rank[np.argsort(popularity, kind="stable")] = (np.arange(n) + 0.5) / n
    quality = 0.40 * bells(subkey(key, 10), n) + 1.0 * (rank - 0.5)
    return Items(
        shares=totals / np.cumsum(totals)[-1],
        thresholds=thresholds,
        others=others,
        weights=(mass / totals).astype(np.float32),
        quality=quality.astype(np.float32),
        traits=traits.astype(np.float32),
        taste_traits=taste_traits.astype(np.float32),
    )
