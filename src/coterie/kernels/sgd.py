"""Stochastic gradient descent without races: cells of users and items that have nothing in common run side by side.

Users are cut into blocks and items into as many. A *cell* is what the users of one block did with the items of
another, and a *stratum* is a set of cells of which no two share a user or an item: the cells of a stratum run in
parallel, one stratum after the other, and all strata together are an epoch (Gemulla et al. 2011). The blocks never
depend on the number of threads, so neither does the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.memory import require_memory
from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

#: Blocks of users and of items, and so the most threads that are of use.
BLOCKS = 8
# Rows a task when entries are brought into the order of cells.
_TASK = 4096


class Cells(NamedTuple):
    """Entries of compressed rows, each row's ordered by block of items.

    Attributes
    ----------
    users : int64 (blocks + 1,)
        Where blocks of users, which are ranges of rows, begin and end.
    blocks : int8 (n_items,)
        The block of each item.
    starts : int64 (n_users, blocks + 1)
        Where the entries of a row begin that are of a block.
    items : int32 (nnz,), values : float32 (nnz,)
    """

    users: Array
    blocks: Array
    starts: Array
    items: Array
    values: Array


def cut_into_cells(
    indptr: Array, indices: Array, values: Array, n_items: int, generator: np.random.Generator, n_blocks: int = BLOCKS
) -> Cells:
    """Cells of compressed rows: blocks of about equally many entries, items dealt to theirs at random."""
    n_users, nnz = len(indptr) - 1, len(indices)
    require_memory(
        8 * nnz + 8 * n_users * (n_blocks + 1), "the ratings in the order of cells", "leave out part of the ratings"
    )
    users = np.searchsorted(indptr, np.arange(1, n_blocks) * (nnz / n_blocks))
    users = np.concatenate([[0], np.clip(users, 0, n_users), [n_users]]).astype(np.int64)
    counts = np.bincount(indices, minlength=n_items)
    dealt = generator.permutation(n_items)
    middle = np.cumsum(counts[dealt]) - counts[dealt] / 2
    blocks = np.empty(n_items, np.int8)
    blocks[dealt] = np.minimum(middle * n_blocks / max(nnz, 1), n_blocks - 1)
    cells = Cells(
        users, blocks, np.empty((n_users, n_blocks + 1), np.int64), np.empty(nnz, np.int32), np.empty(nnz, np.float32)
    )
    run_blocks(lambda start, stop: order_rows(start, stop, indptr, indices, values, *cells[1:]), n_users, _TASK)
    return cells


def run_epoch(cells: Cells, generator: np.random.Generator, work: Callable[[int, int, int, int], float]) -> float:
    """``work(first user, last user + 1, block of items, number)`` for every cell once, in strata; the results' sum.

    `generator` draws the order. `number` counts the cells from 0.
    """
    n = len(cells.users) - 1
    shifts, columns = generator.permutation(n), generator.permutation(n)
    total = 0.0
    for stratum, shift in enumerate(shifts):

        def one(block: int, _: int, stratum: int = stratum, shift: int = int(shift)) -> float:
            first, last = cells.users[block], cells.users[block + 1]
            return work(int(first), int(last), int(columns[(block + shift) % n]), stratum * n + block)

        total += sum(run_blocks(one, n, 1))
    return total


@kernel
def order_rows(
    first: int, last: int, indptr: Array, indices: Array, values: Array,
    blocks: Array, starts: Array, items: Array, ordered: Array,
) -> None:  # fmt: skip
    """Fill `starts`, `items` and `ordered` (the values) for rows [first, last): each a counting sort by block."""
    n_blocks = starts.shape[1] - 1
    at = np.empty(n_blocks + 1, np.int64)
    for row in range(first, last):
        begin, end = indptr[row], indptr[row + 1]
        at[:] = 0
        for a in range(begin, end):
            at[blocks[indices[a]] + 1] += 1
        at[0] = begin
        for b in range(n_blocks):
            at[b + 1] += at[b]
            starts[row, b] = at[b]
        starts[row, n_blocks] = end
        for a in range(begin, end):
            block = blocks[indices[a]]
            items[at[block]] = indices[a]
            ordered[at[block]] = values[a]
            at[block] += 1


@kernel
def descend_cell(
    first: int, last: int, block: int, starts: Array, items: Array, values: Array,
    p: Array, q: Array, b: Array, c: Array, rate: np.float32, regularization: np.float32,
) -> float:  # fmt: skip
    """One step of descent for every entry that users [first, last) have in a block of items: `p, q, b, c` change.

    The step for a value v is, with the error ``e = v - b_u - c_i - p_u.q_i``,
    ``x += rate (e dx - regularization x)`` for each x of ``b_u, c_i, p_u, q_i``, whose dx are ``1, 1, q_i, p_u``.

    Parameters
    ----------
    starts, items, values : of `Cells`
    p, q : float32 (n_users, k) and (n_items, k)
    b, c : float32 (n_users,) and (n_items,)

    Returns
    -------
    float
        The sum of e², as met on the way.
    """
    k = p.shape[1]
    squares = 0.0
    keep = np.float32(1) - rate * regularization
    for u in range(first, last):
        x, bias = p[u], b[u]
        for a in range(starts[u, block], starts[u, block + 1]):
            i = items[a]
            y = q[i]
            dot = np.float32(0)
            for f in range(k):
                dot += x[f] * y[f]
            error = values[a] - bias - c[i] - dot
            squares += np.float64(error) * np.float64(error)
            step = rate * error
            bias = keep * bias + step
            c[i] = keep * c[i] + step
            for f in range(k):
                x_f, y_f = x[f], y[f]
                x[f] = keep * x_f + step * y_f
                y[f] = keep * y_f + step * x_f
        b[u] = bias
    return squares


@kernel
def descend_users(
    indptr: Array, items: Array, values: Array,
    p: Array, y: Array, q: Array, b: Array, c: Array, rate: np.float32, regularization: np.float32,
) -> float:  # fmt: skip
    r"""One step of descent for every entry of every user in turn, with implicit factors y: all but the data change.

    With ``z_u = n^-1/2 sum_j y_j`` over the n items of the user, an entry's error is
    ``e = v - b_u - c_i - q_i.(p_u + z_u)``. The entries of a user follow each other, and all of them change p_u and
    every y_j of that user alike: by ``keep = 1 - rate * regularization`` and a multiple of what is common to
    them. So both are ``keep^t`` times what they were before the user's first entry, plus a sum h that they share: p_u
    gets h, y_j gets ``n^-1/2 h``, and z_u gets h as well. That sum is kept, and handed out after the last entry: the
    same steps as changing all n rows of y for each entry, in O(n) and not O(n²) row operations.

    Parameters
    ----------
    indptr, items, values : compressed rows
    p : float32 (n_users, k), y, q : float32 (n_items, k), b : float32 (n_users,), c : float32 (n_items,)

    Returns
    -------
    float
        The sum of e², as met on the way.
    """
    n_users, k = p.shape
    squares = 0.0
    keep, half = np.float32(1) - rate * regularization, np.float32(0.5)
    x, before = np.empty(k, np.float32), np.empty(k, np.float32)
    for u in range(n_users):
        begin, end = indptr[u], indptr[u + 1]
        if begin == end:
            continue
        scale = np.float32(1.0 / np.sqrt(np.float64(end - begin)))
        x[:] = 0
        for a in range(begin, end):
            row = y[items[a]]
            for f in range(k):
                x[f] += row[f]
        own, bias = p[u], b[u]
        for f in range(k):
            x[f] = own[f] + scale * x[f]
            before[f] = x[f]
        faded = np.float32(1)
        for a in range(begin, end):
            i = items[a]
            row = q[i]
            dot = np.float32(0)
            for f in range(k):
                dot += x[f] * row[f]
            error = values[a] - bias - c[i] - dot
            squares += np.float64(error) * np.float64(error)
            step = rate * error
            twice = step + step  # x is p_u + z_u, and each of them gets one step
            bias = keep * bias + step
            c[i] = keep * c[i] + step
            faded *= keep
            for f in range(k):
                x_f, row_f = x[f], row[f]
                x[f] = keep * x_f + twice * row_f
                row[f] = keep * row_f + step * x_f
        b[u] = bias
        for f in range(k):
            h = half * (x[f] - faded * before[f])
            own[f] = faded * own[f] + h
            x[f] = scale * h
        for a in range(begin, end):
            row = y[items[a]]
            for f in range(k):
                row[f] = faded * row[f] + x[f]
    return squares
