"""Pictures of fitted models hold what the models learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

import coterie as ct
from coterie.content.features import ItemFeatures, item_features
from coterie.errors import CapabilityError, DataError, ParameterError
from coterie.evaluation.splits import split_at_random
from coterie.explore import calibration, convergence, item_map, nmf_parts, singular_values, to_svg
from coterie.explore.places import places
from coterie.explore.style import BLUE, QUIET, description
from tests.explore.pictures import catalog, make, world


@pytest.fixture(scope="module")
def als() -> tuple[Any, Any]:
    split = split_at_random(world(), 0.2)
    return ct.ALS(n_factors=3, n_iterations=4).fit(split.train, validation=split.test), split


@pytest.fixture(scope="module")
def nmf() -> Any:
    return ct.NMF(n_factors=3, n_iterations=5).fit(world(), catalog())


# ---- spectrum, convergence, parts -----------------------------------------------------------------------


def test_the_spectrum_holds_the_singular_values() -> None:
    model = ct.PureSVD(n_factors=4).fit(world())
    left, right = singular_values(model).axes
    assert [bar.get_height() for bar in left.patches] == pytest.approx(model.singular_values_.tolist())  # type: ignore[attr-defined]
    shares = 100 * np.cumsum(model.singular_values_**2) / (world().values ** 2).sum()
    assert np.asarray(right.lines[0].get_ydata()) == pytest.approx(shares, rel=1e-4)
    assert f"The first 4 factors hold {shares[-1]:.0f}%" in description(singular_values(model))
    assert "zeros" in description(singular_values(model))


def test_a_spectrum_of_nothing() -> None:
    with pytest.raises(DataError, match="all singular values are 0"):
        singular_values(ct.SVD(n_factors=1).fit(make([1, 2], [1, 1])))
    with pytest.raises(CapabilityError, match="take SVD"):
        singular_values(ct.Popularity().fit(world()))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="not been fitted"):
        singular_values(ct.SVD())


def test_convergence_of_one_model(als: Any) -> None:
    model, _ = als
    objective, error = convergence(model).axes
    assert np.asarray(objective.lines[0].get_ydata()) == pytest.approx(model.objective_)
    assert np.asarray(error.lines[0].get_ydata()) == pytest.approx(model.held_out_rmse_)
    best = int(model.held_out_rmse_.argmin())
    assert error.lines[1].get_xdata() == [best + 1]
    assert objective.get_xlabel() == "sweeps over the ratings" and objective.get_ylabel() == "objective"
    to_svg(convergence(model))


def test_convergence_of_several_models(als: Any, nmf: Any) -> None:
    figure = convergence({"one": als[0], "$other$": nmf})
    objective, error = figure.axes
    assert [np.asarray(line.get_ydata())[0] for line in objective.lines] == [1, 1]
    assert len(error.lines) == 1  # NMF had no held-out ratings
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["one", r"\$other\$"]
    twice = convergence([als[0], als[0]])
    assert [t.get_text() for t in twice.legends[0].get_texts()] == [als[0].label, f"{als[0].label} #2"]
    with pytest.raises(CapabilityError, match="no trace of sweeps"):
        convergence(ct.Popularity().fit(world()))
    with pytest.raises(ParameterError, match="one to 5"):
        convergence([])


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ([2.0, 1.0, 1.5], "als is best after 2 of 3 sweeps. By the error on held-out ratings; later it overfits"),
        ([2.0, 1.5, 1.0], "als was still getting better after 3 sweeps. "),
        ([2.0, 1.0004, 1.0001, 1.0, 1.0], "als has settled after 2 of 5 sweeps. "),
        ([2.0], "How als learns. There was one sweep only"),
    ],
)
def test_what_is_said_of_a_trace(als: Any, errors: list[float], says: str) -> None:
    from copy import copy

    model = copy(als[0])
    model.held_out_rmse_ = np.array(errors)
    assert description(convergence(model)).startswith(says)


@pytest.mark.parametrize(
    "errors",
    [[1.06, 1.03, 1.0209, 1.0212, 1.04], [1.1, 1.02, 1.0, 0.99], [0.9, 1.0, 1.1], [1.0, 1.0, 1.0], [1.3] + [1.0] * 29],
)
def test_the_number_of_the_best_is_off_the_curve(als: Any, errors: list[float]) -> None:
    from copy import copy

    model = copy(als[0])
    model.held_out_rmse_ = np.array(errors)
    figure = convergence(model)
    axes = figure.axes[1]
    figure.draw_without_rendering()
    (label,) = axes.texts
    box = Text.get_window_extent(label)
    assert label.get_text() == f"{min(errors):.4f}"
    at = np.linspace(1, len(errors), 4000)
    curve = axes.transData.transform(np.column_stack([at, np.interp(at, np.arange(1, len(errors) + 1), errors)]))
    assert not box.padded(2).count_contains(curve)
    frame = axes.get_window_extent()
    assert frame.y0 < box.y0 and frame.x0 - 20 < box.x0 and box.x1 < frame.x1 + 20


def test_bars_of_a_part_grow_shorter_downwards() -> None:
    x = world(n_users=60)
    model = ct.NMF(n_factors=3, random_state=1).fit(x)
    parts = model.parts(6)
    assert any(not of["weight"].is_sorted(descending=True) for _, of in parts.group_by("factor"))  # what it is about
    for axes in nmf_parts(model).axes:
        widths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
        assert widths == sorted(widths, reverse=True)


def test_parts_are_those_of_the_model(nmf: Any) -> None:
    figure = nmf_parts(nmf, k=4, n_parts=2)
    parts = nmf.parts(4)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["part 1", "part 2"]
    for part, axes in enumerate(figure.axes):
        expected = parts.filter(parts["factor"] == part).sort("weight", descending=True)
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(expected["weight"].to_list())  # type: ignore[attr-defined]
        assert len(axes.get_yticklabels()) == len(expected)
        assert all("$" not in t.get_text().replace(r"\$", "") for t in axes.get_yticklabels())
    to_svg(figure)
    assert len(nmf_parts(nmf, n_parts=12).axes) == 3
    with pytest.raises(CapabilityError, match="take NMF"):
        nmf_parts(ct.ALS().fit(world()))  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="parts may be"):
        nmf_parts(nmf, k=0)


# ---- calibration -----------------------------------------------------------------------------------------


def test_calibration_sets_means_against_means(als: Any) -> None:
    model, split = als
    figure = calibration(model, split.test, 5)
    (container,) = figure.axes[0].containers
    at, means = (np.asarray(v) for v in container[0].get_data())  # type: ignore[index, attr-defined]
    users, items = split.test.users.ids[split.test.user_index], split.test.items.ids[split.test.indices]
    predicted = model.predict(users, items).astype(float)
    order = np.argsort(predicted, kind="stable")
    groups = np.array_split(order, 5)
    assert at == pytest.approx([predicted[g].mean() for g in groups])
    assert means == pytest.approx([split.test.values[g].mean() for g in groups])
    rmse = np.sqrt(((predicted - split.test.values) ** 2).mean())
    assert f"RMSE {rmse:.3f}" in description(figure)
    assert figure.axes[0].get_xlabel().startswith("predicted rating")


def test_calibration_of_next_to_nothing(als: Any) -> None:
    model, split = als
    one = split.test.select(np.arange(split.test.nnz) == 0, keep_vocabularies=True)
    assert "1 held-out rating in 1 group by" in description(calibration(model, one))
    with pytest.raises(DataError, match="no held-out ratings"):
        calibration(model, one.select(np.zeros(1, bool), keep_vocabularies=True))
    with pytest.raises(CapabilityError, match="does not predict ratings"):
        calibration(ct.Popularity().fit(split.train), split.test)
    with pytest.raises(ParameterError, match="n_groups"):
        calibration(model, split.test, 0)


# ---- maps ------------------------------------------------------------------------------------------------


def test_two_items_are_near_whose_predictions_go_together(als: Any) -> None:
    """Distances of cosines on the map's ground are those of the columns of predicted scores."""
    from coterie.explore.map_figures import _of_model

    model, split = als
    made = _of_model(model, split.train).matrix
    scores = model.user_factors_ @ model.item_factors_.T
    assert made @ made.T == pytest.approx(scores.T @ scores / len(scores), abs=1e-4)


def test_a_map_has_the_most_rated_and_names_the_best_known(als: Any) -> None:
    x = als[1].train
    figure = item_map(x, als[0], catalog(), n_items=20, n_titles=5)
    others, known = figure.axes[0].collections
    assert (len(others.get_offsets()), len(known.get_offsets())) == (15, 5)
    most = x.items.ids[np.argsort(-x.item_counts, kind="stable")[:5]].tolist()
    allowed = {f"Film \\${i}\\$ of the long\ntitle (19{50 + i})" for i in most}
    assert {t.get_text() for t in figure.axes[0].texts} <= allowed
    assert "the 20 most rated of" in description(figure)


def test_names_on_a_map_do_not_touch(als: Any) -> None:
    figure = item_map(als[1].train, als[0], catalog())
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]
    assert len(boxes) > 5
    for at, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])


@pytest.mark.parametrize("seed", range(3))
def test_it_is_plain_whose_name_it_is(seed: int) -> None:
    """A crowded map: a name is nearest to its own dot or has a line to it, which passes no other; blue have names."""
    from matplotlib.colors import to_hex

    chance = np.random.default_rng(seed)
    x = make(np.repeat(np.arange(40), 40), np.tile(np.arange(40), 40), chance.integers(1, 6, 1600).astype(float))
    blobs = (np.array([[5.0, 0], [0, 5], [-5, -5]])[np.arange(40) % 3] + chance.normal(0, 0.5, (40, 2))).astype(
        np.float32
    )
    features = ItemFeatures(("a", "b"), blobs, "genome")
    figure = item_map(x, features, n_titles=30, method="pca")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    offsets = np.asarray(axes.collections[1].get_offsets())
    dots, points = axes.transData.transform(offsets), figure.dpi / 72
    colours = [to_hex(colour) for colour in axes.collections[1].get_facecolor()]  # type: ignore[union-attr]
    own = {int(text.get_text().split()[-1]): text for text in axes.texts}
    assert 5 < len(own) < 30  # some find no room
    assert colours == [BLUE if item in own else QUIET for item in range(30)]
    for item, text in own.items():
        box = Text.get_window_extent(text)
        away = [max(box.x0 - px, px - box.x1, 0) ** 2 + max(box.y0 - py, py - box.y1, 0) ** 2 for px, py in dots]
        line = getattr(text, "arrow_patch", None)
        assert line is not None or int(np.argmin(away)) == item
        if line is not None:
            path = line.get_path().interpolated(200).vertices
            others = np.delete(dots, item, axis=0)
            assert np.hypot(*(path[:, None] - others[None]).T).min() > 2.5 * points


@pytest.mark.parametrize(("source", "how"), [("genome", "principal components"), ("genres", "t-SNE")])
def test_maps_of_features(source: Any, how: str) -> None:
    x = world()
    figure = item_map(x, item_features(catalog(), x.items, source), catalog())
    assert description(figure).endswith(f"placed by {how}")
    to_svg(figure)


def test_maps_of_next_to_nothing() -> None:
    x = make([1, 1, 1, 2], [1, 2, 3, 1], [5.0, 4.0, 3.0, 2.0])
    same = ItemFeatures(("a",), np.ones((3, 1), np.float32))
    with pytest.raises(DataError, match=r"all 3 items are alike .* a map has one place only"):
        item_map(x, same)
    other = ItemFeatures(("a", "b"), np.array([[1, 0], [0, 1], [1, 1]], np.float32))
    assert len(item_map(x, other, n_titles=0).axes[0].texts) == 0
    with pytest.raises(DataError, match="3 rated items or more"):
        item_map(x, ItemFeatures(("a",), np.array([[1], [1], [0]], np.float32)))
    with pytest.raises(DataError, match="features of 2 items do not fit ratings of 3 items"):
        item_map(x, ItemFeatures(("a",), np.ones((2, 1), np.float32)))
    with pytest.raises(CapabilityError, match="no factors"):
        item_map(x, ct.Popularity().fit(x))
    with pytest.raises(ParameterError, match="n_items"):
        item_map(x, same, n_items=2)
    with pytest.raises(ParameterError, match="'tsne' or 'pca'"):
        item_map(x, same, method="umap")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(30, 5), (5, 30), (4, 1)])
def test_places_are_the_principal_components(shape: tuple[int, int]) -> None:
    from sklearn.decomposition import PCA

    matrix = np.random.default_rng(0).normal(size=shape)
    n = min(2, *shape)
    theirs = PCA(n).fit_transform(matrix)
    ours = places(matrix, "pca", 0)
    assert np.abs(ours[:, :n]) == pytest.approx(np.abs(theirs))
    assert not ours[:, n:].any()
    assert (ours == places(matrix, "pca", 0)).all()


def test_blue_means_the_best_known(als: Any) -> None:
    from matplotlib.colors import to_hex

    known = item_map(als[1].train, als[0], n_titles=1).axes[0].collections[1]
    assert to_hex(known.get_facecolor()[0]) == BLUE  # type: ignore[index]
