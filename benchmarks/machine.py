"""What the measurements ran on."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

#: A load, and a share of the processors' time that others took, from which on timings are not to be trusted.
BUSY, DISTURBED = 0.7, 0.05
# The widest vectors first.
_SIMD = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("asimd", "NEON"), ("sse4_2", "SSE4.2"))


def machine(threads: int) -> dict[str, Any]:
    """Processor, cores, vector level, memory and load."""
    text = _read("/proc/cpuinfo")
    flags = set((re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE) or ["", ""])[1].split())
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "processor": model[1].strip() if model else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "simd": next((name for flag, name in _SIMD if flag in flags), "not told by the system"),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float:
    """How many processes wanted to run, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


class Others:
    """How much of the processors' time everyone else takes, from the moment it is made."""

    def __init__(self) -> None:
        self.began, self.before = time.perf_counter(), self._others()

    def share(self) -> float | None:
        """0 to 1; None where the system does not tell."""
        if self.before is None or (now := self._others()) is None:
            return None
        available = (time.perf_counter() - self.began) * (os.cpu_count() or 1)
        return round(min(max((now - self.before) / available, 0.0), 1.0), 3)

    def _others(self) -> float | None:
        """Seconds that processors have worked, without those of this process and of the ended ones it started."""
        counts = _read("/proc/stat").split("\n", 1)[0].split()[1:9]
        if not counts:
            return None
        user, nice, system, _, _, irq, softirq, steal = (int(count) / os.sysconf("SC_CLK_TCK") for count in counts)
        own = os.times()
        mine = own.user + own.system + own.children_user + own.children_system
        return user + nice + system + irq + softirq + steal - mine


def _read(file: str) -> str:
    path = Path(file)
    return path.read_text() if sys.platform == "linux" and path.exists() else ""


def versions(_: dict[str, Any]) -> dict[str, Any]:
    """Of the interpreter that calls it (a worker): packages, and BLAS with the kind of core it chose."""
    from importlib import metadata

    import numpy  # noqa: F401  (its BLAS is what is asked about)
    from threadpoolctl import threadpool_info

    ours = ("coterie", "numpy", "scipy", "numba", "polars")
    peers = (
        "implicit",
        "irspack",
        "cmfrec",
        "cornac",
        "faiss-cpu",
        "scikit-learn",
        "scikit-surprise",
        "sparse_dot_topn",
    )
    found = {}
    for name in ours + peers:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = [f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', '?')})" for pool in pools]
    return {"packages": found, "blas": ", ".join(blas) or "none"}
