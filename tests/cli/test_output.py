"""What is printed: JSON that any reader takes, cells that show text as it is."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
from rich.console import Console

from coterie.cli.output import cell, frame_table, to_json


def test_json_of_all_that_commands_show() -> None:
    document = {
        1: np.float32(0.5),
        "none": None,
        "not finite": [float("nan"), np.inf, np.array([1.0, np.nan])],
        "frame": pl.DataFrame({"item": [1, 2], "title": ["Amélie", None], "genres": [["Comedy"], []]}),
        "whole": np.int64(3),
        "yes": np.bool_(True),
    }
    assert json.loads(to_json(document)) == {
        "1": 0.5,
        "none": None,
        "not finite": [None, None, [1.0, None]],
        "frame": [
            {"item": 1, "title": "Amélie", "genres": ["Comedy"]},
            {"item": 2, "title": None, "genres": []},
        ],
        "whole": 3,
        "yes": True,
    }


def test_square_brackets_are_text() -> None:
    console = Console(width=60, file=None, record=True, quiet=False, no_color=True)
    with console.capture() as captured:
        console.print(frame_table(pl.DataFrame({"title": ["[REC] (2007)", "[bold]x[/bold]"], "score": [1.0, None]})))
    assert "[REC] (2007)" in captured.get()
    assert "[bold]x[/bold]" in captured.get()


def test_cells() -> None:
    assert [cell(v) for v in (None, 1234.5, float("nan"), 1234, ["a", "b"])] == ["-", "1,234.5000", "-", "1234", "a, b"]
