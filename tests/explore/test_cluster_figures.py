"""The map of items: what its dots and words say, also where there is next to nothing to draw."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from coterie.content.clusters import Clusters
from coterie.content.features import ItemFeatures
from coterie.data.catalog import Catalog
from coterie.errors import DataError, ParameterError
from coterie.explore import to_svg
from coterie.explore.cluster_figures import cluster_map
from coterie.explore.style import description

GENRES = ("Action", "Comedy", "$Drama$", "Horror", "Musical", "War", "Western")


def world(n: int = 140, n_genres: int = 7) -> tuple[ItemFeatures, Clusters, Catalog]:
    genre = np.arange(n) % n_genres
    frame = pl.DataFrame({"item": np.arange(n), "genres": [GENRES[g] for g in genre]})
    catalog = Catalog.from_titles(frame)
    random = np.random.default_rng(0)
    matrix = (5 * np.eye(7)[genre] + random.normal(size=(n, 7))).astype(np.float32)
    clusters = Clusters(catalog.vocabulary, genre.astype(np.int32), n_genres)
    return ItemFeatures(tuple("abcdefg"), matrix), clusters, catalog


def dots(figure: Figure, panel: int) -> dict[str, np.ndarray]:
    """The places of the dots by what the legend calls them."""
    return {str(c.get_label()): np.asarray(c.get_offsets()) for c in figure.axes[panel].collections}


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_every_item_is_a_dot_in_both_panels(method) -> None:
    features, clusters, catalog = world()
    figure = cluster_map(features, clusters, catalog, [["war", "guns"], []] + [["x"]] * 5, method=method)
    by_genre, by_cluster = dots(figure, 0), dots(figure, 1)
    assert set(by_genre) == {f"{genre.replace('$', chr(92) + '$')} (20)" for genre in GENRES}
    assert {"0: war, guns (20)", "cluster 1 (20)"} < set(by_cluster)
    for panel in (by_genre, by_cluster):
        assert sum(map(len, panel.values())) == 140
        assert np.isfinite(np.concatenate(list(panel.values()))).all()
    np.testing.assert_array_equal(by_genre["Action (20)"], by_cluster["0: war, guns (20)"])
    assert "follow genres" in description(figure)
    assert "1.000" in description(figure)


def many(n: int = 13) -> tuple[ItemFeatures, Clusters, Catalog, list[list[str]]]:
    """As many genres, each a cluster of as many items as its number and ten, told by long words."""
    genre = np.repeat(np.arange(n), np.arange(n) + 10)
    frame = pl.DataFrame({"item": np.arange(len(genre)), "genres": [f"Genre {g:02d}" for g in genre]})
    catalog = Catalog.from_titles(frame)
    matrix = (6 * np.eye(n)[genre] + np.random.default_rng(1).normal(size=(len(genre), n))).astype(np.float32)
    clusters = Clusters(catalog.vocabulary, genre.astype(np.int32), n)
    telling = [[f"relationships {c}", "chick flick", "romantic comedy"] for c in range(n)]
    return ItemFeatures(tuple("abcdefghijklm"), matrix), clusters, catalog, telling


def test_the_ten_most_frequent_have_looks_of_their_own() -> None:
    figure = cluster_map(*many(), method="pca")
    for panel, called in ((0, "Genre {0:02d}"), (1, "{0}: relationships {0}")):
        names = {f"{called.format(g)} ({g + 10})" for g in range(3, 13)}
        assert set(dots(figure, panel)) == {*names, "others (33)"}
        looks = {
            (tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes()) for c in figure.axes[panel].collections
        }
        assert len(looks) == 11
        assert len({face for face, _ in looks}) == 8  # seven hues and the grey: markers tell the others apart


def test_legends_and_names_are_inside_the_picture_and_apart() -> None:
    figure = cluster_map(*many())
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        legend = axes.get_legend()
        assert legend is not None
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= 0
    written = figure.axes[1].texts
    assert sorted(int(text.get_text().split()[0]) for text in written) == list(range(13))
    assert any(text.get_text().endswith(f"relationships {n}") for n in range(13) for text in written)
    boxes = [text.get_window_extent() for text in written]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    apart = [not a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n]]
    assert all(apart)


def test_a_number_stands_upon_a_dot_of_its_cluster() -> None:
    figure = cluster_map(*many(), method="pca")
    own = {name.split(":")[0]: places for name, places in dots(figure, 1).items()}
    for text in figure.axes[1].texts:
        number = text.get_text().split()[0]
        if number in own:
            assert np.abs(own[number] - text.get_position()).sum(axis=1).min() == pytest.approx(0, abs=1e-4)


def test_the_same_items_are_the_same_picture() -> None:
    assert to_svg(cluster_map(*world(40))) == to_svg(cluster_map(*world(40)))


def test_many_items_are_drawn_from() -> None:
    features, clusters, catalog = world(2100)
    figure = cluster_map(features, clusters, catalog, method="pca")
    assert sum(map(len, dots(figure, 0).values())) == 2000
    assert "2,000 of 2,100 items" in description(figure)


@pytest.mark.parametrize("n", [3, 5, 13])
def test_few_items(n: int) -> None:
    features, clusters, catalog = world(n, 2)
    assert to_svg(cluster_map(features, clusters, catalog))
    alike = ItemFeatures(features.names, np.ones_like(features.matrix))
    figure = cluster_map(alike, clusters, catalog)
    assert all(np.isfinite(places).all() for places in dots(figure, 0).values())


def test_sparse_features() -> None:
    import scipy.sparse as sp

    features, clusters, catalog = world()
    sparse = ItemFeatures(features.names, sp.csr_matrix(features.matrix))
    assert sum(map(len, dots(cluster_map(sparse, clusters, catalog), 1).values())) == 140


def test_what_cannot_be_drawn() -> None:
    features, clusters, catalog = world()
    with pytest.raises(ParameterError, match="tsne"):
        cluster_map(features, clusters, catalog, method="umap")  # type: ignore[arg-type]
    nobody = Clusters(clusters.items, np.full(140, -1, np.int32), 7)
    with pytest.raises(DataError, match="there are 0"):
        cluster_map(features, nobody, catalog)
