"""Coterie's side of every job; runs in ``.venv``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

import coterie as ct
from benchmarks.work import WARM_CALLS, Check, Data, K, Work, check_lists, check_matrix, checked_rows, few_rows
from coterie.errors import NothingFitsError
from coterie.similarity import Neighbors, all_neighbors, neighbors


def load_csv(request: dict[str, Any]) -> Work:
    """A CSV to a checked dataset, without the store."""
    data = Data.of(request)
    return Work(
        act=lambda: ct.load(data.csv, cache=False).interactions,
        warm_up=lambda: ct.load(data.few_csv, cache=False),
        check=lambda x: check_matrix(x.indptr, x.indices, x.values),
    )


def reopen(request: dict[str, Any]) -> Work:
    """The second load of the CSV, in a process that has loaded something else before."""
    data = Data.of(request)
    return Work(act=lambda: ct.load(data.csv).interactions, warm_up=lambda: ct.load(data.few_csv, cache=False), times=5)


def item_cosine(request: dict[str, Any]) -> Work:
    return _neighbors(request, "items", lambda x: neighbors(x, "cosine", K, axis="items"))


def user_cosine(request: dict[str, Any]) -> Work:
    return _neighbors(request, "users", lambda x: neighbors(x, "cosine", K, axis="users"))


def user_pearson(request: dict[str, Any]) -> Work:
    return one_measure({**request, "measure": "pearson"})


def one_measure(request: dict[str, Any]) -> Work:
    """Users' neighbours by one measure, in the notebook's reading."""
    return _neighbors(request, "users", lambda x: neighbors(x, request["measure"], K, reading="notebook"))


def all_measures(request: dict[str, Any]) -> Work:
    """Users' neighbours by all six measures from one pass."""
    return _neighbors(request, "users", lambda x: all_neighbors(x, K, reading="notebook"))


def _neighbors(request: dict[str, Any], axis: str, find: Callable[[ct.Interactions], Any]) -> Work:
    data = Data.of(request)
    x = ct.load(data.name, seed=data.seed).interactions
    few = x.filter(first_users=few_rows(x.n_users))

    def check(found: Neighbors | dict[str, Neighbors]) -> Check:
        lists = found.values() if isinstance(found, dict) else [found]
        rows = checked_rows(x.shape[axis == "items"])
        return {k: v for each in lists for k, v in check_lists(each.values[rows], each.measure.name).items()}

    return Work(act=lambda: find(x), warm_up=lambda: find(few), check=check)


def genome_neighbors(request: dict[str, Any]) -> Work:
    """The nearest movies of every movie by their genome, as `TagKNN` finds them."""
    from coterie.content.features import ItemFeatures
    from coterie.content.likeness import nearest, shrunk_rows

    genome = Data.of(request).genome()
    none = np.empty((len(genome), 0), np.float32)

    def find(rows: Any) -> Any:
        features = ItemFeatures(tuple(map(str, range(rows.shape[1]))), rows, "genome")
        return nearest(shrunk_rows(features, 0.0), none[: len(rows)], K)[1]

    return Work(
        act=lambda: find(genome),
        warm_up=lambda: find(genome[:1000]),
        check=lambda cosines: check_lists(cosines[checked_rows(len(genome))], "cosine"),
    )


def stranger(request: dict[str, Any]) -> Work:
    """The ten best items for a stranger, from a loaded artefact."""
    data = Data.of(request)
    model = ct.load_model(data.artefact(request["artefact"]))
    ids, calls = model.train_.items.ids, request["calls"]
    profiles = data.profiles(request["size"])
    strangers: list[dict[int | str, float]] = [
        {int(item): 4.0 for item in ids[next(profiles)]} for _ in range(WARM_CALLS + calls)
    ]
    waiting = iter(strangers)

    def act() -> Any:
        return model.recommend_for(next(waiting), k=10)

    return Work(act=act, warm_up=lambda: [act() for _ in range(WARM_CALLS)], times=calls)


def critique(request: dict[str, Any]) -> Work:
    """Answers about a made-up genome, each from a start and about tags of its own."""
    rng = np.random.default_rng(request["seed"])
    n, tags, calls = request["items"], [f"tag {j}" for j in range(request["tags"])], WARM_CALLS + request["calls"]
    frame = pl.DataFrame(
        {
            "item": np.arange(n),
            "title": [f"Film {i} ({1950 + i % 70})" for i in range(n)],
            "genres": ["Comedy|Drama" if i % 2 else "Drama|Horror" for i in range(n)],
        }
    )
    relevance = rng.random((n, len(tags)), np.float32) ** 3  # most tags have little to do with most items
    catalog = ct.Catalog.from_titles(frame, genome_tags=tuple(tags), genome=relevance)
    starts, asked = rng.integers(0, n, calls), rng.integers(0, len(tags), (calls, 2))
    wanted = ct.Constraints(genres="Comedy", years=(1960, None)) if request["kind"] == "constrained" else None
    waiting = iter(zip(starts.tolist(), asked.tolist(), strict=True))

    def act() -> Any:
        start, (less, more) = next(waiting)
        begun = ct.Critique(start, catalog)
        if request["kind"] == "offered":
            return begun.offered(10)
        less, more = sorted((less, more), key=lambda tag: -relevance[start, tag])
        try:
            return begun.less(tags[less]).more(tags[more]).recommend(10, wanted)
        except NothingFitsError as nothing:  # what to relax is an answer too
            return nothing

    return Work(act=act, warm_up=lambda: [act() for _ in range(WARM_CALLS)], times=request["calls"])


def load_artefact(request: dict[str, Any]) -> Work:
    """A fitted model from disk, every file's checksum compared."""
    data = Data.of(request)
    return Work(
        act=lambda: ct.load_model(data.artefact("item-knn")),
        warm_up=lambda: ct.load(data.few_csv, cache=False),
        times=5,
    )
