"""Comparing models from the command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import coterie as ct
from coterie.cli import judging
from coterie.evaluation.metrics.registry import METRICS
from coterie.evaluation.splits import SPLITS
from coterie.models.registry import MODELS
from tests.cli.conftest import Run

OPTIONS = ["--split", "random", "--metric", "ndcg@5", "--metric", "rmse", "--seed", "3"]


def test_compare_is_the_library_s(run: Run, movies: Path) -> None:
    models = ["-m", "popularity", "-m", "user-knn", "--n-neighbors", "4", "-m", "user-knn", "--n-neighbors", "9"]
    document = run("compare", movies, *models, *OPTIONS, "--json").document
    board = ct.compare(
        ct.load(movies),
        models=["popularity", ct.UserKNN(n_neighbors=4), ct.UserKNN(n_neighbors=9)],
        split="random",
        metrics=["ndcg@5", "rmse"],
        random_state=3,
        progress=False,
    )
    expected = board.to_dict()
    assert document["words"] == expected["words"]
    costs = ("fit_seconds", "recommend_seconds", "predict_seconds", "peak_bytes")
    timeless = [[{k: v for k, v in row.items() if k not in costs} for row in d["rows"]]
                for d in (document, expected)]  # fmt: skip
    assert timeless[0] == timeless[1]


def test_without_models_all_are_compared(run: Run, movies: Path) -> None:
    rows = run("compare", movies, *OPTIONS, "--json").document["rows"]
    assert {row["model"] for row in rows} == set(MODELS)
    errors = {row["model"]: row["error"] for row in rows if row["error"]}
    assert list(errors) == ["tag-knn"] and "the catalog has no tags; use features from genres" in errors["tag-knn"]


def test_the_table_names_what_it_compared(run: Run, movies: Path) -> None:
    shown = run("compare", movies, "-m", "popularity", "-m", "random", "--random-state", "5", *OPTIONS).out
    assert "popularity" in shown
    assert "random_state=5" in shown
    assert "leads" in shown


@pytest.mark.parametrize("width", [40, 50, 70, 80])
def test_models_keep_their_names_on_a_narrow_terminal(
    run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("compare", movies, "-m", "popularity", "-m", "item-knn", "--n-neighbors", "5", "--split", "random").out
    assert {"popularity", "item-knn", "n_neighbors=5", "ndcg"} <= set(shown.split())
    assert max(map(len, shown.splitlines())) <= width


def test_models_are_named_in_one_word_or_one_by_one(run: Run, movies: Path) -> None:
    several = ["--models", "popularity,random", "-m", "random", "-m", "user-knn", "--n-neighbors", "4"]
    rows = run("compare", movies, *several, *OPTIONS, "--json").document["rows"]
    assert {row["model"] for row in rows} == {"popularity", "random", "user-knn(n_neighbors=4)"}
    answer = run("compare", movies, "--models", "popularity,nothing")
    assert answer.status == 1 and "unknown model 'nothing'; there are random, " in answer.err


def test_metrics_are_named_in_one_word_or_one_by_one(run: Run, movies: Path) -> None:
    words = ["--metric", "ndcg@3,rmse", "--metric", "recall@2", "--split", "random"]
    document = run("compare", movies, "--models", "popularity", *words, "--json").document
    assert [metric["name"] for metric in document["metrics"]] == ["ndcg@3", "rmse", "recall@2"]


def test_the_table_as_csv_and_as_a_page(run: Run, movies: Path, tmp_path: Path) -> None:
    csv, html = tmp_path / "new" / "board.csv", tmp_path / "board.html"
    document = run(
        "compare", movies, "--models", "popularity,random", *OPTIONS, "--json", "--csv", csv, "--html", html
    ).document
    frame = pl.read_csv(csv)
    assert frame["model"].to_list() == [row["model"] for row in document["rows"]]
    assert frame["p_value"].to_list() == [row["metrics"]["ndcg@5"]["p_value"] for row in document["rows"]]
    assert {"fit_seconds", "recommend_seconds", "peak_bytes", "model_bytes", "mean_popularity"} <= set(frame.columns)
    text = html.read_text("utf-8")
    assert all(sentence in text for sentence in document["words"]) and "<img" in text


def test_a_model_over_the_budget_is_a_row_and_the_others_go_on(run: Run, movies: Path) -> None:
    slow = ["-m", "bayesian-mf", "--n-burn-in", "100000"]
    answer = run("compare", movies, "--models", "popularity", *slow, *OPTIONS, "--budget", "3s")
    assert answer.status == 0 and "popularity leads" in answer.out
    assert "ran over the budget of 3 s" in " ".join(answer.out.split())
    assert run("compare", movies, "--budget", "soon").err.startswith("error: budget must be a time such as 90s")
    assert "--budget 10m" in run("compare", movies, "--tune").err


def test_what_is_sampled_is_in_the_name(run: Run, movies: Path) -> None:
    document = run("compare", movies, "--models", "popularity", "--sampled", 5, *OPTIONS, "--json").document
    assert [metric["name"] for metric in document["metrics"]] == ["ndcg@5 (sampled 5)", "rmse"]


def test_findings_stand_below_the_table_worst_first(run: Run, movies: Path) -> None:
    answer = run("compare", movies, "--models", "popularity", *OPTIONS)
    lines = answer.out.splitlines()
    warned = [at for at, line in enumerate(lines) if line.startswith("warning: ")]
    noted = next(at for at, line in enumerate(lines) if line.startswith("Lists are judged for"))
    assert warned and max(warned) < noted
    assert "--split" in answer.out and 'split="' not in answer.out


@pytest.mark.parametrize("width", [50, 80, 100, 160])
def test_a_narrow_terminal_shows_further_metrics_below(
    run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("compare", movies, "--models", "popularity,co-clustering", "--split", "random").out
    assert max(map(len, shown.splitlines())) <= width
    heads = [block.split() for block in re.split("─{9,}", shown)]
    assert {"ndcg", "leader", "fit", "list"} <= set(heads[0])
    assert ("coverage" in heads[0]) == (width > 80)
    columns = {"ndcg", "recall", "precision", "coverage", "rmse", "memory"}
    assert columns <= {word for head in heads[:-1] for word in head}
    assert "wider" not in shown
    assert shown.count("popularity") >= (2 if width <= 80 else 1)


def test_without_a_terminal_every_finished_model_is_a_line(run: Run, movies: Path) -> None:
    answer = run("compare", movies, "--models", "popularity,random", *OPTIONS)
    lines = answer.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["popularity", "random"]
    assert re.fullmatch(r"popularity: ndcg@5 0\.\d{4}, fitted in \S+ s \(1 of 2\)", lines[0])
    assert run("compare", movies, "--models", "popularity,random", *OPTIONS, "--json").err == ""


# ---- Ctrl-C ------------------------------------------------------------------------------------------------

# The command itself, with one more model: one that waits as long as a file is there.
WAITING = """
import sys, time, types
from pathlib import Path
from coterie.cli import main
from coterie.models import registry
from coterie.models.baselines import Popularity

class Waits(Popularity):
    name = "waits"
    def _fit(self, train, catalog):
        while train.n_users > 24 and Path(sys.argv[1]).exists():
            time.sleep(0.02)
        super()._fit(train, catalog)

module = types.ModuleType("coterie.models.waits")
module.Waits = Waits
sys.modules["coterie.models.waits"] = module
registry.MODELS["waits"] = ("waits", "Waits")
sys.exit(main(sys.argv[2:]))
"""


def test_ctrl_c_shows_what_is_done_and_the_same_command_goes_on(movies: Path, tmp_path: Path) -> None:
    gate, cache = tmp_path / "gate", tmp_path / "cache"
    gate.touch()
    words = ["compare", str(movies), "--models", "popularity,random", "-m", "waits", "-m", "bias", *OPTIONS]
    command = [sys.executable, "-c", WAITING, str(gate), *words]
    environment = os.environ | {"COTERIE_CACHE": str(cache), "COLUMNS": "200"}
    first = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, encoding="utf-8"
    )
    kept = cache / "comparisons"
    try:
        end = time.monotonic() + 120
        while len(list(kept.glob("*/*/manifest.json"))) < 2:  # popularity and random are done
            assert first.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.3)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
    finally:
        first.kill()
    assert first.returncode == 130
    assert "popularity" in out and "Interrupted; not compared: waits and bias." in out
    *done, last = err.splitlines()
    assert [line.split(":")[0] for line in done] == ["popularity", "random"]
    assert last == "interrupted: 2 of 4 models are done; the same command goes on from there"
    assert len(list(kept.glob("*/*/manifest.json"))) == 2

    gate.unlink()
    again = subprocess.run(command, capture_output=True, text=True, env=environment, encoding="utf-8", timeout=120)
    assert again.returncode == 0, again.stderr
    taken = next(line for line in again.stdout.splitlines() if line.startswith("Taken from an earlier run: "))
    assert set(taken.removeprefix("Taken from an earlier run: ").rstrip(".").split(" and ")) == {"popularity", "random"}
    assert {"waits", "bias"} <= set(again.stdout.split())
    assert list(kept.iterdir()) == []  # it has ended, so nothing is kept


def test_lists_made_again_are_contestants_too(run: Run, movies: Path) -> None:
    """Options of lists follow the model whose lists they are about, and may be repeated."""
    answer = run(
        "compare", movies, "-m", "ease", "-m", "ease", "--diversity", "0.3", "-m", "ease", "--never", "Comedy",
        "--never", "heat", "--at-most", "Drama=3", "--split", "random", "--json",
    )  # fmt: skip
    assert answer.status == 0, answer.err
    labels = {row["model"] for row in answer.document["rows"]}
    assert labels == {
        "ease",
        "reranked(ease, diversity=0.3)",
        "reranked(ease, never=('Comedy', 2), at_most={'Drama': 3})",
    }


def test_a_split_of_two_files_is_taken_as_it_is(run: Run, tmp_path: Path) -> None:
    rows = [f"{u},{i},{(u * i) % 5 + 1}" for u in range(1, 31) for i in range(1, 13) if (u + i) % 3]
    head, (train, test) = "user,item,rating", (tmp_path / "train.csv", tmp_path / "test.csv")
    train.write_text("\n".join([head, *rows[:-60], rows[-1]]) + "\n")
    test.write_text("\n".join([head, *rows[-60:], "99,1,5"]) + "\n")
    options = [
        "--user",
        "user",
        "--item",
        "item",
        "--rating",
        "rating",
        "-m",
        "popularity",
        "--metric",
        "rmse",
        "-m",
        "bias",
    ]
    refused = run("compare", train, "--test", test, *options)
    assert refused.status == 1 and "also a training rating" in refused.err
    board = run("compare", train, "--test", test, "--overlap", "drop", *options, "--json").document
    (split,) = board["splits"] if "splits" in board else [board["split"]]
    assert split["description"].startswith("training and test ratings as supplied")
    assert any("left out" in what for what in split["dropped"])
    both = run("compare", train, "--test", test, "--split", "random", *options)
    assert both.status == 1 and "give one of the two" in both.err


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path]:
    """Two files: the second has ten ratings of the first, and others that are older than some of the first."""
    rows = [f"{u},{i},{(u * i) % 5 + 1},{1000 * u + i}" for u in range(1, 31) for i in range(1, 13) if (u + i) % 3]
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("\n".join(["user,item,rating,timestamp", *rows[:60], *rows[100:]]) + "\n")
    test.write_text("\n".join(["user,item,rating,timestamp", *rows[50:100]]) + "\n")
    return train, test


def test_leaks_of_one_s_own_files_may_be_allowed(run: Run, parts: tuple[Path, Path]) -> None:
    train, test = parts
    command = ["compare", train, "--test", test, "--models", "popularity", "--metric", "rmse,ndcg@5", "-m", "bias"]
    refused = run(*command)
    assert refused.status == 1 and "10 test ratings are also training ratings" in refused.err
    assert "--overlap drop leaves them out" in refused.err and "--allow-leaks to compare all the same" in refused.err
    allowed = run(*command, "--allow-leaks", "--json")
    assert allowed.status == 0, allowed.err
    first = allowed.document["findings"][0]
    assert first["severity"] == "error" and "--overlap drop" in first["message"]
    dropped = run(*command, "--overlap", "drop", "--json").document
    assert dropped["split"]["test_ratings"] == allowed.document["split"]["test_ratings"] - 10


def test_a_split_of_one_s_own_may_be_said_to_be_by_time(run: Run, parts: tuple[Path, Path]) -> None:
    train, test = parts
    command = ["compare", train, "--test", test, "--overlap", "drop", "--models", "popularity", "--metric", "ndcg@5"]
    assert run(*command).status == 0
    refused = run(*command, "--timed")
    assert refused.status == 1 and "not earlier than the first test rating" in refused.err
    allowed = run(*command, "--timed", "--allow-leaks", "--json")
    assert "not earlier" in allowed.document["findings"][0]["message"]
    for option in (["--timed"], ["--overlap", "drop"]):
        alone = run("compare", train, "--models", "popularity", *option)
        assert alone.status == 1 and f"{option[0]} is about a test file of your own; give --test FILE too" in alone.err


def test_models_that_are_none_are_refused(run: Run, movies: Path) -> None:
    for text in (",", " ", ""):
        answer = run("compare", movies, "--models", text, *OPTIONS)
        assert answer.status == 1 and "names no model" in answer.err


def test_remedies_are_options_wherever_they_are_shown(run: Run, movies: Path, tmp_path: Path) -> None:
    page = tmp_path / "board.html"
    command = ["compare", movies, "--models", "popularity", "--split", "each-user", "--metric", "ndcg@5"]
    document = run(*command, "--html", page, "--json").document
    said = " ".join(finding["message"] for finding in document["findings"])
    for text in (said, page.read_text(encoding="utf-8"), run(*command).out.replace("\n", " ")):
        assert "--split time" in text and "split=" not in text


def test_the_help_names_every_split_and_every_metric() -> None:
    words = set(re.findall(r"[a-z0-9_@-]+", judging.SPLITS))
    assert {*SPLITS} - {"k-fold"} <= words  # a search takes one split, so this stands elsewhere
    assert set(METRICS) <= (named := set(re.findall(r"[a-z0-9_@]+", judging.METRICS)))
    assert named - set(METRICS) == {"and", "as", "cut", "in", "lists", "ndcg@10", "of", "ratings"}
