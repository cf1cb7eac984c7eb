"""Recommend, predict, explain, and the demo: what a model does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coterie.cli.constraining import PANEL, ConstraintOptions
from coterie.cli.options import (
    DataOptions,
    ListOptions,
    ModelOptions,
    WholeDataOptions,
)
from coterie.cli.output import (
    Output,
    UsageError,
    cell,
    frame_table,
    heading,
    stderr,
    stdout,
)

if TYPE_CHECKING:
    import polars as pl

    from coterie.data.vocabulary import Id
    from coterie.models.base import Recommender
    from coterie.models.explanation import Explanation

Rated = Annotated[
    list[str] | None,
    typer.Option("--rated", metavar="ITEM=RATING", help='What a stranger rated, such as "Toy Story (1995)=5"; repeat.'),
]
K = Annotated[int, typer.Option("-k", min=1, metavar="N", help="How many.")]
Explained = Literal["rating", "score"]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="When the rating is given, such as 2018-05-03 or Unix seconds, for models that ask (time-bias). "
        "By default at the end of training.",
    ),
]


def demo(
    out: Output,
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="NAME|PATH", help="The ratings to show it on.")
    ] = DataOptions.data,
    folder: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the report and its pictures go.")
    ] = Path("coterie-demo"),
) -> None:
    """The main job on real ratings, from loading them to a report with pictures."""
    from coterie.cli.demo import run_demo

    report = run_demo(folder, data, stderr() if out.as_json else stdout())
    if out.as_json:
        out.show({"report": str(report)})


def recommend(
    model: ModelOptions,
    data: WholeDataOptions,
    out: Output,
    users: Annotated[list[str] | None, typer.Argument(metavar="[USER]...", help="Ids of known users.")] = None,
    rated: Rated = None,
    k: K = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", metavar="", help="Also what was rated already.")
    ] = False,
    candidate: Annotated[
        list[str] | None,
        typer.Option(
            "--candidate",
            metavar="ITEM",
            help="Is this item or another so named; repeat.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    wanted: ConstraintOptions = ConstraintOptions(),
    lists: ListOptions = ListOptions(),
) -> None:
    """The best items for users of the data, or for a stranger who says what they like.

    Example: coterie recommend --rated "Toy Story (1995)=5" --rated "Heat (1995)=2" --genre Comedy --years 1990-1999

    An item without a known year (genre, relevance) satisfies no condition on years (genres, tags).
    """
    from coterie.cli.sources import find_item, obtain_model, parse_profile
    from coterie.models.nothing import why_nothing

    if users and rated:
        raise UsageError("recommend for known users or for a stranger: give user ids or --rated, not both")
    if not users and not rated:
        raise UsageError('recommend for whom? Give user ids, or ratings such as --rated "Toy Story (1995)=5"')
    fitted = obtain_model(model, data, lists)
    train = fitted.train_
    among = wanted.constraints([find_item(text, train, fitted.catalog_) for text in candidate] if candidate else None)
    if users:
        ids = [train.users.parse(text) for text in users]
        found = fitted.recommend(ids, k=k, exclude_seen=not include_seen, candidates=among)
        whom: dict[str, Any] = {"users": ids}
        seen = [set(_ratings_of(fitted, id)) for id in ids]
        title = f"For user {ids[0]}" if len(ids) == 1 else "For these users"
    else:
        profile = parse_profile(rated or [], fitted)
        found = fitted.recommend_for(profile, k=k, exclude_seen=not include_seen, candidates=among)
        whom = {"profile": profile}
        seen = [set(profile)]
        title = "For someone who rated " + ", ".join(f"{_name(fitted, i)} {r:g}" for i, r in profile.items())
    shown = found.drop("user") if users and len(users) == 1 else found
    said: dict[str, Any] = {} if among is None else {"constraints": among.to_dict()}
    if len(found):
        picture: Any = frame_table(_title_early(shown))
    else:
        note = why_nothing(fitted, among, [] if include_seen else set.intersection(*seen), "--include-seen")
        picture, said["note"] = cell(note), note
    out.show(
        {**fitted.about, **whom, **said, "recommendations": found}, heading(f"{title}, by {_label(fitted)}"), picture
    )


def predict(
    model: ModelOptions,
    data: DataOptions,
    out: Output,
    who_and_what: Annotated[
        list[str], typer.Argument(metavar="[USER] ITEM...", help="A user id (none with --rated), then ids or titles.")
    ],
    rated: Rated = None,
    at: At = None,
) -> None:
    """The ratings that a person would give to items."""
    import polars as pl

    from coterie.cli.sources import obtain_model

    _enough(who_and_what, rated, "predict")
    fitted = obtain_model(model, data)
    who, items = _person(fitted, who_and_what, rated)
    times = _times(fitted, at, len(items))
    if isinstance(who, dict):
        ratings = fitted.predict_for(who, items, times)
    else:
        ratings = fitted.predict([who] * len(items), items, times)
    titles = [] if fitted.catalog_ is None else [fitted.catalog_.titles(items)]
    actual = who if isinstance(who, dict) else _ratings_of(fitted, who)
    given = pl.Series("rated", [actual.get(item) for item in items], pl.Float32)
    found = pl.DataFrame([pl.Series("item", items), *titles, pl.Series("prediction", ratings), given])
    title = f"Predicted by {_label(fitted)} for " + ("a stranger" if isinstance(who, dict) else f"user {who}")
    title += f" at {at}" if at else ""
    document = {**fitted.about, **_whom(who), "at": at, "predictions": found}
    shown = found if given.is_not_null().any() else found.drop("rated")
    out.show(document, heading(title), frame_table(shown, decimals=2))


def explain(
    model: ModelOptions,
    data: DataOptions,
    out: Output,
    who_and_what: Annotated[
        list[str], typer.Argument(metavar="[USER] ITEM", help="A user id (none with --rated), then an id or a title.")
    ],
    rated: Rated = None,
    of: Annotated[
        Explained | None,
        typer.Option("--of", help="What to explain; by default the rating where the model predicts ratings."),
    ] = None,
    at: At = None,
    k: K = 10,
) -> None:
    """Why an item has its predicted rating, or its score in lists, for a person: contributions that add up."""
    from coterie.cli.sources import obtain_model

    _enough(who_and_what, rated, "explain")
    if len(who_and_what) > (1 if rated else 2):
        raise UsageError(f"explain takes one item, not {', '.join(map(repr, who_and_what[0 if rated else 1 :]))}")
    fitted = obtain_model(model, data)
    who, [item] = _person(fitted, who_and_what, rated)
    times = _times(fitted, at, 1)
    explanation = fitted.explain(who, item, of, None if times is None else times[0])
    given = (who if isinstance(who, dict) else _ratings_of(fitted, who)).get(item)
    document = {
        **fitted.about,
        **_whom(who),
        "item": item,
        "title": _title(fitted, item),
        "rated": given,
        "at": at,
        "of": explanation.of,
        "score": explanation.score,
        "base": explanation.base,
        "cut": explanation.cut,
        "contributions": explanation.contributions,
        "summary": explanation.summary,
    }
    whom = "a stranger" if isinstance(who, dict) else f"user {who}"
    what = "is predicted" if explanation.of == "rating" else "scores"
    why = f"Why {_name(fitted, item)} {what} {explanation.score:.4f} for {whom}, by {_label(fitted)}"
    known = [] if given is None else [f"{whom[0].upper()}{whom[1:]} rated it {given:g}."]
    out.show(document, heading(why), *known, cell(explanation.summary), _account(explanation, k))


# ---- what these share -----------------------------------------------------------------------------------


def _label(model: Recommender) -> str:
    """The model's name, and what of it is not as by default."""
    name, bracket, changed = model.label.partition("(")
    return f"{name} {bracket}{changed}" if bracket else name


def _whom(who: Id | dict[Id, float]) -> dict[str, Any]:
    return {"profile": who} if isinstance(who, dict) else {"user": who}


def _times(model: Recommender, at: str | None, n: int) -> list[str] | None:
    """The time of ``--at`` for n ratings."""
    if at is not None and not model.predicts_at_times:
        raise UsageError(f"--at {at}: what {model.name} predicts does not depend on when; leave it out")
    return None if at is None else [at] * n


def _title(model: Recommender, item: Id) -> str | None:
    return None if model.catalog_ is None else model.catalog_.titles([item])[0]


def _name(model: Recommender, item: Id) -> str:
    return _title(model, item) or f"item {item}"


def _ratings_of(model: Recommender, user: Id) -> dict[Id, float]:
    train = model.train_
    row = train.users.index(user)
    part = slice(train.indptr[row], train.indptr[row + 1])
    return dict(zip(train.items.ids[train.indices[part]].tolist(), train.values[part].tolist(), strict=True))


def _enough(words: list[str], rated: list[str] | None, command: str) -> None:
    if len(words) < (1 if rated else 2):
        raise UsageError(
            f'{command} takes a user id and an item; for a stranger, an item and --rated "Toy Story (1995)=5" ...'
        )


def _person(model: Recommender, words: list[str], rated: list[str] | None) -> tuple[Id | dict[Id, float], list[Id]]:
    """Whom a command is about, and the items."""
    from coterie.cli.sources import find_item, parse_profile

    who: Id | dict[Id, float]
    who = parse_profile(rated, model) if rated else model.train_.users.parse(words[0])
    texts = words if rated else words[1:]
    return who, [find_item(text, model.train_, model.catalog_) for text in texts]


def _title_early(found: pl.DataFrame) -> pl.DataFrame:
    """Numbers last, so that they stand together beside the titles."""
    return found.select(*[name for name in found.columns if name != "score"], "score")


def _shares_in_words(parts: pl.DataFrame, most: int = 3) -> pl.DataFrame:
    """What two items share, strongest first, as ``noir 0.21, dark 0.08``."""
    import polars as pl

    if "shared" not in parts.columns:
        return parts
    texts = [", ".join(f"{s['name']} {s['weight']:.2g}" for s in shared[:most]) for shared in parts["shared"].to_list()]
    return parts.with_columns(pl.Series("shared", texts, pl.String))


def _account(explanation: Explanation, k: int) -> Any:
    """Base, the k largest contributions, the rest, and their sum."""
    parts = explanation.contributions
    if not len(parts):
        return ""
    first = [name for name in ("user", "item", "title") if name in parts.columns]
    parts = parts.select(*first, *[n for n in parts.columns if n not in (*first, "contribution")], "contribution")
    made = frame_table(_shares_in_words(parts.head(k)), full=["contribution"])
    blank = [""] * (parts.width - 2)
    rest = parts["contribution"][k:]
    if len(rest):
        made.add_row(f"{len(rest):,} more", *blank, cell(float(rest.sum())))
    made.add_row("base", *blank, cell(explanation.base))
    if explanation.cut:
        made.add_row("cut to the scale", *blank, cell(explanation.cut))
    made.add_row(explanation.of, *blank, cell(explanation.score), style="bold")
    return made
