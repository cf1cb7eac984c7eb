"""Products of small blocks held in the processor's registers, where loops in Python's terms cannot reach its speed.

One tile is ``out[r, c] (+)= sum_q left[q, r] * right[q, c]`` for a few rows r and a few vectors of
columns c. It is written as LLVM vector code: each sum stays in a register over all q, and every step is one
multiply-add a sum. With NUMBA_DISABLE_JIT=1 the same functions are NumPy.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from coterie.kernels.jit import kernel
from coterie.kernels.vectors import LANES, Vectors

Array = np.ndarray[Any, np.dtype[Any]]


#: Rows and columns of a tile of scores: as many sums as there are registers for.
SCORE_ROWS = 8 if LANES == 16 else 4
SCORE_COLUMNS = 2 * LANES
#: Numbers in a row of a narrow block, 64 bytes: what one read from memory brings.
NARROW = 16

_config: Any = numba.config
_compiled = not _config.DISABLE_JIT


def _tile(rows: int, vectors: int, mode: str) -> Any:
    """An intrinsic on addresses: (left, left step, right, right step, count, out, out step); steps in numbers."""

    @intrinsic
    def tile(
        context: Any, left: Any, left_step: Any, right: Any, right_step: Any, count: Any, out: Any, step: Any
    ) -> Any:
        return types.void(*[types.intp] * 7), _code(rows, vectors, mode)

    return tile


def _code(rows: int, vectors: int, mode: str) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v = Vectors(builder)
        left, left_step, right, right_step, count, out, step = arguments
        left, right, out = map(v.pointer, (left, right, out))
        places = [((r, step), LANES * c) for r in range(rows) for c in range(vectors)]

        def multiply(q: Any, sums: list[Any]) -> list[Any]:
            columns = [v.load(right, (q, right_step), LANES * c) for c in range(vectors)]
            ones = [v.spread(v.load_one(left, (q, left_step), r)) for r in range(rows)]
            return [v.fma(ones[i // vectors], columns[i % vectors], total) for i, total in enumerate(sums)]

        starts = [v.zero if mode == "set" else v.load(out, *place) for place in places]
        for place, total in zip(places, v.repeat(count, starts, multiply), strict=True):
            v.store(total, out, *place)
        return context.get_dummy_value()

    return generate


@intrinsic
def _prefetch(context: Any, address: Any) -> Any:
    """Ask for the cache line at an address before it is needed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        i32, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        ask_type = ir.FunctionType(ir.VoidType(), [pointer, i32, i32, i32])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [pointer], ask_type)
        builder.call(ask, [builder.inttoptr(arguments[0], pointer), i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(types.intp), generate


if _compiled:
    _add_tile = _tile(LANES, 1, "add")
    _score_tile = _tile(SCORE_ROWS, 2, "set")
    _row_tile = _tile(1, NARROW // LANES, "add")

    @kernel
    def add_row(weight: Array, row: Array, out: Array) -> None:
        """``out[:NARROW] += weight[0] * row[:NARROW]``, float32 and contiguous."""
        _row_tile(weight.ctypes.data, 1, row.ctypes.data, NARROW, 1, out.ctypes.data, NARROW)

    @kernel
    def add_gram(rows: Array, column: int, count: int, gram: Array) -> None:
        """``gram += Z.T @ Z`` in tiles on and above the diagonal, the rest is left undefined; Z is the first `count`
        rows of `rows`, from `column` on.

        `rows` float32 (at least count, at least column + k), `gram` float32 (k, k), both contiguous, k a multiple of
        `LANES`.
        """
        k, step = gram.shape[0], rows.shape[1]
        left, out = rows.ctypes.data + 4 * column, gram.ctypes.data
        for r in range(0, k, LANES):
            for c in range(r, k, LANES):
                _add_tile(left + 4 * r, step, left + 4 * c, step, count, out + 4 * (r * k + c), k)

    @kernel
    def fetch_row(matrix: Array, row: int, count: int) -> None:
        """Have the first `count` numbers of a row of a contiguous float32 matrix brought near before they are read."""
        start = matrix.ctypes.data + 4 * row * matrix.shape[1]
        for line in range(0, 4 * count, 64):
            _prefetch(start + line)  # type: ignore[call-arg]

    @kernel
    def score_block(people: Array, panel: Array, scores: Array, column: int) -> None:
        """``scores[:, column : column + SCORE_COLUMNS] = people.T @ panel``.

        `people` float32 (d, SCORE_ROWS), `panel` float32 (d, SCORE_COLUMNS), `scores` float32 (SCORE_ROWS, any).
        """
        _score_tile(
            people.ctypes.data, SCORE_ROWS, panel.ctypes.data, SCORE_COLUMNS, people.shape[0],
            scores.ctypes.data + 4 * column, scores.shape[1],
        )  # fmt: skip

else:

    def fetch_row(matrix: Array, row: int, count: int) -> None:
        """Nothing, where nothing is compiled."""

    def add_row(weight: Array, row: Array, out: Array) -> None:
        """``out[:NARROW] += weight[0] * row[:NARROW]``."""
        out[:NARROW] += weight[0] * row[:NARROW]

    def add_gram(rows: Array, column: int, count: int, gram: Array) -> None:
        """``gram += Z.T @ Z`` of the first `count` rows, from `column` on."""
        part = rows[:count, column : column + len(gram)]
        gram += part.T @ part

    def score_block(people: Array, panel: Array, scores: Array, column: int) -> None:
        """``scores[:, column : column + SCORE_COLUMNS] = people.T @ panel``."""
        scores[:, column : column + SCORE_COLUMNS] = people.T @ panel
