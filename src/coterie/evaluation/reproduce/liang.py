"""Strong generalisation on MovieLens 20M, as in Liang et al. 2018: lists for people whom the model never saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from coterie.data import builtin
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError
from coterie.evaluation.evaluate import Questions, answer
from coterie.evaluation.metrics import parse
from coterie.evaluation.reproduce.protocol import Entry, Figure, Options, Protocol, Result, require_file
from coterie.evaluation.splits import Split

Array = np.ndarray[Any, np.dtype[Any]]

SEED = 98765
LIKED_ABOVE = 3.5
FEWEST = 5  # liked items of a person who takes part, and of one of whose profile a part is held out
HELD_OUT_SHARE = 0.2
N_HELD_OUT = 10_000
#: Likes and people of ML-20M that take part.
OFFICIAL = 9_990_682, 136_677
MEASURES = ("recall_capped@20", "recall_capped@50", "ndcg@100")
_LIST = 100
_DATA = (
    "MovieLens 20M (ratings.csv, from https://grouplens.org/datasets/movielens/20m/), in a folder ml-20m, or the name "
    "movielens-20m, which fetches it"
)


def likes(location: str) -> tuple[Array, Array]:
    """User and item ids (int64 (n,)) of ratings above 3.5, in file order."""
    if builtin.is_name(location) and not Path(location).exists():
        frame = builtin.load(location).interactions.to_frame()  # by user and item, as the file of ML-20M is
    else:
        file = require_file(location, "ml-20m", ("ratings.csv",), _DATA)
        frame = pl.read_csv(file, columns=["userId", "movieId", "rating"])
        frame = frame.rename({"userId": "user", "movieId": "item"})
    frame = frame.filter(pl.col("rating") > LIKED_ABOVE)
    return frame["user"].to_numpy(), frame["item"].to_numpy()


def split(users: Array, items: Array, n_held_out: int = N_HELD_OUT) -> Split:
    """The split of the paper's published code, draw for draw.

    People with fewer than 5 likes are left out. A permutation of the others, by increasing id, with
    ``numpy.random.RandomState(98765)`` puts the last `n_held_out` into the test, as many before them into the
    validation (of no use here) and the rest into training; items that nobody in training likes are left out. Of each
    tested person, by increasing id, who has at least 5 likes left, a fifth (rounded down) is drawn from their likes in
    file order, without replacement and from a generator that begins with the same seed again: that is to be found, and
    the rest is told. Who has fewer is told and not tested.

    Parameters
    ----------
    users, items : int (n,)
        Likes in file order.
    n_held_out : int, at least 1
        People in the test, and in the validation.
    """
    ids, counts = np.unique(users, return_counts=True)
    ids = ids[counts >= FEWEST]
    if not 0 < 2 * n_held_out < len(ids):
        raise DataError(
            f"{len(ids):,} people have {FEWEST} likes (ratings above {LIKED_ABOVE}) or more, too few to hold out "
            f"{n_held_out:,} for the test and as many for validation; needed: {_DATA}"
        )
    shuffled = ids[np.random.RandomState(SEED).permutation(len(ids))]
    learnt = np.isin(users, shuffled[: -2 * n_held_out])
    tested_users = np.sort(shuffled[-n_held_out:])
    vocabulary = Vocabulary(np.unique(items[learnt]), "item")
    tested = np.flatnonzero(np.isin(users, tested_users) & np.isin(items, vocabulary.ids))
    tested = tested[np.argsort(users[tested], kind="stable")]  # by person, and for each in file order
    held = _held_out(users[tested])
    people = Vocabulary(tested_users, "user")
    training = Vocabulary(np.sort(shuffled[: -2 * n_held_out]), "user")
    return Split(
        _interactions(training, vocabulary, users[learnt], items[learnt]),
        _interactions(people, vocabulary, users[tested[held]], items[tested[held]]),
        f"strong generalisation: {n_held_out:,} of {len(ids):,} people held out, 80 % of their profiles told",
        {},
        _interactions(people, vocabulary, users[tested[~held]], items[tested[~held]]),
    )


def _held_out(users: Array) -> Array:
    """Which likes are to be found, bool (n,), of likes sorted by person."""
    held = np.zeros(len(users), bool)
    random = np.random.RandomState(SEED)
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(users)], strict=True):
        n = stop - start
        if n >= FEWEST:
            held[start + random.choice(n, size=int(HELD_OUT_SHARE * n), replace=False)] = True
    return held


def _interactions(users: Vocabulary, items: Vocabulary, user_ids: Array, item_ids: Array) -> Interactions:
    return Interactions.from_arrays(users, items, users.indices(user_ids), items.indices(item_ids))


def measure(entry: Entry, parts: Split) -> dict[str, float]:
    """The paper's three metrics of one model: recall over min(k, held-out likes), and NDCG."""
    ranking = answer(entry.make(), Questions(parts, relevant_from=1.0, k=_LIST, ratings=False)).ranking
    assert ranking is not None
    return {name: parse(name).value(ranking) for name in MEASURES}


def _figures(values: tuple[float, float, float], tolerance: float) -> tuple[Figure, ...]:
    return tuple(Figure(name, value, tolerance) for name, value in zip(MEASURES, values, strict=True))


ENTRIES = (
    Entry("ease", _figures((0.391, 0.521, 0.420), 0.001), "Steck 2019", {"regularization": 500.0}),
    Entry(
        "implicit-als",
        _figures((0.395, 0.532, 0.425), 0.003),
        "Rendle et al. 2022",
        {
            "n_factors": 2048,
            "regularization": 0.003,
            "unobserved_weight": 0.1,
            "regularization_exponent": 1.0,
            "n_iterations": 16,
            "solver": "ials++",
            "block_size": 128,
        },
        note="published: a mean over 10 starts; blocks of both sides take turns there",
    ),
    Entry("Mult-VAE", _figures((0.395, 0.537, 0.426), 0.0), "Liang et al. 2018", ours=False, note="context"),
)


def _run(location: str, options: Options) -> Iterator[Result]:
    users, items = likes(location)
    parts = split(users, items)
    taking_part = np.unique(users, return_counts=True)[1]
    found = int(taking_part[taking_part >= FEWEST].sum()), int(np.count_nonzero(taking_part >= FEWEST))
    foreign = "" if found == OFFICIAL else f"not ML-20M: {found[0]:,} likes of {found[1]:,} people"
    dataset = "ml-20m" if not foreign else Path(location).name
    yield from options.results(ENTRIES, lambda entry: measure(entry, parts), str(parts), dataset, foreign)


PROTOCOL = Protocol(
    name="liang",
    title="Strong generalisation on MovieLens 20M",
    sources={
        "Liang et al. 2018": (
            'D. Liang, R. G. Krishnan, M. D. Hoffman and T. Jebara, "Variational autoencoders for collaborative '
            'filtering", WWW 2018, https://doi.org/10.1145/3178876.3186150; split: https://github.com/dawenl/vae_cf'
        ),
        "Steck 2019": (
            'H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019, '
            "https://arxiv.org/abs/1905.03375, table 1"
        ),
        "Rendle et al. 2022": (
            'S. Rendle, W. Krichene, L. Zhang and Y. Koren, "Revisiting the performance of iALS on item recommendation '
            'benchmarks", RecSys 2022, https://arxiv.org/abs/2110.14037, table 3; settings: '
            "https://github.com/google-research/google-research/tree/master/ials"
        ),
    },
    data=_DATA,
    duration="ease: a minute and 3 GB; implicit-als, with 2,048 factors: about an hour",
    entries=ENTRIES,
    function=_run,
)
