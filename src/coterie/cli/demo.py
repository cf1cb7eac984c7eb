"""The main job as a short story: load, check, look, recommend with reasons, compare, and leave a report to look at."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from coterie.cli.output import cell, heading, table
from coterie.errors import UnknownIdError

if TYPE_CHECKING:
    from coterie.data.dataset import Dataset
    from coterie.data.vocabulary import Id
    from coterie.models.base import Recommender

# What the stranger of the story rated; where the catalog has none of it, the most-rated items stand in.
_STRANGER = {"Toy Story (1995)": 5.0, "Matrix, The (1999)": 5.0, "Jurassic Park (1993)": 4.0}
_K = 5
_METRICS = ("ndcg@10", "recall@10", "coverage@10", "rmse")


def run_demo(
    output: str | Path = "coterie-demo", dataset: str = "movielens-sample", console: Console | None = None
) -> Path:
    """Run the main job on a dataset, telling what happens, and give the path of the report."""
    import coterie as ct
    from coterie.cli.compare import leaderboard_table
    from coterie.explore import typical_user, write_report

    console = console or Console(highlight=False)
    started = time.perf_counter()
    with _chapter(console, f"1. Load {dataset}"):
        data = ct.load(dataset)
        _describe(console, data)
    with _chapter(console, "2. Is it sound?"):
        _check(console, data)
    x = data.interactions
    with _chapter(console, "3. Recommend by neighbours, and say why"):
        model = ct.ItemKNN().fit(x, data.catalog)
        person = typical_user(x)
        _recommend(console, model, person, f"user {person}, who rated {x.user_counts[x.users.index(person)]:,} items")
    with _chapter(console, "4. A stranger comes along"):
        stranger = _stranger(data)
        _recommend(console, model, stranger, _in_words(data, stranger))
    with _chapter(console, "5. Which method is best?"):
        board = ct.compare(data, _contestants(), "random", _METRICS, progress=False)
        console.print(cell(board.split.description), leaderboard_table(board), *map(cell, board.words()), sep="\n")
    with _chapter(console, "6. A report to look at"):
        boards = {"Which method is best?": board}
        path = write_report(Path(output) / "report.html", data, model, person, stranger, boards)
    console.print(f"[bold]{cell(str(path))}[/bold]  (open it in a browser; it needs no network)")
    console.print(f"\nThat took {time.perf_counter() - started:.0f} seconds. With your own ratings:")
    console.print("  coterie compare my-ratings.csv      coterie recommend --help")
    return path


def _contestants() -> list[Recommender]:
    """A few methods in sensible settings; each neighbour model both ranks and predicts ratings."""
    import coterie as ct

    return [
        ct.Random(),
        ct.Popularity(),
        ct.BiasBaseline(),
        ct.UserKNN(),
        ct.ItemKNN(),
        ct.ItemKNN(aggregation="baseline", shrinkage=20.0),
    ]


@contextmanager
def _chapter(console: Console, title: str) -> Iterator[None]:
    """A heading, and on a terminal a sign of life while the chapter takes its time."""
    console.print(f"\n{heading(title)}")
    with console.status("working ..."):
        yield


def _describe(console: Console, data: Dataset) -> None:
    from coterie.data.describe import describe

    about = describe(data)
    console.print(
        f"{about.ratings:,} ratings from {about.rating_min:g} to {about.rating_max:g} by {about.users:,} users "
        f"of {about.rated_movies:,} items; {about.density:.2%} of all pairs are rated"
    )


def _check(console: Console, data: Dataset) -> None:
    from coterie.data.checks import check

    found = check(data).checks
    odd = [c for c in found if c.status != "ok"]
    console.print(f"{len(found)} checks, {len(found) - len(odd)} of them without a finding")
    for c in odd:
        console.print(f"  {c.status}: {cell(c.name)}, {c.count:,}. {cell(c.detail)}")


def _recommend(console: Console, model: Recommender, user: Id | Mapping[Id, float], whose: str) -> None:
    """A list with a reason for each item."""
    from coterie.explore import reason

    if isinstance(user, Mapping):
        recommended = model.recommend_for(user, k=_K)
    else:
        recommended = model.recommend(user, k=_K).drop("user")
    reasons = [reason(model.explain(user, item, of="score")) for item in recommended["item"].to_list()]
    console.print(f"For {cell(whose)}:")
    made = table({"": "right", "title": "left", "why": "left"})
    titles = recommended["title" if "title" in recommended.columns else "item"].to_list()
    for rank, (title, why) in enumerate(zip(titles, reasons, strict=True), 1):
        made.add_row(str(rank), cell(title), cell(why))
    console.print(made)


def _stranger(data: Dataset) -> dict[Id, float]:
    """Ratings of someone who is not in the data."""
    x, found = data.interactions, dict[int | str, float]()
    for title, rating in _STRANGER.items() if data.catalog is not None else ():
        try:
            item = data.catalog.find(title)  # type: ignore[union-attr]
        except UnknownIdError:
            continue
        if item in x.items:
            found[item] = rating
    most_rated = x.items.ids[(-x.item_counts).argsort(kind="stable")[:3]].tolist()
    return found or dict.fromkeys(most_rated, x.scale[1])


def _in_words(data: Dataset, profile: Mapping[Id, float]) -> str:
    titles = list(profile) if data.catalog is None else data.catalog.titles(profile).to_list()
    return "someone who rated " + ", ".join(f"{t} {r:g}" for t, r in zip(titles, profile.values(), strict=True))
