"""Counting in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.data import counting
from coterie.data.counting import distinct, tally


@pytest.mark.parametrize("block", [1, 7, 1 << 17])
@pytest.mark.parametrize("n", [3, 40])
def test_a_tally_is_how_often_each_number_occurs(monkeypatch: pytest.MonkeyPatch, block: int, n: int) -> None:
    monkeypatch.setattr(counting, "_BLOCK", block)
    numbers = np.random.default_rng(0).integers(0, n, 100, dtype=np.int32)
    expected = [int((numbers == number).sum()) for number in range(n)]
    assert tally(numbers, n).tolist() == expected
    assert tally(10 * numbers + 5, n, lambda part: part // 10).tolist() == expected


def test_of_nothing_there_is_none() -> None:
    assert tally(np.empty(0, np.int32), 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("block", [1, 7, 1 << 17])
def test_distinct_values_and_their_counts_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(counting, "_BLOCK", block)
    values = np.random.default_rng(0).integers(0, 12, 100).astype(np.float32) / 2
    values[[3, 50]] = np.nan
    for part in (values, values[:1], values[:0]):
        for found, expected in zip(distinct(part), np.unique(part, return_counts=True), strict=True):
            np.testing.assert_array_equal(found, expected)
