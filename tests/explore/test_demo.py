"""The demo runs from end to end, and what it says comes next does work."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

import coterie as ct
from coterie.cli import main
from coterie.cli.demo import run_demo

WORLD = "synthetic:60x50x1200"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The report and what was printed."""
    console = Console(file=io.StringIO(), width=100)
    path = run_demo(tmp_path_factory.mktemp("demo") / "coterie-demo", WORLD, console)
    assert isinstance(console.file, io.StringIO)
    return path, console.file.getvalue()


def test_the_story_has_its_chapters_and_ends_with_the_report(told: tuple[Path, str]) -> None:
    path, story = told
    assert re.findall(r"^(\d)\. ", story, re.MULTILINE) == list("123456")
    assert path.name == "report.html" and "report.html" in story
    assert story.count(" leads with ") == 1 and "failed" not in story


def test_every_recommendation_has_a_reason(told: tuple[Path, str]) -> None:
    _, story = told
    assert len(re.findall(r"^ *\d +\S.* rated ", story, re.MULTILINE)) == 10


def test_the_report_works_out_a_score_and_a_rating_and_compares(told: tuple[Path, str]) -> None:
    page = told[0].read_text(encoding="utf-8")
    for heading in ("Which method is best?", "A stranger comes along"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count("as a sum</h3>") == 2


def test_the_commands_that_the_report_proposes_work(told: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"<pre><code>(.*?)</code></pre>", told[0].read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    *commands, own_file = html.unescape(code[1]).splitlines()
    assert len(commands) == 4 and own_file == "coterie compare my-ratings.csv"
    for command in commands:
        assert main(command.split()[1:]) == 0, f"{command}\n{capsys.readouterr().err}"


def test_where_the_titles_are_others_the_stranger_rated_what_most_rated(told: tuple[Path, str]) -> None:
    x = ct.load(WORLD)
    assert x.catalog is not None
    most_rated = x.catalog.titles([x.interactions.items.ids[x.interactions.item_counts.argmax()]])[0]
    assert f"someone who rated {most_rated} 5" in told[1].replace("\n", " ")
