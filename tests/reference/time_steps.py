"""The bias model with time, a rating at a time, and its objective as the docstring of the model has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy.linalg import null_space

YEAR = 365.25 * 86_400


def prediction(
    state: dict[str, Any], dates: dict[int, tuple[float, float, float]], u: int, i: int, t: int, power: float
) -> float:
    """The rating of user u for item i at time t, term by term; `state` has every unknown by name."""
    mean, first, last = dates.get(u, (t, t, t))
    held = min(max(t, first), last) - mean
    deviation = np.sign(held) * abs(held / YEAR) ** power
    begin, end, n = state["begin"], state["end"], state["n_periods"]
    period = min(max(int((t - begin) / max(end - begin, 1) * n), 0), n - 1)
    date = datetime.fromtimestamp(t, UTC)
    value = state["mean"] + state["user"].get(u, 0.0) + state["drift"].get(u, 0.0) * deviation
    value += state["day"].get((u, date.date()), 0.0)
    value += state["weekday"][date.weekday()] + state["month"][date.month - 1]
    value += (state["item"][i] + state["period"][i, period]) * (1 + state["scale"].get(u, 0.0))
    return float(value)


def ridge(design: np.ndarray, target: np.ndarray, penalties: np.ndarray, zero: np.ndarray | None = None) -> np.ndarray:
    """The least penalised squares by one dense system, among those x for which ``zero @ x`` is 0."""
    free = np.eye(design.shape[1]) if zero is None else null_space(zero)
    gram = free.T @ (design.T @ design + np.diag(penalties + 1e-9)) @ free
    return free @ np.linalg.solve(gram, free.T @ design.T @ target)
