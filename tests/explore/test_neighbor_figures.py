"""The picture of neighbours has the nearest, their values, and lines between those that are near one another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from coterie.errors import DataError, ParameterError, UnknownIdError
from coterie.explore import neighbor_graph, to_svg
from coterie.explore.style import BLUE, SKY, description
from coterie.similarity import one_to_all, pair
from tests.explore.pictures import catalog, make, world


@pytest.mark.parametrize("axis", ["items", "users"])
@pytest.mark.parametrize("measure", ["cosine", "manhattan"])
def test_the_nearest_are_shown_with_their_values(axis, measure) -> None:  # type: ignore[no-untyped-def]
    x = world()
    figure = neighbor_graph(x, 3, None, axis, 6, measure, "table", min_overlap=4)
    axes = figure.axes[0]
    rated = (x.to_scipy() > 0).toarray()
    rated = rated if axis == "users" else rated.T
    values = one_to_all(x, 3, measure, "table", axis)
    ids = x.vocabulary(axis).ids
    row = x.vocabulary(axis).index(3)
    closer = -1 if measure == "cosine" else 1
    able = [n for n in range(len(ids)) if n != row and (rated[n] & rated[row]).sum() >= 4]
    expected = sorted(able, key=lambda n: (closer * values[n], n))[:6]
    names = [t.get_text() for t in axes.texts if t.get_text() != f"{axis[:-1]} 3"]
    assert names == [f"{axis[:-1]} {ids[n]}  {values[n]:.2f}" for n in expected]
    joined = [line for line in axes.lines if line.get_color() == SKY]
    near = [
        (a, b)
        for a, b in combinations(expected, 2)
        if closer * pair(x, ids[a], ids[b], measure, "table", axis) < closer * values[a]
        and closer * pair(x, ids[a], ids[b], measure, "table", axis) < closer * values[b]
    ]
    assert len(joined) == len(near)
    widths = [line.get_linewidth() for line in axes.lines if line.get_color() == BLUE and line.get_marker() != "o"]
    assert widths == sorted(widths, reverse=True) and len(widths) == 6


def test_names_do_not_touch() -> None:
    figure = neighbor_graph(world(), 0, catalog(), n_neighbors=16)
    figure.draw_without_rendering()
    axes, whole = figure.axes[0], figure.bbox
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 17
    for at, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
    assert description(figure).startswith("Nearest to Film $0$ of the long title (1950).")
    to_svg(figure)


def test_one_neighbour_none_and_nobody() -> None:
    two = make([1, 1, 2, 2], [1, 2, 1, 2], [5.0, 4.0, 5.0, 3.0])
    assert len(neighbor_graph(two, 1, min_overlap=2).axes[0].texts) == 2
    with pytest.raises(DataError, match="no other item shares 3 ratings with item 1; choose another item"):
        neighbor_graph(two, 1, min_overlap=3)
    with pytest.raises(UnknownIdError, match="77"):
        neighbor_graph(two, 77)
    for wrong in ({"n_neighbors": 0}, {"n_neighbors": 17}, {"min_overlap": 0}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            neighbor_graph(two, 1, **wrong)  # type: ignore[arg-type]


def test_neighbours_that_are_all_as_near() -> None:
    same = make(np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6), np.full(24, 4.0))
    figure = neighbor_graph(same, 0, min_overlap=1)
    assert figure.axes[0].texts[0].get_text() == "item 1  1.00"
