"""The folder of arrays and tables: what goes in comes out; what is damaged, foreign or newer is refused."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coterie import storage
from coterie.errors import ArtifactError
from coterie.storage import (
    MANIFEST,
    Parts,
    read_folder,
    read_manifest,
    reading,
    remove_stale,
    write_folder,
    writing,
)
from coterie.storage.manifest import checksum_of

KIND = "coterie-test"


def some_parts() -> dict[str, Any]:
    return {"a": np.arange(1000), "b": pl.DataFrame({"x": ["é", None], "y": [[1.5], []]}), "c": np.zeros((0, 4))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path / "f", KIND, {"m": 1}, some_parts())
    return tmp_path / "f"


def content(folder: Path) -> Path:
    return folder / read_manifest(folder, KIND)["generation"]


def rewrite(folder: Path, **changes: Any) -> None:
    """Change a manifest and give it the right checksum, as a newer version or someone hostile would."""
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    manifest["checksum"] = checksum_of(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


# ---- there and back --------------------------------------------------------------------------------------


@given(
    hnp.arrays(
        st.sampled_from(
            [np.bool_, np.int8, np.int32, np.uint64, np.float16, np.float32, np.float64, np.complex64, ">i4"]
        ),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    ),
    st.sampled_from(["C", "F", "strided", "reversed"]),
)
def test_an_array_comes_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, array: Any, layout: str) -> None:
    if layout == "F":
        array = np.asfortranarray(array)
    elif array.ndim and layout != "C":
        array = array[::2] if layout == "strided" else array[::-1]
    place = tmp_path_factory.mktemp("array") / "f"
    write_folder(place, KIND, None, {"a": array})
    got = read_folder(place, KIND).parts["a"]
    assert type(got) is np.ndarray
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert got.tobytes() == array.tobytes()
    assert not got.flags.writeable
    if layout in ("C", "F"):
        assert got.flags.f_contiguous == array.flags.f_contiguous


def test_tables_and_meta_come_back(folder: Path) -> None:
    stored = read_folder(folder, KIND)
    assert stored.meta == {"m": 1}
    table = stored.parts["b"]
    assert isinstance(table, pl.DataFrame)
    assert table.equals(some_parts()["b"])
    assert stored.size == sum(p.stat().st_size for p in content(folder).iterdir())


def test_arrays_are_mapped_not_read(folder: Path) -> None:
    array = read_folder(folder, KIND).parts["a"]
    assert isinstance(array, np.ndarray)
    assert isinstance(array.base, np.memmap)


def test_one_array_under_two_names_is_stored_once() -> None:
    parts = Parts()
    array = np.arange(6)
    assert [parts.add("a", array), parts.add("b", array[:]), parts.add("c", array[:3])] == ["a", "a", "c"]
    assert list(parts) == ["a", "c"]


def test_names_that_differ_only_in_case_get_files_of_their_own(tmp_path: Path) -> None:
    write_folder(tmp_path / "f", KIND, None, {"x": np.zeros(1), "X": np.ones(1), "é/..": np.full(1, 2)})
    parts = read_folder(tmp_path / "f", KIND).parts
    assert [float(np.asarray(parts[name])[0]) for name in ("x", "X", "é/..")] == [0, 1, 2]
    files = [p.name.lower() for p in content(tmp_path / "f").iterdir()]
    assert len(set(files)) == 3


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    write_folder(tmp_path / "link", KIND, {"m": 2}, {})
    assert (tmp_path / "link").is_symlink()
    assert read_folder(folder, KIND).meta == {"m": 2}


def test_objects_are_refused_and_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="object"):
        write_folder(tmp_path / "f", KIND, None, {"good": np.arange(3), "bad": np.array([{}], object)})
    assert list(tmp_path.iterdir()) == []


# ---- damage ----------------------------------------------------------------------------------------------


def test_damage_to_any_file_is_refused_with_its_name(folder: Path) -> None:
    for file in sorted(content(folder).iterdir()):
        whole = file.read_bytes()
        flips = {0, 7, len(whole) // 2, len(whole) - 1}
        damaged = [bytes([*whole[:at], whole[at] ^ 4, *whole[at + 1 :]]) for at in sorted(flips)]
        damaged += [b"", whole[: len(whole) // 2], whole[:-1], whole + b"\0"]
        for bad in damaged:
            file.write_bytes(bad)
            for verify in ("all", "changed"):
                with pytest.raises(ArtifactError, match=file.name.replace(".", r"\.")):
                    read_folder(folder, KIND, verify)  # type: ignore[arg-type]
        file.unlink()
        with pytest.raises(ArtifactError, match=f"{file.name} is missing"):
            read_folder(folder, KIND, "sizes")
        file.mkdir()
        with pytest.raises(ArtifactError, match="not a regular file"):
            read_folder(folder, KIND, "sizes")
        file.rmdir()
        file.write_bytes(whole)
        read_folder(folder, KIND)


def test_a_table_that_was_swapped_for_noise_is_refused_without_checksums_too(folder: Path) -> None:
    file = content(folder) / "b.arrow"
    file.write_bytes(b"\xff" * file.stat().st_size)
    with pytest.raises(ArtifactError, match=r"b\.arrow"):
        read_folder(folder, KIND, "sizes")


def test_damage_to_any_byte_of_the_manifest_is_refused_or_harmless(folder: Path) -> None:
    file = folder / MANIFEST
    whole = file.read_bytes()
    manifest = read_manifest(folder, KIND)
    for at in range(len(whole)):
        file.write_bytes(bytes([*whole[:at], whole[at] ^ (1 << at % 8), *whole[at + 1 :]]))
        try:
            assert read_manifest(folder, KIND) == manifest
        except ArtifactError:
            continue
    for end in (0, 1, len(whole) // 2, len(whole) - 3):
        file.write_bytes(whole[:end])
        with pytest.raises(ArtifactError):
            read_folder(folder, KIND)
    file.unlink()
    with pytest.raises(ArtifactError, match=r"manifest\.json is missing"):
        read_folder(folder, KIND)


def test_an_extra_file_is_harmless(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    (content(folder) / "extra.npy").write_text("?")
    read_folder(folder, KIND)
    write_folder(folder, KIND, {"m": 2}, {})
    assert (folder / "notes.txt").read_text() == "mine"


# ---- foreign, newer, hostile -----------------------------------------------------------------------------


def test_what_is_not_ours_is_refused_by_the_reader(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ArtifactError, match="there is no coterie-test"):
        read_folder(tmp_path / "absent", KIND)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="is a file"):
        read_folder(tmp_path / "file", KIND)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="Coterie did not write it"):
        read_folder(tmp_path / "empty", KIND)
    (tmp_path / "empty" / MANIFEST).write_text('{"name": "a web page"}')
    with pytest.raises(ArtifactError, match="was not written by Coterie"):
        read_folder(tmp_path / "empty", KIND)
    with pytest.raises(ArtifactError, match="is a coterie-test, not a coterie-other"):
        read_folder(folder, "coterie-other")


def test_a_newer_format_is_refused(folder: Path) -> None:
    rewrite(folder, format=storage.FORMAT + 1, coterie="9.9")
    with pytest.raises(ArtifactError, match=r"Coterie 9\.9 in format 2; .* upgrade"):
        read_folder(folder, KIND)


def test_what_is_not_ours_is_not_written_over(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="is a file"):
        write_folder(tmp_path / "file", KIND, None, {})
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter1.tex").write_text("x")
    with pytest.raises(ArtifactError, match=r"did not write \(chapter1\.tex\)"):
        write_folder(foreign, KIND, None, {})
    (foreign / "chapter1.tex").rename(foreign / MANIFEST)
    with pytest.raises(ArtifactError, match="not written by Coterie"):
        write_folder(foreign, KIND, None, {})
    assert [p.name for p in foreign.iterdir()] == [MANIFEST]
    with pytest.raises(ArtifactError, match="holds a coterie-test, not a coterie-other"):
        write_folder(folder, "coterie-other", None, {})
    read_folder(folder, KIND)


def test_a_damaged_folder_of_ours_can_be_written_again(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")
    write_folder(folder, KIND, {"m": 3}, some_parts())
    assert read_folder(folder, KIND).meta == {"m": 3}


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (Path(self.path),))


def test_a_pickle_is_never_loaded(tmp_path: Path, folder: Path) -> None:
    file = content(folder) / "a.npy"
    np.save(file, np.array([Bomb(str(tmp_path / "boom"))], object), allow_pickle=True)
    files = read_manifest(folder, KIND)["files"]
    files["a"] |= {"bytes": file.stat().st_size, "sha256": storage.file_digest(file)}
    rewrite(folder, files=files)
    with pytest.raises(ArtifactError, match="never unpickles"):
        read_folder(folder, KIND)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("name", ["../../a.npy", "/etc/passwd", "a.pkl", "", None])
def test_a_manifest_cannot_point_outside(folder: Path, name: Any) -> None:
    files = read_manifest(folder, KIND)["files"]
    files["a"]["file"] = name
    rewrite(folder, files=files)
    with pytest.raises(ArtifactError, match="names files outside"):
        read_folder(folder, KIND)
    rewrite(folder, files={}, generation="..")
    with pytest.raises(ArtifactError, match="names files outside"):
        read_folder(folder, KIND)


# ---- when writing fails ----------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [np.zeros(1 << 17), pl.DataFrame({"x": np.zeros(1 << 17)})])
@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX")
def test_a_full_disk_leaves_the_old_content(folder: Path, part: Any) -> None:
    import resource

    before = sorted(folder.rglob("*"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            write_folder(folder, KIND, {"m": 2}, {"big": part})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(folder.rglob("*")) == before
    assert read_folder(folder, KIND).meta == {"m": 1}


def test_an_interruption_after_publication_keeps_the_new_content(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rmtree = writing.shutil.rmtree

    def interrupt(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(writing.shutil, "rmtree", rmtree)
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.shutil, "rmtree", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_folder(folder, KIND, {"m": 2}, some_parts())
    assert read_folder(folder, KIND).meta == {"m": 2}


def test_a_writer_that_finds_the_place_taken_meanwhile_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts, turns = writing._write_parts, []

    def overtaken(*args: Any) -> Any:
        if not turns:
            turns.append(1)
            write_folder(tmp_path / "f", KIND, {"m": 1}, some_parts())
        return write_parts(*args)

    monkeypatch.setattr(writing, "_write_parts", overtaken)
    write_folder(tmp_path / "f", KIND, {"m": 2}, some_parts())
    assert read_folder(tmp_path / "f", KIND).meta == {"m": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert len(list((tmp_path / "f").iterdir())) == 2


def test_a_folder_that_cannot_take_its_place_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if target == tmp_path / "f":
            raise PermissionError(13, "Permission denied", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(PermissionError, match="Permission denied"):
        write_folder(tmp_path / "f", KIND, None, some_parts())
    assert list(tmp_path.iterdir()) == []


def test_a_reader_follows_a_writer_that_replaces_the_content(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_parts, turns = reading._read_parts, []

    def replaced_before(*args: Any) -> Any:
        if not turns:
            turns.append(1)
            write_folder(folder, KIND, {"m": 2}, some_parts())
        return read_parts(*args)

    monkeypatch.setattr(reading, "_read_parts", replaced_before)
    assert read_folder(folder, KIND).meta == {"m": 2}


def test_what_dead_writers_left_is_removed_after_an_hour(folder: Path) -> None:
    dead = 2**22 + 1  # beyond the largest process number
    old = time.time() - 7200
    left = {
        "dead and old": (f".f.tmp-{dead}-01234567", True),
        "dead and recent": (f".f.tmp-{dead}-01234568", False),
        "alive and old": (f".f.tmp-{os.getpid()}-01234567", True),
        "of another name": (f".g.tmp-{dead}-01234567", True),
        "not ours": (".f.tmp-file", True),
    }
    for name, is_old in left.values():
        place = folder.parent / name
        place.mkdir()
        (place / "x").write_text("x")
        for path in (place / "x", place) if is_old else ():
            os.utime(path, (old, old))
    orphan = folder / f"g-{dead}-01234567"
    orphan.mkdir()
    os.utime(orphan, (old, old))
    write_folder(folder, KIND, None, {})
    assert not orphan.exists()
    assert {why for why, (name, _) in left.items() if not (folder.parent / name).exists()} == {"dead and old"}
    remove_stale(folder.parent)
    gone = {why for why, (name, _) in left.items() if not (folder.parent / name).exists()}
    assert gone == {"dead and old", "of another name"}
