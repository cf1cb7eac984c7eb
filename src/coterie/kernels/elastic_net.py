"""Elastic nets of every column of a matrix on the others, from its Gram matrix, by coordinate descent.

A column's problem is solved on a small working set of coordinates, whose part of the Gram matrix is copied out and
stays in cache. Then all coordinates are looked at: the duality gap says how far from the optimum the solution can
be, and the coordinates that violate the conditions of optimality most join the working set, which may double. The
method of Johnson and Guestrin ("Blitz", ICML 2015) and of Massias et al. ("Celer", ICML 2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.heap import push, worse
from coterie.kernels.jit import kernel
from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 4  # columns a task
_SMALLEST_SET = 64  # coordinates a working set may have at first
_INNER = 0.1  # share of the whole gap to which a working set is solved
_NOBODY = np.int32(np.iinfo(np.int32).max)


def solve_elastic_nets(
    columns: Array, gram: Array, candidates: Array, l1: float, l2: float, positive: bool,
    tolerance: float, max_sweeps: int, weights: Array,
) -> tuple[Array, Array]:  # fmt: skip
    r"""Minimise :math:`\frac12 \|x_j - X w\|^2 + \frac{l_2}{2} \|w\|^2 + l_1 \|w\|_1` with :math:`w_j = 0`, for each
    column j of some.

    Parameters
    ----------
    columns : int (n_columns,)
        The columns j.
    gram : float32 (n, n)
        :math:`X^\top X`, both triangles.
    candidates : int32 (n, m), or (1, 0) for all
        The coordinates that may differ from 0, for each column, -1 where there are fewer.
    l1, l2 : float
        l1 above 0, l2 from 0.
    positive : bool
        Only weights from 0.
    tolerance : float
        A column is solved when its duality gap is at most ``tolerance * gram[j, j]``.
    weights : float32 (n_columns, n)
        In: where to begin. Out: the solutions.

    Returns
    -------
    gaps : float64 (n_columns,)
        Duality gaps as shares of ``gram[j, j]``; above `tolerance` where `max_sweeps` were too few.
    objectives : float64 (n_columns,)
        What is minimised, at the solutions.
    """
    gaps, objectives = np.zeros(len(columns)), np.zeros(len(columns))

    def work(low: int, high: int) -> None:
        solve_columns(
            columns[low:high], gram, candidates, float(l1), float(l2), positive, float(tolerance), max_sweeps,
            weights[low:high], gaps[low:high], objectives[low:high],
        )  # fmt: skip

    run_blocks(work, len(columns), _BLOCK)
    return gaps, objectives


@kernel
def solve_columns(
    columns: Array, gram: Array, candidates: Array, l1: float, l2: float, positive: bool,
    tolerance: float, max_sweeps: int, weights: Array, gaps: Array, objectives: Array,
) -> None:  # fmt: skip
    """`solve_elastic_nets` of the columns, one after the other."""
    n = len(gram)
    whole = candidates.shape[1] == 0
    chosen = np.arange(n).astype(np.int32)
    w, q, held = np.empty(n), np.empty(n), np.empty(n, np.bool_)
    for place, j in enumerate(columns):
        m = n
        if whole:
            for c in range(n):
                w[c] = weights[place, c]
        else:
            m = 0
            while m < candidates.shape[1] and candidates[j, m] >= 0:
                chosen[m] = candidates[j, m]
                w[m] = weights[place, chosen[m]]
                m += 1
        own = j if whole else -1
        scale = max(np.float64(gram[j, j]), 1e-300)
        left = max_sweeps
        while True:
            gradients(j, gram, chosen, whole, w[:m], q[:m])
            gap = duality_gap(gram[j], np.float64(gram[j, j]), chosen, w[:m], q[:m], own, l1, l2, positive)
            gaps[place] = gap / scale
            if gap <= tolerance * scale or left <= 0:
                break
            # solved no further than the whole problem is, lest a small set takes all the sweeps; and as `tolerance`
            # has no part in it, a tighter one goes on from where a wider one ends
            active = working_set(w[:m], q[:m], own, l1, positive, held)
            left -= descend(j, gram, chosen, active, w, q, l1, l2, positive, _INNER * gap, left)
        weights[place, :] = 0
        twice = np.float64(gram[j, j])
        for c in range(m):
            weights[place, chosen[c]] = w[c]
            twice -= w[c] * (gram[j, chosen[c]] + q[c] - l2 * w[c]) - 2 * l1 * abs(w[c])
        objectives[place] = twice / 2


@kernel
def gradients(j: int, gram: Array, chosen: Array, whole: bool, w: Array, q: Array) -> None:
    """``q = X'(x_j - X w)`` at the chosen coordinates."""
    for c in range(len(q)):
        q[c] = gram[j, chosen[c]]
    for p in range(len(w)):
        wp = w[p]
        if wp == 0:
            continue
        line = gram[chosen[p]]
        if whole:
            for c in range(len(q)):
                q[c] -= wp * line[c]
        else:
            for c in range(len(q)):
                q[c] -= wp * line[chosen[c]]


@kernel
def duality_gap(
    target: Array, norm: float, chosen: Array, w: Array, q: Array, own: int, l1: float, l2: float, positive: bool
) -> float:
    """The objective at w less that of a point of the dual problem: no solution is better than w by more.

    `target` are the products of x_j with all columns, `norm` that with itself. The dual point is the residual of
    the problem with l2 written as more rows, shrunk until it is allowed.
    """
    fitted, squares, size, steepest, explained = 0.0, 0.0, 0.0, 0.0, 0.0
    for c in range(len(w)):
        if c == own:
            continue
        slope = q[c] - l2 * w[c]
        steepest = max(steepest, slope if positive else abs(slope))
        if w[c] != 0:
            fitted += w[c] * target[chosen[c]]
            explained += w[c] * (target[chosen[c]] + q[c])
            squares += w[c] * w[c]
            size += abs(w[c])
    residual = max(norm - explained, 0.0) + l2 * squares
    shrink = l1 / steepest if steepest > l1 else 1.0
    return 0.5 * residual * (1.0 + shrink * shrink) + l1 * size - shrink * (norm - fitted)


@kernel
def working_set(w: Array, q: Array, own: int, l1: float, positive: bool, held: Array) -> Array:
    """The coordinates that are not 0 and those that most want to leave it: int64, increasing."""
    n_held = 0
    for c in range(len(w)):
        held[c] = w[c] != 0
        n_held += held[c]
    room = max(n_held, _SMALLEST_SET - n_held)
    best, best_at = np.zeros(room, np.float32), np.full(room, _NOBODY, np.int32)
    for c in range(len(w)):
        if held[c] or c == own:
            continue
        violation = np.float32((q[c] if positive else abs(q[c])) - l1)
        if violation > 0 and worse(best[0], best_at[0], violation, np.int32(c)):
            push(best, best_at, violation, np.int32(c))
    for r in range(room):
        if best[r] > 0:
            held[best_at[r]] = True
            n_held += 1
    active = np.empty(n_held, np.int64)
    at = 0
    for c in range(len(w)):
        if held[c]:
            active[at] = c
            at += 1
    return active


@kernel
def descend(
    j: int, gram: Array, chosen: Array, active: Array, w: Array, q: Array, l1: float, l2: float, positive: bool,
    enough: float, max_sweeps: int,
) -> int:  # fmt: skip
    """Sweeps over the active coordinates of w until their own duality gap is at most `enough`; how many it took."""
    m = len(active)
    part = np.empty((m, m), np.float32)
    names, v, slope, target = np.empty(m, np.int32), np.empty(m), np.empty(m), np.empty(m)
    for x in range(m):
        names[x] = x
        v[x], slope[x], target[x] = w[active[x]], q[active[x]], gram[j, chosen[active[x]]]
        line = gram[chosen[active[x]]]
        for y in range(m):
            part[x, y] = line[chosen[active[y]]]
    norm, sweeps = np.float64(gram[j, j]), 0
    while sweeps < max_sweeps:
        sweeps += 1
        for x in range(m):
            old, curvature = v[x], np.float64(part[x, x])
            pull = slope[x] + curvature * old
            if pull > l1:
                new = (pull - l1) / (curvature + l2)
            elif pull < -l1 and not positive:
                new = (pull + l1) / (curvature + l2)
            else:
                new = 0.0
            step = new - old
            if step != 0:
                v[x] = new
                line = part[x]
                for y in range(m):
                    slope[y] -= step * line[y]
        if duality_gap(target, norm, names, v, slope, -1, l1, l2, positive) <= enough:
            break
    for x in range(m):
        w[active[x]] = v[x]
    return sweeps
