"""Vector code for LLVM, where loops in Python's terms cannot say what should stay in the processor's registers.

Kernels are numba's; the few blocks of code that they consist of most of the time are intrinsics written with `Vectors`.
LLVM splits the vectors on processors that have narrower ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import binding, ir
from numba.core import cgutils


def _lanes() -> int:
    """Numbers in a vector: 16 with AVX-512, else 8 (which NEON does in two)."""
    config: Any = numba.config
    features = config.CPU_FEATURES
    if features is None and config.CPU_NAME is None:
        return 16 if binding.get_host_cpu_features().get("avx512f") else 8
    return 16 if "+avx512f" in (features or "") else 8


#: Float32 numbers in a vector register; factors are padded to a multiple of it.
LANES = _lanes()


class Vectors:
    """Writes code for vectors of `LANES` float32. A place is a sum of terms, in numbers from a pointer on: integers,
    values of the code, and pairs of these, which are products."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.float32, self.int64 = ir.FloatType(), ir.IntType(64)
        self.vector = ir.VectorType(self.float32, LANES)
        fma_type = ir.FunctionType(self.vector, [self.vector] * 3)
        self._fma = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, fma_type, f"llvm.fma.v{LANES}f32"
        )

    @property
    def true(self) -> Any:
        """A condition that holds."""
        return ir.IntType(1)(1)

    @property
    def zero(self) -> Any:
        """Zeros."""
        return self.constant([0.0] * LANES)

    def pointer(self, address: Any) -> Any:
        """A pointer to float32 from an address."""
        return self.builder.inttoptr(address, self.float32.as_pointer())

    def place(self, *terms: Any) -> Any:
        """The sum of the terms."""
        total: Any = self.int64(0)
        for term in terms:
            if isinstance(term, tuple):
                term = self.builder.mul(*(self.int64(t) if isinstance(t, int) else t for t in term))
            total = self.builder.add(total, self.int64(term) if isinstance(term, int) else term)
        return total

    def load(self, pointer: Any, *place: Any) -> Any:
        """A vector from a place."""
        loaded = self.builder.load(self._at(pointer, place))
        loaded.align = 4
        return loaded

    def store(self, values: Any, pointer: Any, *place: Any) -> None:
        """A vector put in a place."""
        self.builder.store(values, self._at(pointer, place)).align = 4

    def _at(self, pointer: Any, place: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(pointer, [self.place(*place)]), self.vector.as_pointer())

    def load_one(self, pointer: Any, *place: Any) -> Any:
        """A number from a place."""
        return self.builder.load(self.builder.gep(pointer, [self.place(*place)]))

    def lane(self, values: Any, lane: int) -> Any:
        """One number of a vector."""
        return self.builder.extract_element(values, ir.IntType(32)(lane))

    def spread(self, one: Any) -> Any:
        """A number in all lanes."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        return self.pick(self.builder.insert_element(undefined, one, ir.IntType(32)(0)), undefined, [0] * LANES)

    def pick(self, left: Any, right: Any, lanes: list[int]) -> Any:
        """The lanes that are listed, of two vectors in a row."""
        return self.builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes))

    def constant(self, numbers: list[float]) -> Any:
        """These numbers."""
        return ir.Constant(self.vector, numbers)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c."""
        return self.builder.call(self._fma, [a, b, c])

    def repeat(self, count: Any, starts: list[Any], step: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """The values that `starts` have become after `step(q, values)` for every q below `count`."""
        builder = self.builder
        before, loop, done = builder.block, builder.append_basic_block("tile"), builder.append_basic_block("tile.done")
        builder.cbranch(builder.icmp_signed(">", count, self.int64(0)), loop, done)
        builder.position_at_end(loop)
        q, values = builder.phi(self.int64), [builder.phi(start.type) for start in starts]
        nexts = step(q, values)
        after, end = builder.add(q, self.int64(1)), builder.block
        for phi, start, value in zip([q, *values], [self.int64(0), *starts], [after, *nexts], strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(value, end)
        builder.cbranch(builder.icmp_signed("<", after, count), loop, done)
        builder.position_at_end(done)
        results = [builder.phi(start.type) for start in starts]
        for phi, start, value in zip(results, starts, nexts, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(value, end)
        return results

    def row_sums(self, rows: list[Any]) -> Any:
        """The sums of `LANES` vectors, each in a lane: halves are added to halves, of two rows at a time."""
        half = LANES // 2
        while half:
            even = [i // half % 2 == 0 for i in range(LANES)]
            left = [i if even[i] else LANES + i - half for i in range(LANES)]
            right = [i + half if even[i] else LANES + i for i in range(LANES)]
            rows = [
                self.builder.fadd(self.pick(a, b, left), self.pick(a, b, right))
                for a, b in zip(rows[: len(rows) // 2], rows[len(rows) // 2 :], strict=True)
            ]
            half //= 2
        return rows[0]
