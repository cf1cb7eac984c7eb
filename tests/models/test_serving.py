"""A loaded model answers one person without a compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import coterie as ct
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
if model.name == "item-knn":
    model.similar_items(101)
assert "numba" not in sys.modules
"""


@pytest.mark.parametrize(
    "model",
    [
        ct.ItemKNN(weighting="bm25", normalize=True),
        ct.ItemKNN(ranking="rating", aggregation="baseline", similarity="pearson"),
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
    model.fit(interactions(world())).save(tmp_path / "model")
    run: Any = subprocess.run([sys.executable, "-c", CODE, tmp_path / "model"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
