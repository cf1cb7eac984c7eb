"""Regularised least squares, one small system a row: what alternating least squares and folding in are made of.

For each row u with entries a, each of a column j(a) and a value v_a, the x that minimises

    sum_a w_a (t_a / w_a - o_j - x.y_j)^2  +  x.B x  +  ridge_u |x|^2,    w_a = w0 + w1 v_a,  t_a = t0 + t1 v_a,

that is (B + sum_a w_a y_j y_j' + ridge_u I) x = sum_a (t_a - w_a o_j) y_j. Ratings have w = 1, t = v; confidences
of an implicit model w = alpha v, t = 1 + alpha v and B = sum over all columns y y'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from coterie.errors import DivergenceError
from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]
Solver = Literal["cholesky", "cg", "ials++"]

# Up to this many rows NumPy answers, so that serving one person never waits for a compiler.
_FEW_ROWS = 16
# A pivot that is at most this share of its diagonal entry is rounding, and the system has no unique solution. Larger
# ones may be rounding too: that depends on the order of the sums.
UNCERTAIN = 2e-7
# Float32 numbers in a cache line.
_LINE = 16
# Rows a task; popular items make long rows, so tasks are small.
_TASK = 256


def _row(number: int) -> str:
    return f"row {number}"


class System(NamedTuple):
    """What all rows share.

    Attributes
    ----------
    fixed : float32 (n_columns, k)
        y_j in the rows.
    weight, target : (float, float)
        (w0, w1) and (t0, t1).
    base : float32 (k, k) or None
        B, symmetric.
    offsets : float32 (n_columns,) or None
        o_j.
    bias : bool
        Whether x has one more entry, the last, whose column of `fixed` would be all ones. It costs a sum in place of
        products. Only with equal weights, and without a base.
    padding : int
        The last columns of `fixed` that are zero, and no unknowns.
    """

    fixed: Array
    weight: tuple[float, float] = (1.0, 0.0)
    target: tuple[float, float] = (0.0, 1.0)
    base: Array | None = None
    offsets: Array | None = None
    bias: bool = False
    padding: int = 0

    @property
    def unknowns(self) -> int:
        """Entries of x."""
        return int(self.fixed.shape[1]) - self.padding + self.bias

    def few(
        self, indptr: Array, indices: Array, values: Array, ridge: Array, who: Callable[[int], str] = _row
    ) -> Array:
        """The solutions of a few rows, float32 (n, k), by NumPy alone. Rows without entries are zero."""
        n = len(indptr) - 1
        out = np.zeros((n, self.unknowns), np.float32)
        for row in range(n):
            part = slice(indptr[row], indptr[row + 1])
            if part.start == part.stop:
                continue
            matrix, right, _ = self.equations(indices[part], values[part], float(ridge[row]))
            solution = _solve(matrix, right)
            if solution is None:
                raise singular(who(row), part.stop - part.start, len(matrix))
            out[row] = solution
        return out

    def equations(self, columns: Array, values: Array, ridge: float) -> tuple[Array, Array, Array]:
        """One row's matrix (k, k), right side (k,), and that side's share of each entry, as coefficients of y_j."""
        y = self.fixed[columns]
        if self.bias:
            y = np.hstack([y, np.ones((len(y), 1), np.float32)])
        weights = np.float32(self.weight[0]) + np.float32(self.weight[1]) * values
        coefficients = np.float32(self.target[0]) + np.float32(self.target[1]) * values
        if self.offsets is not None:
            coefficients = coefficients - weights * self.offsets[columns]
        matrix = (y * weights[:, None]).T @ y if self.weight != (1.0, 0.0) else y.T @ y
        if self.base is not None:
            matrix = matrix + self.base
        matrix.flat[:: len(matrix) + 1] += np.float32(ridge)
        return matrix, coefficients @ y, coefficients


def solve_rows(
    system: System,
    indptr: Array,
    indices: Array,
    values: Array,
    ridge: Array,
    who: Callable[[int], str] = _row,
) -> Array:
    """The solutions of all rows, float32 (n, k).

    Parameters
    ----------
    system : System
    indptr, indices, values : compressed rows of the entries
    ridge : float32 (n,)
    who : callable
        What errors call a row.

    Raises
    ------
    DivergenceError
        A row's equations have no unique solution: fewer entries than unknowns and no ridge.
    """
    if len(indptr) - 1 <= _FEW_ROWS:
        return system.few(indptr, indices, values, ridge, who)
    out = np.zeros((len(indptr) - 1, system.unknowns), np.float32)
    half_sweep(pad_system(system), indptr, indices, values, ridge, out, who=who)
    return out


def padded(n: int) -> int:
    """n, rounded up to whole vectors of this machine."""
    from coterie.kernels.vectors import LANES

    return -(-n // LANES) * LANES


def padded_zeros(n: int, k: int) -> Array:
    """Zeros, float32 (n, k rounded up to whole vectors), that begin where a cache line does: rows of whole lines are
    then read without touching one more."""
    width = padded(k)
    room = np.zeros(n * width + _LINE, np.float32)
    first = -room.ctypes.data // room.itemsize % _LINE
    return room[first : first + n * width].reshape(n, width)


def pad_system(system: System) -> System:
    """The same system with zero columns up to whole vectors."""
    n, k = system.fixed.shape
    fixed = padded_zeros(n, k)
    fixed[:, :k] = system.fixed
    extra = fixed.shape[1] - k
    base = None if system.base is None else np.pad(system.base, ((0, extra), (0, extra))).astype(np.float32)
    return system._replace(fixed=fixed, base=base, padding=system.padding + extra)


class Progress(NamedTuple):
    """What half a sweep came to, summed over rows: `squares` of (t_a - w_a o_j), and the `gain` over x = 0, by
    which ``sum_a (...) + x.Bx + ridge |x|^2`` is smaller than with x = 0."""

    squares: float
    gain: float


def half_sweep(
    system: System,
    indptr: Array,
    indices: Array,
    values: Array,
    ridge: Array,
    out: Array,
    solver: Solver = "cholesky",
    steps: int = 3,
    block: int = 32,
    who: Callable[[int], str] = _row,
) -> Progress:
    """Solve every row into `out` (n, unknowns or more), or bring it closer; `system` padded to whole vectors, and
    `out` too unless the solver is "cholesky".

    Parameters
    ----------
    solver : {"cholesky", "cg", "ials++"}
        Exact solutions; or, from what `out` holds, `steps` steps of conjugate gradients; or one exact solution for
        each `block` of unknowns in turn, given the others. A bias takes "cholesky".
    who : callable
        What errors call a row.

    Raises
    ------
    DivergenceError
        As `solve_rows`.
    """
    from coterie.kernels import least_squares_loops as loops

    n, k = len(out), system.fixed.shape[1]
    base = np.zeros((k, k), np.float32) if system.base is None else system.base
    offsets = np.empty(0, np.float32) if system.offsets is None else system.offsets
    scalars = np.array([*system.weight, *system.target], np.float32)
    plain, free, unknowns = system.weight == (1.0, 0.0), system.base is None, system.unknowns
    if system.bias and not (plain and free and solver == "cholesky"):
        raise ValueError("a bias takes equal weights, no base, and the solver 'cholesky'")
    if out.shape[1] < unknowns or (solver != "cholesky" and out.shape[1] != k):
        raise ValueError(f"out has {out.shape[1]} columns for {unknowns} unknowns, padded to {k}")

    def work(start: int, stop: int) -> tuple[float, float]:
        sums = np.zeros(2)
        rows = (indptr[start : stop + 1], indices, values, system.fixed, base, ridge[start:stop], offsets, scalars)
        part = out[start:stop]
        failed = -1
        if solver == "cg":
            loops.refine_rows(*rows, steps, part, sums)
        elif solver == "ials++":
            failed = loops.solve_blocks(*rows, padded(block), unknowns, part, sums)
        else:
            failed = loops.solve_range(*rows, plain, free, system.bias, k - system.padding, part, sums)
        if failed >= 0:
            raise singular(who(start + failed), int(np.diff(indptr)[start + failed]), unknowns)
        return float(sums[0]), float(sums[1])

    parts = np.array(run_blocks(work, n, _TASK)).reshape(-1, 2)
    return Progress(*map(float, parts.sum(axis=0)))


def _solve(matrix: Array, right: Array) -> Array | None:
    """The solution x (k,) of ``matrix @ x = right``, by Cholesky; None where it is uncertain."""
    from scipy.linalg.lapack import spotrf, spotrs

    upper, failed = spotrf(matrix, lower=0)
    if failed or not (upper.diagonal() ** 2 > UNCERTAIN * matrix.diagonal()).all():  # not so of NaN either
        return None
    return np.asarray(spotrs(upper, right, lower=0)[0])


def singular(who: str, entries: int, unknowns: int) -> DivergenceError:
    """The error of equations without one solution."""
    if entries < unknowns:
        return DivergenceError(
            f"{who} has {entries} ratings and {unknowns} unknowns, and next to nothing chooses between solutions; "
            "choose a larger regularization, or fewer factors"
        )
    return DivergenceError(
        f"the equations of {who} cannot be solved in single precision; choose a larger regularization, or bring the "
        "ratings to a smaller scale, such as 0 to 10"
    )
