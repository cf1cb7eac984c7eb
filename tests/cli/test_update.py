"""A fitted model in a folder takes in new ratings."""

from __future__ import annotations

from pathlib import Path

import coterie as ct
from tests.cli.conftest import N_USERS, Run

NEW = "userId,movieId,rating,timestamp\n1,2,4.5,1000900000\n1,1,3.5,1000900001\n999,3,5.0,1000900002\n"


def test_update_is_the_library_s(run: Run, movies: Path, tmp_path: Path) -> None:
    file, first, second = tmp_path / "new.csv", tmp_path / "first", tmp_path / "second"
    file.write_text(NEW)
    assert run("fit", "item-knn", movies, "-o", first).status == 0
    before = ct.load_model(first)
    answer = run("update", first, file, "-o", second, "--json")
    assert (answer.status, answer.err) == (0, "")
    assert answer.document["added"] == {"users": 1, "items": 0, "ratings": 2}
    assert answer.document["replaced"] == 1
    assert answer.document["fitted_to"]["users"] == N_USERS + 1
    expected = before.train_.merge(ct.load(file).interactions).fingerprint
    assert ct.load_model(second).train_.fingerprint == expected
    assert ct.load_model(first).train_.fingerprint == before.train_.fingerprint
    words = run("update", first, file).out
    assert "1 new user, 0 new items, 2 new ratings, 1 rating replaced" in " ".join(words.split())
    assert ct.load_model(first).train_.fingerprint == expected


def test_update_says_what_it_lacks(run: Run, movies: Path, tmp_path: Path) -> None:
    assert run("update", tmp_path / "model").status == 2
    answer = run("update", tmp_path / "model", movies)
    assert (answer.status, answer.out) == (1, "") and answer.err.count("\n") == 1
