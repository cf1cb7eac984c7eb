"""Published protocols from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from coterie.cli import reproduce
from coterie.evaluation.reproduce import PROTOCOLS, surprise
from coterie.evaluation.reproduce.protocol import Direction, Result
from tests.cli.conftest import Run

ONLY = ["--only", "bias"]


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """A u.data of two dozen ratings."""
    lines = [f"{user}\t{item}\t{1 + (user * item) % 5}\t88" for user in range(1, 7) for item in range(1, 5)]
    (tmp_path / "u.data").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_without_a_name_it_lists_what_can_be_reproduced(run: Run) -> None:
    assert [known["name"] for known in run("reproduce", "--json").document] == list(PROTOCOLS)
    shown = " ".join(run("reproduce").out.split())
    for known in PROTOCOLS.values():
        assert f"{known.name}: {known.title}" in shown
        assert f"needs: {known.data}" in shown.replace("- ", "-")


def test_other_data_is_run_but_not_compared(run: Run, rated: Path) -> None:
    answer = run("reproduce", "surprise", "--data", rated, *ONLY)
    assert answer.status == 0
    assert answer.out.startswith("ml-100k, bias: rmse ")
    assert "Nothing here can be compared" in answer.out
    assert "not the published ml-100k: 24 ratings" in " ".join(answer.out.split())


def test_out_of_tolerance_is_told_by_the_status(run: Run, rated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(surprise.N_RATINGS, "ml-100k", 24)
    answer = run("reproduce", "surprise", "--data", rated, *ONLY)
    assert answer.status == 1
    assert "published 0.944: OUT OF TOLERANCE" in answer.out
    assert "0 of 2 figures are in tolerance." in answer.out
    assert "joss.02174" in answer.out
    answer = run("reproduce", "surprise", "--data", rated, *ONLY, "--json")
    assert answer.status == 1
    assert answer.document["within"] is False
    found = answer.document["results"][0]
    assert (found["published"], found["within"], found["direction"]) == (0.944, False, "at most")
    assert found["ours"] > 0.9445


def test_in_tolerance(run: Run, rated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = run("reproduce", "surprise", "--data", rated, *ONLY, "--json").document["results"]
    monkeypatch.setitem(surprise.N_RATINGS, "ml-100k", 24)
    published = tuple(found["ours"] for found in ours)
    monkeypatch.setitem(surprise.PUBLISHED["ml-100k"], "bias", published)
    answer = run("reproduce", "surprise", "--data", rated, *ONLY)
    assert answer.status == 0
    assert "2 of 2 figures are in tolerance." in answer.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nonsense", "--data", "."], 1, "there are surprise, module"),
        (["surprise"], 2, "needs MovieLens 100K"),
        (["--data", "."], 2, "which protocol?"),
        (["surprise", "--data", "no/such/folder"], 1, "no/such/folder has none of u.data"),
        (["surprise", "--data", ".", "--only", "ease"], 1, "surprise has no model 'ease'"),
    ],
)
def test_an_error_says_what_is_missing(run: Run, arguments: list[str], status: int, said: str) -> None:
    answer = run("reproduce", *arguments)
    assert (answer.status, answer.out) == (status, "")
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert said in answer.err


@pytest.mark.parametrize("width", [50, 80])
def test_the_table_fits_the_terminal(run: Run, rated: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("reproduce", "surprise", "--data", rated, *ONLY).out
    _, _, table = shown.partition("Errors of predicted")
    assert max(map(len, table.splitlines())) <= width
    assert {"rmse", "mae", "published"} <= set(table.split())


@pytest.mark.parametrize(
    ("published", "tolerance", "shown"), [(25038, 0, "25,038"), (3.87, 0.005, "3.87"), (None, 0, "-")]
)
def test_published_figures_have_the_digits_of_the_source(published: float | None, tolerance: float, shown: str) -> None:
    result = Result("count", "data", "model", 1.0, published, tolerance, "equal", "a paper")
    assert reproduce._published(result) == shown


def test_a_figure_that_is_much_better_is_counted_apart(run: Run, rated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NMF on MovieLens 100K, .9199 beside .963: no failure, and not "in tolerance" either."""
    ours = run("reproduce", "surprise", "--data", rated, *ONLY, "--json").document["results"]
    monkeypatch.setitem(surprise.N_RATINGS, "ml-100k", 24)
    rmse, mae = (found["ours"] for found in ours)
    monkeypatch.setitem(surprise.PUBLISHED["ml-100k"], "bias", (rmse + 0.043, mae))
    answer = run("reproduce", "surprise", "--data", rated, *ONLY)
    shown = " ".join(answer.out.split())
    assert answer.status == 0
    assert "better by 0.043" in answer.out.splitlines()[0]
    assert "1 of 2 figures are in tolerance. 1 is better than published by more than that" in shown
    document = run("reproduce", "surprise", "--data", rated, *ONLY, "--json").document
    assert [found["verdict"] for found in document["results"]] == ["better", "within"]
    assert document["within"] is False
    assert document["verdicts"] == {"within": 1, "better": 1, "worse": 0}


def test_a_tolerance_is_on_both_sides() -> None:
    directions: tuple[Direction, ...] = ("equal", "at most", "at least")
    for direction in directions:
        result = Result("rmse", "data", "model", 0.9, 0.9, 0.0005, direction, "a paper")
        assert reproduce._tolerance(result) == "± 0.0005"
