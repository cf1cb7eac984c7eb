"""A bounded list of the best (value, index) pairs of a row, kept as a heap with the worst at its root.

Better means a larger value, and for equal values a smaller index, so that what is kept never depends on
the order in which pairs arrive.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import inlined, kernel

Array = np.ndarray[Any, np.dtype[Any]]


@inlined
def worse(value_a: Any, index_a: Any, value_b: Any, index_b: Any) -> bool:
    """Whether pair a ranks behind pair b."""
    return value_a < value_b or (value_a == value_b and index_a > index_b)


@kernel
def push(values: Array, indices: Array, value: Any, index: Any) -> None:
    """Replace the root by (value, index), which the caller knows to be better, and restore the heap."""
    size = len(values)
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and worse(values[child + 1], indices[child + 1], values[child], indices[child]):
            child += 1
        if not worse(values[child], indices[child], value, index):
            break
        values[parent], indices[parent] = values[child], indices[child]
        parent = child
    values[parent], indices[parent] = value, index


@kernel
def sort_best_first(values: Array, indices: Array) -> None:
    """Sort a heap in place, best pair first (heap sort: move the worst to the end, again and again)."""
    for end in range(len(values) - 1, 0, -1):
        value, index = values[end], indices[end]
        values[end], indices[end] = values[0], indices[0]
        push(values[:end], indices[:end], value, index)
