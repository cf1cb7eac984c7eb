"""What a model costs in memory: the most that was held while it worked, and the size of what it has learned."""

from __future__ import annotations

import ctypes
import gc
import re
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """The most memory that this process holds from now on, above what it holds now.

    Linux keeps the mark of the most that was held and lets it be set back; elsewhere nothing is known. What earlier
    work has freed is given back to the system first, or it would be used again without being seen.
    """

    def __init__(self) -> None:
        self._before: int | None = None
        gc.collect()
        with suppress(OSError, AttributeError):  # only glibc has it
            ctypes.CDLL(None).malloc_trim(0)
        try:
            _RESET.write_text("5")
            self._before = _resident("VmRSS")
        except OSError:
            return

    def peak(self) -> int | None:
        """Bytes, or None where the system does not say."""
        if self._before is None:
            return None
        most = _resident("VmHWM")
        return None if most is None else max(0, most - self._before)


def _resident(name: str) -> int | None:
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return None if found is None else 1024 * int(found[1])


def learned_bytes(model: Any) -> int:
    """Bytes of the arrays in a model's learned attributes, without the data it was fitted on; one array counts once."""
    arrays: dict[int, int] = {}
    _count_learned(model, arrays)
    return sum(arrays.values())


def _count_learned(model: Any, arrays: dict[int, int]) -> None:
    for name, value in vars(model).items():
        if name.endswith("_") and name not in ("train_", "catalog_"):
            _count(value, arrays)


def _count(value: Any, arrays: dict[int, int]) -> None:
    if isinstance(value, np.ndarray):
        arrays[id(value)] = value.nbytes
    elif isinstance(value, dict):
        _count(list(value.values()), arrays)
    elif isinstance(value, (tuple, list)):
        for part in value:
            _count(part, arrays)
    elif all(hasattr(value, part) for part in ("indptr", "indices", "data")):  # a SciPy matrix
        _count([value.indptr, value.indices, value.data], arrays)
    elif hasattr(value, "train_"):  # a model inside this one
        _count_learned(value, arrays)
    elif is_dataclass(value) and not isinstance(value, type):
        _count([getattr(value, f.name) for f in fields(value)], arrays)
