"""The models under contract and the small world that they are fitted on.

Every registered model is here by itself; `VARIANTS` adds settings that take other paths through the code.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from polars.testing import assert_frame_equal

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.models.base import Recommender
from coterie.models.content_factors import ContentFactors
from coterie.models.factors import FactorModel
from coterie.models.hybrid import Hybrid
from coterie.models.registry import MODELS, model_class

_NEIGHBORS: list[dict[str, Any]] = [
    {"normalize": True},
    {"weighting": "bm25"},
    {"weighting": "tfidf", "normalize": True},
    {"similarity": "jaccard", "n_neighbors": 4},
    {"similarity": "manhattan"},
    {"similarity": "pearson", "absolute": True},
    {"ranking": "rating", "aggregation": "weighted"},
    {"ranking": "rating", "aggregation": "mean", "absolute": True, "n_neighbors": 3},
    {"ranking": "rating", "aggregation": "centered", "similarity": "pearson", "absolute": True},
    {"ranking": "rating", "aggregation": "zscore", "similarity": "euclidean", "reading": "notebook"},
    {"ranking": "rating", "aggregation": "baseline", "similarity": "chebyshev", "shrinkage": 5.0},
    {"ranking": "rating", "aggregation": "baseline", "min_neighbors": 3, "min_overlap": 3, "n_neighbors": 5},
]
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "co-clustering": [{"averages": "cluster", "n_user_clusters": 2}, {"n_user_clusters": 40, "n_item_clusters": 40}],
    "bayesian-mf": [{"noise": "common", "n_factors": 3, "n_burn_in": 2, "n_samples": 3, "thinning": 1}],
    "bayesian-svd++": [{"noise": "common", "n_factors": 4, "n_burn_in": 0, "n_samples": 2, "thinning": 2}],
    "time-bias": [
        {"user_days": True, "weekday": True, "season": True, "n_periods": 4},
        {"user_drift": False, "item_drift": False, "user_scale": False, "season": True},
    ],
    "slope-one": [{"variant": "plain"}, {"min_support": 7}],
    "popularity": [{"weighted": True}],
    "random": [{"random_state": 7}],
    "ease": [{"regularization": 5.0}],
    "slim": [{"positive": False, "l1_regularization": 1.0}, {"n_neighbors": 4}],
    "p3alpha": [{"alpha": 0.5, "n_neighbors": 15, "normalize": False}],
    "rp3beta": [{"normalize": False, "beta": 0.2}, {"n_neighbors": 15}],
    "user-knn": _NEIGHBORS,
    "svd": [{"centering": "none"}, {"n_factors": 3}],
    "nmf": [
        {"reading": "zeros"},
        {"solver": "multiplicative", "n_factors": 3},
        {"reading": "zeros", "regularization": 0.0},
    ],
    "als": [
        {"biases": False, "n_factors": 3},
        {"features": "genres+tags", "n_factors": 4},
        {"count_weighted": False, "regularization": 2.0, "n_factors": 40},
    ],
    "implicit-als": [{"loss": "original", "alpha": 4.0, "n_factors": 8}, {"solver": "cg"}, {"solver": "ials++"}],
    "biased-mf": [{"n_factors": 3, "regularization": 0.5}],
    "bpr": [{"negatives": "uniform", "n_factors": 5}, {"biases": False, "n_epochs": 5}],
    "tag-knn": [
        {"min_items": 1, "shrinkage": 0.0, "n_neighbors": 3, "normalize": True},
        {"adjusted": True},
        {"ranking": "rating", "aggregation": "centered", "model_size": 4, "n_neighbors": 2},
        {"aggregation": "weighted", "min_neighbors": 3},
    ],
    "genre-knn": [{"adjusted": True, "shrinkage": 1.0}, {"ranking": "rating", "aggregation": "zscore"}],
    "content-factors": [
        {"base": "als", "features": "genres+tags"},
        {"base": "svd", "mapping": "kernel", "features": "genres+years", "n_landmarks": 9},
    ],
    "hybrid": [
        {"parts": "als+genre-knn+svd++", "scale": "rank"},
        {"parts": "user-knn+slope-one+popularity", "combine": "switching", "min_profile": 12},
        {"parts": "als+tag-knn", "weights": "1+3"},
    ],
    "item-knn": [*_NEIGHBORS, {"ranking": "rating", "model_size": 6, "n_neighbors": 2}],
}

# These find neighbours among the users: a known user is none of their own, a stranger may resemble that user.
AMONG_USERS = {"user-knn"}
# To these a known user is more than their ratings: a neighbour of strangers, or somebody who rated at certain times.
KNOWN_BY_MORE = {*AMONG_USERS, "time-bias"}

# Where the defaults ask for hundreds of sweeps, fewer: what holds of every model does not depend on their number.
_QUICK: dict[str, dict[str, Any]] = {
    "bayesian-mf": {"n_burn_in": 4, "n_samples": 5, "thinning": 2},
    "bayesian-svd++": {"n_burn_in": 4, "n_samples": 5, "thinning": 2},
    "bpr": {"n_epochs": 20},
}

Case = tuple[str, tuple[tuple[str, Any], ...]]
CASES: list[Case] = [
    (name, tuple(parameters.items())) for name in MODELS for parameters in [{}, *VARIANTS.get(name, [])]
]


def label(case: Case) -> str:
    return "-".join([case[0], *(f"{value}" if value is not True else key for key, value in case[1])])


each_case = pytest.mark.parametrize("case", CASES, ids=label)
each_model = pytest.mark.parametrize("case", [case for case in CASES if not case[1]], ids=label)


def make(case: Case) -> Recommender:
    return model_class(case[0])(**_QUICK.get(case[0], {}) | dict(case[1]))


# ---- a small world ---------------------------------------------------------------------------------------

N_USERS, N_ITEMS = 36, 25
SILENT_USER, UNRATED_ITEM = 4, 9  # row numbers: nothing is known of these


@cache
def world(text: bool = False, seed: int = 0) -> Interactions:
    """36 users, 25 items, half-star ratings; ids have gaps and stand in no order."""
    random = np.random.default_rng(seed)
    dense = np.where(random.random((N_USERS, N_ITEMS)) < 0.5, random.integers(1, 11, (N_USERS, N_ITEMS)) / 2, 0.0)
    dense[SILENT_USER], dense[:, UNRATED_ITEM] = 0.0, 0.0
    user, item = np.nonzero(dense)
    ids: list[Any] = [random.permutation(n) * 7 + 1000 for n in dense.shape]
    if text:
        ids = [[f"№ {i}" for i in part] for part in ids]
    vocabularies = Vocabulary(ids[0], "user"), Vocabulary(ids[1], "item")
    return Interactions.from_arrays(*vocabularies, user, item, dense[user, item], times(user, item))


@cache
def wide_world() -> Interactions:
    """1,200 users, 700 items, 30,000 ratings: more than one block of rows for every kernel."""
    random = np.random.default_rng(3)
    user, item = random.integers(0, 1200, 30_000), (700 * random.random(30_000) ** 2).astype(np.int64)
    values = random.integers(1, 11, 30_000) / 2
    vocabularies = Vocabulary(np.arange(1200), "user"), Vocabulary(np.arange(700), "item")
    pairs = np.unique(np.stack([user, item]), axis=1, return_index=True)[1]
    when = times(user[pairs], item[pairs])
    return Interactions.from_arrays(*vocabularies, user[pairs], item[pairs], values[pairs], when)


def times(user: Any, item: Any) -> Any:
    """When somebody rated something (row numbers): over two years, in no order, on a few days each."""
    return 1_000_000_000 + 86_400 * ((37 * np.asarray(user) + 101 * (np.asarray(item) // 3)) % 760)


def interactions(dense: Any, timed: bool = False) -> Interactions:
    """Ratings (users x items, 0 for unrated); user ids from 1, item ids from 101."""
    dense = np.asarray(dense, np.float32)
    user, item = np.nonzero(dense)
    users, items = Vocabulary(np.arange(len(dense)) + 1, "user"), Vocabulary(np.arange(dense.shape[1]) + 101, "item")
    when = times(user, item) if timed else None
    return Interactions.from_arrays(users, items, user, item, dense[user, item], when)


@cache
def catalog(text: bool = False) -> Catalog:
    return catalog_of(world(text))


def catalog_of(x: Interactions) -> Catalog:
    """Titles, genres and free tags of the items; a third have genres alone. It has one item that nobody rated."""
    ids = x.items.ids.tolist()
    more = "elsewhere" if x.items.kind == "str" else -5
    genres = [["Drama"] if n % 2 else ["War", "Comedy"] for n in range(len(ids) + 1)]
    frame = pl.DataFrame({"item": [*ids, more], "title": [f"Title {i} (1999)" for i in [*ids, more]], "genres": genres})
    rows = [
        (user, item, tag)
        for n, item in enumerate([*ids, more])
        if n % 3 or item == more
        for user, tag in enumerate([f"half {n % 2}", f"fifth {n % 5}", f"seventh {n * n % 7}"])
    ]
    tags = pl.DataFrame(rows, {"user": pl.Int64, "item": frame.schema["item"], "tag": pl.String}, orient="row")
    return Catalog.from_titles(frame, tags=tags)


def learn(case: Case, x: Interactions) -> Recommender:
    """The model of a case, fitted without a catalog unless it needs one."""
    model = make(case)
    return model.fit(x, catalog_of(x) if model.needs_catalog else None)


@cache
def fitted(case: Case, text: bool = False) -> Recommender:
    """The model of a case, fitted once on the small world. Tests must not change it."""
    return make(case).fit(world(text), catalog(text))


def by_products(case: Case) -> bool:
    """Whether scores are matrix products, whose last digits depend on how much is multiplied together."""
    return issubclass(model_class(case[0]), (FactorModel, ContentFactors, Hybrid))


def assert_same(case: Case, found: Any, expected: Any) -> None:
    """Equal tables or arrays of scores; those made by products up to rounding."""
    if isinstance(found, np.ndarray):
        rtol, atol = (1e-4, 1e-5) if by_products(case) else (1e-5, 0)
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)
    elif by_products(case):
        assert_frame_equal(found, expected, check_exact=False, rel_tol=1e-4, abs_tol=1e-5)
    else:
        assert_frame_equal(found, expected, check_exact=True)


def profile_of(x: Interactions, user: int) -> dict[Any, float]:
    """A known user's ratings (by row number) as a stranger would tell them."""
    row = x.to_scipy()[user]
    return dict(zip(x.items.ids[row.indices].tolist(), row.data.tolist(), strict=True))


def without(x: Interactions, user: int) -> Interactions:
    """The same users and items, but none of this user's ratings."""
    return x.select(x.user_index != user, keep_vocabularies=True)


def state(model: Recommender) -> dict[str, bytes]:
    """What a model has learnt, as bytes."""
    learned = {name: value for name, value in vars(model).items() if name.endswith("_")}
    out = {}
    for name, value in learned.items():
        value = value.toarray() if scipy.sparse.issparse(value) else value
        if isinstance(value, Interactions):
            out[name] = value.fingerprint.encode()
        elif not isinstance(value, Catalog):
            out[name] = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
    return out
