"""The cache of datasets: built once, mapped ever after, never trusted when damaged."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from coterie.data import store
from coterie.data.dataset import Dataset, LoadReport
from coterie.errors import DataWarning
from coterie.storage import MANIFEST, file_digest
from tests.storage.helpers import assert_same_interactions, make_dataset, make_interactions


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Builder:
    """Makes a dataset and counts how often it was asked to."""

    def __init__(self, make: Callable[[], Dataset] = make_dataset) -> None:
        self.make = make
        self.calls = 0

    def __call__(self) -> Dataset:
        self.calls += 1
        return self.make()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "ratings.csv"
    file.write_text("1,2,3\n")
    os.utime(file, (1e9, 1e9))
    return file


def assert_same_dataset(a: Dataset, b: Dataset) -> None:
    assert (a.name, a.report) == (b.name, b.report)
    assert_same_interactions(a.interactions, b.interactions)
    assert a.catalog is not None
    assert b.catalog is not None
    assert_frame_equal(a.catalog.items, b.catalog.items)
    assert a.catalog.tags is not None
    assert b.catalog.tags is not None
    assert_frame_equal(a.catalog.tags, b.catalog.tags)
    assert a.catalog.genome_tags == b.catalog.genome_tags
    np.testing.assert_array_equal(a.catalog.genome, b.catalog.genome)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [False, True])
def test_the_second_load_is_mapped_and_equal(source: Path, text: bool) -> None:
    build = Builder(lambda: make_dataset(text=text))
    for _ in range(3):
        got = store.cached([source], {"sep": ","}, build)
        assert_same_dataset(got, make_dataset(text=text))
        assert isinstance(got.interactions.values.base, np.memmap)
        assert not got.interactions.values.flags.writeable
    assert build.calls == 1
    one = got.interactions.users.ids[3]
    assert got.interactions.filter(users=[one]).n_users == 1


def test_parts_may_be_absent() -> None:
    for n, made in enumerate([Dataset(None), Dataset(make_interactions(times=False), None, "x", LoadReport("y"))]):
        for _ in range(2):
            got = store.cached([], {"n": n}, lambda made=made: made)  # type: ignore[misc]
            assert got.report == made.report
            assert got.catalog is None
            assert (got.ratings is None) == (made.ratings is None)


def test_names_without_files_are_keyed_by_their_options() -> None:
    build = Builder()
    for options in ({"name": "a", "seed": 0}, {"name": "a", "seed": 1}, {"seed": 0, "name": "a"}):
        store.cached([], options, build)
    assert build.calls == 2


def test_the_key_is_content_name_and_options_not_place(source: Path, tmp_path: Path) -> None:
    build = Builder()
    store.cached([source], {}, build)
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / source.name
    copy.write_bytes(source.read_bytes())
    store.cached([copy], {}, build)
    assert build.calls == 1
    store.cached([source], {"skip": True}, build)
    assert build.calls == 2
    store.cached([source, copy], {}, build)
    assert build.calls == 3
    store.cached([copy.rename(copy.with_suffix(".tsv"))], {}, build)
    assert build.calls == 4


# ---- has a file changed? ---------------------------------------------------------------------------------


@pytest.fixture
def digested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content was read for a digest."""
    names: list[str] = []

    def counted(file: Path, *args: Any) -> str:
        names.append(file.name)
        return file_digest(file, *args)

    monkeypatch.setattr(store, "file_digest", counted)
    return names


def test_an_unchanged_file_is_not_read_again(source: Path, digested: list[str]) -> None:
    build = Builder()
    for _ in range(3):
        store.cached([source], {}, build)
    assert digested == ["ratings.csv"]


def test_a_changed_file_of_the_same_size_and_time_is_noticed(source: Path) -> None:
    build = Builder()
    store.cached([source], {}, build)
    source.write_text("1,2,4\n")
    os.utime(source, (1e9, 1e9))
    store.cached([source], {}, build)
    assert build.calls == 2


def test_a_file_that_was_just_written_is_read_again_next_time(source: Path, digested: list[str]) -> None:
    now = time.time()
    os.utime(source, (now, now))
    for _ in range(2):
        store.cached([source], {}, Builder())
    assert len(digested) == 2
    os.utime(source, (now - 10, now - 10))
    for _ in range(2):
        store.cached([source], {}, Builder())
    assert len(digested) == 3


def test_a_file_that_changes_while_it_is_read_is_not_kept(source: Path) -> None:
    def build() -> Dataset:
        source.write_text("1,2,3\n4,5,6\n")
        return make_dataset()

    with pytest.warns(DataWarning, match="changed while it was read"):
        store.cached([source], {}, build)
    assert store.entries() == []


def test_a_large_file_is_digested_in_pieces(source: Path, monkeypatch: pytest.MonkeyPatch, digested: list[str]) -> None:
    monkeypatch.setattr(store, "_PIECE", 4)
    keys = []
    for content in ("abcdefghij", "abcdefghiJ", "Abcdefghij", "abcdefgh", ""):
        source.write_text(content)
        digested.clear()
        keys.append(store._key([source], {}))
        assert len(digested) == max(1, -(-len(content) // 4))
    assert len(set(keys)) == 5


def test_a_damaged_table_of_digests_only_costs_a_reading(source: Path, own_cache: Path, digested: list[str]) -> None:
    build = Builder()
    table = own_cache / "digests.json"
    for damage in ("{", "[]", json.dumps({str(source): 3}), ""):
        store.cached([source], {}, build)
        assert str(source) in table.read_text()
        table.write_text(damage)
    store.cached([source], {}, build)
    assert build.calls == 1
    assert len(digested) == 5


def test_the_table_forgets_files_that_are_gone(source: Path, tmp_path: Path, own_cache: Path) -> None:
    store.cached([source], {}, Builder())
    other = source.rename(tmp_path / "other.csv")
    store.cached([other], {}, Builder())
    table = (own_cache / "digests.json").read_text()
    assert "other.csv" in table
    assert "ratings.csv" not in table


def test_an_absent_file_is_the_builders_business(tmp_path: Path) -> None:
    def build() -> Dataset:
        raise FileNotFoundError("no such ratings")

    with pytest.raises(FileNotFoundError, match="no such ratings"):
        store.cached([tmp_path / "absent"], {}, build)


# ---- damage and trouble ----------------------------------------------------------------------------------


def test_a_damaged_entry_is_built_again_with_a_warning(source: Path) -> None:
    build = Builder()
    store.cached([source], {}, build)
    (entry,) = store.entries()
    n_files = len([p for p in entry.path.rglob("*") if p.is_file()])
    assert n_files > 8
    for n in range(n_files):
        for damage in (lambda b: b[:-2], lambda b: bytes([*b[:-1], b[-1] ^ 1]), None):
            time.sleep(0.02)  # longer than a tick of the file system's clock
            file = sorted(p for p in entry.path.rglob("*") if p.is_file())[n]
            if damage is None:
                file.unlink()
            else:
                file.write_bytes(damage(file.read_bytes()))
            before = build.calls
            with pytest.warns(DataWarning, match=rf"damaged and is made anew, .*: .*{file.name}") as told:
                got = store.cached([source], {}, build)
            assert "restore" not in str(told[0].message)
            assert build.calls == before + 1
            assert_same_dataset(got, make_dataset())
            store.cached([source], {}, build)
            assert build.calls == before + 1
    assert len(store.entries()) == 1


def test_an_entry_that_was_copied_is_still_used(source: Path, own_cache: Path) -> None:
    build = Builder()
    store.cached([source], {}, build)
    for file in own_cache.rglob("*.npy"):
        os.utime(file)  # other times: the checksums decide
    store.cached([source], {}, build)
    assert build.calls == 1


def test_a_cache_that_cannot_be_written_costs_only_the_cache(source: Path, own_cache: Path) -> None:
    own_cache.write_text("a file where the folder should be")
    with pytest.warns(DataWarning, match="COTERIE_CACHE"):
        got = store.cached([source], {}, make_dataset)
    assert_same_dataset(got, make_dataset())


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX")
def test_a_full_disk_costs_only_the_cache(source: Path, own_cache: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.warns(DataWarning, match="COTERIE_CACHE"):
            got = store.cached([source], {}, make_dataset)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_same_dataset(got, make_dataset())
    assert list((own_cache / "datasets").iterdir()) == []


# ---- looking after it ------------------------------------------------------------------------------------


def test_entries_and_clear(source: Path, own_cache: Path) -> None:
    assert store.entries() == []
    store.cached([source], {"sep": ","}, make_dataset)
    store.cached([], {"name": "x"}, make_dataset)
    mine = own_cache / "datasets" / "my own folder"
    mine.mkdir()
    named = {entry.options.get("name"): entry for entry in store.entries()}
    assert set(named) == {None, "x"}
    entry = named[None]
    assert (entry.name, entry.sources, entry.options, entry.problem) == ("little", [str(source)], {"sep": ","}, "")
    assert entry.bytes == sum(p.stat().st_size for p in entry.path.rglob("*") if p.is_file())
    (named["x"].path / MANIFEST).write_text("{")
    assert "cannot be read" in {e.key: e for e in store.entries()}[named["x"].key].problem
    assert store.clear([entry.key]) == entry.bytes
    assert [e.key for e in store.entries()] == [named["x"].key]
    assert store.clear() > 0
    assert [p.name for p in (own_cache / "datasets").iterdir()] == [mine.name]


def test_the_usual_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COTERIE_CACHE", "~/mine")
    assert store.cache_folder() == Path.home() / "mine"
    monkeypatch.delenv("COTERIE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    expected = {
        "linux": tmp_path / "coterie",
        "darwin": Path.home() / "Library" / "Caches" / "coterie",
        "win32": tmp_path / "local" / "coterie",
    }
    for platform, folder in expected.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert store.cache_folder() == folder
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert store.cache_folder() == Path.home() / ".cache" / "coterie"
