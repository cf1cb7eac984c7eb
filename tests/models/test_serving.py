"""A loaded model answers one person without a compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.models.base import Recommender
from tests.models.slow import interactions, world

CODE = """
import sys
import coterie

model = coterie.load_model(sys.argv[1])
assert model.recommend_for({101: 4.0, 103: 2.5}).height
assert model.recommend([1, 2]).height
model.explain({101: 4.0}, 102)
if model.predicts_ratings:
    model.predict_for({101: 4.0}, [102, 103])
if model.name in ("item-knn", "tag-knn", "genre-knn"):
    model.similar_items(101)
assert "numba" not in sys.modules
"""


def catalog(x: Interactions) -> Catalog:
    """Genres, a tag and a genome of the items."""
    ids = x.items.ids.tolist()
    frame = pl.DataFrame({"item": ids, "genres": [["Drama", "War"][n % 2] for n in range(len(ids))]})
    tags = pl.DataFrame({"user": 1, "item": ids, "tag": [["dark", "light", "odd"][n % 3] for n in range(len(ids))]})
    genome = np.random.default_rng(0).random((len(ids), 2), dtype=np.float32)
    return Catalog.from_titles(frame, tags=tags, genome_tags=("dark", "light"), genome=genome)


@pytest.mark.parametrize(
    "model",
    [
        ct.ItemKNN(weighting="bm25", normalize=True),
        ct.ItemKNN(ranking="rating", aggregation="baseline", similarity="pearson"),
        ct.TagKNN(),
        ct.TagKNN(source="genome", adjusted=True),
        ct.GenreKNN(),
        ct.BiasBaseline(),
        ct.EASE(),
        ct.SLIM(),
        ct.RP3beta(),
        ct.ALS(n_factors=3),
        ct.ImplicitALS(n_factors=3),
        ct.SlopeOne(),
        ct.CoClustering(),
        ct.BiasedMF(),
        ct.SVDPlusPlus(),
        ct.BPR(),
        ct.BayesianMF(n_burn_in=2, n_samples=3),
        ct.BayesianSVDPlusPlus(n_burn_in=2, n_samples=3),
        ct.SVD(n_factors=3),
        ct.PureSVD(n_factors=3),
        ct.NMF(n_factors=3),
        ct.NMF(n_factors=3, reading="zeros"),
    ],
    ids=str,
)
def test_serving_one_person_loads_no_compiler(model: Recommender, tmp_path: Path) -> None:
    x = interactions(world())
    model.fit(x, catalog(x)).save(tmp_path / "model")
    run: Any = subprocess.run([sys.executable, "-c", CODE, tmp_path / "model"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
