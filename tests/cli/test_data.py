"""Listing, fetching, checking and describing datasets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import coterie as ct
from coterie.data import builtin, checks
from coterie.data.describe import describe
from tests.cli.conftest import Run


def test_list(run: Run) -> None:
    document = run("data", "list", "--json").document
    assert [row["name"] for row in document["datasets"]] == builtin.names()
    assert all(name in run("data", "list").out for name in builtin.names())


def test_get_keeps_a_dataset_in_the_store(run: Run) -> None:
    document = run("data", "get", "synthetic:60x40x900", "--json").document
    x = ct.load("synthetic:60x40x900").interactions
    assert (document["users"], document["items"], document["ratings"]) == (x.n_users, x.n_items, x.nnz)


def test_get_from_a_zip_that_is_not_the_edition(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ml-100k.zip").write_bytes(b"no archive")
    answer = run("data", "get", "movielens-100k", "--from-zip", tmp_path / "ml-100k.zip")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.count("\n") == 1


def test_an_edition_from_a_zip_is_kept_under_its_name(
    run: Run, movies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once fetched from a file, the name is enough: no network, no file."""
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COTERIE_MOVIELENS_URL", "http://127.0.0.1:9/")
    mine = Path(shutil.make_archive(str(tmp_path / "mine"), "zip", movies))
    x = ct.load(movies, cache=False).interactions

    def stored() -> list[str]:
        return [row["name"] for row in run("data", "list", "--json").document["datasets"] if row["stored_bytes"]]

    assert stored() == []
    assert run("data", "get", "movielens-latest-small", "--from-zip", mine).status == 0
    mine.unlink()
    assert stored() == ["movielens-latest-small"]
    assert ct.load("ml-latest-small").interactions.fingerprint == x.fingerprint


def test_check_is_the_library_s(run: Run, movies: Path) -> None:
    answer = run("data", "check", movies, "--few", "12", "--json")
    report = checks.check(ct.load(movies), min_user_ratings=12)
    assert answer.status == report.exit_status == 0
    assert answer.document["checks"] == report.to_frame().to_dicts()


def test_check_leaves_with_1_where_something_is_an_error(run: Run, movies: Path) -> None:
    answer = run("data", "check", movies, "--scale", "1:5:1")
    assert answer.status == 1
    assert "error" in answer.out
    assert answer.err == ""


def test_describe_is_the_library_s(run: Run, movies: Path) -> None:
    document = run("data", "describe", movies, "--json").document
    expected = describe(ct.load(movies)).to_dict()
    assert {name: document[name] for name in expected} == expected
    assert document["absent"] == ["tags", "genome_tags", "genome_scores"]
    shown = run("data", "describe", movies).out
    assert "rated movies" in shown
    assert "Absent: tags, genome_tags, genome_scores." in shown


def test_times_that_are_no_seconds_are_shown_and_not_a_crash(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ms.csv"
    file.write_text("user,item,rating,timestamp\n1,2,3,1500000000000\n2,2,4,1400000000\n")
    answer = run("data", "describe", file)
    assert answer.status == 0
    assert "2014-05-13" in answer.out and "1,500,000,000,000 (no Unix seconds" in answer.out


def test_an_unreadable_source_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    answer = run("data", "describe", tmp_path)
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.count("\n") == 1
