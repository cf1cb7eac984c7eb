"""Pictures of genres, tags and the genome hold what the catalog says."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from coterie.data.catalog import Catalog
from coterie.errors import DataError, ParameterError, UnknownIdError
from coterie.explore import genome_heat_map, genre_cooccurrence, tag_bars, to_svg
from coterie.explore.style import description
from tests.explore.pictures import catalog, levels_of


def test_genres_that_go_together_are_counted() -> None:
    known = catalog()
    axes = genre_cooccurrence(known).axes[0]
    lists = known.items["genres"].to_list()
    names = ["Action", "$Drama$", "Comedy", "Western"]  # of 30, 15, 10 and 8 titles
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "Action (30)", r"\$Drama\$ (15)", "Comedy (10)", "Western (8)",
    ]  # fmt: skip
    written = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    for r, row in enumerate(names):
        of_row = [genres for genres in lists if row in genres]
        for c, column in enumerate(names):
            share = 100 * sum(column in genres for genres in of_row) / len(of_row)
            assert written.get((r, c), "") == ("" if r == c or share < 0.5 else f"{share:.0f}")
    levels = levels_of(axes, (4, 4))
    assert levels[1, 0] == 6 and not np.diag(levels).any()
    assert "100% of" in description(genre_cooccurrence(known))
    to_svg(genre_cooccurrence(known))


def test_one_genre_no_genre_and_too_many() -> None:
    one = Catalog.from_titles(pl.DataFrame({"item": [1, 2], "genres": ["War", "War"]}))
    with pytest.raises(DataError, match="all genres are War"):
        genre_cooccurrence(one)
    apart = Catalog.from_titles(pl.DataFrame({"item": [1, 2], "genres": ["War", "Noir"]}))
    with pytest.raises(DataError, match="no title has two genres"):
        genre_cooccurrence(apart)
    many = Catalog.from_titles(pl.DataFrame({"item": [1], "genres": ["|".join(f"G{n:02d}" for n in range(30))]}))
    assert "6 rare genres are left out" in description(genre_cooccurrence(many))
    for nothing in (None, Catalog.from_titles(pl.DataFrame({"item": [1]}))):
        with pytest.raises(DataError, match="nothing is known about genres"):
            genre_cooccurrence(nothing)


def bars(figure) -> dict[str, float]:  # type: ignore[no-untyped-def]
    axes = figure.axes[0]
    return dict(zip([t.get_text() for t in axes.get_yticklabels()], [p.get_width() for p in axes.patches], strict=True))


def test_tags_count_people_and_forgive_spelling() -> None:
    figure = tag_bars(catalog())
    assert bars(figure) == {"fun": 3, r"war \$": 1, "□": 1}  # the font has no balloon
    assert description(figure) == "“fun” is the most frequent tag of all items. 5 taggings, 3 different tags"
    assert bars(tag_bars(catalog(), [0])) == {"fun": 2, r"war \$": 1}
    assert "tag of Film $0$ of the long title (1950)" in description(tag_bars(catalog(), [0]))
    assert "tag of 2 items" in description(tag_bars(catalog(), [0, 1]))
    assert list(bars(tag_bars(catalog(), n=1))) == ["fun"]


def test_no_tags() -> None:
    for nothing in (None, catalog(tags=False)):
        with pytest.raises(DataError, match="nothing is known about tags"):
            tag_bars(nothing)
    with pytest.raises(DataError, match="tag"):
        tag_bars(catalog(), [7])
    with pytest.raises(ParameterError, match="n must be"):
        tag_bars(catalog(), n=0)
    with pytest.raises(UnknownIdError, match="999"):
        tag_bars(catalog(), [999])


def test_the_genome_shows_what_sets_movies_apart() -> None:
    known = catalog()
    assert known.genome is not None
    figure = genome_heat_map(known, [3, 5], n_tags=4)
    axes = figure.axes[0]
    shown = [t.get_text() for t in axes.get_yticklabels()]
    columns = ["abcdef".index(tag) for tag in shown]
    values = known.genome[[3, 5]][:, columns].T
    written = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    assert written == {(r, c): f"{values[r, c]:.2f}" for r in range(4) for c in range(2)}
    above = known.genome[[3, 5]] - np.nanmean(known.genome, axis=0)
    assert {int(above[0].argmax()), int(above[1].argmax())} <= set(columns)
    assert (levels_of(axes, (4, 2)) == np.searchsorted([0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85], values, "right")).all()
    assert description(figure).startswith("What sets these 2 movies apart. 4 of 6 tags")
    to_svg(genome_heat_map(known, [0], 40))


def test_relevance_that_is_not_given_is_left_empty() -> None:
    from dataclasses import replace

    known = catalog()
    assert known.genome is not None
    genome = known.genome.copy()
    genome[3, 2:] = np.nan
    axes = genome_heat_map(replace(known, genome=genome), [3, 5], n_tags=6).axes[0]
    shown = ["abcdef".index(t.get_text()) for t in axes.get_yticklabels()]
    empty = {(r, 0) for r, tag in enumerate(shown) if tag >= 2}
    written = {(round(t.get_position()[1]), round(t.get_position()[0])) for t in axes.texts}
    assert written == {(r, c) for r in range(6) for c in range(2)} - empty
    assert {(int(r), int(c)) for r, c in np.argwhere(levels_of(axes, (6, 2)) == 0)} == empty


def test_what_the_genome_does_not_have() -> None:
    with pytest.raises(DataError, match=r"does not have Film \$29\$"):
        genome_heat_map(catalog(), [0, 29])
    with pytest.raises(DataError, match="nothing is known of a tag genome"):
        genome_heat_map(catalog(genome=False), [0])
    with pytest.raises(ParameterError, match="one to 8 ids"):
        genome_heat_map(catalog(), range(9))
    with pytest.raises(ParameterError, match="n_tags"):
        genome_heat_map(catalog(), [0], 0)
