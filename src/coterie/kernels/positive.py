"""Small positive definite systems ``A x = b``, solved in registers by ``A = Sᵀ D S``.

S is upper triangular with ones on its diagonal, D is diagonal: Gauss's elimination of a symmetric matrix, a panel of
`LANES` rows at a time. Each tile of a panel is brought up to date with all panels above and then solved, without
leaving the registers. The triangle at the panel's head is inverted, so that going back is products too, where one
unknown after the other would wait for the one before. With NUMBA_DISABLE_JIT=1 the same functions are NumPy.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from coterie.kernels.jit import kernel
from coterie.kernels.vectors import LANES, Vectors

Array = np.ndarray[Any, np.dtype[Any]]

_SIDES = range(2)
_LINES = range(LANES)
_config: Any = numba.config


def _reduced(v: Vectors, tiles: list[Any], matrix: Any, step: Any, count: Any, column: Any, factors: Any) -> list[Any]:
    """The rows of `tiles`, less for each of the matrix's first `count` rows q `factors(q)` times what it has at
    `column`."""

    def subtract(q: Any, rows: list[Any]) -> list[Any]:
        above = v.load(matrix, (q, step), column)
        return [v.fma(v.spread(v.builder.fneg(f)), above, row) for f, row in zip(factors(q), rows, strict=True)]

    return v.repeat(count, tiles, subtract)


@intrinsic
def _solve_head(context: Any, matrix: Any, scaled: Any, sides: Any, pivots: Any, step: Any, first: Any) -> Any:
    """The tile on the diagonal at row `first` of matrices with rows `step` apart, and the same part of the sides.

    Gives whether all pivots are above their floors. On the diagonal `scaled` takes the inverses of the pivots.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v = Vectors(builder)
        matrix, scaled, sides, pivots = map(v.pointer, arguments[:4])
        step, first = arguments[4:]

        def factors(q: Any) -> list[Any]:
            return [v.load_one(scaled, (q, step), first, r) for r in _LINES] + [
                v.load_one(sides, (s, step), q) for s in _SIDES
            ]

        rows = [v.load(matrix, (first, step), (r, step), first) for r in _LINES]
        rows += [v.load(sides, (s, step), first) for s in _SIDES]
        rows = _reduced(v, rows, matrix, step, first, first, factors)
        solved, inverses, found = [v.zero for _ in _SIDES], v.zero, v.zero
        fine: Any = v.true
        for p in _LINES:
            row, pivot = rows[p], v.lane(rows[p], p)
            fine = builder.and_(fine, builder.fcmp_ordered(">", pivot, v.load_one(pivots, first, p)))
            inverse = v.spread(builder.fdiv(v.float32(1.0), pivot))
            part = builder.fmul(row, inverse)
            at_p = [LANES + i if i == p else i for i in _LINES]
            solved = [v.pick(solved[s], rows[LANES + s], at_p) for s in _SIDES]
            inverses, found = v.pick(inverses, inverse, at_p), v.pick(found, row, at_p)
            v.store(v.pick(part, inverse, at_p), scaled, (first, step), (p, step), first)
            for r in [*range(p + 1, LANES), *(LANES + s for s in _SIDES)]:
                # of a row its entry in column p, which symmetry has in row p; of a side its own
                one = v.lane(row, r) if r < LANES else v.lane(rows[r], p)
                rows[r] = v.fma(v.spread(builder.fneg(one)), part, rows[r])
        for s in _SIDES:
            v.store(builder.fmul(solved[s], inverses), sides, (s, step), first)
        v.store(found, pivots, first)
        return fine

    return types.boolean(*[types.intp] * 6), generate


def _solve_below(v: Vectors, rows: list[Any], scaled: Any, step: Any, first: Any) -> list[Any]:
    """A tile of right sides, solved by the transposed triangle at the head of the panel."""
    for p in _LINES:
        for r in range(p + 1, LANES):
            factor = v.builder.fneg(v.load_one(scaled, (first, step), (p, step), first, r))
            rows[r] = v.fma(v.spread(factor), rows[p], rows[r])
    return rows


@intrinsic
def _solve_tile(context: Any, matrix: Any, scaled: Any, step: Any, first: Any, column: Any) -> Any:
    """The tile at (first, column), once the head of its panel is done."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v = Vectors(builder)
        matrix, scaled = map(v.pointer, arguments[:2])
        step, first, column = arguments[2:]

        def factors(q: Any) -> list[Any]:
            return [v.load_one(scaled, (q, step), first, r) for r in _LINES]

        rows = [v.load(matrix, (first, step), (r, step), column) for r in _LINES]
        rows = _solve_below(v, _reduced(v, rows, matrix, step, first, column, factors), scaled, step, first)
        for p, row in enumerate(rows):
            inverse = v.spread(v.load_one(scaled, (first, step), (p, step), first, p))
            v.store(row, matrix, (first, step), (p, step), column)
            v.store(builder.fmul(row, inverse), scaled, (first, step), (p, step), column)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


@intrinsic
def _invert_head(context: Any, matrix: Any, scaled: Any, step: Any, first: Any) -> Any:
    """The transposed inverse of the triangle at the head of a panel of S, in the place of the matrix's tile."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v = Vectors(builder)
        matrix, scaled = map(v.pointer, arguments[:2])
        step, first = arguments[2:]
        unit = [v.constant([float(i == r) for i in _LINES]) for r in _LINES]
        for p, row in enumerate(_solve_below(v, unit, scaled, step, first)):
            v.store(row, matrix, (first, step), (p, step), first)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate


@intrinsic
def _go_back(context: Any, matrix: Any, scaled: Any, x: Any, step: Any, first: Any, panels: Any) -> Any:
    """The unknowns of a panel, given those of the `panels` after it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v = Vectors(builder)
        matrix, scaled, x = map(v.pointer, arguments[:3])
        step, first, panels = arguments[3:]

        def add(panel: Any, sums: list[Any]) -> list[Any]:
            column = v.place(first, LANES, (panel, LANES))
            known = v.load(x, column)
            return [v.fma(v.load(scaled, (first, step), (r, step), column), known, sums[r]) for r in _LINES]

        sums = v.repeat(panels, [v.zero] * LANES, add)
        left, parts = builder.fsub(v.load(x, first), v.row_sums(sums)), [v.zero] * 4
        for p in _LINES:
            column = v.load(matrix, (first, step), (p, step), first)
            parts[p % 4] = v.fma(v.spread(v.lane(left, p)), column, parts[p % 4])
        v.store(builder.fadd(builder.fadd(*parts[:2]), builder.fadd(*parts[2:])), x, first)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 6), generate


if not _config.DISABLE_JIT:

    @kernel
    def eliminate(matrix: Array, scaled: Array, sides: Array, pivots: Array) -> bool:
        """Factorise A = SᵀDS and put ``D⁻¹ S⁻ᵀ b`` in the place of each of two right sides b; False where a pivot is
        at most its floor.

        Parameters
        ----------
        matrix : float32 (k, k), contiguous as the others
            A on and above the diagonal, in whole tiles; k a multiple of `LANES`. Takes, in the tiles on the diagonal,
            what `substitute` needs in their place.
        scaled : float32 (k, k)
            Takes S above the diagonal; its ones are not written down.
        sides : float32 (2, k)
        pivots : float32 (k,)
            The floors in, D out.
        """
        k, a, s = len(matrix), matrix.ctypes.data, scaled.ctypes.data
        for first in range(0, k, LANES):
            if not _solve_head(a, s, sides.ctypes.data, pivots.ctypes.data, k, first):  # type: ignore[call-arg]
                return False
            for column in range(first + LANES, k, LANES):
                _solve_tile(a, s, k, first, column)
            _invert_head(a, s, k, first)
        return True

    @kernel
    def substitute(matrix: Array, scaled: Array, x: Array) -> None:
        """Solve ``S x = z`` in the place of z (k,), with `matrix` and `scaled` as `eliminate` leaves them."""
        k, a, s = len(matrix), matrix.ctypes.data, scaled.ctypes.data
        for panels in range(k // LANES):
            _go_back(a, s, x.ctypes.data, k, k - (panels + 1) * LANES, panels)  # type: ignore[call-arg]

else:

    def eliminate(matrix: Array, scaled: Array, sides: Array, pivots: Array) -> bool:
        """Factorise A = SᵀDS and put ``D⁻¹ S⁻ᵀ b`` in the place of each of two right sides b."""
        for p in range(len(matrix)):
            pivot, after = matrix[p, p], matrix[p, p + 1 :]
            if not pivot > pivots[p]:
                return False
            pivots[p] = pivot
            scaled[p, p + 1 :] = after / pivot
            sides[:, p] /= pivot
            matrix[p + 1 :, p + 1 :] -= np.outer(scaled[p, p + 1 :], after)
            sides[:, p + 1 :] -= np.outer(sides[:, p], after)
        return True

    def substitute(matrix: Array, scaled: Array, x: Array) -> None:
        """Solve ``S x = z`` in the place of z (k,)."""
        for p in range(len(x) - 1, -1, -1):
            x[p] -= scaled[p, p + 1 :] @ x[p + 1 :]
