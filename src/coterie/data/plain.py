"""Values as JSON has them: what commands and services answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl


def to_json(document: Any) -> str:
    """`document` as JSON text, in ASCII. Frames are lists of rows; what is not a finite number is null."""
    return json.dumps(plain(document), indent=2, allow_nan=False)


def plain(value: Any) -> Any:
    """`value` as what JSON knows: frames as lists of rows, what is not a finite number as null, keys as texts."""
    if isinstance(value, pl.DataFrame):
        return [plain(row) for row in value.to_dicts()]
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (np.ndarray, np.generic, pl.Series)):
        return plain(value.tolist() if not isinstance(value, pl.Series) else value.to_list())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
