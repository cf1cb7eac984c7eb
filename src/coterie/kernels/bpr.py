"""Compiled loops of Bayesian personalised ranking: ascent pair by pair, and people's tastes given the items."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.sampling import draw_alias
from coterie.kernels.tastes import LEAST_VARIANCE, MOST_STEPS, SMALL_STEP

Array = np.ndarray[Any, np.dtype[Any]]

# So often an item is drawn before a choice is left without another to compare it with.
TRIES = 32
# Likelihoods multiplied before their logarithm is taken: float32 ones, which float64 has room for.
_MULTIPLIED = 8
# Where one minus a chance is lost to rounding.
_CERTAIN = np.float32(80)


@kernel
def ascend_cell(
    first: int, last: int, block: int, starts: Array, items: Array, weights: Array,
    pool: Array, thresholds: Array, others: Array, key: np.uint64,
    p: Array, q: Array, c: Array, rate: np.float32, bias_rate: np.float32, regularization: np.float32, sums: Array,
) -> None:  # fmt: skip
    """One step of ascent for each choice i that users [first, last) made in a block of items, against an item j drawn
    from the same block that the user did not choose: `p, q, c` change.

    With ``x = p_u.(q_i - q_j) + c_i - c_j`` the step is ``t += rate (w sigma(-x) dt - regularization t)`` for each t
    of ``p_u, q_i, q_j, c_i, c_j``, whose dt are ``q_i - q_j, p_u, -p_u, 1, -1``; the c have a rate of their own.

    Parameters
    ----------
    starts, items, weights : of `sgd.Cells`
    pool : int32 (m,)
        The block's items that can be drawn; `thresholds` and `others` (m,) are their alias table (`sampling`).
    key : uint64
        The stream of draws.
    sums : float64 (2,)
        Grows by the sum of ln sigma(x), as met on the way, and by the number of pairs.
    """
    k = p.shape[1]
    one = np.float32(1)
    keep, bias_keep = one - rate * regularization, one - bias_rate * regularization
    state = np.empty(1, np.uint64)
    state[0] = key
    chosen_by = np.full(len(q), -1, np.int64)
    likelihood, multiplied, total, pairs = 1.0, 0, 0.0, 0
    for u in range(first, last):
        begin, end = starts[u, block], starts[u, block + 1]
        if end - begin >= len(pool):
            continue  # there is nothing else to draw
        for a in range(begin, end):
            chosen_by[items[a]] = u
        x = p[u]
        for a in range(begin, end):
            i, j = items[a], -1
            for _ in range(TRIES):
                drawn = pool[draw_alias(state, thresholds, others)]
                if chosen_by[drawn] != u:
                    j = drawn
                    break
            if j < 0:
                continue
            y, z = q[i], q[j]
            lead = np.float32(0)
            for f in range(k):
                lead += x[f] * (y[f] - z[f])
            lead += c[i] - c[j]
            odds = np.exp(lead)
            loss = one / (one + odds)
            if not lead > _CERTAIN:
                likelihood *= np.float64(odds * loss)
            multiplied += 1
            if multiplied == _MULTIPLIED:
                total += np.log(likelihood)
                likelihood, multiplied = 1.0, 0
            pairs += 1
            push = weights[a] * loss
            bias_step, step = bias_rate * push, rate * push
            c[i] = bias_keep * c[i] + bias_step
            c[j] = bias_keep * c[j] - bias_step
            for f in range(k):
                x_f, y_f, z_f = x[f], y[f], z[f]
                x[f] = keep * x_f + step * (y_f - z_f)
                y[f] = keep * y_f + step * x_f
                z[f] = keep * z_f - step * x_f
    sums[0] += total + np.log(likelihood)
    sums[1] += pairs


@kernel
def solve_taste_rows(
    indptr: Array, columns: Array, weights: Array, ridge: Array,
    vectors: Array, shares: Array, total: float, sums: Array, squares: Array,
    nodes: Array, node_shares: Array, out: Array,
) -> None:  # fmt: skip
    """`tastes.solve_tastes` for the rows of `out`; `vectors` to `squares` are the fields of `tastes.Items`."""
    n, d = out.shape
    longest = 1
    for row in range(n):
        longest = max(longest, indptr[row + 1] - indptr[row])
    chosen, losses = np.empty((longest, d + 1)), np.empty((longest, len(nodes)))
    mean, covariance = np.empty(d + 1), np.empty((d + 1, d + 1))
    p, before, step, turn = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    gradient, cross, matrix = np.empty(d), np.empty(d), np.empty((d, d))
    for row in range(n):
        begin, count = indptr[row], indptr[row + 1] - indptr[row]
        if count == 0:
            continue
        rest = total
        for a in range(count):
            rest -= shares[columns[begin + a]]
        if rest <= 1e-9 * total:
            continue
        _describe_rest(begin, count, columns, vectors, shares, rest, sums, squares, chosen, mean, covariance)
        p[:] = 0
        before[:] = 0
        step[:] = 0
        best = -np.inf
        for _ in range(MOST_STEPS):
            variance = covariance[d, d] if covariance[d, d] > 0 else 0.0
            for f in range(d):
                dot = covariance[d, f]
                for g in range(d):
                    dot += covariance[f, g] * p[g]
                turn[f] = dot
                variance += p[f] * (dot + covariance[d, f])
            spread = np.sqrt(max(variance, 0.0) + LEAST_VARIANCE)
            norm = 0.0
            for f in range(d):
                turn[f] /= spread
                norm += p[f] * p[f]
            value = -0.5 * ridge[row] * norm
            for a in range(count):
                lead = chosen[a, d]
                for f in range(d):
                    lead += chosen[a, f] * p[f]
                for t in range(len(nodes)):
                    ahead = lead - spread * nodes[t]
                    odds = np.exp(-abs(ahead))
                    losses[a, t] = (odds if ahead > 0 else 1.0) / (1.0 + odds)
                    value += weights[begin + a] * node_shares[t] * (min(ahead, 0.0) - np.log1p(odds))
            if value < best - 1e-12 * abs(best):  # too far
                for f in range(d):
                    step[f] *= 0.5
                    p[f] = before[f] + step[f]
                continue
            best = value
            _set_up_newton(
                begin, count, weights, ridge[row], chosen, losses, spread, turn, covariance, p, nodes, node_shares,
                gradient, cross, matrix,
            )  # fmt: skip
            _solve_in_place(matrix, gradient)
            largest, longest_step = 0.0, 0.0
            for f in range(d):
                before[f], step[f] = p[f], gradient[f]
                p[f] += step[f]
                largest, longest_step = max(largest, abs(p[f])), max(longest_step, abs(step[f]))
            if longest_step <= SMALL_STEP * largest:
                break
        for f in range(d):
            out[row, f] = p[f]


@kernel
def _describe_rest(
    begin: int, count: int, columns: Array, vectors: Array, shares: Array, rest: float, sums: Array, squares: Array,
    chosen: Array, mean: Array, covariance: Array,
) -> None:  # fmt: skip
    """Mean and covariance of the items that were not chosen, and the chosen ones' vectors less that mean."""
    width = len(mean)
    for f in range(width):
        mean[f] = sums[f]
        for g in range(width):
            covariance[f, g] = squares[f, g]
    for a in range(count):
        column = columns[begin + a]
        vector, share, target = vectors[column], shares[column], chosen[a]
        for f in range(width):
            target[f] = vector[f]
            shared = share * vector[f]
            mean[f] -= shared
            line = covariance[f]
            for g in range(f + 1):
                line[g] -= shared * vector[g]
    for f in range(width):
        mean[f] /= rest
        for g in range(f + 1):
            covariance[f, g] = covariance[g, f] = covariance[f, g] / rest - mean[f] * mean[g]
    for a in range(count):
        target = chosen[a]
        for f in range(width):
            target[f] -= mean[f]


@kernel
def _set_up_newton(
    begin: int, count: int, weights: Array, ridge: float, chosen: Array, losses: Array, spread: float, turn: Array,
    covariance: Array, p: Array, nodes: Array, node_shares: Array, gradient: Array, cross: Array, matrix: Array,
) -> None:  # fmt: skip
    """The gradient, and the lower triangle of minus the matrix of second derivatives."""
    d = len(p)
    for f in range(d):
        gradient[f] = -ridge * p[f]
        cross[f] = 0.0
        for g in range(f + 1):
            matrix[f, g] = 0.0
    pull = curve_nodes = 0.0
    for a in range(count):
        push = curve = tilt = 0.0
        for t in range(len(nodes)):
            weight = weights[begin + a] * node_shares[t] * losses[a, t]
            bend = weight * (1.0 - losses[a, t])
            push += weight
            pull += weight * nodes[t]
            curve += bend
            tilt += bend * nodes[t]
            curve_nodes += bend * nodes[t] * nodes[t]
        vector = chosen[a]
        for f in range(d):
            gradient[f] += push * vector[f]
            cross[f] += tilt * vector[f]
            bent, line = curve * vector[f], matrix[f]
            for g in range(f + 1):
                line[g] += bent * vector[g]
    bend = pull / spread
    for f in range(d):
        gradient[f] -= pull * turn[f]
        line = matrix[f]
        for g in range(f + 1):
            line[g] += (curve_nodes - bend) * turn[f] * turn[g] - cross[f] * turn[g] - turn[f] * cross[g]
            line[g] += bend * covariance[f, g]
        line[f] += ridge


@kernel
def _solve_in_place(matrix: Array, right: Array) -> None:
    """``matrix @ x = right`` by Cholesky from the lower triangle, which is lost; x takes the place of `right`."""
    d = len(right)
    for f in range(d):
        line = matrix[f]
        for g in range(f + 1):
            other, dot = matrix[g], line[g]
            for h in range(g):
                dot -= line[h] * other[h]
            line[g] = np.sqrt(dot) if f == g else dot / other[g]
        dot = right[f]
        for h in range(f):
            dot -= line[h] * right[h]
        right[f] = dot / line[f]
    for f in range(d - 1, -1, -1):
        right[f] /= matrix[f, f]
        line, solved = matrix[f], right[f]
        for h in range(f):
            right[h] -= line[h] * solved
