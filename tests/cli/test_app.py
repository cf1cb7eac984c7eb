"""The command as a whole: help, version, exit statuses, what goes where, what a start costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import coterie
from coterie.cli import app, models
from coterie.cli.options import as_options
from tests.cli.conftest import Run

HEAVY = ("numpy", "polars", "numba", "scipy", "sklearn", "matplotlib", "pandas")


def coterie_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coterie", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def test_version(run: Run) -> None:
    assert run("--version").out == f"coterie {coterie.__version__}\n"


def test_help_names_every_command(run: Run) -> None:
    help_text = run("--help")
    assert help_text.status == 0
    names = ["demo", "data", "explore", "similar", "fit", "recommend", "predict", "explain", "compare", "tune"]
    names += ["doctor"]
    assert [name for name in names if f" {name} " not in help_text.out] == []


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from coterie.cli import main; status = main(['--help']); "
        f"print(status, [m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "0 []"


@pytest.mark.parametrize("arguments", [[], ["data"]])
def test_no_arguments_show_the_help_and_are_a_usage_error(run: Run, arguments: list[str]) -> None:
    answer = run(*arguments)
    assert answer.status == 2
    assert " ".join(["Usage: coterie", *arguments]) in answer.out
    assert answer.err == ""


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["recomend", "1"], 2, "Did you mean 'recommend'"),
        (["recommend"], 2, "for whom?"),
        (["recommend", "1", "--rated", "2=5"], 2, "not both"),
        (["recommend", "1", "-k", "0"], 2, "-k"),
        (["recommend", "1", "-k", "many"], 2, "-k"),
        (["recommend", "1", "--model", "nonsense"], 1, "item-knn"),
        (["recommend", "1", "--years", "old"], 1, "--years"),
        (["recommend", "1", "--data", "no/such/file.csv"], 1, "no/such/file.csv"),
        (["data", "describe", "no/such/file.csv"], 1, "no/such/file.csv"),
        (["data", "get", "no-such-name"], 1, "no-such-name"),
        (["fit", "popularity"], 2, "--output"),
        (["fit", "nonsense", "-o", "folder"], 1, "user-knn"),
        (["fit", "random", "--random-stat", "3"], 2, "--random-state"),
        (["explain", "1"], 2, "item"),
        (["explain", "1", "2", "3"], 2, "one item"),
        (["predict", "1"], 2, "item"),
        (["similar", "1", "2", "3"], 2, "one"),
        (["similar", "1", "1"], 2, "both are user 1; give two different users"),
        (["similar", "heat", "2", "--items"], 2, "both are Heat (1995); give two different items"),
        (["compare", "--model", "nonsense"], 1, "user-knn"),
    ],
)
def test_an_error_is_one_line_on_stderr(run: Run, movies: Path, arguments: list[str], status: int, said: str) -> None:
    takes_data = arguments[0] in ("recommend", "explain", "predict", "similar") and "--data" not in arguments
    answer = run(*arguments, *(["--data", str(movies)] if takes_data else []))
    assert answer.status == status
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert said in answer.err


@pytest.mark.parametrize("arguments", [["--debug", "recommend", "99999"], ["recommend", "99999", "--debug"]])
def test_debug_shows_the_traceback(movies: Path, arguments: list[str]) -> None:
    done = coterie_command(*arguments, "--model", "popularity", "--data", str(movies))
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "UnknownIdError" in done.stderr


def test_an_interrupt_is_quiet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "spelled_out", lambda command, model: _named(command.__name__, interrupted))
    answer = run("doctor")
    assert (answer.status, answer.out, answer.err) == (130, "", "")


def _named(name: str, action: object) -> object:
    def command() -> None:
        action()  # type: ignore[operator]

    command.__name__ = name
    return command


def test_an_error_that_nobody_foresaw_is_one_line_too(run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_label", lambda model: 1 / 0)
    answer = run("recommend", "1", "--model", "popularity", "--data", movies)
    assert answer.status == 1
    assert answer.err == "error: ZeroDivisionError: division by zero (not foreseen; --debug shows where)\n"


def test_remedies_of_the_library_are_said_as_options(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("userId,movieId,rating\n1,10,5\n1,20,bad\n2,10,4\n")
    answer = run("recommend", "1", "--model", "popularity", "--data", file)
    assert answer.status == 1
    assert "--on-error skip" in answer.err
    assert "on_error" not in answer.err


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('use split="random"', "use --split random"),
        ("name them with user=..., item=...", "name them with --user ..., item=..."),
        ("the row is user=1, split='x'", "the row is user=1, split='x'"),
    ],
)
def test_only_options_that_there_are_take_the_place_of_keywords(said: str, shown: str) -> None:
    assert as_options(said, {"--split", "--user"}) == shown


def test_a_reader_that_leaves_early_is_no_error(movies: Path) -> None:
    command = f"{sys.executable} -m coterie recommend 1 -k 20 --model popularity --json --data {movies} | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""


def test_a_terminal_without_the_letters_of_a_title_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\n1,1,4\n2,2,5\n")
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,Amélie (2001),Comedy\n2,八月 (1991),Drama\n", "utf-8")
    asked = ["recommend", "1", "--model", "popularity", "--data", str(tmp_path)]
    done = coterie_command(*asked, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?? (1991)" in done.stdout
    done = coterie_command(*asked, "--json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["recommendations"][0]["title"] == "八月 (1991)"


def test_what_is_piped_has_no_colour_and_keeps_to_the_width(movies: Path) -> None:
    done = coterie_command("recommend", "1", "--model", "popularity", "--data", str(movies), COLUMNS="50")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 50
