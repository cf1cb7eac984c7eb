"""Products that BLAS does in place, on parts of matrices, without the interpreter: NumPy and SciPy copy or hold it.

Every matrix is float32 and has its rows in C order, or is the transpose (`.T`) of one that has; parts of larger
matrices are welcome. BLAS counts by columns: to it each of ours is its transpose.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def add_product(out: Array, left: Array, right: Array, scale: float = 1.0) -> None:
    """``out += scale * left @ right``, for out (m, n), left (m, k), right (k, n)."""
    (m, n), k = out.shape, left.shape[1]
    flags, steps = zip(*(_layout(each) for each in (right, left)), strict=True)
    _call("sgemm", *flags, n, m, k, float(scale), right, steps[0], left, steps[1], 1.0, out, _layout(out)[1])


def add_square(out: Array, left: Array, scale: float = 1.0) -> None:
    """``out += scale * left @ left.T`` on and below the diagonal of out (n, n), for left (n, k)."""
    flag, step = _layout(left)
    transposed = b"N" if flag == b"T" else b"T"
    _call("ssyrk", b"U", transposed, *left.shape, float(scale), left, step, 1.0, out, _layout(out)[1])


def times_triangle(out: Array, triangle: Array) -> None:
    """``out = out @ triangle``, for out (m, n) and a triangle as for `triangle_times`, (n, n)."""
    _multiply_triangle(b"L", out, triangle)


def triangle_times(triangle: Array, out: Array) -> None:
    """``out = triangle @ out``, for out (m, n) and (m, m) of which nothing above the diagonal counts.

    Or, of the transpose of such a triangle, nothing below.
    """
    _multiply_triangle(b"R", out, triangle)


def _multiply_triangle(side: bytes, out: Array, triangle: Array) -> None:
    flag, step = _layout(triangle)
    _call("strmm", side, b"U", flag, b"N", *out.shape[::-1], 1.0, triangle, step, out, _layout(out)[1])


def _layout(matrix: Array) -> tuple[bytes, int]:
    """What BLAS is to do with the transpose that it sees (N: nothing), and the numbers from a row to the next."""
    rows, columns = matrix.shape
    size = matrix.itemsize
    if columns <= 1 or matrix.strides[1] == size:
        return b"N", max(1, columns, matrix.strides[0] // size)
    return b"T", max(1, rows, matrix.strides[1] // size)


def _call(name: str, *arguments: Any) -> None:
    """A function of BLAS, which takes everything by address."""
    _function(name)(*map(_address, arguments))


def _address(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, bytes):
        return ctypes.c_char_p(value)
    # Whole numbers have 64 bits for whoever reads 32 of them too, on machines that keep the low ones first.
    return ctypes.byref(ctypes.c_int64(value) if isinstance(value, int) else ctypes.c_float(value))


@cache
def _function(name: str) -> Any:
    """SciPy's BLAS, called without the GIL."""
    from numba.extending import get_cython_function_address

    return ctypes.CFUNCTYPE(None)(get_cython_function_address("scipy.linalg.cython_blas", name))
