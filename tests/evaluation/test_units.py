"""Times, sizes and p-values as people write and read them."""

from __future__ import annotations

import pytest

from coterie.errors import ParameterError
from coterie.evaluation import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h", 3600), ("1.5 h", 5400), ("600", 600), (" 2M ", 120), (0.5, 0.5), (7, 7)],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10d", "-5", "0", "1e3", "ten", "10m30", 0, -1, float("inf")])
def test_what_is_no_duration_is_refused_by_name(text: str | float) -> None:
    with pytest.raises(ParameterError, match="budget must be a time such as 90s"):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (units.duration(90), "90 s"),
        (units.duration(0.25), "0.25 s"),
        (units.duration(600), "10 min"),
        (units.duration(5400), "90 min"),
        (units.duration(9000), "2.5 h"),
        (units.seconds(None), "-"),
        (units.seconds(0.004), "0.00"),
        (units.seconds(9.996), "10.0"),
        (units.seconds(99.96), "100"),
        (units.size(None), "-"),
        (units.size(0), "0 B"),
        (units.size(999), "999 B"),
        (units.size(1000), "1.0 kB"),
        (units.size(9960), "10 kB"),
        (units.size(999_600), "1.0 MB"),
        (units.size(34_400_000), "34 MB"),
        (units.size(5_600_000_000), "5.6 GB"),
        (units.size(5_600_000_000_000), "5600 GB"),
        (units.p_value(0.0004), "p < 0.001"),
        (units.p_value(0.0123), "p = 0.012"),
        (units.p_value(0.456), "p = 0.46"),
    ],
)
def test_what_people_read(said: str, expected: str) -> None:
    assert said == expected
