"""What figures may be given: a dataset in the place of its ratings or its catalog, one id in the place of several."""

from __future__ import annotations

from typing import Any

import pytest

import coterie as ct
from coterie import explore
from coterie.errors import DataError, ParameterError
from coterie.explore.style import description, to_svg
from tests.explore import pictures

X, CATALOG = pictures.world(), pictures.catalog()
MODEL = ct.SVD(n_factors=2).fit(X)
OF_RATINGS: dict[str, Any] = {
    "rating_histogram": explore.rating_histogram,
    "long_tail": explore.long_tail,
    "ratings_over_time": explore.ratings_over_time,
    "lorenz_curves": explore.lorenz_curves,
    "ratings_matrix": explore.ratings_matrix,
    "similarity_panel": explore.similarity_panel,
    "calibration": lambda data: explore.calibration(MODEL, data),
}
OF_A_CATALOG: dict[str, Any] = {
    "genre_bars": explore.genre_bars,
    "genre_cooccurrence": explore.genre_cooccurrence,
    "tag_bars": explore.tag_bars,
    "genome_heat_map": lambda data: explore.genome_heat_map(data, [0, 1]),
}
OF_BOTH: dict[str, Any] = {
    "neighbor_graph": lambda data, *catalog: explore.neighbor_graph(data, 0, *catalog),
    "item_map": lambda data, *catalog: explore.item_map(data, MODEL, *catalog),
}
EVERY = [(name, (X,)) for name in OF_RATINGS] + [(name, (CATALOG,)) for name in OF_A_CATALOG]
EVERY += [(name, (X, CATALOG)) for name in OF_BOTH]


@pytest.mark.parametrize(("name", "parts"), EVERY, ids=[name for name, _ in EVERY])
def test_a_dataset_will_do_for_its_ratings_or_its_catalog(name: str, parts: tuple[Any, ...]) -> None:
    draw = {**OF_RATINGS, **OF_A_CATALOG, **OF_BOTH}[name]
    assert to_svg(draw(ct.Dataset(X, CATALOG))) == to_svg(draw(*parts))
    with pytest.raises(ParameterError, match="wanted are a Dataset, Interactions or a Catalog, not DataFrame"):
        draw(X.to_frame())


def test_what_a_dataset_lacks_is_said() -> None:
    assert explore.quiet_typical_busy(ct.Dataset(X)) == explore.quiet_typical_busy(X)
    assert explore.typical_user(ct.Dataset(X)) == explore.typical_user(X)
    with pytest.raises(DataError, match=r"dataset has no ratings table$"):
        explore.long_tail(CATALOG)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="nothing is known about genres"):
        explore.genre_bars(ct.Dataset(X))


def test_one_id_need_not_be_in_a_list() -> None:
    draws: list[tuple[Any, Any]] = [(explore.similarity_panel, X), (explore.tag_bars, CATALOG)]
    for draw, data in [*draws, (explore.genome_heat_map, CATALOG)]:
        assert to_svg(draw(data, 1)) == to_svg(draw(data, [1]))
    named = pictures.make(["ann", "ann", "bob", "bob"], [1, 2, 1, 2], [1.0, 2.0, 3.0, 4.0])
    assert "How alike user ann is" in description(explore.similarity_panel(named, "ann"))
    made = explore.explore_dataset(named, users="ann", items=1, maps=[])
    assert "How alike user ann is" in description(made.figures["similarity-panel"])
