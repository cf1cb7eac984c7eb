"""What each part of a hybrid is worth, found on ratings that are held back from what the parts learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.models.base import Recommender
from coterie.models.blending import Scale, climb, list_quality, on_one_scale, rating_weights, weighted_sum

Array = np.ndarray[Any, np.dtype[Any]]

# Length of the lists that are judged, the most people whose lists are, and the most bytes that their scores may take.
_K = 10
_PEOPLE = 1000
_BYTES = 256 << 20
# Ratings from this part of the scale on are relevant, as in `compare`.
_RELEVANT = 0.75


class Weights(NamedTuple):
    """Weights of the parts (n_parts,): in lists of rated items and of those that nobody rated, and in predicted ratings
    of the one and the other (0 for parts that predict none)."""

    rated: Array
    unrated: Array
    ratings: Array
    unrated_ratings: Array


def fit_weights(
    parts: Sequence[Recommender], train: Interactions, catalog: Catalog | None, share: float, scale: Scale, seed: int
) -> Weights:
    """Hold back a share of the ratings and all ratings of a share of the items, fit copies of the parts to the rest,
    and find the weights that would have been best. Where nothing was held back of a kind, its weights are equal."""
    equal = np.full(len(parts), 1 / len(parts))
    rates = np.array([part.predicts_ratings for part in parts])
    equal_ratings = rates / max(1, rates.sum())
    held = _held_back(train, share, seed)
    rest = train.select(~held, keep_vocabularies=True)
    if not held.any() or not rest.nnz or len(parts) == 1:
        return Weights(equal, equal, equal_ratings, equal_ratings)
    back = train.select(held, keep_vocabularies=True)
    fitted = [dataclasses.replace(part).fit(rest, catalog) for part in parts]  # type: ignore[type-var]
    unrated = rest.item_counts == 0
    low, high = train.scale
    relevant = back.select(back.values >= low + _RELEVANT * (high - low), keep_vocabularies=True)
    generator = np.random.default_rng([seed, 1])
    hidden = unrated & (train.item_counts > 0)  # without what nobody had rated before: nothing is known against it
    listed = [_list_weights(fitted, rest, relevant, columns, scale, generator, equal) for columns in (~unrated, hidden)]
    known = rest.user_counts[back.user_index] > 0
    judged = back.select(known, keep_vocabularies=True)
    rated = [
        _rating_weights(fitted, rates, rest, judged.select(mask[judged.indices], keep_vocabularies=True), equal_ratings)
        for mask in (~unrated, unrated)
    ]
    return Weights(*listed, *rated)


def _held_back(train: Interactions, share: float, seed: int) -> Array:
    """bool (nnz,): which ratings are held back."""
    generator = np.random.default_rng([seed, 0])
    rated = np.flatnonzero(train.item_counts)
    hidden = np.zeros(train.n_items, bool)
    hidden[generator.permutation(rated)[: round(share * len(rated))]] = True
    return np.asarray(hidden[train.indices] | (generator.random(train.nnz) < share))


def _list_weights(
    fitted: Sequence[Recommender], rest: Interactions, relevant: Interactions, columns: Array, scale: Scale,
    generator: np.random.Generator, equal: Array,
) -> Array:  # fmt: skip
    """The best weights for lists made of some columns (a mask) for people of whom something is relevant there."""
    relevant = relevant.select(columns[relevant.indices], keep_vocabularies=True)
    people = np.flatnonzero((relevant.user_counts > 0) & (rest.user_counts > 0))
    most = max(1, min(_PEOPLE, _BYTES // (4 * max(1, rest.n_items) * (len(fitted) + 2))))
    people = np.sort(generator.permutation(people)[:most])
    if not len(people):
        return equal
    profiles = rest.to_scipy()[people]
    seen = profiles[:, columns].toarray() != 0
    seen[profiles[:, columns].nonzero()] = True
    scaled = []
    for part in fitted:
        # a part at a time, and a block at a time, as when it is asked
        blocks = [part._score(profiles[block], people[block]) for block in part._blocks(len(people))]
        made = on_one_scale(np.concatenate(blocks), scale)[:, columns]
        made[seen] = np.nan  # nobody is recommended what they have seen
        scaled.append(made)
    wanted = relevant.to_scipy()[people][:, columns].toarray() != 0
    return climb(lambda weights: list_quality(weighted_sum(scaled, weights), wanted, _K), len(fitted))


def _rating_weights(
    fitted: Sequence[Recommender], rates: Array, rest: Interactions, judged: Interactions, equal: Array
) -> Array:
    """The best weights (n_parts,) for ratings; 0 for parts that predict none."""
    if not rates.any() or not judged.nnz:
        return equal
    pairs = judged.user_index, judged.indices, np.arange(rest.n_users), judged.timestamps
    predicted = [part.rate(rest.to_scipy(), *pairs) for part, able in zip(fitted, rates, strict=True) if able]
    weights = np.zeros(len(fitted))
    weights[rates] = rating_weights(np.column_stack(predicted), judged.values)
    return weights
