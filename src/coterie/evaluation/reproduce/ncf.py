"""Leave-one-out on MovieLens 1M with 99 sampled others, as in neural collaborative filtering (He et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError
from coterie.evaluation.metrics import Ranking, parse
from coterie.evaluation.reproduce.protocol import Entry, Figure, Options, Protocol, Result, require_file
from coterie.models.base import Recommender

Array = np.ndarray[Any, np.dtype[Any]]

FILES = ("ml-1m.train.rating", "ml-1m.test.rating", "ml-1m.test.negative")
#: Training ratings and people of the published files.
OFFICIAL = 994_169, 6_040
MEASURES = ("hit_rate@10", "ndcg@10")
_LIST = 10
_BLOCK = 1024  # people scored together
_DATA = (
    f"{', '.join(FILES)}, from the folder Data of https://github.com/hexiangnan/neural_collaborative_filtering, in a "
    "folder ncf-ml-1m (the split is by time, so ratings without times cannot stand in for it)"
)


class LeaveOneOut(NamedTuple):
    """The published files: row numbers are their ids.

    `train` has 1 for every rating, `users` and `items` (m,) are the held-out pairs, and `others` (a row a pair) what
    each held-out item is ranked among.
    """

    train: Interactions
    users: Array
    items: Array
    others: list[Array]


def read(location: str) -> LeaveOneOut:
    """The three files, a held-out pair and its others a line.

    Raises
    ------
    DataError
        A file is missing, or lines do not go together.
    """
    files = [require_file(location, "ncf-ml-1m", (name,), _DATA) for name in FILES]
    train, test = (_pairs(file) for file in files[:2])
    others = [np.array(line.split("\t")[1:], np.int64) for line in files[2].read_text().splitlines() if line]
    if len(others) != len(test):
        raise DataError(
            f"{files[2].name} has {len(others):,} lines and {files[1].name} {len(test):,}; fetch both files again"
        )
    n_users, n_items = np.maximum(train.max(axis=0), test.max(axis=0)) + 1
    n_items = max(n_items, 1 + max((int(some.max()) for some in others if len(some)), default=0))
    vocabularies = Vocabulary(np.arange(n_users), "user"), Vocabulary(np.arange(n_items), "item")
    learnt = Interactions.from_arrays(*vocabularies, train[:, 0], train[:, 1])
    return LeaveOneOut(learnt, test[:, 0], test[:, 1], others)


def _pairs(file: Path) -> Array:
    """User and item of every line with a positive rating, int64 (n, 2)."""
    lines = np.loadtxt(file, delimiter="\t", usecols=(0, 1, 2), ndmin=2)
    if not len(lines):
        raise DataError(f"{file} is empty; fetch it again")
    return lines[lines[:, 2] > 0, :2].astype(np.int64)


def places(model: Recommender, data: LeaveOneOut) -> Array:
    """How many of its others each held-out item stands behind, int64 (m,).

    An item with an equal score stands before it, as in the published code, which asks about the held-out item last.
    What a model has nothing to say about comes last.
    """
    found = np.empty(len(data.users), np.int64)
    profiles = data.train.to_scipy()
    for start in range(0, len(found), _BLOCK):
        users = data.users[start : start + _BLOCK]
        scores = model.score(profiles[users], users)
        scores = np.where(np.isnan(scores), -np.inf, scores)
        for row, of_user in enumerate(scores):
            item = data.items[start + row]
            others = np.setdiff1d(data.others[start + row], [item])
            found[start + row] = np.count_nonzero(of_user[others] >= of_user[item])
    return found


def measure(model: Recommender, data: LeaveOneOut) -> dict[str, float]:
    """Hit rate and NDCG of the first ten; one item is right."""
    place = places(model, data)
    hits = place[:, None] == np.arange(_LIST)
    items = np.where(hits, data.items[:, None], -1).astype(np.int32)
    ranking = Ranking(items, hits, np.ones(len(place), np.int64), data.train.n_items)
    return {name: parse(name).value(ranking) for name in MEASURES}


def _figures(values: tuple[float | None, float | None], tolerance: float, at_least: bool = True) -> tuple[Figure, ...]:
    return tuple(
        Figure(name, value, tolerance, "at least" if at_least else "equal")
        for name, value in zip(MEASURES, values, strict=True)
    )


# Ferrari Dacrema et al. learnt from the training ratings less one a person, which they tuned on: with all of them a
# model should be no worse, and counts hardly change.
_FEWER = "published: learnt from one rating a person less"
_FERRARI, _RENDLE = "Ferrari Dacrema et al. 2019", "Rendle et al. 2022"
ENTRIES = (
    Entry("popularity", _figures((0.4531, 0.2542), 0.002, at_least=False), _FERRARI, note=_FEWER),
    Entry("p3alpha", _figures((0.6464, 0.3867), 0.005), _FERRARI, {"n_neighbors": 464, "alpha": 1.5511}, note=_FEWER),
    Entry(
        "rp3beta",
        _figures((0.6715, 0.3991), 0.005),
        _FERRARI,
        {"n_neighbors": 494, "alpha": 1.1468, "beta": 0.5613},
        note=_FEWER,
    ),
    Entry("pure-svd", _figures((0.6896, 0.4294), 0.005), _FERRARI, {"n_factors": 60}, note=_FEWER),
    Entry(
        "implicit-als",
        _figures((None, None), 0.005),
        _RENDLE,
        {
            "n_factors": 192,
            "regularization": 0.007,
            "unobserved_weight": 0.3,
            "regularization_exponent": 1.0,
            "n_iterations": 12,
        },
        note="the paper's settings; its figure (table 5) was not at hand to be checked and is left out",
    ),
    Entry(
        "ease",
        _figures((None, None), 0.005),
        "Anelli et al. 2021",
        {"regularization": 1320.0},
        note="the paper's settings; its figure was not at hand to be checked and is left out",
    ),
    Entry("NeuMF", _figures((0.6725, 0.4011), 0.0), _FERRARI, ours=False, note="context"),
)


def _run(location: str, options: Options) -> Iterator[Result]:
    data = read(location)
    found = data.train.nnz, len(data.users)
    foreign = "" if found == OFFICIAL else f"not the published files: {found[0]:,} ratings, {found[1]:,} held out"
    told = f"{found[0]:,} ratings"
    yield from options.results(
        ENTRIES, lambda entry: measure(entry.make().fit(data.train), data), told, "ncf-ml-1m", foreign
    )


PROTOCOL = Protocol(
    name="ncf",
    title="The latest movie among 99 others, MovieLens 1M",
    sources={
        "He et al. 2017": (
            'X. He, L. Liao, H. Zhang, L. Nie, X. Hu and T.-S. Chua, "Neural collaborative filtering", WWW 2017, '
            "https://doi.org/10.1145/3038912.3052569; the split"
        ),
        _FERRARI: (
            'M. Ferrari Dacrema, P. Cremonesi and D. Jannach, "Are we really making much progress? A worrying analysis '
            'of recent neural recommendation approaches", RecSys 2019, https://doi.org/10.1145/3298689.3347058; '
            "figures and settings: https://github.com/MaurizioFD/RecSys2019_DeepLearning_Evaluation, FULL_RESULTS.md"
        ),
        "Anelli et al. 2021": (
            'V. W. Anelli, A. Bellogín, T. Di Noia and C. Pomo, "Reenvisioning the comparison between neural '
            'collaborative filtering and matrix factorization", RecSys 2021, https://arxiv.org/abs/2107.13472'
        ),
        _RENDLE: (
            'S. Rendle, W. Krichene, L. Zhang and Y. Koren, "Revisiting the performance of iALS on item recommendation '
            'benchmarks", RecSys 2022, https://arxiv.org/abs/2110.14037, table 5; settings: '
            "https://github.com/google-research/google-research/tree/master/ials"
        ),
    },
    data=_DATA,
    duration="a few minutes",
    entries=ENTRIES,
    function=_run,
)
