"""Pictures show the data they are given (what the artists hold, not pixels), also where the data is odd."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.evaluation import Leaderboard, compare
from coterie.evaluation.estimates import Estimate
from coterie.evaluation.leaderboard import Row
from coterie.explore import (
    accuracy_against_popularity,
    accuracy_against_time,
    genre_bars,
    group_bars,
    leaderboard_bars,
    long_tail,
    quiet_typical_busy,
    rating_histogram,
    ratings_over_time,
    similarity_panel,
    to_svg,
)
from coterie.explore.style import BLUE, COLOURS, QUIET, SKY, description, plain
from coterie.similarity import MEASURES, one_to_all


def make(user: Any, item: Any, rating: Any = None, time: Any = None) -> Interactions:
    columns = {"user": user, "item": item, "rating": rating, "time": time}
    frame = pl.DataFrame({name: values for name, values in columns.items() if values is not None})
    names = [name if columns[name] is not None else None for name in ("rating", "time")]
    return Interactions.from_frame(frame, "user", "item", *names)


def world(n_users: int = 40, n_items: int = 30) -> Interactions:
    generator = np.random.default_rng(0)
    user, item = np.nonzero(generator.random((n_users, n_items)) < 0.8 / np.sqrt(np.arange(1, n_items + 1)))
    times = generator.integers(946684800, 1262304000, len(user))  # 2000 to 2009
    return make(user, item, generator.integers(1, 11, len(user)) / 2, times)


def heights(figure: Figure) -> list[float]:
    return [float(bar.get_height()) for bar in figure.axes[0].patches]  # type: ignore[attr-defined]


def widths(figure: Figure) -> list[float]:
    return [float(bar.get_width()) for bar in figure.axes[0].patches]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def real(shared: Path) -> Interactions:
    frame = pl.read_csv(shared / "ml-latest-small" / "ratings.csv")
    return Interactions.from_frame(frame, "userId", "movieId", "rating", "timestamp")


def test_figures_leave_matplotlib_as_it_was() -> None:
    before = dict(matplotlib.rcParams)
    to_svg(rating_histogram(world()))
    assert dict(matplotlib.rcParams) == before


def test_pictures_from_many_threads_are_as_from_one() -> None:
    before, alone = dict(matplotlib.rcParams), to_svg(rating_histogram(world()))
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: to_svg(rating_histogram(world())), range(8)))
    assert set(pictures) == {alone}
    assert dict(matplotlib.rcParams) == before


# ---- ratings ---------------------------------------------------------------------------------------------


def test_the_rating_histogram_has_a_bar_for_each_rating(real: Interactions) -> None:
    figure = rating_histogram(real)
    values, counts = np.unique(real.values, return_counts=True)
    assert heights(figure) == pytest.approx(100 * counts / real.nnz)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{value:g}" for value in values]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rating", "share of ratings (%)")
    assert description(figure).startswith(f"The most frequent rating is {values[counts.argmax()]:g}. ")
    assert any(text.get_text() == f"mean {real.mean:.2f}" for text in axes.texts)


def test_many_different_ratings_are_binned() -> None:
    figure = rating_histogram(make(np.zeros(500, int), np.arange(500), np.linspace(0, 1, 500) ** 2))
    assert len(heights(figure)) == 20 and sum(heights(figure)) == pytest.approx(100)
    assert "about" in description(figure)


def test_data_without_ratings_says_so() -> None:
    figure = rating_histogram(make([1, 2], [1, 1]))
    assert heights(figure) == [100]
    assert description(figure).startswith("Every rating is 1.")


def test_genre_bars_count_titles() -> None:
    catalog = Catalog.from_titles(
        pl.DataFrame({"item": [1, 2, 3], "title": ["A", "B", "C"], "genres": ["Drama|Cash $ Cops", "Drama", ""]})
    )
    figure = genre_bars(catalog)
    assert widths(figure) == [1, 2]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [r"Cash \$ Cops", "Drama"]
    assert description(figure) == "Drama is the most frequent genre. 3 titles; a title may have several genres"
    to_svg(figure)


def test_one_genre_and_none() -> None:
    one = Catalog.from_titles(pl.DataFrame({"item": [1], "title": ["A"], "genres": ["War"]}))
    assert widths(genre_bars(one)) == [1]
    for catalog in (None, Catalog.from_titles(pl.DataFrame({"item": [1], "title": ["A"]}))):
        with pytest.raises(DataError, match="nothing is known about genres"):
            genre_bars(catalog)


def test_the_long_tail_falls_and_holds_every_rating() -> None:
    x = world()
    figure = long_tail(x)
    items, users = figure.axes[0].lines
    for line, counts in ((items, x.item_counts), (users, x.user_counts)):
        assert list(line.get_ydata()) == sorted(counts, reverse=True)
        assert list(line.get_xdata()) == list(range(1, len(counts) + 1))
    top = sorted(x.item_counts, reverse=True)[: -(-x.n_items // 10)]
    assert f"holds {sum(top) / x.nnz:.0%} of the ratings" in description(figure)
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"


def test_a_very_long_tail_is_thinned_but_keeps_its_ends() -> None:
    n = 5000
    figure = long_tail(make(np.zeros(n, int), np.arange(n)))
    items, users = figure.axes[0].lines
    assert len(items.get_xdata()) <= 400 and items.get_xdata()[0] == 1 and items.get_xdata()[-1] == n  # type: ignore[arg-type, index]
    assert list(users.get_ydata()) == [n]
    to_svg(figure)


@pytest.mark.parametrize(
    ("days", "unit", "bars"), [(20 * 365, "year", 20), (300, "month", 10), (10, "day", 11), (0, "day", 1)]
)
def test_ratings_over_time_choose_their_unit_and_lose_none(days: int, unit: str, bars: int) -> None:
    start = int(datetime(2001, 1, 1, tzinfo=UTC).timestamp())
    times = start + np.linspace(0, days * 86400, 50).astype(int)
    figure = ratings_over_time(make(np.zeros(50, int), np.arange(50), np.ones(50), times))
    assert figure.axes[0].get_ylabel() == f"ratings per {unit}"
    assert sum(heights(figure)) == 50 and len(heights(figure)) == bars
    assert "2001" in description(figure)
    to_svg(figure)


def test_ratings_before_1970_fall_into_their_own_days() -> None:
    times = [-86401, -86400, -1, 0, 86399, 86400]  # 30 December 1969 to 2 January 1970
    figure = ratings_over_time(make(np.zeros(6, int), np.arange(6), np.ones(6), times))
    assert heights(figure) == [1, 2, 2, 1]


def test_times_thousands_of_years_apart_are_all_counted() -> None:
    times = [0, 1, int(datetime(6000, 7, 1, tzinfo=UTC).timestamp())]
    figure = ratings_over_time(make(np.zeros(3, int), np.arange(3), np.ones(3), times))
    assert len(heights(figure)) == 6000 - 1970 + 1
    assert [height for height in heights(figure) if height] == [2, 1]


def test_no_times_no_picture_of_them() -> None:
    with pytest.raises(DataError, match="no timestamps"):
        ratings_over_time(make([1], [1]))


def test_no_ratings_no_picture() -> None:
    nothing = world().select(np.zeros(world().nnz, bool), keep_vocabularies=True)
    for draw in (rating_histogram, long_tail, ratings_over_time):
        with pytest.raises(DataError, match="no ratings"):
            draw(nothing)


# ---- similarity --------------------------------------------------------------------------------------------


def test_the_panel_has_the_six_measures_and_counts_everyone_who_shares_something() -> None:
    x = world()
    figure = similarity_panel(x, [0, 5], reading="notebook")
    assert len(figure.axes) == len(MEASURES) == 6
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Jaccard", "Cosine", "Pearson", "Manhattan L1", "Euclidean L2", "Chebyshev"]
    for axes, measure in zip(figure.axes, MEASURES.values(), strict=True):
        assert axes.get_title(loc="right") == f"{'larger' if measure.larger_is_closer else 'smaller'} = closer"
        for stairs, user in zip(axes.patches, [0, 5], strict=True):
            shares, edges, _ = stairs.get_data()  # type: ignore[attr-defined]
            assert sum(shares) == pytest.approx(100)
            values = one_to_all(x, user, measure, "notebook")
            shared = np.asarray((x.to_scipy() > 0) @ (x.to_scipy() > 0)[user].T.toarray()).ravel() > 0
            shared[user] = False
            counts = np.histogram(values[shared], edges)[0]
            assert shares == pytest.approx(100 * counts / shared.sum())
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [f"user {u} ({x.user_counts[u]:,} ratings)" for u in (0, 5)]


@pytest.mark.parametrize("reading", ["table", "notebook"])
def test_the_panel_of_people_who_share_nothing(reading: Any) -> None:
    figure = similarity_panel(make([1, 2], [1, 2], [3.0, 4.0]), reading=reading)
    assert "0% rated something in common" in description(figure)
    to_svg(figure)


def test_the_panel_of_a_single_user_and_of_too_many() -> None:
    to_svg(similarity_panel(make([1, 1], [1, 2], [3.0, 4.0])))
    with pytest.raises(ParameterError, match="one to 5"):
        similarity_panel(world(), range(6))


def test_quiet_typical_and_busy() -> None:
    x = make(np.repeat(np.arange(11), np.arange(1, 12)), np.concatenate([np.arange(n) for n in range(1, 12)]))
    assert quiet_typical_busy(x) == [1, 5, 9]
    assert quiet_typical_busy(make([7], [1])) == [7]


# ---- comparisons -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    real = compare(world(), ["random", "popularity"], "random", ["ndcg@5", "rmse"], progress=False)
    rows = [
        Row("item-knn(similarity=pearson)", {}, {"ndcg@5": Estimate(0.31, 0.29, 0.33), "rmse": None}, 2.0, 1.0),
        Row(
            "bias",
            {},
            {
                "ndcg@5": Estimate(0.30, 0.28, 0.32, -0.01, -0.02, 0.01, 0.4, 0.2),
                "rmse": Estimate(0.9, 0.88, 0.92),
            },
            *(0.01, 0.02),
        ),
        Row(
            "random",
            {},
            {"ndcg@5": Estimate(0.02, 0.01, 0.03, -0.29, -0.3, -0.28, 1e-9, 5e-10), "rmse": None},
            0.0,
            0.0,
        ),
        Row("broken", {}, {"ndcg@5": None, "rmse": None}, error="it broke"),
    ]
    return dataclasses.replace(real, rows=rows)


def test_what_has_no_interval_is_behind_and_not_within_noise() -> None:
    reached = compare(world(), ["random", "popularity"], "random", ["coverage@5"], progress=False)
    figure = leaderboard_bars(reached)
    colours = [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in figure.axes[0].patches]  # type: ignore[attr-defined]
    assert colours == [BLUE, QUIET]
    assert "noise" not in description(figure)


def test_leaderboard_bars_are_the_estimates(board: Leaderboard) -> None:
    figure = leaderboard_bars(board)
    axes = figure.axes[0]
    assert widths(figure) == pytest.approx([0.31, 0.30, 0.02])
    colours = [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert colours == [BLUE, SKY, QUIET]
    intervals = [list(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]  # type: ignore[arg-type]
    assert intervals == [[0.29, 0.33], [0.28, 0.32], [0.01, 0.03]]
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert labels == ["item-knn", "bias", "random"]
    assert axes.get_xlim()[0] == 0 and axes.get_xlabel() == "ndcg@5 (more is better)"
    assert description(figure).startswith("item-knn is best by ndcg@5. One other model is within noise")


def test_a_metric_of_which_less_is_better_has_points(board: Leaderboard) -> None:
    axes = leaderboard_bars(board, "rmse").axes[0]
    assert not axes.patches and axes.get_xlabel() == "rmse (less is better)"
    assert axes.get_xlim()[0] > 0


def test_accuracy_against_time_has_every_model_that_has_both(board: Leaderboard) -> None:
    axes = accuracy_against_time(board).axes[0]
    points = [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in axes.lines if line.get_marker() == "o"
    ]  # type: ignore[index]
    assert points == [(3.0, 0.31), (0.03, 0.30), (0.001, 0.02)]  # shorter than a millisecond counts as one
    assert axes.get_xscale() == "log" and "seconds" in axes.get_xlabel()
    assert {t.get_text() for t in axes.texts} == {"item-knn", "bias", "random"}


def test_names_of_points_lie_on_no_name_and_no_point(board: Leaderboard) -> None:
    rows = [Row(f"model-{n}", {}, {"ndcg@5": Estimate(0.3 + n / 1e4)}, 1.0, 1.0) for n in range(6)]
    rows += [Row("near", {}, {"ndcg@5": Estimate(0.3)}, 4.0, 4.0), Row("far", {}, {"ndcg@5": Estimate(0.1)}, 9.0, 0.9)]
    figure = accuracy_against_time(dataclasses.replace(board, rows=rows))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [Text.get_window_extent(text) for text in axes.texts]  # without the line to its point
    for at, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])
        for point in axes.transData.transform([(2.0, 0.3), (8.0, 0.3), (9.9, 0.1)]):
            assert not box.contains(*point)
        assert box.x1 <= axes.get_window_extent().x1


def test_names_with_options_stay_inside_the_frame(board: Leaderboard) -> None:
    long = {"aggregation": "baseline", "shrinkage": 20.0}
    label = "item-knn(aggregation=baseline, shrinkage=20.0)"
    rows = [
        Row(label, long, {"ndcg@5": Estimate(0.261, 0.243, 0.281)}, 1.3, 0.1),
        Row("item-knn", {}, {"ndcg@5": Estimate(0.259, 0.241, 0.279, -0.002)}, 1.2, 0.1),
        Row("user-knn", {}, {"ndcg@5": Estimate(0.254, 0.236, 0.274, -0.007)}, 0.01, 0.1),
        Row("random", {}, {"ndcg@5": Estimate(0.002, 0.001, 0.003, -0.259)}, 0.01, 0.1),
    ]
    figure = accuracy_against_time(dataclasses.replace(board, rows=rows))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    frame = axes.get_window_extent()
    boxes = [Text.get_window_extent(text) for text in axes.texts]  # without the line to its point
    for at, box in enumerate(boxes):
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1 and frame.x0 <= box.x0 and box.x1 <= frame.x1
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])


def test_accuracy_against_popularity_has_the_share_of_people_and_what_they_rated_themselves(board: Leaderboard) -> None:
    shown = {"item-knn(similarity=pearson)": 0.3, "bias": 0.1}
    rows = [dataclasses.replace(row, popularity=shown.get(row.model)) for row in board.rows]
    axes = accuracy_against_popularity(dataclasses.replace(board, rows=rows, profile_popularity=0.2)).axes[0]
    points = [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in axes.lines if line.get_marker() == "o"
    ]  # type: ignore[index]
    assert points == [(30.0, 0.31), (10.0, 0.30)]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [20.0]  # type: ignore[index]
    with pytest.raises(DataError, match="how popular"):
        accuracy_against_popularity(dataclasses.replace(board, rows=board.rows[:2]))


def test_group_bars_have_a_panel_for_each_group_on_one_scale(board: Leaderboard) -> None:
    groups = {
        "few": {"item-knn(similarity=pearson)": Estimate(0.2, 0.1, 0.3), "bias": Estimate(0.1, 0.0, 0.2, -0.1)},
        "many $": {"bias": Estimate(0.4, 0.3, 0.6)},
    }
    figure = group_bars(dataclasses.replace(board, groups_by_metric={board.primary.name: {"activity": groups}}))
    few, many = figure.axes
    assert [axes.get_title(loc="left") for axes in (few, many)] == ["few", r"many \$"]
    assert [[float(bar.get_width()) for bar in axes.patches] for axes in (few, many)] == [[0.2, 0.1], [0.4]]  # type: ignore[attr-defined]
    assert few.get_xlim() == many.get_xlim() and few.get_xlim()[0] == 0 and few.get_xlim()[1] >= 0.6
    assert [t.get_text() for t in few.get_yticklabels()] == ["item-knn", "bias"]
    assert "Not the same model leads in every group" in description(figure)
    to_svg(figure)
    with pytest.raises(DataError, match="no groups by 'popularity'; it has activity"):
        group_bars(
            dataclasses.replace(board, groups_by_metric={board.primary.name: {"activity": groups}}), "popularity"
        )


def test_names_of_many_models_are_all_inside_the_frame(board: Leaderboard) -> None:
    """Twenty-one of them, a third of which lie on a heap in a corner."""
    chance = np.random.default_rng(0)
    values = np.concatenate([chance.random(14) / 3, np.zeros(7)])
    rows = [
        Row(f"model-number-{n}", {}, {"ndcg@5": Estimate(v, v * 0.9, v * 1.1, p_value=0.001)}, popularity=v / 2)
        for n, v in enumerate(values.tolist())
    ]
    figure = accuracy_against_popularity(dataclasses.replace(board, rows=rows, profile_popularity=0.1))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    frame, boxes = axes.get_window_extent(), [Text.get_window_extent(text) for text in axes.texts]
    assert len(boxes) == 21
    for at, box in enumerate(boxes):
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1 and frame.x0 <= box.x0 and box.x1 <= frame.x1
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])


def test_wrong_and_empty_leaderboards(board: Leaderboard) -> None:
    with pytest.raises(ParameterError, match="no metric 'map@5'; it has ndcg@5, rmse"):
        leaderboard_bars(board, "map@5")
    with pytest.raises(DataError, match="nothing to draw"):
        accuracy_against_time(dataclasses.replace(board, rows=board.rows[3:]))


# ---- style -------------------------------------------------------------------------------------------------


def test_the_svg_follows_the_scheme_and_needs_no_network() -> None:
    svg = to_svg(rating_histogram(world()))
    root = ET.fromstring(svg)
    used = svg[svg.index("</style>") :]
    assert "var(--blue)" in used and "var(--ink)" in used
    assert not any(colour.light in used for colour in COLOURS.values())
    assert "prefers-color-scheme:dark" in svg
    links = [value for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")]
    assert all(link.startswith("#") for link in links)
    assert svg == to_svg(rating_histogram(world()))


def test_an_export_leaves_the_layout_as_it_was() -> None:
    figure = rating_histogram(world())
    engine = figure.get_layout_engine()
    first = to_svg(figure)
    assert figure.get_layout_engine() is engine
    assert to_svg(figure) == first


def test_notebooks_show_a_figure_as_it_is() -> None:
    assert rating_histogram(world())._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_letters_that_the_font_lacks_are_boxes() -> None:
    assert plain("Amélie 5 $") == r"Amélie 5 \$"
    assert plain("Пират\n🎈 七人") == "Пират\n□ □□"


def test_colours_are_told_apart() -> None:
    for scheme in (0, 1):
        assert len({colour[scheme] for colour in COLOURS.values()}) == len(COLOURS)


def luminance(colour: str) -> float:
    parts = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize(
    ("name", "least"), [("ink", 7.0), ("muted", 4.5), ("blue", 4.5), ("orange", 3.0), ("green", 3.0)]
)
def test_contrast_with_the_paper(name: str, least: float, scheme: int) -> None:
    light, dark = sorted((luminance(COLOURS[name][scheme]), luminance(COLOURS["paper"][scheme])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= least


def test_models_of_one_name_are_labelled_with_their_options(board: Leaderboard) -> None:
    rows = [Row(f"item-knn(similarity=jaccard, n_neighbors={n}0)", {}, {"ndcg@5": Estimate(0.3)}) for n in (1, 2)]
    axes = leaderboard_bars(dataclasses.replace(board, rows=rows)).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        f"item-knn\nsimilarity=jaccard\nn_neighbors={n}0" for n in (1, 2)
    ]


def test_labels_of_several_lines_have_rows_that_hold_them(board: Leaderboard) -> None:
    """None of them overprints the next, in bars nor in bars by group."""
    long = "a_rather_long_option_of_it=3, and_another_one=0.5, and_a_third_one=100"
    estimates = {f"item-knn(x={n}, {long})": Estimate(0.3, 0.2, 0.4) for n in range(4)}
    rows = [Row(name, {}, {"ndcg@5": e}) for name, e in estimates.items()] + [board.rows[1]]
    made = dataclasses.replace(
        board, rows=rows, groups_by_metric={board.primary.name: {"activity": {"few": estimates, "many": estimates}}}
    )
    for figure in (leaderboard_bars(made), group_bars(made)):
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
        assert len(boxes) >= 4
        for at, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[at + 1 :])
