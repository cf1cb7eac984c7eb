"""Everything there is to see of a dataset: all figures, as one page, and as files of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from coterie.content.features import ItemFeatures, item_features
from coterie.content.titles import TitleVectors
from coterie.content.words import DEFAULT_VECTORS
from coterie.data.dataset import Dataset, as_dataset
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Id
from coterie.errors import CapabilityError, DataError, DivergenceError, ParameterError
from coterie.evaluation.splits import split_at_random
from coterie.explore.content_figures import genome_heat_map, genre_cooccurrence, tag_bars
from coterie.explore.data_figures import lorenz_curves, ratings_matrix
from coterie.explore.figures import genre_bars, long_tail, rating_histogram, ratings_over_time
from coterie.explore.html import Html, join, page, picture, tag, write_page
from coterie.explore.map_figures import item_map
from coterie.explore.model_figures import calibration, convergence, named_models, nmf_parts, singular_values
from coterie.explore.neighbor_figures import neighbor_graph
from coterie.explore.places import MapMethod
from coterie.explore.report import checks_section, next_steps, opening
from coterie.explore.similarity_figures import similarity_panel
from coterie.explore.style import WIDTH, to_svg
from coterie.models.base import Recommender
from coterie.models.nmf import NMF
from coterie.models.svd import SVD, PureSVD
from coterie.models.tables import id_list
from coterie.storage import replace_text
from coterie.storage.files import replacing

Array = np.ndarray[Any, np.dtype[Any]]
#: What a map of items can be by.
MAPS = ("ratings", "genome", "tags", "titles")

_RATINGS = "What was rated"
_CONTENT = "What the items are about"
_ALIKE = "Who and what is alike"
_STRUCTURE = "What lies behind the ratings"
_INTRODUCTIONS = {
    _RATINGS: "How ratings are given, and how unevenly: few items and few people have most of them.",
    _CONTENT: "What the catalog knows of items.",
    _ALIKE: "Recommending by neighbours begins with one question: how alike are two people, or two items?",
    _STRUCTURE: "A few numbers for each person and each item, found so that their products come near the ratings.",
}
_MANY_RATINGS = 5_000_000  # from which on fewer factors must do
_HELD_OUT = 0.1  # share of the ratings that models are judged by
_MOST_GENOMES, _MOST_GRAPHS = 6, 4
_DPI = 150


class _Wanted(NamedTuple):
    """A picture to draw."""

    section: str
    name: str
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class Exploration:
    """The figures of a dataset.

    Attributes
    ----------
    dataset : Dataset
    figures : dict of str to Figure
        By name, such as ``"rating-histogram"``, in the order of the page.
    sections : dict of str to list of str
        The names of the figures below each heading.
    left_out : dict of str to str
        The figures that these data do not have, and why.
    """

    dataset: Dataset
    figures: dict[str, Figure] = field(default_factory=dict)
    sections: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def write(self, folder: str | PathLike[str], png: bool = False, svg: bool = False) -> list[Path]:
        """Write ``report.html`` and, where asked for, a file for each figure; the page needs no network.

        SVG follows the light or dark scheme of whoever opens it; PNG is on white paper.
        """
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        written = [write_page(home / "report.html", self._page())]
        for name, figure in self.figures.items():
            if svg:
                replace_text(home / f"{name}.svg", to_svg(figure))
                written.append(home / f"{name}.svg")
            if png:
                with replacing(home / f"{name}.png") as stream:
                    figure.savefig(stream, format="png", dpi=_DPI)
                written.append(home / f"{name}.png")
        return written

    def _page(self) -> str:
        parts: list[Html | None] = [opening(self.dataset), checks_section(self.dataset)]
        parts += [self._section(heading, names) for heading, names in self.sections.items()]
        if self.left_out:
            reasons = (tag("li", f"{name}: {why}") for name, why in self.left_out.items())
            parts.append(join(tag("h2", "What is not shown, and why"), tag("ul", *reasons, class_="quiet")))
        parts.append(next_steps(self.dataset))
        return page(f"{self.dataset.name}: explored by Coterie", *parts)

    def _section(self, heading: str, names: Sequence[str]) -> Html:
        figures = [self.figures[name] for name in names]
        wide = [figure.get_size_inches()[0] > WIDTH for figure in figures]
        narrow = [picture(figure) for figure, is_wide in zip(figures, wide, strict=True) if not is_wide]
        panels = [picture(figure, "panel") for figure, is_wide in zip(figures, wide, strict=True) if is_wide]
        introduction = _INTRODUCTIONS.get(heading)
        return join(
            tag("h2", heading),
            tag("p", introduction) if introduction else None,
            tag("div", *narrow, class_="pictures") if narrow else None,
            *panels,
        )


def explore_dataset(
    dataset: Dataset | Interactions,
    models: Iterable[Recommender] | Recommender = (),
    users: Iterable[Id] | Id | None = None,
    items: Iterable[Id] | Id | None = None,
    maps: Sequence[str] | None = None,
    method: MapMethod | None = None,
    vectors: str | PathLike[str] = DEFAULT_VECTORS,
    random_state: int = 0,
) -> Exploration:
    """Draw everything there is to see of a dataset.

    Parameters
    ----------
    dataset : Dataset or Interactions
    models : recommenders, not yet fitted
        Each is fitted to nine tenths of the ratings; its convergence, its calibration on the other tenth, its parts
        and its map are drawn, as far as it has them. Without any, only a quick `SVD` is fitted, or `PureSVD` where
        all ratings are the same, as with clicks.
    users : one to five ids, or None
        Whose likeness to others is drawn; None: a quiet, a typical and a busy one.
    items : ids, or None
        Whose neighbours (the first four), tags and genome (the first six) are drawn; None: the most rated.
    maps : sequence of {"ratings", "genome", "tags", "titles"}, or None
        What items are placed by; None: ratings, and the genome where there is one.
    method : {"pca", "tsne"} or None
        How maps are made, see `item_map`.
    vectors : str or path
        Word vectors for maps by titles, see `TitleVectors`.
    random_state : int
        Seed of the ratings held out and of maps.

    Raises
    ------
    DataError
        There are no ratings. What only some figures need and these data lack is in `Exploration.left_out`.
    """
    dataset = as_dataset(dataset)
    if not dataset.interactions.nnz:
        raise DataError(f"{dataset.name} has no ratings, so there is nothing to draw")
    if wrong := [by for by in maps or () if by not in MAPS]:
        raise ParameterError(f"maps are by {', '.join(MAPS)}, not by {wrong[0]!r}")
    made = Exploration(dataset)
    users, items = (None if ids is None else id_list(ids) for ids in (users, items))
    for wanted in _data_pictures(dataset, users, items):
        _add(made, wanted)
    for wanted in _structure_pictures(dataset, maps, method, vectors, random_state):
        _add(made, wanted)
    for name, model in named_models(models).items():
        try:
            for wanted in _model_pictures(dataset, name, model, method, random_state):
                _add(made, wanted)
        except (DataError, CapabilityError, DivergenceError) as reason:  # of this model; the others are drawn
            made.left_out[f"model-{name}"] = str(reason)
    return made


def _add(made: Exploration, wanted: _Wanted) -> None:
    name, n = wanted.name, 2
    while name in made.figures:  # two models alike
        name, n = f"{wanted.name}-{n}", n + 1
    try:
        made.figures[name] = wanted.draw()
    except (DataError, CapabilityError) as reason:
        made.left_out[name] = str(reason)
        return
    made.sections.setdefault(wanted.section, []).append(name)


def _data_pictures(dataset: Dataset, users: Sequence[Id] | None, items: Sequence[Id] | None) -> Iterator[_Wanted]:
    x, catalog = dataset.interactions, dataset.catalog
    yield _Wanted(_RATINGS, "rating-histogram", lambda: rating_histogram(x))
    yield _Wanted(_RATINGS, "long-tail", lambda: long_tail(x))
    yield _Wanted(_RATINGS, "ratings-over-time", lambda: ratings_over_time(x))
    yield _Wanted(_RATINGS, "lorenz-curves", lambda: lorenz_curves(x))
    yield _Wanted(_RATINGS, "ratings-matrix", lambda: ratings_matrix(x))
    yield _Wanted(_CONTENT, "genre-bars", lambda: genre_bars(catalog))
    yield _Wanted(_CONTENT, "genre-cooccurrence", lambda: genre_cooccurrence(catalog))
    yield _Wanted(_CONTENT, "tag-bars", lambda: tag_bars(catalog))
    if items is not None:
        yield _Wanted(_CONTENT, "tag-bars-of-items", lambda: tag_bars(catalog, items))
    yield _Wanted(_CONTENT, "genome", lambda: genome_heat_map(catalog, _with_genome(dataset, items)))
    yield _Wanted(_ALIKE, "similarity-panel", lambda: _panel(dataset, users))
    for id in (_most_rated(dataset)[:1] if items is None else list(items))[:_MOST_GRAPHS]:
        yield _Wanted(_ALIKE, f"neighbors-of-{_in_file_name(id)}", lambda id=id: neighbor_graph(x, id, catalog))  # type: ignore[misc]


def _panel(dataset: Dataset, users: Sequence[Id] | None) -> Figure:
    if dataset.interactions.n_users < 2:
        raise DataError("there is one user only, and nobody to compare with")
    return similarity_panel(dataset.interactions, users)


def _structure_pictures(
    dataset: Dataset,
    maps: Sequence[str] | None,
    method: MapMethod | None,
    vectors: str | PathLike[str],
    random_state: int,
) -> Iterator[_Wanted]:
    x, catalog = dataset.interactions, dataset.catalog
    many = x.nnz > _MANY_RATINGS
    rank = min(16 if many else 32, *x.shape)
    kind = SVD if x.scale[0] < x.scale[1] else PureSVD  # of ratings all the same, mean and biases leave nothing
    model = kind(n_factors=rank, tolerance=0.01 if many else 1e-3).fit(x, catalog)
    yield _Wanted(_STRUCTURE, "singular-values", lambda: singular_values(model))
    if maps is None:
        maps = ["ratings", *(["genome"] if catalog is not None and catalog.genome is not None else [])]
    for by in dict.fromkeys(maps):
        yield _Wanted(
            _STRUCTURE,
            f"map-by-{by}",
            lambda by=by: item_map(  # type: ignore[misc]
                x,
                model if by == "ratings" else _features(dataset, by, vectors),
                catalog,
                method,
                random_state=random_state,
            ),
        )


def _features(dataset: Dataset, by: str, vectors: str | PathLike[str]) -> ItemFeatures:
    catalog, items = dataset.catalog, dataset.interactions.items
    if by == "titles":
        if catalog is None:
            raise DataError("nothing is known of titles; load a dataset with a catalog")
        return TitleVectors(vectors).fit_transform(catalog, items)
    return item_features(catalog, items, by, min_items=2 if by == "tags" else 1)  # type: ignore[arg-type]


def _model_pictures(
    dataset: Dataset, called: str, model: Recommender, method: MapMethod | None, random_state: int
) -> Iterator[_Wanted]:
    x, catalog = dataset.interactions, dataset.catalog
    split = split_at_random(x, _HELD_OUT, random_state)
    judged = model.learns_in_sweeps and model.predicts_ratings
    model.fit(split.train, catalog, validation=split.test if judged else None)
    section = f"The model {model.label if called == model.name else called}"
    name = _in_file_name(called)
    if hasattr(model, "objective_") or hasattr(model, "held_out_rmse_"):
        yield _Wanted(section, f"convergence-{name}", lambda: convergence({called: model}))
    if model.predicts_ratings:
        yield _Wanted(section, f"calibration-{name}", lambda: calibration(model, split.test, name=called))
    if isinstance(model, SVD):
        yield _Wanted(section, f"singular-values-{name}", lambda: singular_values(model))
    if isinstance(model, NMF):
        yield _Wanted(section, f"parts-{name}", lambda: nmf_parts(model))
    if hasattr(model, "item_factors_"):
        look: dict[str, Any] = {"random_state": random_state, "name": called}
        yield _Wanted(section, f"map-by-{name}", lambda: item_map(x, model, catalog, method, **look))


# ---- what is shown where nothing was chosen ----------------------------------------------------------------


def _most_rated(dataset: Dataset) -> list[Id]:
    """Ids of the rated items, the most rated first."""
    x = dataset.interactions
    order = np.argsort(-x.item_counts, kind="stable")[: int((x.item_counts > 0).sum())]
    found: list[Id] = x.items.ids[order].tolist()
    return found


def _with_genome(dataset: Dataset, items: Sequence[Id] | None) -> list[Id]:
    """The first six of the chosen (or most rated) items that the genome has."""
    catalog = dataset.catalog
    if catalog is None or catalog.genome is None:
        raise DataError("nothing is known of a tag genome; load a dataset that has one")
    candidates = np.array(_most_rated(dataset) if items is None else list(items))
    rows = catalog.vocabulary.indices(candidates, missing="skip")
    has = (at for at, row in enumerate(rows.tolist()) if row >= 0 and not np.isnan(catalog.genome[row]).all())
    found: list[Id] = candidates[list(islice(has, _MOST_GENOMES))].tolist()
    if not found:
        raise DataError("the tag genome has none of these items")
    return found


def _in_file_name(id: Id) -> str:
    return re.sub(r"[^\w-]+", "-", str(id))[:60].strip("-") or "item"
