"""The value of sets: exact search against enumeration, the greedy bound, what is submodular and what is not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.scenarios.bundle_value import SetValue, best_set, greedy_set, guarantee


def made(seed: int, n: int, places: int, weights: tuple[float, float, float]) -> SetValue:
    generator = np.random.default_rng(seed)
    pairs = np.triu(generator.random((n, n)) * (generator.random((n, n)) < 0.5), 1)
    topics = generator.random((n, 4)) * (generator.random((n, 4)) < 0.6)
    return SetValue.weighted(generator.random(n), pairs + pairs.T, topics, np.full(4, 0.25), places, weights)


def slow_value(f: SetValue, chosen: tuple[int, ...]) -> float:
    """The formula as it is written."""
    total = sum(f.relevance[i] for i in chosen) + sum(f.pairs[i, j] for i, j in combinations(chosen, 2))
    for t, weight in enumerate(f.topic_weights):
        lacking = 1.0
        for i in chosen:
            lacking *= 1 - f.topics[i, t]
        total += weight * (1 - lacking)
    return float(total)


WEIGHTS = st.tuples(*[st.sampled_from([0.0, 0.3, 1.0, 5.0])] * 3).filter(any)
CASES = st.tuples(st.integers(0, 10_000), st.integers(3, 9), st.integers(1, 4), WEIGHTS)


@given(CASES, st.integers(0, 2))
def test_search_finds_what_enumeration_finds(
    case: tuple[int, int, int, tuple[float, float, float]], given_: int
) -> None:
    seed, n, size, weights = case
    f, base = made(seed, n, size + given_, weights), list(range(given_))
    others = [i for i in range(n) if i not in base]
    found = best_set(f, size, base)
    sets = [(*base, *added) for added in combinations(others, min(size, len(others)))]
    best = max(slow_value(f, s) for s in sets)
    assert found.value == pytest.approx(best)
    assert slow_value(f, (*base, *found.chosen)) == pytest.approx(best)
    assert found.proven
    # what greedy is sure of, measured from what was there before
    start = slow_value(f, tuple(base))
    greedy = slow_value(f, (*base, *greedy_set(f, size, base)))
    assert greedy - start >= guarantee(f, size, base) * (best - start) - 1e-9
    assert found.greedy == pytest.approx(greedy)


@given(CASES)
def test_a_search_that_is_cut_short_still_bounds_the_best(
    case: tuple[int, int, int, tuple[float, float, float]],
) -> None:
    seed, n, size, weights = case
    f = made(seed, n, size, weights)
    best = max(slow_value(f, s) for s in combinations(range(n), size)) if size <= n else slow_value(f, tuple(range(n)))
    for nodes in (1, 2, 4):
        found = best_set(f, size, max_nodes=nodes)
        assert found.value <= best + 1e-9
        assert found.upper >= best - 1e-9


@given(st.integers(0, 10_000), st.data())
def test_monotone_always_and_submodular_without_pairs(seed: int, data: st.DataObject) -> None:
    f, paired = made(seed, 7, 3, (1.0, 0.0, 1.0)), made(seed, 7, 3, (1.0, 1.0, 1.0))
    large = data.draw(st.sets(st.integers(0, 5), max_size=5))
    small = data.draw(st.sets(st.sampled_from(sorted(large)))) if large else set()
    added = {which.places: [g.value([*s, 6]) - g.value([*s]) for s in (small, large)] for which, g in [(f, f)]}[
        f.places
    ]
    assert added[0] >= added[1] - 1e-12  # less to gain, the more there is
    assert all(gain >= -1e-12 for gain in added)
    assert paired.value([*large, 6]) >= paired.value([*large]) - 1e-12


def test_pairs_make_it_not_submodular_and_leave_greedy_without_a_guarantee() -> None:
    pairs = np.zeros((4, 4))
    pairs[2, 3] = pairs[3, 2] = 1.0
    f = SetValue.weighted(np.array([0.1, 0.1, 0, 0]), pairs, np.zeros((4, 0)), np.zeros(0), 2, (1.0, 1.0, 0.0))
    assert f.value([2, 3]) - f.value([3]) > f.value([2]) - f.value([])
    assert guarantee(f, 2) == 0
    found = best_set(f, 2)
    assert found.greedy == pytest.approx(0.1)
    assert found.value == pytest.approx(1.0)
    assert set(found.chosen) == {2, 3}
    assert found.proven


def test_without_pairs_the_guarantee_is_the_classical_one() -> None:
    assert guarantee(made(0, 8, 3, (1.0, 0.0, 1.0)), 3) == pytest.approx(1 - (2 / 3) ** 3)
    assert guarantee(made(0, 8, 3, (1.0, 0.0, 0.0)), 3) == 1.0  # modular


def test_gains_are_differences_of_values() -> None:
    f = made(3, 8, 3, (1.0, 1.0, 1.0))
    gains = f.gains(*f.start([1, 4]))
    expected = [slow_value(f, (1, 4, v)) - slow_value(f, (1, 4)) for v in (0, 2, 3, 5, 6, 7)]
    assert gains[[0, 2, 3, 5, 6, 7]] == pytest.approx(expected)
    assert sum(f.parts([1, 4, 6])) == pytest.approx(slow_value(f, (1, 4, 6)))
