"""Times, sizes and p-values as people write and read them."""

from __future__ import annotations

import math
import re

from coterie.errors import ParameterError

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)", re.IGNORECASE)


def parse_duration(text: str | float, name: str = "budget") -> float:
    """Seconds from ``"90s"``, ``"10m"``, ``"1.5h"``, ``"600"`` or a number; an error names the parameter `name`."""
    if isinstance(text, str):
        found = _DURATION.fullmatch(text.strip())
        seconds = float(found[1]) * _UNITS[found[2].lower()] if found else math.nan
    else:
        try:
            seconds = float(text)
        except TypeError:
            seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ParameterError(f"{name} must be a time such as 90s, 10m or 1h, not {text!r}")
    return seconds


def duration(seconds: float) -> str:
    """``90 s``, ``10 min``, ``1.5 h``."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def seconds(value: float | None) -> str:
    """Seconds with three digits or so, without the unit; ``-`` where there are none."""
    if value is None:
        return "-"
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def size(n_bytes: float | None) -> str:
    """``812 B``, ``1.2 kB``, ``34 MB``, ``5.6 GB``, thousands at a time; ``-`` where nothing is known."""
    if n_bytes is None:
        return "-"
    power = 0
    while n_bytes >= 999.5 and power < 3:
        n_bytes, power = n_bytes / 1000, power + 1
    return f"{n_bytes:.{1 if power and n_bytes < 9.95 else 0}f} {('B', 'kB', 'MB', 'GB')[power]}"


def p_value(p: float) -> str:
    """``p = 0.012``, ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
