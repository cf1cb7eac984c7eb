"""Listing, fetching, checking and describing datasets."""

from __future__ import annotations

from pathlib import Path

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


def test_an_unreadable_source_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    answer = run("data", "describe", tmp_path)
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.count("\n") == 1
