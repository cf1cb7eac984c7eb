"""What a computation may allocate, asked before it does."""

from __future__ import annotations

import math
import os

from coterie.errors import MemoryBudgetError, ParameterError


def memory_budget() -> int:
    """Bytes that one computation may take: COTERIE_MEMORY (GiB) where set, else 3/4 of what is free now."""
    setting = os.environ.get("COTERIE_MEMORY")
    if setting:
        try:
            gib = float(setting)
        except ValueError:
            gib = math.nan
        if not 0 < gib < math.inf:
            raise ParameterError(f"COTERIE_MEMORY must be a number of GiB above 0, not {setting!r}")
        return int(gib * 2**30)
    try:
        with open("/proc/meminfo") as info:
            fields = dict(line.split(":", 1) for line in info)
        return int(fields["MemAvailable"].split()[0]) * 1024 * 3 // 4
    except (OSError, KeyError):
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        return 4 << 30


def require_memory(n_bytes: int, what: str, remedy: str) -> None:
    """Raise `MemoryBudgetError` where `what` would take more than the budget; `remedy` says what fits."""
    budget = memory_budget()
    if n_bytes > budget:
        raise MemoryBudgetError(
            f"{what} would take {_size(n_bytes)}, and {_size(budget)} may be used (COTERIE_MEMORY sets it); {remedy}"
        )


def _size(n_bytes: int) -> str:
    gib = n_bytes / 2**30
    return f"{gib:.1f} GiB" if gib >= 0.1 else f"{n_bytes / 2**20:.2g} MiB"
