"""The report: one page with what the data is, whom it likens, what is recommended and why, and which model is best."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from coterie.data.catalog import Catalog
from coterie.data.checks import check
from coterie.data.dataset import Dataset, as_dataset
from coterie.data.describe import describe
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Id
from coterie.errors import CapabilityError
from coterie.evaluation.leaderboard import Leaderboard
from coterie.explore.comparison_page import comparison_section
from coterie.explore.figures import genre_bars, long_tail, rating_histogram, ratings_over_time
from coterie.explore.html import Html, bar, join, page, picture, table, tag, write_page
from coterie.explore.reasons import reason
from coterie.explore.similarity_figures import similarity_panel
from coterie.models.base import Recommender
from coterie.models.explanation import Explanation

_CHECK_CLASSES = {"ok": "ok", "warn": "note", "error": "bad"}
_SHOWN = 10  # rows of profiles and of contributions; the rest is summed up in one row


def write_report(
    path: str | PathLike[str],
    dataset: Dataset,
    model: Recommender | None = None,
    user: Id | None = None,
    stranger: Mapping[Id, float] | None = None,
    boards: Mapping[str, Leaderboard] | None = None,
    k: int = 10,
) -> Path:
    """Write one self-contained HTML page about a dataset and, where given, a model and a leaderboard.

    Parameters
    ----------
    path : path
        The file; it is written whole or not at all.
    dataset : Dataset
    model : Recommender or None
        Fitted; its recommendations are shown and explained, and where it predicts ratings, how it comes to one.
    user : id or None
        Whose; None: someone with about as many ratings as most (`typical_user`).
    stranger : mapping of item id to rating, or None
        Someone who is not in the data.
    boards : mapping of str to Leaderboard, or None
        Leaderboards under the questions that they answer.
    k : int
        Recommendations shown.
    """
    x = dataset.interactions
    sections: list[Html | None] = [opening(dataset), checks_section(dataset), _pictures(dataset)]
    if x.n_users > 1:
        sections.append(_likeness(x))
    if model is not None:
        sections += _person(model, dataset.catalog, typical_user(x) if user is None else user, k)
        if stranger:
            sections.append(_stranger(model, dataset.catalog, stranger, k))
    sections += [comparison_section(question, board) for question, board in (boards or {}).items()]
    sections.append(next_steps(dataset))
    return write_page(path, page(f"{dataset.name}: a report by Coterie", *sections))


def typical_user(x: Interactions | Dataset) -> Id:
    """The user whose number of ratings is the median (the first of them in the order of the data)."""
    x = as_dataset(x).interactions
    rated = np.flatnonzero(x.user_counts)
    ordered = rated[np.argsort(x.user_counts[rated], kind="stable")]
    found: Id = x.users.ids[ordered[len(ordered) // 2 : len(ordered) // 2 + 1]].tolist()[0]
    return found


# ---- the data ----------------------------------------------------------------------------------------


def opening(dataset: Dataset) -> Html:
    """The name, and the counts as tiles."""
    about = describe(dataset)
    tiles = {"users": f"{about.users:,}", "rated items": f"{about.rated_movies:,}", "ratings": f"{about.ratings:,}"}
    if about.movies is not None:
        tiles["titles in the catalog"] = f"{about.movies:,}"
    if about.density is not None and about.ratings_per_user is not None and about.ratings_per_item is not None:
        tiles["of all pairs rated"] = f"{about.density:.2%}"
        tiles["ratings a user (median)"] = f"{about.ratings_per_user['median']:,.0f}"
        tiles["ratings an item (median)"] = f"{about.ratings_per_item['median']:,.0f}"
        low, high = about.rating_min, about.rating_max
        tiles["scale"] = f"always {low:g}" if low == high else f"{low:g} to {high:g}"
    lead = "What was rated, by whom, and what can be recommended from it: with reasons, and with how sure that is."
    return join(
        tag("h1", dataset.name),
        tag("p", lead, class_="lead"),
        tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in tiles.items()), class_="tiles"),
    )


def checks_section(dataset: Dataset) -> Html:
    """What `check` found."""
    found = check(dataset)
    odd = [c for c in found.checks if c.status != "ok"]
    words = "Nothing odd was found." if not odd else f"{len(odd)} of {len(found.checks)} checks found something."
    rows = [
        (c.name, tag("span", c.status, class_=_CHECK_CLASSES[c.status]), f"{c.count:,}", c.detail) for c in found.checks
    ]
    return join(
        tag("h2", "Is the data sound?"),
        tag("p", words),
        table("What was looked at", ["check", "status", "count", "remarks"], rows, numbers=[2]),
    )


def _pictures(dataset: Dataset) -> Html:
    x, catalog = dataset.interactions, dataset.catalog
    figures: list[Figure] = [rating_histogram(x), long_tail(x)]
    if x.timestamps is not None:
        figures.append(ratings_over_time(x))
    if catalog is not None and catalog.genres:
        figures.append(genre_bars(catalog))
    return join(tag("h2", "What it looks like"), tag("div", *map(picture, figures), class_="pictures"))


def _likeness(x: Interactions) -> Html:
    text = (
        "Recommending by neighbours begins with one question: how alike are two people? Six measures answer it, "
        "and they disagree. Three people are compared here with everyone else they share a rating with."
    )
    return join(tag("h2", "How alike are people?"), tag("p", text), picture(similarity_panel(x), "panel"))


# ---- recommendations ---------------------------------------------------------------------------------


def _person(model: Recommender, catalog: Catalog | None, user: Id, k: int) -> list[Html]:
    x = model.train_
    row = x.users.index(user)
    own = slice(int(x.indptr[row]), int(x.indptr[row + 1]))
    order = np.argsort(-x.values[own], kind="stable")[:_SHOWN]
    items, ratings = x.items.ids[x.indices[own][order]].tolist(), x.values[own][order]
    n = own.stop - own.start
    profile = table(
        f"The {min(n, _SHOWN)} of their {n:,} ratings that are highest",
        ["title", "rating"],
        [(title, f"{rating:g}") for title, rating in zip(_titles(catalog, items), ratings, strict=True)],
        numbers=[1],
        narrow=True,
    )
    recommended = model.recommend(user, k=k)
    sections = [
        join(
            tag("h2", f"What user {user} may like"),
            tag("p", f"Recommended by {_model_in_words(model)} from what user {user} and others rated."),
            profile,
            _recommended(model, catalog, user, recommended, f"Recommended to user {user}"),
        )
    ]
    for item in recommended["item"].to_list()[:1]:
        if explanation := _explained(model, user, item):
            sections.append(_worked_out(explanation, catalog, "score", model.name))
        if model.predicts_ratings:
            rating = model.explain(user, item, of="rating")
            sections.append(_worked_out(rating, catalog, "predicted rating", model.name))
    return sections


def _stranger(model: Recommender, catalog: Catalog | None, stranger: Mapping[Id, float], k: int) -> Html:
    rated = [f"{title} ({r:g})" for title, r in zip(_titles(catalog, stranger), stranger.values(), strict=True)]
    recommended = model.recommend_for(stranger, k=k)
    return join(
        tag("h2", "A stranger comes along"),
        tag("p", f"Someone who is not in the data tells us what they rated: {'; '.join(rated)}. That is enough."),
        _recommended(model, catalog, stranger, recommended, "Recommended to the stranger"),
    )


def _recommended(
    model: Recommender, catalog: Catalog | None, user: Id | Mapping[Id, float], recommended: pl.DataFrame, caption: str
) -> Html:
    items = recommended["item"].to_list()
    rows = []
    for rank, (item, title, score) in enumerate(
        zip(items, _titles(catalog, items), recommended["score"].to_list(), strict=True), 1
    ):
        explanation = _explained(model, user, item)
        rows.append((rank, title, f"{score:.3f}", reason(explanation) if explanation else "-"))
    return table(caption, ["", "title", "score", "why"], rows, numbers=[2])


def _worked_out(explanation: Explanation, catalog: Catalog | None, what: str, by: str) -> Html:
    """One score or predicted rating as a sum, term by term."""
    (title,) = _titles(catalog, [explanation.item])
    parts = explanation.contributions
    who = "user" if "user" in parts.columns else "item"
    names = _titles(catalog, parts["item"].to_list()) if who == "item" else [f"user {u}" for u in parts["user"]]
    columns = [c for c in ("similarity", "rating") if c in parts.columns]
    values = parts["contribution"].to_numpy()
    largest, signed = max(float(np.abs(values).max(initial=0)), 1e-12), bool((values < 0).any())
    rows: list[tuple[object, ...]] = []
    if explanation.base:
        rows.append(("starting point", *("" for _ in columns), f"{explanation.base:+.4f}"))
    shown = min(len(parts), _SHOWN)
    for at, record in enumerate(parts.head(shown).iter_rows(named=True)):
        cells = [_number(record[c]) for c in columns]
        rows.append((names[at], *cells, join(f"{values[at]:+.4f}", bar(values[at] / largest, signed))))
    if len(parts) > shown:
        rows.append((f"{len(parts) - shown:,} more", *("" for _ in columns), f"{values[shown:].sum():+.4f}"))
    if explanation.cut:
        rows.append(("cut to the scale", *("" for _ in columns), f"{explanation.cut:+.4f}"))
    rows.append((what, *("" for _ in columns), f"{explanation.score:.4f}"))
    heads = ["neighbour" if who == "user" else "rated item", *columns, "contribution"]
    numbers = range(1, len(columns) + 2)
    return join(
        tag("h3", f"Why {title}? The {what} of {by} as a sum"),
        tag("p", explanation.summary),
        table("Every line adds its contribution; the last line is their sum", heads, rows, numbers, foot=1),
    )


def _explained(model: Recommender, user: Id | Mapping[Id, float], item: Id) -> Explanation | None:
    """Why an item stands in a list; None where the model cannot say."""
    try:
        return model.explain(user, item, of="score")
    except CapabilityError:
        return None


def _titles(catalog: Catalog | None, items: Any) -> list[str]:
    """Titles, or ids where there is none."""
    ids = list(items)
    titles = [None] * len(ids) if catalog is None else catalog.titles(ids).to_list()
    return [f"item {id}" if title is None else title for id, title in zip(ids, titles, strict=True)]


def _model_in_words(model: Recommender) -> str:
    return f"{model.name}, fitted on {model.train_.nnz:,} ratings,"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


# ---- the end ------------------------------------------------------------------------------------------


def next_steps(dataset: Dataset) -> Html:
    """Commands to go on with."""
    x, source = dataset.interactions, shlex.quote(dataset.report.source or dataset.name)
    busiest: list[Id] = x.users.ids[np.argsort(-x.user_counts, kind="stable")[:2]].tolist()
    commands = [
        f"coterie data describe {source}",
        f"coterie similar {busiest[0]} {busiest[1]} --data {source}" if len(busiest) > 1 else None,
        f"coterie recommend {busiest[0]} --data {source}",
        f"coterie compare {source} --split {'leave-last-1-out' if x.timestamps is not None else 'leave-1-out'}",
        "coterie compare my-ratings.csv",
    ]
    return join(
        tag("h2", "How to go on"),
        tag("p", "The same with other people, other models, or your own ratings:"),
        tag("pre", tag("code", "\n".join(filter(None, commands)))),
    )
