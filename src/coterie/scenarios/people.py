"""People as scenarios meet them: known users by id, strangers by profile, and what a model thinks each would like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.data.vocabulary import Id
from coterie.errors import DataError, ParameterError
from coterie.models.base import Recommender
from coterie.models.profiles import Profile, profile_row

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
#: A known user by id, or a stranger by what they rated.
Person = Id | Profile

# Rows of scores that are held at a time.
_BLOCK_BYTES = 32 << 20


def profiles_of(model: Recommender, people: Sequence[Person]) -> tuple[sp.csr_matrix, Array]:
    """Profiles, csr (n, n_items), and row numbers in ``model.train_``, int64 (n,), -1 for strangers."""
    import scipy.sparse as sp

    train = model.train_
    strangers = np.array([isinstance(person, Mapping) for person in people], bool)
    rows = np.full(len(people), -1, np.int64)
    rows[~strangers] = train.users.indices([p for p in people if not isinstance(p, Mapping)])
    matrix = train.to_scipy()
    parts = [
        profile_row(person, train, stacklevel=3) if isinstance(person, Mapping) else matrix[[row]]
        for person, row in zip(people, rows.tolist(), strict=True)
    ]
    return sp.vstack(parts, "csr", dtype=np.float32), rows


def scores_of(model: Recommender, profiles: sp.csr_matrix, rows: Array) -> Array:
    """Scores, float32 (n, n_items), of people who are known users or strangers (row -1)."""
    scores = np.empty(profiles.shape, np.float32)
    for known in (True, False):
        some = np.flatnonzero((rows >= 0) == known)
        if len(some):
            scores[some] = model.score(profiles[some], rows[some] if known else None)
    return scores


def ratings_of(model: Recommender, profiles: sp.csr_matrix, rows: Array, items: Array) -> Array:
    """Predicted ratings, float32 (n, m), of the same m items by each person."""
    ratings = np.empty((profiles.shape[0], len(items)), np.float32)
    for known in (True, False):
        some = np.flatnonzero((rows >= 0) == known)
        if len(some):
            who = np.repeat(np.arange(len(some)), len(items))
            asked = model.rate(profiles[some], who, np.tile(items, len(some)), rows[some] if known else None)
            ratings[some] = asked.reshape(len(some), len(items))
    return ratings


def scores_are_ratings(model: Recommender, profiles: sp.csr_matrix, rows: Array, scores: Array) -> bool:
    """Whether the scores that rank are the ratings that the model predicts, clipped or not.

    They need not be: neighbour models rank by sums and predict by averages, and a list in the order of the averages is
    led by whatever one near neighbour gave the best rating.
    """
    if not model.predicts_ratings:
        return False
    items = np.flatnonzero(np.isfinite(scores).all(axis=0))[:64]
    if not len(items):
        return False
    predicted = ratings_of(model, profiles[:1], rows[:1], items)[0]
    return bool(np.allclose(np.clip(scores[0, items], *model.train_.scale), predicted, atol=1e-3))


def standardized(scores: Array, seen: Array) -> Array:
    r"""Each row on the same scale, float64 in [0, 1]: :math:`(s - \min s) / (\max s - \min s)`, cut to it.

    The least and the greatest are those of what somebody has not seen (bool (n, n_items)), as far as there is a score:
    many models score highest what they were told. No score (NaN) counts as the least, 0; where all are equal, all
    are 1.
    """
    finite = np.isfinite(scores)
    judged = finite & ~seen
    judged = np.where(judged.any(axis=1, keepdims=True), judged, finite)
    values = np.where(finite, scores, 0).astype(np.float64)
    low = np.where(judged, values, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    high = np.where(judged, values, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    apart = judged.any(axis=1, keepdims=True) & (high > low)
    span = np.where(apart, high, 1) - np.where(apart, low, 0)
    scaled = np.where(apart, (values - np.where(apart, low, 0)) / span, 1.0)
    return np.where(finite, np.clip(scaled, 0, 1), 0.0)


def seen_by(profiles: sp.csr_matrix) -> Array:
    """bool (n, n_items): who has rated what. For few people."""
    return np.asarray(profiles.astype(bool).toarray()) if profiles.nnz else np.zeros(profiles.shape, bool)


def names_of(people: Mapping[str, Person] | Sequence[Person]) -> tuple[list[str], list[Person]]:
    """What people are called, and who they are: a mapping names them; else a user's name is the id."""
    if isinstance(people, Mapping):
        names, persons = [str(name) for name in people], list(people.values())
    elif isinstance(people, str) or not isinstance(people, Iterable):
        raise ParameterError(f"members come as a list, such as [{people!r}], or as a dict of names, not {people!r}")
    else:
        persons = list(people)
        names = [
            f"stranger {place}" if isinstance(person, Mapping) else f"user {person}"
            for place, person in enumerate(persons, 1)
        ]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"{name} is there twice; name everybody once")
    if not persons:
        raise ParameterError("nobody was named; give user ids, or profiles such as {2571: 5.0}")
    return names, persons


def silent_about(scores: Array) -> Array:
    """bool (n,): of whom there is no score (n, n_items) at all."""
    return np.asarray(~np.isfinite(scores).any(axis=1))


def require_opinions(names: Sequence[str], scores: Array) -> None:
    """`DataError` where the model has nothing to say about any item for somebody."""
    silent = silent_about(scores)
    if silent.any():
        raise DataError(
            f"the model has nothing to say for {names[int(silent.argmax())]}; give a profile with more ratings"
        )


def row_blocks(n: int, width: int) -> Iterator[slice]:
    """Ranges of rows of which a float32 matrix of this width stays small."""
    size = max(1, min(1024, _BLOCK_BYTES // (4 * max(1, width))))
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
