"""Conditions on the command line, and critiques at once and as a conversation."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import coterie as ct
from coterie.content.constraints import conditions
from tests.cli.conftest import Run

TAGS = ("dark", "funny", "slow")


@pytest.fixture(scope="module")
def genomed(movies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of movies with a genome of three tags: the first 12 have it, film n darker than film n - 1."""
    folder = tmp_path_factory.mktemp("genome") / "movies"
    folder.mkdir()
    for name in ("movies.csv", "ratings.csv"):
        (folder / name).write_text((movies / name).read_text())
    lines = ["tagId,tag", *(f"{place},{tag}" for place, tag in enumerate(TAGS, 1))]
    (folder / "genome-tags.csv").write_text("\n".join(lines) + "\n")
    lines = ["movieId,tagId,relevance"]
    for item in range(1, 13):
        for tag, relevance in ((1, item / 12), (2, 1 - item / 24), (3, (item * 5 % 12) / 12)):
            lines.append(f"{item},{tag},{relevance:.4f}")
    (folder / "genome-scores.csv").write_text("\n".join(lines) + "\n")
    return folder


# ---- conditions ----------------------------------------------------------------------------------------


def test_every_condition_is_an_option(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    for command in ("recommend", "critique", "ask", "group", "cohorts"):
        text = run(command, "--help").out
        assert "What may be recommended" in text
        for condition in conditions().values():
            assert f"--{condition.option} " in text or not condition.option


def test_conditions_are_those_of_the_library(run: Run, genomed: Path) -> None:
    said = ["--genre", "comedy", "--not-genre", "drama", "--years", "-1999"]
    answer = run("recommend", "1", "--model", "popularity", "--data", genomed, *said)
    assert answer.status == 1  # all comedies are dramas too
    assert "without 'not genre Drama'" in answer.err
    said = ["--genre", "comedy", "--years", "1990-", "--tag", "dark>=0.4", "--not-tag", "dark<=0.8"]
    whole = [*said, "--min-ratings", "3", "--include-seen", "--json"]
    document = run("recommend", "1", "--model", "popularity", "--data", genomed, *whole).document
    wanted = ct.Constraints(
        genres="comedy", years=(1990, None), tags={"dark": 0.4}, not_tags={"dark": 0.8}, min_ratings=3
    )
    assert ct.Constraints.from_dict(document["constraints"]) == wanted
    ds = ct.load(genomed)
    model = ct.Popularity().fit(ds.interactions, ds.catalog)
    found = model.recommend(1, exclude_seen=False, candidates=wanted)
    assert [row["item"] for row in document["recommendations"]] == found["item"].to_list() == [5, 9]
    stranger = run("recommend", "--rated", "Heat=5", "--model", "popularity", "--data", genomed, *whole).document
    assert {row["item"] for row in stranger["recommendations"]} == {5, 9}


def test_what_cannot_be_is_said_with_what_to_relax(run: Run, genomed: Path) -> None:
    command = ("recommend", "1", "-m", "popularity", "-d", genomed, "--years", "1954", "--tag", "dark>=0.9")
    answer = run(*command)
    assert answer.status == 1
    error = run(*command, "--json").document["error"]
    assert error["kind"] == "NothingFitsError"
    assert error["relaxations"][0]["leave_out"]
    assert answer.err.count("\n") == 1
    for words in ("year 1954", "dark at least 0.9", "1 item (Sabrina (1954))", "'relevance of dark at least 0.25'"):
        assert words in answer.err
    assert "nearest are 'Comedy'" in run("recommend", "1", "-m", "popularity", "-d", genomed, "--genre", "Comdy").err
    assert "nearest are 'dark'" in run("recommend", "1", "-m", "popularity", "-d", genomed, "--tag", "drak>=0.5").err
    assert "--tag takes" in run("recommend", "1", "-m", "popularity", "-d", genomed, "--tag", "dark").err


def test_whoever_has_seen_all_of_it_is_told(run: Run, genomed: Path) -> None:
    answer = run("recommend", "1", "--model", "popularity", "--data", genomed, "--candidate", "1", "--genre", "Comedy")
    assert answer.status == 0
    assert "all that was asked for (1 item) was rated already" in answer.out


def test_a_fitted_model_takes_conditions(run: Run, genomed: Path, tmp_path: Path) -> None:
    run("fit", "popularity", genomed, "-o", tmp_path / "kept")
    said = ["--genre", "Comedy", "--min-ratings", "1", "--diversity", "0.2", "--json"]
    rows = run("recommend", "1", "--model", tmp_path / "kept", *said).document["recommendations"]
    assert rows
    assert all(row["item"] % 2 for row in rows)


# ---- critiques -----------------------------------------------------------------------------------------


def test_without_critiques_the_tags_are_shown(run: Run, genomed: Path) -> None:
    answer = run("critique", genomed, "heat", "--json")
    catalog = ct.load(genomed).catalog
    assert answer.document["offered"] == ct.Critique(2, catalog).offered().to_dicts()
    assert (answer.document["item"], answer.document["title"]) == (2, "Heat (1995)")
    assert "What may be asked of Heat (1995)" in run("critique", genomed, "2").out


def test_critiques_are_those_of_the_library(run: Run, genomed: Path) -> None:
    said = ["--more", "DARK", "--less", "funny", "-k", "3", "--for", "1", "--years", "1900-2000", "--json"]
    document = run("critique", genomed, "Heat", *said).document
    ds = ct.load(genomed)
    critique = ct.Critique(2, ds.catalog, user=1, ratings=ds.interactions).less("funny").more("dark")
    assert document["recommendations"] == critique.recommend(3, ct.Constraints(years=(1900, 2000))).to_dicts()
    assert document["critiques"] == ["less funny", "more dark"]
    assert document["constraints"] == {"years": [1900, 2000]}
    document = run("critique", genomed, "Heat", *said, "--model", "popularity", "--satisfaction", "linear").document
    assert {"preference", "more dark"} <= set(document["recommendations"][0])


def test_what_a_critique_cannot_do_is_said(run: Run, genomed: Path, movies: Path) -> None:
    for arguments, status, words in (
        ((movies, "Heat"), 1, "tag genome"),
        ((genomed, "20"), 1, "has no tag genome; 12 of the 24"),
        ((genomed, "Heat", "--less", "funy"), 1, "'funny'"),
        ((genomed, "1", "--less", "dark"), 1, "no item satisfies all of: less dark"),
        ((genomed, "Heat", "--model", "popularity"), 2, "--for"),
        ((genomed, "Heat", "--for", "1", "--model", "nowhere"), 1, "neither a folder nor a model"),
        ((genomed, "Heat", "--for", "999", "--more", "dark"), 1, "999"),
        ((genomed, "Heat", "--chat", "--json"), 2, "--chat"),
    ):
        answer = run("critique", *arguments)
        assert (answer.status, answer.out) == (status, ""), arguments
        assert words in answer.err


def test_a_conversation(run: Run, genomed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["more dark", "", "pick 1", "less bogus", "less dark", "hm", "undo", "undo", "pick sabrina (1954)"]
    said += ["pick id:20", "tags", "quit", "more dark"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(said)))
    answer = run("critique", genomed, "Heat", "--chat", "-k", "2")
    assert answer.status == 0
    heads = [line for line in answer.out.splitlines() if line.startswith(("What may", "Like "))]
    first = ct.Critique(2, ct.load(genomed).catalog).more("dark").recommend(1)["title"][0]
    assert heads == [
        "What may be asked of Heat (1995)",
        "Like Heat (1995), but more dark",
        f"What may be asked of {first}",
        f"Like {first}, but less dark",
        f"What may be asked of {first}",
        "Like Heat (1995), but more dark",
        "What may be asked of Sabrina (1954)",
    ]
    complaints = answer.err.splitlines()
    assert len(complaints) == 3
    assert "bogus" in complaints[0]
    assert "not understood: 'hm'" in complaints[1]
    assert "has no tag genome" in complaints[2]


def test_a_conversation_ends_with_its_input(run: Run, genomed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("more dark"))
    answer = run("critique", genomed, "Heat", "--chat")
    assert answer.status == 0
    assert "but more dark" in answer.out


def test_a_number_is_a_row_and_no_id(run: Run, genomed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["pick 3", "more dark", "pick 11", "pick 0", "pick id:11", "quit"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(said)))
    answer = run("critique", genomed, "Heat (1995)", "--chat", "-k", "2")
    assert [line.split(",")[0] for line in answer.err.splitlines()] == [
        "error: there is no row 3",
        "error: there is no row 11",
        "error: there is no row 0",
    ]
    assert "no list is shown" in answer.err.splitlines()[0]
    assert "there are 2 rows; an item with this id is id:11" in answer.err.splitlines()[1]
    heads = [line for line in answer.out.splitlines() if line.startswith(("What may", "Like "))]
    assert heads[-1] == f"What may be asked of {ct.load(genomed).catalog.titles([11])[0]}"
    assert len(heads) == 3
