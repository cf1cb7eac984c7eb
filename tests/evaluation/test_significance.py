"""Intervals and p-values: against slow twins, against theory, and against the textbook."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from coterie.errors import ParameterError
from coterie.evaluation.estimates import Estimate
from coterie.evaluation.significance import bootstrap_means, holm, interval, paired_p_value

probabilities = st.lists(st.floats(0, 1), max_size=12)


@given(st.integers(0, 100), st.integers(2, 12), st.booleans())
def test_bootstrap_equals_its_slow_twin(seed: int, n: int, each_its_own: bool) -> None:
    generator = np.random.default_rng(seed)
    values = generator.random((n, 2))
    weights = generator.integers(1, 5, (n, 2) if each_its_own else n).astype(float)
    means = bootstrap_means(values, weights, seed, n_resamples=20)
    draws = np.random.default_rng(seed).integers(0, n, (20, n), np.int32)
    for drawn, mean in zip(draws, means, strict=True):
        expected = sum(weights[u] * values[u] for u in drawn) / sum(weights[u] for u in drawn)
        assert mean == pytest.approx(expected)


def test_blocks_of_draws_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values, weights = np.random.default_rng(0).random((50, 3)), np.ones(50)
    whole = bootstrap_means(values, weights, 1, 64)
    monkeypatch.setattr("coterie.evaluation.significance._BLOCK_BYTES", 8 * 50 * 16)
    assert np.allclose(whole, bootstrap_means(values, weights, 1, 64))


def test_the_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(size=(2000, 1))
    low, high = interval(bootstrap_means(values, np.ones(2000), 0)[:, 0])
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.1)


def test_draws_without_a_value_are_passed_over() -> None:
    assert interval(np.array([0.0, np.nan, 1.0])) == pytest.approx((0.025, 0.975))


# ---- p-values --------------------------------------------------------------------------------------------


def p_of(differences: np.ndarray, seed: int = 0) -> float:
    draws = bootstrap_means(differences[:, None], np.ones(len(differences)), seed)[:, 0]
    return paired_p_value(float(differences.mean()), draws, len(differences))


@pytest.mark.parametrize("n", [8, 40, 500])
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.4])
def test_of_plain_means_it_is_the_paired_t_test(n: int, shift: float) -> None:
    generator = np.random.default_rng(n)
    a, b = generator.random(n), generator.random(n) + shift
    textbook = float(ttest_rel(a, b).pvalue)
    # A standard error from a thousand draws is off by up to some 7 %, which moves p by so much:
    assert p_of(a - b) == pytest.approx(textbook, rel=0.25 + 0.5 * abs(np.log10(textbook)), abs=1e-12)


def test_without_a_difference_one_in_twenty_is_below_one_in_twenty() -> None:
    generator = np.random.default_rng(1)
    p = np.array([p_of(generator.exponential(size=60) - generator.exponential(size=60), n) for n in range(400)])
    assert 0.02 < (p < 0.05).mean() < 0.08
    assert np.quantile(p, 0.5) == pytest.approx(0.5, abs=0.1)


def test_draws_that_are_all_alike() -> None:
    assert paired_p_value(0.0, np.zeros(10), 5) == 1
    assert paired_p_value(0.25, np.full(10, 0.25), 5) == 0


def test_p_follows_the_wald_statistic_by_hand() -> None:
    draws = np.array([-1.0, 0.0, 1.0])  # a standard deviation of 1
    # t = 2 / (1 * sqrt(2 / 1)) = sqrt(2) with one degree of freedom: P(|T| > t) = 1 - 2 atan(t) / pi
    assert paired_p_value(-2.0, draws, 2) == pytest.approx(1 - 2 * np.arctan(np.sqrt(2)) / np.pi)


# ---- several at once ---------------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    # in order 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04, the last lifted to the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.8]) == [1, 1]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(probabilities)
def test_holm_rejects_what_its_steps_reject(p: list[float]) -> None:
    """Holm's procedure as it was written: from the smallest on, as long as each is below its own level."""
    level, order, rejected = 0.05, sorted(range(len(p)), key=lambda i: p[i]), set[int]()
    for step, i in enumerate(order):
        if p[i] * (len(p) - step) > level:
            break
        rejected.add(i)
    assert {i for i, corrected in enumerate(holm(p)) if corrected <= level} == rejected


@given(probabilities, st.randoms(use_true_random=False))
def test_holm_keeps_order_and_lies_between_p_and_bonferroni(p: list[float], chance: object) -> None:
    corrected = holm(p)
    for before, after in zip(p, corrected, strict=True):
        assert before <= after <= min(1.0, before * len(p)) + 1e-15
    by_p = sorted(zip(p, corrected, strict=True))
    assert [after for _, after in by_p] == sorted(corrected)
    places = list(range(len(p)))
    chance.shuffle(places)  # type: ignore[attr-defined]
    assert holm([p[i] for i in places]) == [corrected[i] for i in places]


@pytest.mark.parametrize("wrong", [[0.5, -0.1], [1.1], [float("nan")]])
def test_what_is_no_probability_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ParameterError, match="between 0 and 1"):
        holm(wrong)


def test_within_noise_follows_the_corrected_p_value() -> None:
    assert Estimate(1, 0, 2, -0.1, -0.3, -0.05, p_value=0.051, p_uncorrected=0.02).within_noise
    assert not Estimate(1, 0, 2, -0.1, -0.3, 0.01, p_value=0.05, p_uncorrected=0.05).within_noise
    assert Estimate(1).within_noise
