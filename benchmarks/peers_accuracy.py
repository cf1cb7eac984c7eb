"""scikit-surprise on the folds, with its usual settings and in its usual way; runs in ``.venv-bench``."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.folds import Ratings, judge
from benchmarks.work import Array

_DRAWING = ("SVD", "SVDpp", "NMF", "CoClustering")


def accuracy(request: dict[str, Any]) -> dict[str, Any]:
    """Errors and times of its `algorithm` over the folds."""
    import pandas as pd
    import surprise

    def prepare(ratings: Ratings) -> Any:
        frame = pd.DataFrame({"user": ratings.users, "item": ratings.items, "rating": ratings.values})
        return surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5))).build_full_trainset()

    def fit(train: Any) -> Any:
        seed = {"random_state": 0} if request["algorithm"] in _DRAWING else {}
        return getattr(surprise, request["algorithm"])(**seed).fit(train)

    def predict(model: Any, asked: Ratings) -> Array:
        pairs = zip(asked.users.tolist(), asked.items.tolist(), asked.values.tolist(), strict=True)
        return np.array([found.est for found in model.test(list(pairs))])

    return judge(request, prepare, fit, predict)
