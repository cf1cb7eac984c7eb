"""Downloads against a server on this machine: whole, cut off and resumed, changed, damaged, absent, unreachable."""

from __future__ import annotations

import hashlib
import io
import socket
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import coterie as ct
from coterie.data import builtin, download
from coterie.data.download import EDITIONS, fetch
from coterie.errors import DataError, DataWarning, DownloadError
from tests.data_named.server import Site, serving

LATEST = EDITIONS["movielens-latest-small"]
FILE = LATEST.file


def archive(rows: int = 40_000) -> bytes:
    """An archive in the layout of MovieLens Latest, stored so that it has some size."""
    content = io.BytesIO()
    ratings = [f"{1 + j // 40},{1 + j % 40},{(j * 7 % 10 + 1) / 2},{964_982_703 + j}" for j in range(rows)]
    with zipfile.ZipFile(content, "w") as out:
        out.writestr("ml-latest-small/ratings.csv", "\n".join(["userId,movieId,rating,timestamp", *ratings]) + "\n")
        movies = [f'{j},"Film {j}, The (19{50 + j})",Drama|Comedy' for j in range(1, 41)]
        out.writestr("ml-latest-small/movies.csv", "\n".join(["movieId,title,genres", *movies]) + "\n")
    return content.getvalue()


ARCHIVE = archive()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    with serving(Site({FILE: ARCHIVE})) as running:
        monkeypatch.setenv("COTERIE_MOVIELENS_URL", running.url)
        yield running


def downloads() -> list[str]:
    from coterie.data.store import cache_folder

    return sorted(file.name for file in (cache_folder() / "downloads").iterdir() if file.suffix != ".lock")


def test_an_edition_is_fetched_once_checked_and_loaded(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    dataset = ct.load("movielens-latest-small")
    assert (dataset.interactions.nnz, dataset.interactions.n_users, dataset.name) == (
        40_000,
        1000,
        "movielens-latest-small",
    )
    assert dataset.catalog is not None and dataset.catalog.titles([3])[0] == "Film 3, The (1953)"
    assert site.requests == [(f"{FILE}.md5", None), (FILE, None)]
    assert downloads() == [FILE, "terms-shown"]
    ct.load("ml-latest-small")
    assert len(site.requests) == 2
    assert capfd.readouterr().err.count("GroupLens, University of Minnesota") == 1


def test_a_cut_connection_is_resumed_where_it_stopped(site: Site) -> None:
    site.cut_after = [300_000, 200_000]
    assert fetch(LATEST).read_bytes() == ARCHIVE
    assert [asked for name, asked in site.requests if name == FILE] == [None, "bytes=300000-", "bytes=500000-"]
    assert downloads() == [FILE, "terms-shown"]


def test_a_later_call_resumes_too(site: Site) -> None:
    site.cut_after = [100_000] * 4
    with pytest.raises(DownloadError, match="ended after 400,000 of"):
        fetch(LATEST)
    assert downloads() == [f"{FILE}.part", f"{FILE}.part.json", "terms-shown"]
    assert fetch(LATEST).read_bytes() == ARCHIVE
    assert site.requests[-1] == (FILE, "bytes=400000-")


def test_a_part_of_a_file_that_changed_is_not_continued(site: Site) -> None:
    site.cut_after = [100_000] * 4
    with pytest.raises(DownloadError):
        fetch(LATEST)
    site.etag, site.files[FILE] = '"two"', archive(39_000)
    assert fetch(LATEST).read_bytes() == site.files[FILE]


def test_a_server_without_ranges_sends_it_all_again(site: Site) -> None:
    site.ranges, site.cut_after = False, [100_000]
    assert fetch(LATEST).read_bytes() == ARCHIVE


def test_a_part_longer_than_the_file_is_dropped(site: Site) -> None:
    site.cut_after = [100_000] * 4
    with pytest.raises(DownloadError):
        fetch(LATEST)
    site.files[FILE] = archive(10)  # and the ETag, against all rules, stays
    assert fetch(LATEST).read_bytes() == site.files[FILE]


def test_an_archive_that_was_whole_but_not_yet_named_is_not_fetched_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "_check", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(LATEST)
    assert fetch(LATEST).read_bytes() == ARCHIVE
    assert [name for name, _ in site.requests].count(FILE) == 1


def test_two_at_once_fetch_it_once(site: Site) -> None:
    with ThreadPoolExecutor(3) as pool:
        files = list(pool.map(lambda _: fetch(LATEST), range(3)))
    assert {file.read_bytes() for file in files} == {ARCHIVE}
    assert [name for name, _ in site.requests].count(FILE) == 1


def test_a_part_without_its_notes_is_not_trusted(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "downloads"
    folder.mkdir(parents=True)
    (folder / f"{FILE}.part").write_bytes(b"something else")
    assert fetch(LATEST).read_bytes() == ARCHIVE


def test_a_wrong_checksum_is_an_error_and_leaves_nothing(site: Site) -> None:
    site.md5 = "0" * 32
    with pytest.raises(DownloadError, match=r"arrived with MD5 .* publishes 0{32}; .*--from-zip"):
        fetch(LATEST)
    assert downloads() == ["terms-shown"]


def test_an_edition_that_never_changes_has_its_checksum_here(site: Site) -> None:
    site.files["ml-1m.zip"] = ARCHIVE
    with pytest.raises(DownloadError, match="publishes c4d9eecfca2ab87c1945afe126590906"):
        fetch(EDITIONS["movielens-1m"])
    assert ("ml-1m.zip.md5", None) not in site.requests


def test_a_checksum_file_without_a_checksum_is_an_error(site: Site) -> None:
    site.md5 = "<html>"
    with pytest.raises(DownloadError, match=r"\.md5 holds no checksum but"):
        fetch(LATEST)


def test_a_file_that_is_not_there_is_an_error_with_both_ways_out(site: Site) -> None:
    site.files.clear()
    with pytest.raises(DownloadError, match="the server answered 404") as caught:
        fetch(EDITIONS["movielens-20m"])
    assert "--from-zip" in str(caught.value) and "movielens-sample" in str(caught.value)
    assert len(site.requests) == 1  # asking again would not help


def test_offline_is_one_clear_error_with_both_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("COTERIE_MOVIELENS_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/")
        with pytest.raises(DownloadError) as caught:
            builtin.load("movielens-25m")
    message = str(caught.value)
    assert "could not download http://127.0.0.1" in message and "ml-25m.zip" in message
    assert "--from-zip" in message and "coterie.load(path)" in message
    assert "movielens-sample" in message and "synthetic:100k" in message
    assert "\n" not in message


def test_a_folder_of_an_edition_s_name_is_pointed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COTERIE_MOVIELENS_URL", "http://127.0.0.1:9/")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DownloadError) as caught:
        ct.load("ml-25m")
    assert "./ml-25m" not in str(caught.value)
    (tmp_path / "ml-25m").mkdir()
    with pytest.raises(DownloadError, match=r"could not download .* give it as \./ml-25m$"):
        ct.load("ml-25m")


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"could not download .*file"):
        fetch(LATEST)


# ---- from a file that is here already ------------------------------------------------------------------------


def test_a_zip_that_is_here_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MOVIELENS_URL", "http://127.0.0.1:9/")
    file = tmp_path / "mine.zip"
    file.write_bytes(ARCHIVE)
    dataset = ct.load("movielens-latest-small", from_zip=file)
    assert (dataset.interactions.nnz, dataset.name) == (40_000, "movielens-latest-small")


def test_a_damaged_zip_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "mine.zip"
    file.write_bytes(ARCHIVE[:-100])
    with pytest.raises(DataError, match=r"mine.zip is not a whole zip file; fetch .*ml-latest-small.zip again"):
        ct.load("movielens-latest-small", from_zip=file)
    assert not (tmp_path / "cache").exists()


def test_without_the_cache_a_zip_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "mine.zip"
    file.write_bytes(ARCHIVE)
    assert ct.load("movielens-latest-small", from_zip=file, cache=False).interactions.nnz == 40_000
    assert not (tmp_path / "cache").exists()


def test_what_was_merged_in_an_edition_is_told_once_and_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "mine.zip"
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("ratings.csv", "userId,movieId,rating,timestamp\n1,2,3,10\n1,2,4,20\n")
    with pytest.warns(DataWarning) as told:
        ct.load("ml-latest-small", from_zip=file)
    assert [str(w.message).partition(":")[0] for w in told] == ["movielens-latest-small"]
    assert told[0].filename == __file__


def test_a_zip_of_an_edition_is_held_to_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.zip"
    file.write_bytes(ARCHIVE)
    with pytest.raises(DataError, match=r"is not GroupLens' ml-1m.zip .* load the path itself"):
        builtin.load("movielens-1m", from_zip=file)
    known = replace(EDITIONS["movielens-1m"], md5=hashlib.md5(ARCHIVE).hexdigest())
    monkeypatch.setitem(download.EDITIONS, "movielens-1m", known)
    assert builtin.load("ml-1m", from_zip=str(file)).name == "movielens-1m"


def test_a_zip_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*nowhere.zip; give the path of ml-20m.zip"):
        builtin.load("movielens-20m", from_zip=tmp_path / "nowhere.zip")
