"""Draw the pictures of the model pages, and of the README (`report`), anew: `.venv/bin/python docs/draw.py [NAME ...]`,
a few minutes for all.

Every model learns from the same ratings, those of the sample's films that have 20 ratings or more, with its defaults,
and is asked the same: somebody likes one film and has rated nothing else; at what place of their list are nine others?
Models that learn in sweeps are drawn a second time: what they minimise, or the error on held-out ratings, sweep by
sweep. The SVG files are small, and committed; the same version of everything makes the same bytes.

The sample has no tags. A model that needs them is drawn from a world that Coterie makes, of the same size: two films of
each of five genres stand in for the ten.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rooms import scheme

import coterie as ct
from coterie.evaluation import split_at_random
from coterie.explore import similarity_panel
from coterie.explore.style import BLUE, label_axes, new_axes, new_figure, to_svg
from coterie.models.registry import MODELS, model_class

HERE = Path(__file__).parent / "models" / "pictures"
MIN_RATINGS = 20
FILMS = {
    "Star Wars: Episode IV - A New Hope (1977)": "Star Wars",
    "Star Wars: Episode VI - Return of the Jedi (1983)": "Return of the Jedi",
    "Toy Story (1995)": "Toy Story",
    "Lion King, The (1994)": "The Lion King",
    "Aladdin (1992)": "Aladdin",
    "Pulp Fiction (1994)": "Pulp Fiction",
    "Reservoir Dogs (1992)": "Reservoir Dogs",
    "Fargo (1996)": "Fargo",
    "Sleepless in Seattle (1993)": "Sleepless in Seattle",
    "While You Were Sleeping (1995)": "While You Were Sleeping",
}
REPORT = "report"
WORLD = "synthetic:671x1303x80000"
FROM_WORLD = ("tag-knn",)
GENRES = ("Sci-Fi", "Comedy", "Crime", "Horror", "Documentary")
_PANEL_DPI = 124
_FAR = 100  # from this place on numbers are quiet
_DARK = 0.5  # of the colour, from which on numbers are light


def page_of(name: str) -> str:
    """The file name of a model's page and pictures, without its ending."""
    return name.replace("+", "p")


def main(names: list[str]) -> None:
    """Draw the models that are named, or all."""
    sample = ct.load("movielens-sample").filter(min_item_ratings=MIN_RATINGS)
    HERE.mkdir(exist_ok=True)
    for name in names or [REPORT, *MODELS]:
        if name == REPORT:
            draw_panel()
            continue
        data = ct.load(WORLD) if name in FROM_WORLD else sample
        model = model_class(name)().fit(data.interactions, data.catalog)
        _write(name, places(model, data))
        if model.learns_in_sweeps:
            _write(f"{name}-sweeps", _shorter(to_svg(sweeps(name, data))))


def draw_panel() -> None:
    """The picture of the README: three people's likeness to all others, as `coterie explore` shows it of the sample."""
    path = Path(__file__).parent / f"{REPORT}.png"
    similarity_panel(ct.load("movielens-sample").interactions).savefig(
        path, dpi=_PANEL_DPI, metadata={"Software": None}
    )
    print(path, flush=True)


def _shorter(svg: str) -> str:
    """Two decimals are enough for coordinates; scales, which are below 1, keep theirs."""
    return re.sub(r"[1-9]\d*\.\d{3,}", lambda number: f"{float(number[0]):.2f}", svg)


def _write(name: str, svg: str) -> None:
    path = HERE / f"{page_of(name)}.svg"
    path.write_text(svg, "utf-8")
    print(f"{path}: {len(svg) / 1000:.0f} kB", flush=True)


def places(model: ct.Recommender, data: ct.Dataset) -> str:
    """Somebody likes one film: the places of others in their list."""
    assert data.catalog is not None
    made_up = data.name == WORLD
    films = films_of_genres(data) if made_up else {data.catalog.find(title): name for title, name in FILMS.items()}
    ids = list(films)
    found = []
    for liked in ids:
        listed = model.recommend_for({liked: 5.0}, k=data.interactions.n_items)["item"].to_list()
        at = {item: place for place, item in enumerate(listed, 1)}
        found.append([at.get(item) for item in ids])
    return grid(found, list(films.values()), data.interactions.n_items)


def films_of_genres(data: ct.Dataset) -> dict[int, str]:
    """Of each of `GENRES` the two films that most people rated, among those of no other genre."""
    assert data.catalog is not None
    items = data.interactions.items
    counts = dict(zip(items.ids.tolist(), data.interactions.item_counts.tolist(), strict=True))
    found = {}
    for genre in GENRES:
        alone = data.catalog.items.filter(pl.col("genres") == [genre])["item"].to_list()
        best = sorted(alone, key=lambda item: (-counts.get(item, 0), item))[:2]
        found |= {item: f"{genre} {place}" for place, item in enumerate(best, 1)}
    return found


def grid(found: list[list[int | None]], names: list[str], n_items: int) -> str:
    """Places as a table of cells, darker nearer to the top: an SVG of a few kilobytes, written by hand."""
    left, top, wide, high = 172, 148, 50, 27
    n = len(names)
    parts = []
    for column, name in enumerate(names):
        x = left + (column + 0.35) * wide
        parts.append(f'<text transform="translate({x:.0f} {top - 8}) rotate(-40)">{name}</text>')
    for row, name in enumerate(names):
        middle = top + (row + 0.5) * high + 4.5
        parts.append(f'<text x="{left - 8}" y="{middle:g}" text-anchor="end">{name}</text>')
        for column, place in enumerate(found[row]):
            if row == column:
                continue
            near = 0.0 if place is None else max(0.0, 1 - math.log(place) / math.log(n_items))
            x, y = left + column * wide, top + row * high
            parts.append(
                f'<rect x="{x + 1}" y="{y + 1}" width="{wide - 2}" height="{high - 2}" fill="var(--blue)" '
                f'fill-opacity="{0.05 + 0.95 * near**2:.2f}"/>'
            )
            kind = "far" if place is None or place > _FAR else "on" if near**2 > _DARK else "near"
            parts.append(
                f'<text class="{kind}" x="{x + wide / 2:g}" y="{middle:g}" text-anchor="middle">{place or "–"}</text>'
            )
    style = (
        f"{scheme('svg.places')}svg.places text{{font:13px system-ui,sans-serif;fill:var(--ink)}}"
        "svg.places text.far{fill:var(--muted)}svg.places text.on{fill:var(--paper)}"
    )
    width, height = left + n * wide + 110, top + n * high + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="places" viewBox="0 0 {width} {height}">'
        f"<style>{style}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def sweeps(name: str, data: ct.Dataset) -> Figure:
    """What is minimised, or where there are predicted ratings the error on held-out ones, after each sweep."""
    part = split_at_random(data.interactions, 0.2, 0)
    model = model_class(name)()
    if model.predicts_ratings:
        model.fit(part.train, data.catalog, validation=part.test)
        values, what = model.held_out_rmse_, "held-out RMSE"
    else:
        model.fit(part.train, data.catalog)
        values, what = model.objective_, "objective"
    figure = new_figure(height=2.7)
    axes = new_axes(figure)
    axes.plot(
        np.arange(1, len(values) + 1),
        values,
        color=BLUE,
        linewidth=1.8,
        marker="o" if len(values) < 40 else None,
        markersize=3,
    )
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    label_axes(axes, "sweep", what)
    return figure


if __name__ == "__main__":
    main(sys.argv[1:])
