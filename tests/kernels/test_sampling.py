"""The random draws of generated worlds against their slow twins; run with and without the compiler."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coterie.kernels import sampling
from tests.reference import sampling as reference


@pytest.fixture(autouse=True)
def wrapping() -> Iterator[None]:
    """64-bit words wrap around by design; NumPy mentions it where there is no compiler."""
    with np.errstate(over="ignore"):
        yield


def test_words_are_those_of_splitmix64() -> None:
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert sampling.words(0, 3).tolist() == published == reference.words(0, 3)


@given(st.integers(0, 2**64 - 1), st.integers(1, 20))
def test_words_agree_with_the_twin_and_with_a_running_stream(key: int, n: int) -> None:
    state = np.array([key], np.uint64)
    assert sampling.words(key, n).tolist() == reference.words(key, n)
    with np.errstate(over="ignore"):
        assert [int(sampling.next_word(state)) for _ in range(n)] == reference.words(key, n)
    assert sampling.words(key, n, start=5).tolist() == reference.words(key, n + 5)[5:]


@given(st.floats(-15, 15))
def test_exp_is_close_to_the_library_and_equal_in_both_forms(x: float) -> None:
    assert sampling.exp(x) == pytest.approx(math.exp(x), rel=1e-8)
    assert sampling.exps(np.array([x]))[0] == sampling.exp(x)


@given(st.floats(1e-300, 1e300))
def test_log_is_close_to_the_library_and_equal_in_both_forms(x: float) -> None:
    assert sampling.log(x) == pytest.approx(math.log(x), rel=1e-7, abs=1e-8)
    assert sampling.logs(np.array([x]))[0] == sampling.log(x)


def test_units_and_bells_have_their_moments_and_equal_the_kernels() -> None:
    units, bells = sampling.units(3, 50_000), sampling.bells(4, 50_000)
    assert units.min() >= 0 and units.max() < 1
    assert units.mean() == pytest.approx(0.5, abs=0.01)
    assert bells.mean() == pytest.approx(0, abs=0.02)
    assert bells.std() == pytest.approx(1, abs=0.01)
    assert units[7] == sampling.unit(sampling.words(3, 8)[7])
    assert bells[7] == sampling.bell(sampling.words(4, 8)[7])


def test_streams_of_one_key_are_unlike_each_other() -> None:
    keys = {sampling.subkey(seed, stream) for seed in range(50) for stream in range(50)}
    assert len(keys) == 2500
    assert all(0 <= key < 2**64 for key in keys)


@given(st.integers(0, 2**64 - 1), st.integers(0, 60))
def test_a_permutation_has_everything_once(key: int, n: int) -> None:
    assert sorted(sampling.permutation(key, n).tolist()) == list(range(n))


@given(arrays(np.int32, st.integers(0, 50), elements=st.integers(0, 2**31 - 1)))
def test_sorted_order_is_a_stable_sort(keys: np.ndarray) -> None:
    assert sampling.sorted_order(keys).tolist() == np.argsort(keys, kind="stable").tolist()


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e6)).filter(lambda w: w.sum() > 1e-3))
def test_an_alias_table_gives_each_column_its_share(weights: np.ndarray) -> None:
    thresholds, others = _alias(weights)
    assert others.min() >= 0 and others.max() < len(weights)
    got = reference.alias_probabilities(thresholds, others)
    np.testing.assert_allclose(got, weights / weights.sum(), atol=1e-8)


@given(st.integers(0, 2**64 - 1), st.data())
def test_drawn_columns_are_distinct_and_keep_what_was_given(key: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 30))
    count = data.draw(st.integers(1, n))
    n_given = data.draw(st.integers(0, count))
    weights = sampling.units(key, n) + 1e-3
    chosen = _draw(np.array([key], np.uint64), np.stack([weights, weights[::-1]]), count, n_given)
    assert len(set(chosen.tolist())) == count
    assert chosen.min() >= 0 and chosen.max() < n
    assert chosen[:n_given].tolist() == list(range(n_given))


def test_columns_without_weight_come_last() -> None:
    weights = np.array([[5.0, 0.0, 3.0, 0.0, 2.0]])
    for key in range(20):
        chosen = _draw(np.array([key], np.uint64), weights, 5, 0)
        assert set(chosen[:3].tolist()) == {0, 2, 4}


@pytest.mark.parametrize("proposals", [True, False], ids=["proposals", "race"])
def test_both_ways_of_drawing_have_the_distribution_of_successive_draws(proposals: bool) -> None:
    parts = np.array([[8.0, 1.0, 1.0, 2.0], [1.0, 1.0, 6.0, 0.5]])
    shares = np.array([0.3, 0.7])
    mixed = shares @ (parts / parts.sum(1, keepdims=True))
    state, times, seen = np.array([9], np.uint64), 3000, np.zeros(4)
    for _ in range(times):
        chosen = np.empty(2, np.int32)
        if proposals:
            chosen = _draw(state, parts, 2, 0, shares)
        else:
            weights = (parts / parts.sum(1, keepdims=True)).T.astype(np.float32)
            sampling._race(state, shares, weights, np.full(4, -1, np.int32), 1, 0, chosen)
        seen[chosen] += 1
    np.testing.assert_allclose(seen / times, reference.inclusion_probabilities(mixed, 2), atol=0.035)


def _alias(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    thresholds, others = np.empty(len(weights), np.uint32), np.empty(len(weights), np.int32)
    sampling.fill_alias(weights, thresholds, others)
    return thresholds, others


def _draw(
    state: np.ndarray, parts: np.ndarray, count: int, n_given: int, shares: np.ndarray | None = None
) -> np.ndarray:
    """`count` columns of a mixture of parts (k, n), of which the first `n_given` stand already."""
    tables = [_alias(part) for part in parts]
    marks, chosen = np.full(parts.shape[1], -1, np.int32), np.empty(count, np.int32)
    chosen[:n_given] = np.arange(n_given)
    marks[:n_given] = 1
    with np.errstate(over="ignore"):
        sampling.draw_distinct(
            state,
            np.full(len(parts), 1 / len(parts)) if shares is None else shares,
            np.stack([t for t, _ in tables]),
            np.stack([o for _, o in tables]),
            np.ascontiguousarray((parts / parts.sum(1, keepdims=True)).T.astype(np.float32)),
            marks,
            1,
            n_given,
            chosen,
        )
    return chosen
