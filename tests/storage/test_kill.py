"""kill -9 at every step and at random moments; several processes at once. Old or new, whole, never between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coterie.data import store
from coterie.data.dataset import Dataset
from coterie.errors import ArtifactError
from coterie.models.registry import load_model
from tests.storage import crash
from tests.storage.helpers import assert_same_interactions

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed by POSIX means")


def run(scenario: str, folder: Path) -> list[Path]:
    command = [sys.executable, str(Path(__file__).with_name("crash.py")), scenario, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return sorted((p for p in folder.iterdir() if p.is_dir() and p.name.isdigit()), key=lambda p: int(p.name))


def test_a_first_save_that_is_killed_leaves_nothing_or_the_model(tmp_path: Path) -> None:
    places = run("fresh", tmp_path)
    assert len(places) > 10
    there = [(place / "model").exists() for place in places]
    assert there == sorted(there), "once it is there, it stays"
    assert not there[0]
    assert there[-1]
    for place in places:
        if (place / "model").exists():
            assert crash.mark_of(place / "model") == 2
        else:
            with pytest.raises(ArtifactError, match="there is no coterie-model"):
                load_model(place / "model")
        crash.model(3).save(place / "model")  # and the next save is not in its way
        assert crash.mark_of(place / "model") == 3


def test_a_save_over_another_that_is_killed_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    places = run("replace", tmp_path)
    marks = [crash.mark_of(place / "model") for place in places]
    assert marks == sorted(marks)
    assert {1, 2} == set(marks)
    generations = [p.name for p in (places[-1] / "model").iterdir()]
    assert len(generations) == 2, f"the old content is removed: {generations}"


def test_killed_at_random(tmp_path: Path) -> None:
    for place in run("random", tmp_path):
        assert crash.mark_of(place / "model") in (1, 2)


def test_a_store_whose_builder_is_killed_builds_again_or_has_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "ratings.csv"
    source.write_text("1,1,1\n")
    os.utime(source, (1e9, 1e9))
    built = []

    def build() -> Dataset:
        built.append(1)
        return crash.dataset()

    places = run("store", tmp_path)
    for place in places:
        monkeypatch.setenv("COTERIE_CACHE", str(place / "cache"))
        got = store.cached([source], {"a": 1}, build)
        assert_same_interactions(got.interactions, crash.dataset().interactions)
        count = len(built)
        store.cached([source], {"a": 1}, build)
        assert len(built) == count, "and now it is kept"
    assert 0 < len(built) < len(places)


def test_two_savers_and_a_reader_at_once(tmp_path: Path) -> None:
    run("savers", tmp_path)
    assert crash.mark_of(tmp_path) in (1, 2)


def test_four_builders_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "ratings.csv").write_text("1,1,1\n")
    run("builders", tmp_path)
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "place" / "cache"))
    assert [entry.problem for entry in store.entries()] == [""]
    got = store.cached([tmp_path / "ratings.csv"], {"a": 1}, pytest.fail)  # type: ignore[arg-type]
    assert_same_interactions(got.interactions, crash.dataset().interactions)
