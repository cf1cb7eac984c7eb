"""Nearest rows of a dense matrix by cosine, exactly: each pair of blocks of rows is multiplied once, by BLAS.

The products are offered to the lists of both rows (`coterie.kernels.gram`), so that half of them are enough, and are
looked at while they are in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from coterie.kernels import gram

Array = np.ndarray[Any, np.dtype[Any]]


def nearest_dense(unit: Array, k: int, order: Array | None = None, first: int = 0) -> tuple[Array, Array]:
    """The k rows of largest cosine above 0 with each row.

    Parameters
    ----------
    unit : float32 (n, d)
        Rows of length 1; one of zeros has no neighbours.
    k : int, at least 1
    order : int32 (n,) or None
        Ranks for `first`: the row number of each; None: as they are.
    first : int
        Pairs of two rows with ranks before this one are left out, and take no time.

    Returns
    -------
    rows : int32 (n, k), cosines : float32 (n, k)
        Best first, ties by smaller row number; -1 and 0 where a row has fewer neighbours. They are the same for any
        number of threads: what is multiplied with what does not depend on it.
    """
    n = len(unit)
    if order is None:
        order, ranked = np.arange(n, dtype=np.int32), np.ascontiguousarray(unit)
    else:
        ranked = unit[order]
    ones = np.ones(n)
    return gram.nearest_of_pairs(
        lambda: _Products(ranked).panels, n, k, order, ones, ones.astype(np.float32), False, first
    )


class _Products:
    """One thread's products of blocks of rows."""

    def __init__(self, rows: Array) -> None:
        self.rows = rows
        self.buffer = np.empty(gram.BLOCK * gram.PANEL, np.float32)

    def panels(self, start: int, stop: int) -> Iterator[tuple[int, int, Array]]:
        """As `gram.panels_of_block`."""
        block = self.rows[start:stop]
        for low in range(0, stop, gram.PANEL):
            high = min(low + gram.PANEL, stop)
            products = self.buffer[: len(block) * (high - low)].reshape(len(block), -1)
            np.matmul(block, self.rows[low:high].T, out=products)
            yield low, high, products
