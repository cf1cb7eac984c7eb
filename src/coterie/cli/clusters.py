"""Items in clusters: what each is about, a genre's titles with their clusters, and how good the clusters are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast, get_args

import typer

from coterie.cli.options import DataArgument
from coterie.cli.output import Output, cell, complain, frame_table, heading, table, working
from coterie.data.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from coterie.content.clusters import ClusterItems, Clusters
    from coterie.content.features import ItemFeatures
    from coterie.content.titles import TitleVectors
    from coterie.data.catalog import Catalog
    from coterie.data.dataset import Dataset
    from coterie.data.vocabulary import Vocabulary

# Said once more here, so that no command waits for what only this one needs.
Method = Literal["kmeans", "minibatch", "bisecting", "gaussian", "ward"]
GenreRule = Literal["rarest", "first", "each"]
DEFAULT_VECTORS = "glove-6b-50d"
By = Literal["titles", "genome", "tags", "genres", "factors"]
Named = Literal["words", "tags", "genome", "genres"]
_TITLES, _CLUSTERING, _JUDGING = "Vectors of titles", "Clustering", "Showing and judging"


class _Made(NamedTuple):
    """Features, and how they came about."""

    items: Vocabulary
    features: ItemFeatures
    facts: list[str]


def cluster(
    data: DataArgument,
    out: Output,
    by: Annotated[By, typer.Option(help="What items are compared by.")] = "titles",
    vectors: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help=f"Word vectors: {DEFAULT_VECTORS}, a GloVe or word2vec file, a name of gensim's; or wordllama.",
            rich_help_panel=_TITLES,
        ),
    ] = DEFAULT_VECTORS,
    reading: Annotated[
        Literal["weighted", "module"],
        typer.Option(help="Frequent words count less, or as the module does it.", rich_help_panel=_TITLES),
    ] = "weighted",
    rated: Annotated[
        bool, typer.Option("--rated", metavar="", help="Only items that somebody rated.", rich_help_panel=_CLUSTERING)
    ] = False,
    n_clusters: Annotated[
        int | None,
        typer.Option(min=2, metavar="K", help="Default: as many as genres.", rich_help_panel=_CLUSTERING),
    ] = None,
    method: Annotated[Method, typer.Option(help="How they are found.", rich_help_panel=_CLUSTERING)] = "kmeans",
    n_init: Annotated[
        int, typer.Option(min=1, metavar="N", help="Starts; the best is kept.", rich_help_panel=_CLUSTERING)
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed.", rich_help_panel=_CLUSTERING)] = 0,
    show: Annotated[
        list[str] | None,
        typer.Option(metavar="GENRE", help="Titles of a genre with their clusters. Repeat.", rich_help_panel=_JUDGING),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, metavar="N", help="Titles to show.", rich_help_panel=_JUDGING)] = 20,
    assess: Annotated[
        bool,
        typer.Option("--assess", metavar="", help="Hold clusters against genres.", rich_help_panel=_JUDGING),
    ] = False,
    seeds: Annotated[
        int, typer.Option(min=2, metavar="N", help="Seeds for the intervals.", rich_help_panel=_JUDGING)
    ] = 5,
    genre_rule: Annotated[
        GenreRule, typer.Option(help="Which genre counts of several.", rich_help_panel=_JUDGING)
    ] = "rarest",
    named_by: Annotated[
        Named | None,
        typer.Option(help="What names clusters; default: what they go by, or words.", rich_help_panel=_JUDGING),
    ] = None,
    map_file: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="Write a map: .svg, .png or .pdf.", rich_help_panel=_JUDGING),
    ] = None,
) -> None:
    """Put items into clusters by their titles, tags or factors; see, name and judge the clusters."""
    from coterie.content.clusters import ClusterItems
    from coterie.content.titles import TitleVectors

    _check_file(map_file)
    dataset = data.load()
    catalog = _catalog(dataset)
    titles = TitleVectors(vectors, reading, on_error=data.on_error)
    with working(f"Reading what items are about ({by})"):
        made = _features(by, titles, dataset, catalog, rated, seed)
    as_module = by == "titles" and reading == "module"
    how = ClusterItems(n_clusters, method, n_init, unit=not as_module, with_unknown=as_module, random_state=seed)
    with working(f"Clustering {counted(len(made.items), 'item')}"):
        found = how.fit(made.features, made.items, catalog)
    names = found.telling(_naming(made, named_by or cast(Named, by if by in get_args(Named) else "words"), catalog))
    rows = _rows(found, made, catalog, names)
    shown = {genre: found.titles(catalog, genre, k) for genre in show or []}
    document: dict[str, Any] = {
        "data": dataset.name, "by": by, "n_clusters": found.n_clusters, "clusters": rows,
        "labels": dict(zip(made.items.ids.tolist(), found.labels.tolist(), strict=True)), "titles": shown,
    }  # fmt: skip
    pictures: list[Any] = [heading(f"{dataset.name}: {found.n_clusters} clusters by {by}")]
    pictures += [cell(fact) for fact in made.facts or _left_out(found)]
    pictures.append(_clusters_table(rows))
    for genre, frame in shown.items():
        pictures += [heading(f"The first {len(frame)} titles whose first genre is {genre}"), frame_table(frame)]
    if assess:
        scores = _assessed(made, how, catalog, by, seeds, genre_rule)
        document["scores"] = scores
        pictures += [heading("Held against genres"), _scores_table(scores), *_explained(genre_rule, seeds)]
    if map_file is not None:
        with working("Drawing a map"):
            _draw(map_file, made, how, found, catalog, names, genre_rule)
        document["map"] = str(map_file)
        pictures.append(f"A map of the items is in {cell(str(map_file))}")
    out.show(document, *pictures)


# ---- what items are about -----------------------------------------------------------------------------


def _catalog(dataset: Dataset) -> Catalog:
    from coterie.errors import DataError

    if dataset.catalog is None:
        raise DataError(f"{dataset.name} has no catalog, and so nothing is known of its items; load data that has one")
    return dataset.catalog


def _features(by: By, titles: TitleVectors, dataset: Dataset, catalog: Catalog, rated: bool, seed: int) -> _Made:
    from coterie.content.features import item_features

    items = dataset.interactions.items if rated or by == "factors" else catalog.vocabulary
    if by == "titles":
        features = titles.fit(catalog).transform(catalog, items)
        for line in titles.skipped_:
            complain("skipped", line)
        often = titles.coverage_.unknown_often[:5]
        missing = f" (often without: {', '.join(often)})" if often else ""
        return _Made(items, features, [f"{titles.coverage_}{missing}"])
    if by == "factors":
        return _Made(items, _factors(dataset, catalog, seed), ["factors of ALS, fitted to the ratings"])
    return _Made(items, item_features(catalog, items, by, min_items=2 if by == "tags" else 1), [])


def _naming(made: _Made, by: Named, catalog: Catalog) -> ItemFeatures:
    """The features that clusters are named by."""
    from coterie.content.features import item_features
    from coterie.content.titles import title_words

    if by == made.features.source:
        return made.features
    return title_words(catalog, made.items) if by == "words" else item_features(catalog, made.items, by)


def _factors(dataset: Dataset, catalog: Catalog, seed: int) -> ItemFeatures:
    import coterie as ct
    from coterie.content.features import ItemFeatures

    model = ct.ALS(random_state=seed).fit(dataset.interactions, catalog)
    factors = model.item_factors_
    return ItemFeatures(tuple(f"factor {n + 1}" for n in range(factors.shape[1])), factors, "factors")


def _left_out(found: Clusters) -> list[str]:
    n = int((found.labels < 0).sum())
    return [f"{counted(n, 'item')} of {len(found.labels):,} left out: nothing is known of them"] if n else []


# ---- what clusters are about ----------------------------------------------------------------------------


def _rows(found: Clusters, made: _Made, catalog: Catalog, names: list[list[str]]) -> list[dict[str, Any]]:
    """For each cluster its size, what tells of it, its most frequent genre with its share, and its middle."""
    import numpy as np
    import polars as pl

    rows = found.items.indices(catalog.items["item"].to_numpy(), missing="skip")
    known = catalog.items.with_columns(pl.Series("cluster", np.where(rows >= 0, found.labels[rows], -1)))
    genres = known.filter(pl.col("cluster") >= 0).explode("genres").group_by("cluster", "genres").len()
    genres = genres.drop_nulls("genres").sort("cluster", "len", "genres", descending=[False, True, False])
    most = {r["cluster"]: r for r in genres.unique("cluster", keep="first", maintain_order=True).to_dicts()}
    middles = catalog.titles(found.items.ids[_middles(found, made.features)]).to_list()
    return [
        {
            "cluster": c,
            "items": int(found.sizes[c]),
            "telling": names[c],
            "genre": most[c]["genres"] if c in most else None,
            "share": most[c]["len"] / int(found.sizes[c]) if c in most else None,
            "middle": middles[c],
        }
        for c in range(found.n_clusters)
    ]


def _middles(found: Clusters, features: ItemFeatures) -> list[int]:
    """The row of each cluster's item that is nearest to its mean."""
    import numpy as np

    unit, middles = features.unit_rows(), []
    for c in range(found.n_clusters):
        rows = np.flatnonzero(found.labels == c)
        mean = np.asarray(unit[rows].mean(axis=0)).ravel()
        middles.append(int(rows[np.argmax(unit[rows] @ mean)]))
    return middles


def _clusters_table(rows: list[dict[str, Any]]) -> Any:
    made = table({"cluster": "right", "items": "right", "telling": "left", "genre": "left", "middle": "left"})
    made.last_goes_first = True
    for row in rows:
        genre = "-" if row["genre"] is None else f"{row['share']:.0%} {row['genre']}"
        telling = cell(row["telling"]) if row["telling"] else "-"
        made.add_row(str(row["cluster"]), f"{row['items']:,}", telling, cell(genre), cell(row["middle"]))
    return made


# ---- how good they are ------------------------------------------------------------------------------------


def _assessed(made: _Made, how: ClusterItems, catalog: Catalog, by: By, seeds: int, rule: GenreRule) -> pl.DataFrame:
    """Scores of all items; and of those that the genome (or else tags) knows, beside it."""
    import polars as pl

    from coterie.content.features import item_features
    from coterie.content.judging import assess
    from coterie.errors import CoterieError

    tables = [assess({by: made.features}, made.items, catalog, how, seeds, rule)]
    for ceiling in ("genome", "tags"):
        if by == ceiling or (catalog.genome if ceiling == "genome" else catalog.tags) is None:
            continue
        other = item_features(catalog, made.items, ceiling, min_items=2 if ceiling == "tags" else 1)
        try:
            tables.append(assess({by: made.features, ceiling: other}, made.items, catalog, how, seeds, rule))
        except CoterieError as error:
            complain("left out", f"no comparison to {ceiling}: {error}")
        break
    # Where both know the same items, the second table repeats rows of the first.
    return pl.concat(tables).unique(["vectors", "items", "score"], keep="first", maintain_order=True)


def _scores_table(scores: pl.DataFrame) -> Any:
    names = scores["score"].unique(maintain_order=True).to_list()
    made = table({"vectors": "left", "items": "right", **dict.fromkeys(map(_short, names), "right")})
    made.last_goes_first = True
    for (vectors, items), group in scores.group_by("vectors", "items", maintain_order=True):
        made.add_row(cell(vectors), f"{items:,}", *(_interval(row) for row in group.to_dicts()))
    return made


def _short(name: str) -> str:
    return {"genre_silhouette": "genres' silhouette", "v_measure": "V-measure", "silhouette": "silhouette"}.get(
        name, name if name == "purity" else name.upper()
    )


def _interval(row: dict[str, Any]) -> str:
    half = (row["high"] - row["low"]) / 2
    return f"{row['mean']:.3f}±{half:.3f}" if half == half else "-"


def _explained(rule: GenreRule, seeds: int) -> list[str]:
    counts = {
        "rarest": "An item counts as the rarest of its genres",
        "first": "An item counts as the first of its genres",
        "each": "An item counts once with each of its genres",
    }[rule]
    return [
        f"{counts}. 1 is the same division as by genres; 0 is chance for AMI and ARI.",
        f"± half the 95 % interval of the mean over {seeds} seeds. shuffled: the first clusters, given out at random.",
    ]


# ---- the map --------------------------------------------------------------------------------------------


def _check_file(file: Path | None) -> None:
    from coterie.errors import ParameterError

    if file is not None and file.suffix not in (".svg", ".png", ".pdf"):
        raise ParameterError(f"--map writes .svg, .png or .pdf, not {str(file)!r}")
    if file is not None and not file.absolute().parent.is_dir():
        raise ParameterError(f"--map: there is no folder {str(file.parent)!r}")


def _draw(
    file: Path,
    made: _Made,
    how: ClusterItems,
    found: Clusters,
    catalog: Catalog,
    names: list[list[str]],
    rule: GenreRule,
) -> None:
    from coterie.explore import to_svg
    from coterie.explore.cluster_figures import cluster_map
    from coterie.storage.files import replace_text, replacing

    figure = cluster_map(how.space(made.features), found, catalog, names, rule, random_state=how.random_state)
    if file.suffix == ".svg":
        replace_text(file, to_svg(figure))
        return
    with replacing(file) as stream:
        figure.savefig(stream, format=file.suffix[1:], dpi=150)
