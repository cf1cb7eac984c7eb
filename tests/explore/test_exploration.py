"""All figures of a dataset on one page: each that can be drawn, and a reason for each that cannot."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie as ct
from coterie.data.dataset import Dataset
from coterie.errors import DataError, ParameterError, UnknownIdError
from coterie.explore import Exploration, explore_dataset
from coterie.explore.exploration import MAPS
from coterie.explore.style import WIDTH, description, words
from tests.explore.pictures import catalog, make, world

EVERYTHING = [
    "rating-histogram", "long-tail", "ratings-over-time", "lorenz-curves", "ratings-matrix", "genre-bars",
    "genre-cooccurrence", "tag-bars", "genome", "similarity-panel", "neighbors-of-0", "singular-values",
    "map-by-ratings", "map-by-genome",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> Exploration:
    return explore_dataset(Dataset(world(), catalog(), "<b>tiny</b>"))


def test_everything_is_drawn_once_and_stands_in_a_section(whole: Exploration) -> None:
    assert list(whole.figures) == EVERYTHING and not whole.left_out
    assert [name for names in whole.sections.values() for name in names] == EVERYTHING
    assert all(description(figure) for figure in whole.figures.values())


def test_the_page_has_every_picture_and_needs_no_network(whole: Exploration, tmp_path: Path) -> None:
    (page,) = whole.write(tmp_path / "new")
    text = page.read_text(encoding="utf-8")
    assert len(re.findall('<img src="data:image/svg', text)) == len(EVERYTHING)
    assert "<b>" not in text and "&lt;b&gt;tiny" in text
    assert not re.search(r'(?:src|href)="(?!data:)', text) and "What is not shown" not in text
    for figure in whole.figures.values():
        assert 'alt="' in text and description(figure).split(". ")[0].replace("'", "&#x27;") in text


def test_headlines_are_text_of_the_page_and_not_of_its_pictures(whole: Exploration, tmp_path: Path) -> None:
    text = whole.write(tmp_path, svg=True)[0].read_text(encoding="utf-8")
    shown = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(shown) == len(EVERYTHING)
    by_alt = {description(figure): name for name, figure in whole.figures.items()}
    for element in shown:
        alt = html.unescape(re.findall('alt="(.*?)"', element)[0])
        name = by_alt.pop(alt)
        says, note = words(whole.figures[name])
        caption = html.unescape(re.findall("<figcaption.*?</figcaption>", element)[0])
        assert f"<strong>{says}</strong>" in caption and (f"<span>{note}</span>" in caption) == bool(note)
        assert f"{says}. {note}".strip() == alt
        svg = base64.b64decode(re.findall(r"svg\+xml;base64,([^\"]+)", element)[0]).decode()
        alone = (tmp_path / f"{name}.svg").read_text()
        assert 'id="headline' in alone and 'id="headline' not in svg
        (_, top, width, height), (_, _, full_width, full_height) = map(view, (svg, alone))
        assert (width, top + height) == pytest.approx((full_width, full_height))
        assert 20 < top < 100
        assert ('class="panel"' in element) == (width > 72 * WIDTH)
        assert ('tabindex="0"' in element) == (width > 72 * WIDTH)


def view(svg: str) -> tuple[float, ...]:
    """The view box of a picture, whose size is the same in points."""
    left, top, width, height = map(float, re.findall(r'viewBox="([^"]+)"', svg)[0].split())
    size = [float(re.findall(rf'<svg[^>]* {side}="([^"]+)pt"', svg)[0]) for side in ("width", "height")]
    assert size == pytest.approx([width, height])
    return left, top, width, height


def test_each_picture_as_a_file(whole: Exploration, tmp_path: Path) -> None:
    few = Exploration(whole.dataset, {n: whole.figures[n] for n in EVERYTHING[:2]}, {"Few": EVERYTHING[:2]})
    files = few.write(tmp_path, png=True, svg=True)
    names = ["report.html", "rating-histogram.svg", "rating-histogram.png", "long-tail.svg", "long-tail.png"]
    assert [file.name for file in files] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "long-tail.png").read_bytes()[:4] == b"\x89PNG"
    assert "prefers-color-scheme:dark" in (tmp_path / "long-tail.svg").read_text()


def test_what_data_lack_is_said_on_the_page(tmp_path: Path) -> None:
    x = make([1, 1, 1], [1, 2, 3], [3.0, 3.0, 3.0])  # one user, no times, no catalog, one rating
    made = explore_dataset(Dataset(x), maps=["ratings", "tags", "titles"])
    assert set(made.figures) == {"rating-histogram", "long-tail", "lorenz-curves", "ratings-matrix", "singular-values"}
    assert "all 3 items are alike" in made.left_out["map-by-ratings"]
    assert "no timestamps" in made.left_out["ratings-over-time"]
    assert "one user only" in made.left_out["similarity-panel"]
    assert {"genre-bars", "tag-bars", "genome", "map-by-tags", "map-by-titles"} < set(made.left_out)
    text = made.write(tmp_path)[0].read_text()
    assert "What is not shown, and why" in text and made.left_out["ratings-over-time"] in text


def test_no_ratings_no_page() -> None:
    nothing = world().select(np.zeros(world().nnz, bool), keep_vocabularies=True)
    for data in (Dataset(nothing), Dataset(None, catalog())):
        with pytest.raises(DataError, match="no ratings"):
            explore_dataset(data)


def test_chosen_users_and_items() -> None:
    made = explore_dataset(Dataset(world(), catalog()), users=[3, 4], items=[0, 5, 29], maps=[])
    assert {"neighbors-of-0", "neighbors-of-5", "tag-bars-of-items"} < set(made.figures)
    assert [t.get_text()[:6] for t in made.figures["similarity-panel"].legends[0].get_texts()] == ["user 3", "user 4"]
    assert "these 2 movies" in description(made.figures["genome"])  # the genome does not have 29
    assert not [name for name in made.figures if name.startswith("map")]
    for wrong in ({"users": [99]}, {"items": [99]}):
        with pytest.raises(UnknownIdError, match="99"):
            explore_dataset(Dataset(world(), catalog()), **wrong)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=f"maps are by {', '.join(MAPS)}, not by 'x'"):
        explore_dataset(Dataset(world()), maps=["x"])


def test_models_are_fitted_and_looked_into() -> None:
    models: list[Any] = [ct.NMF(n_factors=2, n_iterations=2), ct.ItemKNN(), ct.SVD(n_factors=2), ct.BPR(n_epochs=2)]
    made = explore_dataset(Dataset(world(), catalog()), models, maps=[])
    expected = {
        "convergence-nmf", "calibration-nmf", "parts-nmf", "map-by-nmf", "calibration-svd", "singular-values-svd",
        "map-by-svd", "convergence-bpr", "map-by-bpr",
    }  # fmt: skip
    extra = set(made.figures) - set(EVERYTHING)
    assert expected <= extra
    assert extra - expected <= {"calibration-item-knn"}
    assert list(made.sections)[-4:] == [  # with what is not as by default
        "The model nmf(n_factors=2, n_iterations=2)", "The model item-knn", "The model svd(n_factors=2)",
        "The model bpr(n_epochs=2)",
    ]  # fmt: skip
    assert "nmf is off by" in description(made.figures["calibration-nmf"])


def test_models_of_one_name_are_told_apart() -> None:
    models: list[Any] = [ct.NMF(n_factors=n, n_iterations=2) for n in (2, 3, 3)]
    made = explore_dataset(Dataset(world(), catalog()), models, maps=[])
    called = [f"nmf(n_factors={n}, n_iterations=2)" for n in (2, 3)]
    called.append(f"{called[1]} #2")
    assert list(made.sections)[-3:] == [f"The model {name}" for name in called]
    for name, section in zip(called, list(made.sections)[-3:], strict=True):
        convergence, calibration, parts, by = made.sections[section]
        ending = name.replace("(", "-").replace("=", "-").replace(", ", "-").replace(")", "").replace(" #", "-")
        assert (convergence, parts) == (f"convergence-{ending}", f"parts-{ending}")
        assert description(made.figures[convergence]).startswith((f"{name} ", f"How {name} "))
        assert description(made.figures[calibration]).startswith(f"{name} is off by")
        assert f"what {name} makes of ratings" in description(made.figures[by])
