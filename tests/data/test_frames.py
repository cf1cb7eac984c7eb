"""Frames of every make become the same Interactions."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.errors import DataError, DataWarning, ParameterError

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

DATA = {"u": [3, 1, 1], "i": [7, 9, 7], "r": [1.0, 2.5, 4.0], "t": [30, 20, 10]}
ROWS = [(1, 7, 4.0, 10), (1, 9, 2.5, 20), (3, 7, 1.0, 30)]


def rows(frame: Any, rating: str | None = "r", timestamp: str | None = "t", **options: Any) -> list[Any]:
    x = ct.Interactions.from_frame(frame, "u", "i", rating=rating, timestamp=timestamp, **options)
    assert x.values.dtype == np.float32 and x.indices.dtype == np.int32 and x.indptr.dtype == np.int64
    return x.to_frame().rows()


@pytest.mark.parametrize(
    "make",
    [
        pl.DataFrame,
        lambda d: pl.DataFrame(d).lazy(),
        pd.DataFrame,
        lambda d: pd.DataFrame(d).convert_dtypes(),
        lambda d: pd.DataFrame(d).convert_dtypes(dtype_backend="pyarrow"),
        pa.table,
        lambda d: pa.table(d).to_batches()[0],
        dict,
        lambda d: {name: np.array(values) for name, values in d.items()},
        lambda d: pl.DataFrame(d, schema={"u": pl.UInt8, "i": pl.UInt64, "r": pl.Float64, "t": pl.UInt32}),
        lambda d: pl.DataFrame(d).with_columns(pl.col("r").cast(pl.Decimal(10, 2))),
        lambda d: pl.DataFrame(d).with_columns(pl.col("r", "t").cast(pl.String)),
        lambda d: pd.DataFrame(d).assign(t=pd.to_datetime(d["t"], unit="s")),
        lambda d: pd.DataFrame(d).assign(
            t=pd.to_datetime(d["t"], unit="s").tz_localize("UTC").tz_convert("Asia/Tokyo")
        ),
        lambda d: pl.DataFrame(d).with_columns(pl.from_epoch("t")),
        lambda d: pl.DataFrame(d).with_columns(pl.from_epoch("t").dt.replace_time_zone("UTC")),
        lambda d: pd.DataFrame(d).astype({"t": float}),
        lambda d: pl.concat([pl.DataFrame(d)[:1], pl.DataFrame(d)[1:]], rechunk=False),
    ],
)
def test_makes(make: Any) -> None:
    assert rows(make(DATA)) == ROWS


TEXT = {"u": ["b", "a", "a"], "i": ["y", "z", "y"]}
TEXT_ROWS = [("a", "y", 1.0), ("a", "z", 1.0), ("b", "y", 1.0)]


@pytest.mark.parametrize(
    "make",
    [
        pl.DataFrame,
        pd.DataFrame,
        lambda d: pd.DataFrame(d, dtype=object),
        lambda d: pd.DataFrame(d, dtype="category"),
        pa.table,
        lambda d: pl.DataFrame(d, schema=dict.fromkeys("ui", pl.Categorical)),
        lambda d: pl.DataFrame(d, schema=dict.fromkeys("ui", pl.Enum(["z", "y", "b", "a"]))),
        lambda d: pl.DataFrame({name: pl.Series(values, dtype=pl.Object) for name, values in d.items()}),
        lambda d: {name: np.array(values) for name, values in d.items()},
    ],
)
def test_text_ids(make: Any) -> None:
    assert rows(make(TEXT), None, None) == TEXT_ROWS


def test_pandas_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [pd.DataFrame(DATA), pd.DataFrame(DATA).convert_dtypes(), pd.DataFrame(TEXT, dtype=object)]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert [rows(frames[0]), rows(frames[1]), rows(frames[2], None, None)] == [ROWS, ROWS, TEXT_ROWS]


def test_the_frame_may_change_afterwards() -> None:
    """Interactions own their values: a frame edited later does not reach into them."""
    ordered = {name: np.array(values)[[2, 1, 0]] for name, values in DATA.items()}
    ordered["r"] = ordered["r"].astype(np.float32)
    for frame in (pd.DataFrame(ordered), ordered):
        x = ct.Interactions.from_frame(frame, "u", "i", "r", "t")
        if isinstance(frame, pd.DataFrame):
            frame.loc[:, :] = 0
        else:
            for values in frame.values():
                values[:] = 0
        assert x.to_frame().rows() == ROWS


def test_mixed_ids_become_text_with_a_warning() -> None:
    frame = pd.DataFrame({"u": [1, "1", "x"], "i": [1, 2, 3]})
    with pytest.warns(DataWarning, match="mixes text with other types.*1 values, such as '1', occur as both"):
        x = ct.Interactions.from_frame(frame, "u", "i")
    assert x.users.ids.tolist() == ["1", "x"]


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize(
    ("column", "values", "match"),
    [
        ("u", [1.0, 2.0, 3.0], "user ids must be integers or text, but column 'u' is Float64.*cast it to integers"),
        ("u", [1, None, 3], "row 2: user id is missing: u=|is Float64"),
        ("i", ["a", None, "b"], "row 2: item id is missing: u=1, i=None"),
        ("r", [1.0, None, 2.0], "row 2: rating is missing"),
        ("r", [1.0, float("inf"), 2.0], "row 2: rating is not a finite number: .*r=inf"),
        ("r", ["1", "good", "2"], "row 2: rating is not a finite number: .*r='good'"),
        ("r", [1.0, 1e39, 2.0], "row 2: rating is not a finite number"),
        ("t", ["2005-04-02 23:31:16", "soon", None], "row 2: timestamp cannot be read: .*t='soon'"),
        ("t", [[1], [2], [3]], "times must be Unix seconds"),
        ("r", [[1], [2], [3]], "ratings must be numbers"),
    ],
)
def test_values_that_cannot_be_used(kind: str, column: str, values: list[Any], match: str) -> None:
    data = {**DATA, column: values}
    with pytest.raises(DataError, match=match):
        rows(pd.DataFrame(data) if kind == "pandas" else pl.DataFrame(data))


def test_skipping_rows_of_a_frame() -> None:
    frame = pl.DataFrame({**DATA, "r": [None, 2.5, float("nan")]})
    with pytest.warns(DataWarning, match="2 lines were skipped, the first: row 1: rating is missing"):
        dataset = ct.load(frame, user="u", item="i", rating="r", on_error="skip")
    assert dataset.interactions.to_frame().rows() == [(1, 9, 2.5)]
    assert dataset.report.skipped_reasons == {"rating is missing": 1, "rating is not a finite number": 1}


def test_missing_times_are_zero_and_counted() -> None:
    with pytest.warns(DataWarning, match="1 time is missing and became 0"):
        dataset = ct.load({**DATA, "t": [None, 20, -5]}, user="u", item="i", rating="r", timestamp="t")
    assert dataset.interactions.timestamps is not None
    assert dataset.interactions.timestamps.tolist() == [-5, 20, 0]
    assert dataset.report.missing_times == 2


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pa.table, lambda d: pl.DataFrame(d).lazy(), dict])
def test_a_missing_column_names_those_there(make: Any) -> None:
    with pytest.raises(DataError, match="there is no column 'user'; the frame has 'u', 'i', 'r', 't'"):
        ct.Interactions.from_frame(make(DATA), "user", "i")


def test_not_a_frame() -> None:
    with pytest.raises(DataError, match="cannot read ratings from a list"):
        ct.Interactions.from_frame([(1, 2)], "u", "i")


@pytest.mark.parametrize(
    "make", [lambda d: pl.DataFrame(d, {c: pl.Float32 if c == "r" else pl.Int128 for c in d}), pd.DataFrame, dict]
)
@pytest.mark.parametrize("large", [2**63, 2**64 - 1, 2**70, -(2**70)])
def test_beyond_64_bits(large: int, make: Any) -> None:
    for column in ("u", "i"):
        with pytest.raises(DataError, match=rf"'{column}'.* beyond 64-bit integers; use text ids") as caught:
            rows(make({**DATA, column: [1, 2, large]}))
        assert str(large) in str(caught.value)
    with pytest.raises(DataError, match=rf"row 3: timestamp cannot be read.*{large}|{large}, which is beyond"):
        rows(make({**DATA, "t": [1, 2, large]}))


def test_beyond_all_integers() -> None:
    with pytest.raises(DataError, match=r"column 'u' holds 1606938.*, which is beyond 64-bit"):
        rows(pd.DataFrame({**DATA, "u": [1, 2, 2**200]}))


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pa.table, dict])
def test_one_column_for_two_things(make: Any) -> None:
    with pytest.raises(ParameterError, match=r"one column cannot be two things: \{'user': 'u', 'item': 'u'"):
        ct.Interactions.from_frame(make(DATA), "u", "u")
    with pytest.raises(ParameterError, match=r"one column cannot be two things: .*'rating': 'r', 'timestamp': 'r'"):
        ct.Interactions.from_frame(make(DATA), "u", "i", "r", "r")


def test_two_columns_of_one_name() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["u", "u", "i"])
    with pytest.raises(DataError, match="more than one column 'u'; rename"):
        ct.Interactions.from_frame(frame, "u", "i")
    table = pa.table([[1], [2], [3]], names=["u", "u", "i"])
    with pytest.raises(DataError, match=r'Table cannot be read as a frame: .*"u"'):
        ct.Interactions.from_frame(table, "u", "i")


def test_columns_whose_names_are_numbers() -> None:
    for frame in (pd.DataFrame([[1, 2]]), {0: [1], 1: [2]}):
        assert ct.Interactions.from_frame(frame, "0", "1").to_frame().rows() == [(1, 2, 1.0)]


def test_columns_of_different_lengths() -> None:
    with pytest.raises(DataError, match="of one length, but they have 'u' 1, 'i' 2"):
        ct.Interactions.from_frame({"u": [1], "i": [1, 2]}, "u", "i")


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({**DATA, "t": [None, 20, None]}),
        pd.DataFrame({**DATA, "t": pd.to_datetime([None, 20, None], unit="s")}),
        pd.DataFrame({**DATA, "t": [float("nan"), 20, float("nan")]}),
    ],
)
def test_times_that_are_missing_are_told(frame: Any) -> None:
    with pytest.warns(DataWarning, match="2 times are missing and became 0"):
        x = ct.Interactions.from_frame(frame, "u", "i", "r", "t")
    assert x.timestamps is not None and sorted(x.timestamps.tolist()) == [0, 0, 20]


def test_dates() -> None:
    day = [datetime.date(1970, 1, 2), datetime.date(1970, 1, 3), datetime.date(1970, 1, 4)]
    assert [row[3] for row in rows(pl.DataFrame({**DATA, "t": day}))] == [3 * 86400, 2 * 86400, 86400]


def test_no_rows() -> None:
    x = ct.Interactions.from_frame(pl.DataFrame(DATA).clear(), "u", "i", "r", "t")
    assert x.shape == (0, 0) and x.nnz == 0


def test_wrong_policy() -> None:
    with pytest.raises(
        ParameterError, match="duplicates must be one of last, first, mean, max, sum, error, not 'newest'"
    ):
        rows(pl.DataFrame(DATA), duplicates="newest")
