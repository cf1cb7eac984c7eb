"""The course's notebooks, run from top to bottom on the sample; their own assertions are the first half of the test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

# What has to be seen: pictures and tables, and words of the outputs.
SEEN: dict[str, tuple[int, int, list[str]]] = {
    "01-likeness": (1, 6, ["from A to C: 4; by way of B: 0", "coterie-lesson", "What if user 1 had given"]),
    "02-data": (4, 5, ["100,004 ratings", "every pair stands once", "19 genres", "unknown item -7"]),
    "03-neighbours": (0, 5, ["Toy Story (1995)", "mean of that block is 1.8", "user-knn", "item-knn"]),
    "04-titles": (1, 4, ["words have vectors", "shuffled", "titles, weighted", "Horror"]),
    "05-factors": (5, 3, ["biases alone: 0.8", "best on hidden ratings", "als: "]),
    "06-representations": (1, 1, ["a genre in common", "after a random step", "Star Wars + Horror"]),
    "07-exercises": (0, 7, ["item-based, remedied", "zeros counted", "tags; ", "they share", "new films"]),
    "08-beyond": (1, 6, ["ndcg@10", "least_misery", "uncertainty about this person", "manifest.json"]),
}


def test_there_is_a_notebook_for_each_part_of_the_course() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(SEEN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert sum("assert " in cell.source for cell in code) >= 4
    assert not re.search(r"/(home|root|tmp|work|Users)/", path.read_text("utf-8"))
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_shows_what_it_speaks_of(
    path: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COTERIE_ML20M", raising=False)
    for folder in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(folder, str(tmp_path))
    notebook = nbformat.read(path, 4)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [text(output) for output in shown if output.get("name") == "stderr"] == []
    pictures, tables, words = SEEN[path.stem]
    assert sum("image/svg+xml" in output.get("data", {}) for output in shown) == pictures
    assert sum("<table" in output.get("data", {}).get("text/html", "") for output in shown) >= tables
    everything = "\n".join(text(output) for output in shown)
    assert [word for word in words if word not in everything] == []


def text(output: Any) -> str:
    """All that an output says."""
    data = output.get("data", {})
    return "\n".join([output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")])
