"""Lists on the split of Gowalla that graph models are compared on since NGCF and LightGCN."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError
from coterie.evaluation.evaluate import Questions, answer
from coterie.evaluation.metrics import parse
from coterie.evaluation.reproduce.protocol import Entry, Figure, Options, Protocol, Result, require_file
from coterie.evaluation.splits import Split
from coterie.kernels.topk import top_k_rows
from coterie.models.base import Recommender

Array = np.ndarray[Any, np.dtype[Any]]

#: Training and test visits of the published files.
OFFICIAL = 810_128, 217_242
MEASURES = ("recall@20", "ndcg@20")
_LIST = 20
_BLOCK = 256  # users scored together
_DATA = (
    "train.txt and test.txt of Gowalla, from Data/gowalla of https://github.com/kuandeng/LightGCN or from "
    "https://huggingface.co/datasets/reczoo/Gowalla_m1, in a folder gowalla"
)


def read(location: str) -> Split:
    """The published split: in both files a line is a user and their items, all numbers from 0.

    A pair that is there twice counts once; a user without items in the test is not tested.
    """
    train, test = (_pairs(require_file(location, "gowalla", (name,), _DATA)) for name in ("train.txt", "test.txt"))
    n_users, n_items = np.maximum(train.max(axis=0), test.max(axis=0)) + 1
    vocabularies = Vocabulary(np.arange(n_users), "user"), Vocabulary(np.arange(n_items), "item")
    learnt, held_out = (Interactions.from_arrays(*vocabularies, pairs[:, 0], pairs[:, 1]) for pairs in (train, test))
    return Split(learnt, held_out, "as published with LightGCN", {})


def _pairs(file: Path) -> Array:
    """Distinct (user, item), int64 (n, 2)."""
    lines = [np.array(line.split(), np.int64) for line in file.read_text().splitlines()]
    pairs = [np.column_stack([np.full(len(line) - 1, line[0]), line[1:]]) for line in lines if len(line) > 1]
    if not pairs:
        raise DataError(f"{file} has no line with a user and items; fetch it again")
    return np.unique(np.concatenate(pairs), axis=0)


def measure(entry: Entry, parts: Split) -> dict[str, float]:
    """Recall and NDCG of the first twenty among all items that the user has not been to."""
    questions = Questions(parts, relevant_from=1.0, k=_LIST, ratings=False)
    if entry.model == "item-knn":
        ranking = questions.judge(questions.users, lists_with_means(entry.make().fit(parts.train), questions))
    else:
        answered = answer(entry.make(), questions).ranking
        assert answered is not None
        ranking = answered
    return {name: parse(name).value(ranking) for name in MEASURES}


def lists_with_means(model: Recommender, questions: Questions) -> Array:
    r"""Items ranked by a model that adds up neighbours, as BARS has it: int32 (n, k), best first.

    With the weights :math:`w_{ij}` of the model and :math:`m_j` the share of users who have been to j,

    .. math:: s_{ui} = m_i + \sum_j w_{ij} (x_{uj} - m_j).

    The model's scores are linear in the profile, so the last sum is its score of u less its score of m.
    """
    train = questions.split.train
    profiles = train.to_scipy()
    means = (train.item_counts / train.n_users).astype(np.float32)[None, :]
    offsets = means - np.nan_to_num(model.score(sp.csr_matrix(means)))
    lists = []
    for users in questions.blocks(_BLOCK):
        seen = profiles[users]
        scores = np.nan_to_num(model.score(seen, users)) + offsets
        scores[seen.nonzero()] = -np.inf
        lists.append(top_k_rows(scores, questions.k)[0])
    return np.concatenate(lists)


def _figures(values: tuple[float | None, float | None], tolerance: float) -> tuple[Figure, ...]:
    return tuple(Figure(name, value, tolerance) for name, value in zip(MEASURES, values, strict=True))


ENTRIES = (
    Entry("ease", _figures((0.1765, 0.1467), 0.0005), "BARS", {"regularization": 80.0}),
    Entry(
        "item-knn",
        _figures((0.1570, 0.1214), 0.001),
        "BARS",
        {"similarity": "cosine", "n_neighbors": 100, "model_size": 100, "normalize": True},
        note="ranked with the share of each item's visitors, as published (lists_with_means)",
    ),
    Entry(
        "rp3beta",
        _figures((None, None), 0.005),
        "Anelli et al. 2023",
        {"n_neighbors": 777, "alpha": 0.5663562161452378, "beta": 0.001085447926739258},
        note="the paper's settings; its figure (table 4) was not at hand to be checked and is left out",
    ),
    Entry("LightGCN", _figures((0.1830, 0.1554), 0.0), "He et al. 2020", ours=False, note="context"),
)


def _run(location: str, options: Options) -> Iterator[Result]:
    parts = read(location)
    found = parts.train.nnz, parts.test.nnz
    foreign = "" if found == OFFICIAL else f"not the published split: {found[0]:,} and {found[1]:,} visits"
    yield from options.results(ENTRIES, lambda entry: measure(entry, parts), str(parts), "gowalla", foreign)


PROTOCOL = Protocol(
    name="lightgcn",
    title="Places to go, Gowalla as split for LightGCN",
    sources={
        "He et al. 2020": (
            'X. He, K. Deng, X. Wang, Y. Li, Y. Zhang and M. Wang, "LightGCN: simplifying and powering graph '
            'convolution network for recommendation", SIGIR 2020, https://arxiv.org/abs/2002.02126'
        ),
        "BARS": (
            'J. Zhu et al., "BARS: towards open benchmarking for recommender systems", SIGIR 2022, '
            "https://arxiv.org/abs/2205.09626; figures and settings: https://github.com/reczoo/BARS, matching"
        ),
        "Anelli et al. 2023": (
            'V. W. Anelli et al., "Challenging the myth of graph collaborative filtering", RecSys 2023, '
            "https://arxiv.org/abs/2308.00404; settings: https://github.com/sisinflab/Graph-RSs-Reproducibility"
        ),
    },
    data=_DATA,
    duration="ease: some minutes and 8 GB; the others: a minute or two",
    entries=ENTRIES,
    function=_run,
)
