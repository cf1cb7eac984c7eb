"""What is printed: JSON that any reader takes, cells that show text as it is."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from coterie.cli.output import cell, frame_table
from coterie.data.plain import to_json


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


NARROW = pl.DataFrame(
    {
        "item": [1, 2],
        "title": ["A Film That Has a Long Name (1995)", "Another (1996)"],
        "similarity": [0.25, 0.125],
        "contribution": [1.5, -0.25],
    }
)


@pytest.mark.parametrize("width", range(36, 100, 7))
def test_a_narrow_table_keeps_words_whole_and_names_what_it_leaves_out(width: int) -> None:
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(frame_table(NARROW))
    shown = captured.get()
    assert max(map(len, shown.splitlines())) <= width
    words = shown.split()
    assert {"title", "contribution", "Another", "(1996)", "Name", "-0.25", "1.50"} <= set(words)
    assert "similarity" in words
    assert ("0.125" in words) == ("A wider terminal also shows" not in shown)


def test_of_what_is_left_out_the_title_s_neighbours_go_first() -> None:
    console = Console(width=30, no_color=True)
    with console.capture() as captured:
        console.print(frame_table(NARROW.insert_column(0, pl.Series("user", [7, 8]))))
    table, left_out = captured.get().split("A wider terminal also shows:")
    assert left_out.split() == ["item,", "similarity"]
    assert {"7", "Another", "1.50"} <= set(table.split())
