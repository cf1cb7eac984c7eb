"""Products of small blocks held in the processor's registers, where loops in Python's terms cannot reach its speed.

One tile is ``out[r, c] (+, - or nothing)= sum_q left[q, r] * right[q, c]`` for a few rows r and a few vectors of
columns c. It is written as LLVM vector code: each sum stays in a register over all q, and every step is one
multiply-add a sum. LLVM splits the vectors on processors that have narrower ones. With NUMBA_DISABLE_JIT=1 the
same functions are NumPy.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from coterie.kernels.jit import kernel

Array = np.ndarray[Any, np.dtype[Any]]


def _lanes() -> int:
    """Numbers in a vector: 16 with AVX-512, else 8 (which NEON does in two)."""
    config: Any = numba.config
    features = config.CPU_FEATURES
    if features is None and config.CPU_NAME is None:
        return 16 if binding.get_host_cpu_features().get("avx512f") else 8
    return 16 if "+avx512f" in (features or "") else 8


#: Float32 numbers in a vector register; factors are padded to a multiple of it.
LANES = _lanes()
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
        number, i32, i64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
        vector = ir.VectorType(number, LANES)
        fma_type = ir.FunctionType(vector, [vector, vector, vector])
        fma = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, fma_type, f"llvm.fma.v{LANES}f32"
        )
        left, left_step, right, right_step, count, out, step = arguments
        left, right, out = (builder.inttoptr(a, number.as_pointer()) for a in (left, right, out))
        undefined, lanes_of_0 = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(i32, LANES), [0] * LANES)

        def vector_at(pointer: Any, place: Any) -> Any:
            return builder.bitcast(builder.gep(pointer, [place]), vector.as_pointer())

        def load(pointer: Any) -> Any:
            loaded = builder.load(pointer)
            loaded.align = 4
            return loaded

        targets = [
            vector_at(out, builder.add(builder.mul(i64(r), step), i64(LANES * v)))
            for r in range(rows)
            for v in range(vectors)
        ]
        starts = [ir.Constant(vector, [0.0] * LANES) if mode == "set" else load(target) for target in targets]
        entry, loop, done = builder.block, builder.append_basic_block("tile"), builder.append_basic_block("tile.done")
        builder.cbranch(builder.icmp_signed(">", count, i64(0)), loop, done)
        builder.position_at_end(loop)
        q = builder.phi(i64)
        q.add_incoming(i64(0), entry)
        sums = [builder.phi(vector) for _ in targets]
        for phi, start in zip(sums, starts, strict=True):
            phi.add_incoming(start, entry)
        from_right, from_left = builder.mul(q, right_step), builder.mul(q, left_step)
        columns = [load(vector_at(right, builder.add(from_right, i64(LANES * v)))) for v in range(vectors)]
        totals = []
        for r in range(rows):
            one = load(builder.gep(left, [builder.add(from_left, i64(r))]))
            if mode == "subtract":
                one = builder.fneg(one)
            spread = builder.shuffle_vector(builder.insert_element(undefined, one, i32(0)), undefined, lanes_of_0)
            totals += [builder.call(fma, [spread, columns[v], sums[r * vectors + v]]) for v in range(vectors)]
        after = builder.add(q, i64(1))
        q.add_incoming(after, loop)
        for phi, total in zip(sums, totals, strict=True):
            phi.add_incoming(total, loop)
        builder.cbranch(builder.icmp_signed("<", after, count), loop, done)
        builder.position_at_end(done)
        ends = [builder.phi(vector) for _ in targets]
        for target, start, total, end in zip(targets, starts, totals, ends, strict=True):
            end.add_incoming(start, entry)
            end.add_incoming(total, loop)
            builder.store(end, target).align = 4
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
    _subtract_tile = _tile(LANES, 1, "subtract")
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
    def subtract_gram(matrix: Array, first: int, count: int, start: int) -> None:
        """``matrix[start:, start:] -= P.T @ P`` in tiles on and above the diagonal, P its rows from `first`, `count`
        of them, in columns from `start` (a multiple of `LANES`)."""
        k = matrix.shape[0]
        out = matrix.ctypes.data
        panel = out + 4 * first * k
        for r in range(start, k, LANES):
            for c in range(r, k, LANES):
                _subtract_tile(panel + 4 * r, k, panel + 4 * c, k, count, out + 4 * (r * k + c), k)

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

    def subtract_gram(matrix: Array, first: int, count: int, start: int) -> None:
        """``matrix[start:, start:] -= P.T @ P``."""
        panel = matrix[first : first + count, start:]
        matrix[start:, start:] -= panel.T @ panel

    def score_block(people: Array, panel: Array, scores: Array, column: int) -> None:
        """``scores[:, column : column + SCORE_COLUMNS] = people.T @ panel``."""
        scores[:, column : column + SCORE_COLUMNS] = people.T @ panel
