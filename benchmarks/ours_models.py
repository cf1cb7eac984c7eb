"""Coterie's side of the jobs about models; runs in ``.venv``."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

import coterie as ct
from benchmarks.folds import Ratings, judge
from benchmarks.quality import ndcg, rmse
from benchmarks.work import (
    Array,
    Check,
    Data,
    HeldOut,
    Quality,
    Work,
    check_scores,
    checked_rows,
    few_rows,
    in_sweeps,
    value_errors,
)
from coterie.data.vocabulary import Vocabulary
from coterie.evaluation.evaluate import Questions, ask
from coterie.evaluation.metrics import parse
from coterie.evaluation.splits import Split
from coterie.models.registry import model_class


def train(request: dict[str, Any]) -> Work:
    """A sweep or an epoch of a model that learns in them: `model` with `parameters`, `sweeps` the name of the one
    that counts them; `implicit`: what is rated is chosen, whatever the rating."""
    data = Data.of(request)
    x = ct.load(data.name, seed=data.seed).interactions
    x = x.select(~data.held_out, keep_vocabularies=True)
    if request["implicit"]:
        x = x.binarized()
    few, cls = x.filter(first_users=few_rows(x.n_users)), model_class(request["model"])
    _, held_out = data.split()

    def fit(sweeps: int, x: ct.Interactions = x) -> ct.Recommender:
        return cls(**request["parameters"], **{request["sweeps"]: sweeps}).fit(x)

    def quality(model: Any, seconds: float) -> Quality:
        speed = {"M ratings/s": x.nnz / seconds / 1e6}
        if request["implicit"]:
            biases = getattr(model, "item_biases_", 0.0)
            return {"NDCG@10": ndcg(model.user_factors_, model.item_factors_, x.to_scipy(), held_out, biases)} | speed
        return {"RMSE": rmse(_predict(model, held_out), held_out)} | speed

    return in_sweeps(fit, lambda: fit(1, few), quality)


def _predict(model: ct.Recommender, held_out: HeldOut) -> Array:
    users, items = model.train_.users.ids, model.train_.items.ids
    return model.predict(users[held_out.users], items[held_out.items])


def top(request: dict[str, Any]) -> Work:
    """The best `k` items of every user without those they rated, as a table of ids, by fitted factors."""
    data = Data.of(request)
    model = ct.load_model(data.artefact("implicit-als"))
    users, k = model.train_.users.ids, request["k"]

    def check(table: pl.DataFrame) -> Check:
        lists = np.zeros((len(users), k))
        rows = model.train_.users.indices(table["user"])
        lists[rows, table["rank"].to_numpy() - 1] = table["score"].to_numpy()
        return check_scores(lists[checked_rows(len(users))])

    return Work(
        act=lambda: model.recommend(users, k),
        warm_up=lambda: model.recommend(users[: few_rows(len(users))], k),
        check=check,
    )


def evaluate(request: dict[str, Any]) -> Work:
    """The lists of a fitted model for everyone who has something held out, and what they are worth at `k` (10);
    with `auc` also the order of all pairs of items."""
    data = Data.of(request)
    model = ct.load_model(data.artefact("implicit-als"))
    held, k = data.held_out, request.get("k", 10)
    train, test = (model.train_.select(part, keep_vocabularies=True) for part in (~held, held))
    few = np.flatnonzero(test.user_counts)[: few_rows(test.n_users)]
    little = test.filter(users=test.users.ids[few], keep_vocabularies=True)
    names = [f"{name}@{k}" for name in ("ndcg", "recall", "precision", "map", "coverage")]
    names += ["auc"] if request.get("auc") else []

    def judge(test: ct.Interactions) -> Quality:
        questions = Questions(Split(train, test, "the tenth", {}), 0.0, k, ratings=False, pairs="auc" in names)
        answers = ask(model, questions)
        return {name: parse(name).value(answers.ranking) for name in names if answers.ranking is not None}

    return Work(act=lambda: judge(test), warm_up=lambda: judge(little), quality=lambda found: found)


def ease(request: dict[str, Any]) -> Work:
    """`EASE` of the `items` most rated items: Gram matrix, inverse and weights."""
    data = Data.of(request)

    def most_rated(n: int, **conditions: Any) -> ct.Interactions:
        x = ct.load(data.name, seed=data.seed).interactions
        items = np.sort(np.argsort(-x.item_counts, kind="stable")[:n])
        return x.filter(items=x.items.ids[items], **conditions).binarized()

    x = most_rated(request["items"])
    return Work(
        act=lambda: ct.EASE(regularization=500.0).fit(x),
        warm_up=lambda: ct.EASE().fit(most_rated(500, first_users=few_rows(x.n_users))),
    )


def svd(request: dict[str, Any]) -> Work:
    """The 64 largest singular triplets of the ratings with zeros for the unrated."""
    data = Data.of(request)
    x = ct.load(data.name, seed=data.seed).interactions
    few = x.filter(first_users=few_rows(x.n_users))
    return Work(
        act=lambda: ct.SVD(n_factors=64, centering="none").fit(x),
        warm_up=lambda: ct.SVD(n_factors=64, centering="none").fit(few),
        quality=lambda model: value_errors(data, model.singular_values_),
    )


def accuracy(request: dict[str, Any]) -> dict[str, Any]:
    """Errors and times of `model` with `parameters` over the folds."""
    cls = model_class(request["model"])

    def prepare(ratings: Ratings) -> ct.Interactions:
        users, items = (Vocabulary(np.arange(n), what) for n, what in zip(ratings.shape, ("user", "item"), strict=True))
        return ct.Interactions.from_arrays(users, items, ratings.users, ratings.items, ratings.values)

    def fit(x: ct.Interactions) -> ct.Recommender:
        return cls(**request["parameters"]).fit(x)

    return judge(request, prepare, fit, lambda model, asked: model.predict(asked.users, asked.items))
