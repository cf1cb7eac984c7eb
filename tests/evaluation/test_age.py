"""Old ratings that weigh less, on real ratings: models that predict them stay as accurate as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

import coterie as ct
from coterie.evaluation import split


@pytest.mark.parametrize("name", ["bias", "als", "user-knn"])
def test_a_half_life_does_no_harm_to_predicted_ratings(shared: Path, name: str) -> None:
    x = ct.load(shared / "ml-latest-small").interactions.filter(first_users=200)
    parts = split(x, "random")

    def rmse(half_life: float | None) -> float:
        weighed = parts if half_life is None else parts.decayed(half_life)
        row = ct.compare(x, [name], weighed, ["rmse"], progress=False).rows[0]
        return row.estimates["rmse"].value

    plain = rmse(None)
    assert rmse(365) == pytest.approx(plain, rel=0.06)
    assert rmse(1e12) == pytest.approx(plain, rel=1e-4)


def test_predictions_lie_on_the_scale_and_about_its_middle(shared: Path) -> None:
    x = ct.load(shared / "ml-latest-small").interactions.filter(first_users=200)
    model = ct.ALS().fit(x.decayed(365, towards="mean"))
    users, items = x.users.ids[x.user_index[::7]], x.items.ids[x.indices[::7]]
    predicted = model.predict(users.tolist(), items.tolist())
    assert model.train_.scale == x.scale == (0.5, 5)
    assert predicted.min() >= 0.5 and predicted.max() <= 5
    assert abs(predicted.mean() - x.values[::7].mean()) < 0.1
