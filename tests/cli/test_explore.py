"""Looking at data from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from coterie.cli import explore as command
from coterie.content.words import DEFAULT_VECTORS
from tests.cli.conftest import Run


def test_a_page_and_what_its_pictures_say(run: Run, movies: Path, tmp_path: Path) -> None:
    answer = run("explore", movies, "--output", tmp_path / "seen")
    assert answer.status == 0
    assert "A tenth of the items holds" in answer.out
    assert "genome is not shown: nothing is known of a tag genome" in " ".join(answer.out.split())
    assert [path.name for path in (tmp_path / "seen").iterdir()] == ["report.html"]


def test_everything_as_files_with_a_model(run: Run, movies: Path, tmp_path: Path) -> None:
    options = [
        "--svg",
        "-m",
        "nmf",
        "--n-factors",
        "2",
        "--n-iterations",
        "3",
        "--items",
        "Toy Story",
        "--map",
        "ratings",
    ]
    document = run("explore", movies, "-o", tmp_path, *options, "--json").document
    names = [picture["name"] for picture in document["pictures"]]
    assert {"parts-nmf", "convergence-nmf", "rating-histogram", "map-by-ratings"} <= set(names)
    assert {Path(file).name for file in document["files"]} == {"report.html", *(f"{name}.svg" for name in names)}
    assert all(Path(file).is_file() for file in document["files"])
    assert "genome" in document["left_out"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--users", "999"], "999"), (["--items", "No such film"], "No such film"), (["--map", "x"], "not by 'x'"),
        (["-m", "no-such-model"], "no-such-model"), (["-m", "nmf:n_factors=0"], "n_factors"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_line(
    run: Run, movies: Path, tmp_path: Path, options: list[str], why: str
) -> None:
    answer = run("explore", movies, "-o", tmp_path / "seen", *options)
    assert (answer.status, answer.out) == (1, "")
    assert why in answer.err and answer.err.count("\n") == 1
    assert not (tmp_path / "seen").exists()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("coterie.explore.exploration.similarity_panel", "nothing was written"),
        ("coterie.explore.exploration.Exploration.write", "not everything was written to "),
    ],
)
def test_an_interrupt_says_what_was_written(
    run: Run, movies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, said: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)
    answer = run("explore", movies, "-o", tmp_path / "seen")
    assert (answer.status, answer.out) == (130, "") and not (tmp_path / "seen").exists()
    assert answer.err.startswith(f"interrupted: {said}") and answer.err.count("\n") == 1


def test_the_default_vectors_are_the_librarys() -> None:
    assert command.DEFAULT_VECTORS == DEFAULT_VECTORS
