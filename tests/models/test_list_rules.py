"""What `Reranked` is told: refused where it is wrong, and what items are about."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.data.catalog import Catalog
from coterie.errors import DataError, ParameterError, UnknownIdError
from tests.contract.cases import catalog, interactions, world
from tests.models.fixed import Fixed

# ---- errors ----------------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"diversity": 1.5}, ParameterError, r"diversity must be between 0 and 1, not 1\.5"),
    ({"diversity": 0.6, "calibration": 0.6}, ParameterError, r"calibration=0\.6 add up to more than 1"),
    ({"max_exposure": 0}, ParameterError, "max_exposure must be between"),
    ({"pool": 0}, ParameterError, "pool must be at least 1"),
    ({"similarity": "colour", "diversity": 0.1}, ParameterError, "must be one of 'genre', 'genome', 'ratings'"),
    ({"similarity": "genome", "diversity": 0.1}, DataError, "needs a tag genome, and there is none"),
    ({"must": 7}, ParameterError, "must must be of type Sequence, not 7"),
    ({"must": [3]}, UnknownIdError, "must names 3, which is neither an item of the training data nor a genre .*Drama"),
    ({"must": ["Dram"]}, UnknownIdError, "must names 'Dram'"),
    ({"never": [3, 4]}, UnknownIdError, "never names 3"),
    ({"at_most": {"Western": 2}}, UnknownIdError, r"at_most names 'Western', which is no genre \(genres are Comedy"),
    ({"at_most": {"War": -1}}, ParameterError, "at_most of 'War' must be a whole number from 0, not -1"),
    ({"at_most": {"War": True}}, ParameterError, "at_most of 'War' must be a whole number from 0, not True"),
    ({"must": ["War"], "never": ["war"]}, ParameterError, "must asks for 'War', and never rules it out"),
    ({"must": ["War"], "at_most": {"War": 0}}, ParameterError, "must asks for 1 of 'War', and at_most allows 0"),
    ({"model": "ease"}, ParameterError, "model must be of type Recommender, not 'ease'"),
    ({"model": ct.Reranked(ct.EASE())}, ParameterError, "model is Reranked itself; give all steps to one"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_options_are_refused_before_anything_is_fitted(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    model = ct.Reranked(**{"model": ct.EASE(), **options})
    with pytest.raises(error, match=said):
        model.fit(world(), catalog())
    assert not model.is_fitted
    assert "model_" not in vars(model)


@pytest.mark.parametrize("steps", [{"diversity": 0.3}, {"calibration": 0.3}, {"at_most": {"War": 1}}], ids=str)
def test_missing_genres_are_an_error_with_the_remedy(steps: dict[str, Any]) -> None:
    bare = Catalog.from_titles(pl.DataFrame({"item": world().items.ids}))
    for content, said in ((None, "there is no catalog"), (bare, "the catalog has none")):
        with pytest.raises(DataError, match=rf"needs the genres of the items, and {said}; bring a catalog"):
            ct.Reranked(ct.EASE(), **steps).fit(world(), content)
    with pytest.raises(UnknownIdError, match=r"never names 'Horror'.*genres are not known; bring a catalog"):
        ct.Reranked(ct.EASE(), never=["Horror"]).fit(world())


def test_rules_of_named_items() -> None:
    x = world()
    item, other = x.items.ids[:2].tolist()
    with pytest.raises(ParameterError, match=f"must asks for {item}, and never rules it out"):
        ct.Reranked(ct.EASE(), must=[item], never=[item]).fit(x)
    with pytest.raises(ParameterError, match=f"must asks for item {item} in every list, and max_exposure=0.2 allows"):
        ct.Reranked(ct.EASE(), must=[item], max_exposure=0.2).fit(x)
    model = ct.Reranked(ct.EASE(), must=[item, other]).fit(x)
    with pytest.raises(ParameterError, match="k=1 leaves no room for the 2 entries of must"):
        model.recommend_for({}, 1)
    part = x.filter(items=x.items.ids[1:].tolist())
    with pytest.raises(UnknownIdError, match=f"must names item {item!r}, which nobody in the training data rated"):
        ct.Reranked(ct.EASE(), must=[item]).fit(part, catalog())
    ct.Reranked(ct.EASE(), never=[item]).fit(part, catalog())  # known, and cannot be recommended anyway


def test_it_is_described_like_any_model() -> None:
    assert "model : Recommender\n    What scores." in inspect.getdoc(ct.Reranked)
    assert str(inspect.signature(ct.Reranked)).startswith(
        "(model: coterie.models.base.Recommender, diversity: float = 0.0"
    )
    with pytest.raises(TypeError, match="model"):
        ct.Reranked()  # type: ignore[call-arg]
    assert (
        ct.Reranked(ct.EASE(regularization=9.0), never=(1,)).label == "reranked(ease(regularization=9.0), never=(1,))"
    )


def test_the_genome_tells_items_apart() -> None:
    """Two pairs of items alike in tags; what all items share does not count."""
    genome = np.array([[0.9, 0.1, 0.8], [0.8, 0.2, 0.8], [0.1, 0.9, 0.8], [0.2, 0.8, 0.8], [np.nan] * 3], np.float32)
    ids = np.arange(5) + 101
    content = Catalog.from_titles(pl.DataFrame({"item": ids}), genome_tags=("a", "b", "c"), genome=genome)
    model = ct.Reranked(Fixed((1.0, 0.9, 0.5, 0.4, 0.0)), diversity=0.5, similarity="genome")
    model.fit(interactions(np.full((1, 5), 3)), content)
    assert model.recommend_for({}, 5)["item"].to_list() == [101, 103, 105, 102, 104]
    similar = (model.item_likeness_ @ model.item_likeness_.T).toarray()
    assert similar[0, 1] == pytest.approx(1, abs=1e-5)
    assert similar[0, 2] == pytest.approx(-1, abs=1e-5)
    assert not similar[4].any()
