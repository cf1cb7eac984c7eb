"""Register tiles against matrix products, with vectors of 16 and of 8."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coterie.kernels.tiles import SCORE_COLUMNS, SCORE_ROWS, add_gram, score_block
from coterie.kernels.vectors import LANES


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(-4, 5, shape).astype(np.float32)  # sums of these are exact


@pytest.mark.parametrize("count", [0, 1, 7, 40])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_gram_is_added_on_and_above_the_diagonal(count: int, width: int) -> None:
    rows, gram = draw(40, width * LANES), draw(width * LANES, width * LANES)
    expected = gram + rows[:count].T @ rows[:count]
    add_gram(rows, 0, count, gram)
    np.testing.assert_array_equal(np.triu(gram), np.triu(expected))


def test_gram_of_some_columns() -> None:
    rows, gram = draw(9, 3 * LANES), np.zeros((LANES, LANES), np.float32)
    add_gram(rows[2:], LANES, 5, gram)
    part = rows[2:7, LANES : 2 * LANES]
    np.testing.assert_array_equal(np.triu(gram), np.triu(part.T @ part))


@pytest.mark.parametrize("d", [1, 3, 64])
def test_scores_are_products(d: int) -> None:
    people, panel = draw(d, SCORE_ROWS), draw(d, SCORE_COLUMNS)
    scores = np.full((SCORE_ROWS, 3 * SCORE_COLUMNS), 7, np.float32)
    score_block(people, panel, scores, SCORE_COLUMNS)
    expected = np.full_like(scores, 7)
    expected[:, SCORE_COLUMNS : 2 * SCORE_COLUMNS] = people.T @ panel
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"), reason="there is no processor to choose")
@pytest.mark.skipif(LANES == 8, reason="this processor's vectors are the narrow ones")
def test_narrower_vectors_do_as_well() -> None:
    """The same tests on a processor without AVX-512, as far as the compiler knows."""
    narrow = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx,+sse4.2,+popcnt"}
    code = """
import sys, pytest
from coterie.kernels.vectors import LANES
assert LANES == 8
sys.exit(pytest.main(sys.argv[1:]))
"""
    here = Path(__file__)
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "-q",
            "-p",
            "no:cacheprovider",
            here,
            *(here.with_name(f"test_{name}.py") for name in ("positive", "least_squares")),
        ],
        env={**os.environ, **narrow},
        capture_output=True,
        text=True,
        cwd=here.parents[2],
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
