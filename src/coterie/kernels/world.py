"""Kernels of the generated world: a block of users with what they rate, how and when; a block of genome rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coterie.kernels.jit import exact_kernel
from coterie.kernels.sampling import bell, draw_distinct, exp, mix, next_word, sorted_order, unit

Array = np.ndarray[Any, np.dtype[Any]]

_GENOME_STEP = 4000.0


class Items(NamedTuple):
    """Items as the kernels see them; n items, k tastes, d traits.

    Attributes
    ----------
    shares : float64 (k,)
        How much of all ratings falls to each taste.
    thresholds, others : uint32 (k, n), int32 (k, n)
        Alias table of each taste over the items.
    weights : float32 (n, k)
        The same probabilities, for draws of a large part of all items.
    quality : float32 (n,)
        What the average person adds to the mean rating.
    traits : float32 (n, d), taste_traits : float32 (k, d)
        Where an item, and the typical item of a taste, stands in the space of opinions.
    """

    shares: Array
    thresholds: Array
    others: Array
    weights: Array
    quality: Array
    traits: Array
    taste_traits: Array


class People(NamedTuple):
    """How people differ: the constants of the world.

    Attributes
    ----------
    breadth : spread of the logarithm of a person's tastes (0: all alike)
    mean, user_spread, noise : of ratings, in stars
    opinion : stars for one standard deviation of agreement between a person and an item
    leaning : how much a person's opinions follow the tastes that they watch by
    whole_stars : share of people who never give half stars
    start, window : first second, and number of seconds, in which ratings are given
    session : ratings in one sitting
    """

    breadth: float
    mean: float
    user_spread: float
    noise: float
    opinion: float
    leaning: float
    whole_stars: float
    start: int
    window: int
    session: int


@exact_kernel
def fill_users(
    first: int,
    last: int,
    key: np.uint64,
    indptr: Array,
    given_ptr: Array,
    given: Array,
    items: Items,
    people: People,
    indices: Array,
    values: Array,
    timestamps: Array,
) -> None:
    """Fill the rows of users first .. last - 1; each depends on `key` and the user's number alone.

    Parameters
    ----------
    indptr : int64 (n_users + 1,)
        Row pointers; user u has ``indptr[u + 1] - indptr[u]`` ratings.
    given_ptr, given : int64 (n_users + 1,), int32
        Items that a user rates whatever their taste, so that every item is rated by someone.
    indices, values, timestamps : int32, float32, int64 (indptr[last] - indptr[first],)
        The rows of the block, filled with increasing items.
    """
    n_items, n_tastes = items.weights.shape
    marks = np.full(n_items, -1, np.int32)
    shares = np.empty(n_tastes, np.float64)
    opinions = np.empty(items.traits.shape[1], np.float64)
    state = np.empty(1, np.uint64)
    for user in range(first, last):
        state[0] = mix(key ^ mix(np.uint64(user)))
        begin, end = indptr[user] - indptr[first], indptr[user + 1] - indptr[first]
        _draw_person(state, items, people, shares, opinions)
        chosen = indices[begin:end]
        n_given = 0
        for place in range(given_ptr[user], given_ptr[user + 1]):
            chosen[n_given] = given[place]
            marks[given[place]] = user - first
            n_given += 1
        draw_distinct(
            state, shares, items.thresholds, items.others, items.weights, marks, user - first, n_given, chosen
        )
        _date(state, people, timestamps[begin:end])
        _sort_by_item(chosen, timestamps[begin:end])
        _rate(state, items, people, opinions, chosen, values[begin:end])


@exact_kernel
def _draw_person(state: Array, items: Items, people: People, shares: Array, opinions: Array) -> None:
    """A person's share of each taste (adding up to 1) and their place in the space of opinions."""
    total = 0.0
    for taste in range(len(shares)):
        shares[taste] = items.shares[taste] * exp(people.breadth * bell(next_word(state)))
        total += shares[taste]
    for taste in range(len(shares)):
        shares[taste] /= total
    for trait in range(len(opinions)):
        leaning = 0.0
        for taste in range(len(shares)):
            leaning += shares[taste] * items.taste_traits[taste, trait]
        opinions[trait] = people.leaning * leaning + 0.9 * bell(next_word(state))


@exact_kernel
def _date(state: Array, people: People, timestamps: Array) -> None:
    """Increasing times: sittings within a stretch of the window, a few seconds from rating to rating."""
    count = len(timestamps)
    sittings = 1 + count // people.session
    stretch = unit(next_word(state))
    stretch = stretch * stretch * people.window * 0.3
    now = np.int64(0)
    for place in range(count):
        timestamps[place] = now
        word = next_word(state)
        if word % np.uint64(people.session) == np.uint64(0):
            now += int(2.0 * unit(word) * stretch / sittings)
        else:
            now += 1 + np.int64((word >> np.uint64(32)) % np.uint64(40))
        now = min(now, np.int64(people.window - 1))
    begin = people.start + np.int64(unit(next_word(state)) * (people.window - now))
    for place in range(count):
        timestamps[place] += begin


@exact_kernel
def _sort_by_item(chosen: Array, timestamps: Array) -> None:
    """Sort a row by item, times along with it."""
    order = sorted_order(chosen)
    items, times = chosen.copy(), timestamps.copy()
    for place in range(len(chosen)):
        chosen[place] = items[order[place]]
        timestamps[place] = times[order[place]]


@exact_kernel
def _rate(state: Array, items: Items, people: People, opinions: Array, chosen: Array, values: Array) -> None:
    """Half-star ratings: mean + person + item quality + agreement of opinions and traits + noise."""
    base = people.mean + people.user_spread * bell(next_word(state))
    whole = unit(next_word(state)) < people.whole_stars
    n_traits = len(opinions)
    scale = people.opinion / np.sqrt(n_traits)
    for place in range(len(chosen)):
        item = chosen[place]
        agreement = 0.0
        for trait in range(n_traits):
            agreement += opinions[trait] * items.traits[item, trait]
        stars = base + items.quality[item] + scale * agreement + people.noise * bell(next_word(state))
        if stars > 3.5:
            stars = 3.5 + 0.7 * (stars - 3.5)  # the last stars are given sparingly
        if whole:
            values[place] = min(max(np.floor(stars + 0.5), 1.0), 5.0)
        else:
            values[place] = min(max(np.floor(2.0 * stars + 0.5) * 0.5, 0.5), 5.0)


@exact_kernel
def fill_genome(first: int, key: np.uint64, tag_tastes: Array, tag_traits: Array, items: Items, genome: Array) -> None:
    """Relevance in [0, 1] of tags to items, in steps of 1/4000.

    High where the item is of the taste that the tag belongs to, and where the tag's direction agrees with
    the item's traits; noisy as people are.

    Parameters
    ----------
    first : int
        Number of the item of the first row.
    tag_tastes : int64 (n_tags,), tag_traits : float32 (n_tags, d)
        The taste of each tag, and its direction.
    genome : float32 (n, n_tags)
        Filled. Rows that are NaN in the first column are left alone.
    """
    n_tags, n_traits = tag_traits.shape
    n_tastes = items.weights.shape[1]
    for row in range(len(genome)):
        if np.isnan(genome[row, 0]):
            continue
        item = first + row
        total = 0.0
        for taste in range(n_tastes):
            total += items.shares[taste] * items.weights[item, taste]
        for tag in range(n_tags):
            taste = tag_tastes[tag]
            belongs = items.shares[taste] * items.weights[item, taste] / total
            agreement = 0.0
            for trait in range(n_traits):
                agreement += tag_traits[tag, trait] * items.traits[item, trait]
            noise = bell(mix(key ^ mix(np.uint64(item) * np.uint64(65536) + np.uint64(tag))))
            x = 5.0 * belongs + agreement / np.sqrt(n_traits) * 0.4 + 0.25 * noise - 1.5
            relevance = 0.5 + 0.5 * x / np.sqrt(1.0 + x * x)
            genome[row, tag] = np.floor(relevance * _GENOME_STEP + 0.5) / _GENOME_STEP
