"""Pictures of next to nothing, of clicks, and of names in any script: what they say is true, and legible."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text

import coterie as ct
from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.errors import DataError
from coterie.explore import (
    explore_dataset,
    item_map,
    long_tail,
    lorenz_curves,
    rating_histogram,
    ratings_matrix,
    ratings_over_time,
    similarity_panel,
    singular_values,
    style,
    to_svg,
)
from coterie.explore.style import description, plain
from tests.explore.pictures import catalog, make, world

Array = np.ndarray[Any, np.dtype[Any]]
PEARSON, MANHATTAN, CHEBYSHEV = 2, 3, 5


def unary() -> Any:
    x = world()
    return make(x.users.ids[x.user_index], x.items.ids[x.indices])


def ticks(figure: Figure, axis: str = "x") -> list[str]:
    """The marks that are inside the frame of the first axes."""
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = sorted(axes.get_xlim() if axis == "x" else axes.get_ylim())
    labels = axes.get_xticklabels() if axis == "x" else axes.get_yticklabels()
    at = (lambda t: t.get_position()[0]) if axis == "x" else (lambda t: t.get_position()[1])
    return [label.get_text() for label in labels if low <= at(label) <= high and label.get_text()]


def stairs(figure: Figure, panel: int) -> list[tuple[Array, Array]]:
    """Shares and edges of each user's steps."""
    return [patch.get_data()[:2] for patch in figure.axes[panel].patches]  # type: ignore[attr-defined]


# ---- the panel of measures ---------------------------------------------------------------------------------


def test_the_panel_says_for_how_many_there_is_no_correlation() -> None:
    ratings = np.array([1, 2, 3, 3, 2, 1, 4, 4, 1, 2, 5], float)
    x = make([1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5], [1, 2, 3, 1, 2, 3, 1, 2, 1, 2, 9], ratings)
    assert "Pearson is 0 by definition for 33% of these" in description(similarity_panel(x, [1]))  # user 3 of 2, 3, 4
    assert "by definition for 33% and 100% of these" in description(similarity_panel(x, [1, 3]))
    varied = make([1, 1, 2, 2], [1, 2, 1, 2], [1.0, 2.0, 2.0, 1.0])
    assert "by definition" not in description(similarity_panel(varied, [1]))
    assert "means and distances are over what both have rated" in description(similarity_panel(varied, [1]))
    assert "means are of all that each has rated" in description(similarity_panel(varied, [1], reading="table"))


@pytest.mark.parametrize("reading", ["table", "notebook"])
@pytest.mark.parametrize("data", [world(), unary(), make([1, 2, 3], [1, 1, 1], [3.0, 4.0, 4.0])])
def test_no_bin_is_where_no_value_can_be(data: Any, reading: Any) -> None:
    figure = similarity_panel(data, reading=reading)
    for panel in range(6):
        for shares, edges in stairs(figure, panel):
            assert shares.sum() == pytest.approx(100)
            assert (np.diff(edges) > 0).all()
            assert edges[0] >= (-1 if panel == PEARSON else 0)
            assert panel in (MANHATTAN, MANHATTAN + 1) or (panel == CHEBYSHEV and reading == "table") or edges[-1] <= 1


def test_one_value_stands_in_a_narrow_bin_and_users_that_coincide_can_all_be_seen() -> None:
    figure = similarity_panel(unary())
    for shares, edges in stairs(figure, MANHATTAN):
        assert shares[0] == 100 and edges[1] < 0.05
    widths = [patch.get_linewidth() for patch in figure.axes[MANHATTAN].patches]
    assert len(widths) == 3 and widths[0] > widths[1] + 1 > widths[2] + 2
    apart = [patch.get_linewidth() for patch in figure.axes[0].patches]
    assert apart[0] == apart[1] == apart[2]


# ---- next to nothing ---------------------------------------------------------------------------------------


def test_ranks_of_a_small_matrix_are_each_named_once() -> None:
    figure = ratings_matrix(make([1, 1, 1, 2, 2, 3], [1, 2, 3, 1, 2, 1], [3.0] * 6))
    assert ticks(figure) == ticks(figure, "y") == ["1", "2", "3"]
    assert description(figure).endswith("33% of the cells here have no rating")


def test_the_corner_of_the_matrix_is_told_where_there_is_one() -> None:
    assert "in the busiest corner" in description(ratings_matrix(world(), cells=5)).lower()
    assert "corner" not in description(ratings_matrix(world(4, 4)))


@pytest.mark.parametrize(
    ("ratings", "says"),
    [
        ([3.0, 4.0, 5.0], "All ratings are equally frequent"),
        ([3.0, 3.0, 4.0], "The most frequent rating is 3"),
        ([3.0, 3.0, 4.0, 4.0, 5.0], "The most frequent ratings are 3 and 4"),
        ([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0], "No single rating is the most frequent"),
    ],
)
def test_the_most_frequent_rating_is_named_where_it_is_one(ratings: list[float], says: str) -> None:
    n = len(ratings)
    assert description(rating_histogram(make([1] * n, range(n), ratings))) == f"{says}. {n} ratings by 1 user"


def test_the_long_tail_of_few_speaks_of_no_tenth_and_begins_at_rank_one() -> None:
    one = long_tail(make([1], [1], [3.0]))
    assert description(one) == "All ratings are of one item. And by one user"
    few = long_tail(make([1, 1, 2], [1, 2, 1], [3.0] * 3))
    assert description(few) == "The most rated item holds 67% of the ratings. And the busiest user gave 67% of them"
    for figure in (one, few):
        assert "0" not in ticks(figure) + ticks(figure, "y")
        assert min(*figure.axes[0].get_xlim(), *figure.axes[0].get_ylim()) > 0.5


@pytest.mark.parametrize(
    ("of_items", "of_users", "says"),
    [
        ([2, 2], [2, 2], "evenly"),
        ([4, 4, 5, 5, 6, 3], [5, 4, 4, 5, 6, 3], "rather evenly, over items as over users"),
        ([7, 4, 4, 3], [6, 6, 6], "rather evenly, less so over items than over users"),
        ([20, 1, 1, 1], [20, 1, 1, 1], "unevenly, over items as over users"),
        ([20, 1, 1, 1], [12, 11], "most unevenly over items"),
    ],
)
def test_how_evenly_ratings_are_spread_goes_by_the_index(of_items: list[int], of_users: list[int], says: str) -> None:
    from coterie.explore.data_figures import _how_even

    def index(counts: list[int]) -> float:
        """Gini's: the mean difference of two, over twice the mean."""
        differences = np.abs(np.subtract.outer(counts, counts)).mean()
        return float(differences / (2 * np.mean(counts)))

    assert _how_even(index(of_items), index(of_users)) == f"Ratings are spread {says}"


def test_the_curves_of_small_data_do_not_read_as_uneven() -> None:
    figure = lorenz_curves(make([1, 1, 1, 2, 2, 3, 3], [1, 2, 3, 1, 2, 1, 3], [3.0] * 7))
    assert description(figure).startswith("Ratings are spread rather evenly")


def test_one_day_is_a_day() -> None:
    figure = ratings_over_time(make([1, 2], [1, 1], [3.0, 4.0], [1_000_000_000, 1_000_000_100]))
    assert description(figure) == "Ratings on 9 September 2001. The most in one day: 2 on 9 September 2001"


def test_one_factor_has_one_mark() -> None:
    model = ct.PureSVD(n_factors=1).fit(make([1, 1, 2], [1, 2, 1], [3.0, 4.0, 5.0]))
    assert ticks(singular_values(model)) == ["1"]


def test_a_map_needs_two_places() -> None:
    x = make([1, 1, 1], [1, 2, 3], [3.0, 3.0, 3.0])
    with pytest.raises(DataError, match="all 3 items are alike by what pure-svd makes of ratings"):
        item_map(x, ct.PureSVD(n_factors=1).fit(x))


# ---- the page ----------------------------------------------------------------------------------------------


def test_a_model_that_cannot_be_judged_costs_only_its_own_pictures(tmp_path: Path) -> None:
    lonely = Dataset(make([1, 1, 1], [1, 2, 3], [3.0, 4.0, 5.0]))
    made = explore_dataset(lonely, [ct.NMF(n_factors=1)], maps=[])
    assert {"rating-histogram", "long-tail", "ratings-matrix"} <= set(made.figures)
    assert "no test ratings" in made.left_out["model-nmf"]
    assert "model-nmf: " in made.write(tmp_path)[0].read_text(encoding="utf-8")


def test_clicks_have_a_map_and_singular_values() -> None:
    made = explore_dataset(Dataset(unary(), catalog()))
    assert {"map-by-ratings", "singular-values"} <= set(made.figures)
    assert "what pure-svd makes of ratings" in description(made.figures["map-by-ratings"])
    assert "the unrated as zeros" in description(made.figures["singular-values"])


def chinese() -> Dataset:
    x = world()
    named = make([f"用户{user}" for user in x.users.ids[x.user_index]], x.items.ids[x.indices], x.values)
    titles = pl.DataFrame({"item": np.arange(30), "title": [f"七人 {n}" for n in range(30)], "genres": ["剧|喜"] * 30})
    return Dataset(named, Catalog.from_titles(titles))


def test_letters_without_a_font_are_boxes_and_the_page_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "FALLBACKS", ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as that a glyph is missing
        (page,) = explore_dataset(chinese(), [ct.NMF(n_factors=2, n_iterations=2)]).write(tmp_path / "chinese")
        (plain_page,) = explore_dataset(Dataset(world(), catalog(tags=False)), maps=[]).write(tmp_path / "plain")
    assert page.read_text(encoding="utf-8").count("stands for a letter that no font") == 1
    assert "stands for a letter" not in plain_page.read_text(encoding="utf-8")


def test_letters_come_from_the_first_installed_font_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def letters(family: str) -> set[int]:
        return set(get_font(findfont(FontProperties(family=family))).get_charmap())

    borrowed = chr(min(letters("STIXGeneral") - letters("DejaVu Sans")))
    assert plain(borrowed) == "□"
    monkeypatch.setattr(style, "FALLBACKS", ("No Such Font", "STIXGeneral"))
    assert style.families() == ("DejaVu Sans", "STIXGeneral")
    monkeypatch.setattr(style, "_writable", lambda letter, fonts: ord(letter) in letters(fonts[-1]))  # it has no bold
    figure = rating_histogram(make([1], [1], [3.0]))
    figure.axes[0].set_title(plain(borrowed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_svg(figure)
    texts: list[Any] = figure.findobj(Text)  # type: ignore[arg-type]
    assert all(text.get_fontfamily() == ["DejaVu Sans", "STIXGeneral"] for text in texts)
    assert not style.has_boxes(figure)
