"""MovieLens in every layout: the same data comes out of each, and the real editions have their published counts."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.data.dataset import TABLES
from coterie.errors import DataError, DataWarning
from tests.data.layouts import GENOME_TAGS, LAYOUTS, MOVIES, RATINGS, TABLES_OF, write_folder, write_zip


def load(path: Path, **options: Any) -> ct.Dataset:
    return ct.load(path, cache=False, **options)


def check_same(dataset: ct.Dataset, layout: str) -> None:
    """Whatever the layout: these ratings, these movies."""
    frame = dataset.interactions.to_frame()
    assert frame.rows() == sorted(RATINGS)
    catalog = dataset.catalog
    assert catalog is not None
    assert catalog.items["item"].to_list() == [i for i, _, _ in MOVIES]
    assert catalog.items["title"].to_list() == [title for _, title, _ in MOVIES]
    assert catalog.items["name"].to_list() == ["Fear, The", 'Créateur: "Le"', "Babylon 5", "Mission: Impossible"]
    assert catalog.items["year"].to_list() == [1995, 1999, None, 1996]
    assert [set(g) for g in catalog.items["genres"].to_list()] == [set(g) for _, _, g in MOVIES]
    present = TABLES_OF.get(layout, set(TABLES))
    assert set(dataset.report.tables) - set(dataset.report.absent) == present
    assert dataset.report.tables["ratings"] == len(RATINGS)
    if "tags" in present:
        assert catalog.tags is not None
        assert catalog.tags.rows() == [(1, 10, "a:b", 1240597180), (3, 2, 'say "hi", you', 1240597181)]
    if "genome_scores" in present:
        assert catalog.genome_tags == tuple(GENOME_TAGS)
        expected = np.array([[0.25, 0.5], [0.75, np.nan], [np.nan] * 2, [np.nan] * 2], np.float32)
        np.testing.assert_array_equal(catalog.genome, expected)
        assert catalog.items["imdb"].to_list() == ["0114709", "0113497", None, None]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folder(layout: str, tmp_path: Path) -> None:
    dataset = load(write_folder(tmp_path / "ml-tiny", layout))
    assert dataset.name == "ml-tiny"
    check_same(dataset, layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("inner", ["ml-x/", ""])
def test_zip(layout: str, inner: str, tmp_path: Path) -> None:
    dataset = load(write_zip(tmp_path / "ml-tiny.zip", layout, inner))
    assert dataset.name == "ml-tiny"
    check_same(dataset, layout)
    assert sorted(os.listdir(tmp_path)) == ["ml-tiny.zip"], "nothing is unpacked to disk"


def test_folder_one_level_down(tmp_path: Path) -> None:
    write_folder(tmp_path / "download" / "ml-20m", "csv")
    (tmp_path / "download" / "__MACOSX").mkdir()
    check_same(load(tmp_path / "download"), "csv")


def test_two_copies_are_ambiguous(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", "csv")
    write_folder(tmp_path / "b", "1m")
    with pytest.raises(DataError, match="several copies of MovieLens: a, b"):
        load(tmp_path)


def test_one_table_twice(tmp_path: Path) -> None:
    write_folder(tmp_path, "csv")
    write_folder(tmp_path, "kaggle")
    with pytest.raises(DataError, match=r"table twice, in \S+ and \S+; remove one"):
        load(tmp_path)


def test_gzipped_tables(tmp_path: Path) -> None:
    write_folder(tmp_path, "csv")
    for file in list(tmp_path.glob("*.csv")):
        (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    check_same(load(tmp_path), "csv")


def test_ratings_alone_and_movies_alone(tmp_path: Path) -> None:
    write_folder(tmp_path / "all", "csv")
    only = tmp_path / "only"
    only.mkdir()
    (only / "ratings.csv").write_bytes((tmp_path / "all" / "ratings.csv").read_bytes())
    dataset = load(only)
    assert dataset.catalog is None
    assert dataset.report.absent == ["movies", "tags", "genome_tags", "genome_scores"]
    (only / "ratings.csv").unlink()
    (only / "movies.csv").write_bytes((tmp_path / "all" / "movies.csv").read_bytes())
    dataset = load(only)
    assert dataset.catalog is not None
    with pytest.raises(DataError, match="has no ratings table"):
        dataset.interactions  # noqa: B018


def test_genome_without_movies_or_names(tmp_path: Path) -> None:
    (tmp_path / "genome-scores.csv").write_text("movieId,tagId,relevance\n5,3,0.5\n4,3,0.25\n")
    dataset = load(tmp_path)
    assert dataset.catalog is not None and dataset.catalog.genome is not None
    assert dataset.catalog.items["item"].to_list() == [4, 5]
    assert dataset.catalog.genome_tags == ("3",)
    assert dataset.catalog.genome.ravel().tolist() == [0.25, 0.5]
    assert any("movies table is absent" in note for note in dataset.report.notes)


def test_genome_of_unknown_movies_is_counted(tmp_path: Path) -> None:
    write_folder(tmp_path, "csv")
    with (tmp_path / "genome-scores.csv").open("a") as file:
        file.write("555,1,0.5\n2,9,0.5\n")
    dataset = load(tmp_path)
    assert "1 genome scores are of movies that are not in the catalog and were left out." in dataset.report.notes
    assert "1 genome scores are of unknown tags and were left out." in dataset.report.notes


def test_genome_relevances_off_their_scale(tmp_path: Path) -> None:
    write_folder(tmp_path, "csv")
    with (tmp_path / "genome-scores.csv").open("a") as file:
        file.write("30,1,1.7\n30,2,-3\n900,1,1\n900,2,0\n")
    with pytest.raises(DataError, match=r"genome-scores\.csv: relevance is not within \[0, 1\] '1\.7': 30,1,1\.7"):
        load(tmp_path)
    with pytest.warns(DataWarning, match="2 lines were skipped"):
        dataset = load(tmp_path, on_error="skip")
    assert dataset.report.skipped_reasons == {"relevance is not within [0, 1]": 2}
    assert dataset.catalog is not None and dataset.catalog.genome is not None
    assert np.isnan(dataset.catalog.genome[2]).all() and dataset.catalog.genome[3].tolist() == [1, 0]


def test_genome_scores_that_stand_twice(tmp_path: Path) -> None:
    write_folder(tmp_path, "csv")
    with (tmp_path / "genome-scores.csv").open("a") as file:
        file.write("2,1,0.5\n2,1,0.75\n")
    dataset = load(tmp_path)
    note = "2 genome scores are of a movie and tag that a later line has too: it counts."
    assert note in dataset.report.notes
    assert dataset.catalog is not None and dataset.catalog.genome is not None
    assert dataset.catalog.genome[0].tolist() == [0.75, 0.5]


def test_genome_tags_that_are_none_or_twice(tmp_path: Path) -> None:
    write_folder(tmp_path, "csv")
    (tmp_path / "genome-tags.csv").write_text("tagId,tag\n")
    dataset = load(tmp_path)
    assert dataset.catalog is not None and dataset.catalog.genome_tags == ()
    assert any("are of unknown tags" in note for note in dataset.report.notes)
    (tmp_path / "genome-tags.csv").write_text("tagId,tag\n1,a\n1,b\n")
    with pytest.raises(DataError, match="tag 1 stands more than once in the genome_tags table"):
        load(tmp_path)


def test_empty_tags_are_kept_and_noted(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\n1,2,3\n")
    (tmp_path / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,2,,5\n1,2,good,6\n")
    dataset = load(tmp_path)
    assert dataset.catalog is not None and dataset.catalog.tags is not None
    assert dataset.catalog.tags["tag"].to_list() == ["", "good"]
    assert "1 rows of the tags table have an empty tag." in dataset.report.notes


@pytest.mark.parametrize(
    ("text", "match"),
    [("Action|0\nno number\n", "u.genre line 2: not a genre and its number"), ("Action|0\nWar|2", r"genres \[0, 2\]")],
)
def test_genre_names_that_are_none(text: str, match: str, tmp_path: Path) -> None:
    write_folder(tmp_path, "100k")
    (tmp_path / "u.genre").write_text(text)
    with pytest.raises(DataError, match=match):
        load(tmp_path)


def test_missing_genre_names(tmp_path: Path) -> None:
    write_folder(tmp_path, "100k")
    (tmp_path / "u.genre").unlink()
    dataset = load(tmp_path)
    assert dataset.catalog is not None and dataset.catalog.genres == []
    assert any("u.genre is absent" in note for note in dataset.report.notes)


@pytest.mark.parametrize(
    ("layout", "file", "line", "match"),
    [
        ("csv", "ratings.csv", "8,2,3.5", r"ratings\.csv line 6: 3 fields instead of 4: 8,2,3\.5"),
        ("csv", "ratings.csv", "x,2,3.5,1", r"line 6: userId is not an integer 'x': x,2,3\.5,1"),
        ("csv", "movies.csv", "x,Title,Drama", r"movies\.csv line 6: movieId is not an integer 'x'"),
        ("csv", "genome-scores.csv", "2,1,", r"genome-scores\.csv line 5: relevance is missing: 2,1,"),
        ("kaggle", "rating.csv", "8,2,3.5,yesterday", r"rating\.csv line 6: timestamp cannot be read 'yesterday'"),
        ("1m", "ratings.dat", "8::2::3", r"ratings\.dat line 5: 3 fields instead of 4: 8::2::3"),
        ("1m", "ratings.dat", "8:2::3::5", r"ratings\.dat line 5: 3 fields instead of 4"),
        ("1m", "movies.dat", "8::No genres", r"movies\.dat line 5: 2 fields instead of 3"),
        ("10m", "tags.dat", "u::8::tag::5", r"tags\.dat line 3: an id or time is not an integer"),
        ("100k", "u.data", "8\t2\tgood\t5", r"u\.data line 5: rating is not a finite number 'good'"),
        ("100k", "u.item", "8|Short|x", r"u\.item line 6: not an id, four fields and 5 genre flags"),
    ],
)
def test_malformed_line(layout: str, file: str, line: str, match: str, tmp_path: Path) -> None:
    write_folder(tmp_path, layout)
    with (tmp_path / file).open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError, match=match):
        load(tmp_path)
    with pytest.warns(DataWarning, match="1 line was skipped"):
        dataset = load(tmp_path, on_error="skip")
    assert dataset.report.skipped == 1
    check_same(dataset, layout)


def test_damaged_zip(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "ml.zip", "csv").read_bytes()
    (tmp_path / "ml.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"ml\.zip is not a whole zip file"):
        load(tmp_path / "ml.zip")


def test_damaged_member(tmp_path: Path) -> None:
    path = tmp_path / "ml.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("ratings.csv", "userId,movieId,rating\n1,2,3\n4,5,1\n")
    path.write_bytes(path.read_bytes().replace(b"4,5,1", b"4,5,2"))
    with pytest.raises(DataError, match=r"ml\.zip/ratings\.csv is damaged"):
        load(path)


def test_no_tables(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"none of MovieLens' tables .* it has sales\.csv\. Give one file"):
        load(tmp_path)


# ---- the real editions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "shape", "ratings", "movies", "genres", "tags"),
    [
        ("ml-100k", (943, 1682), 100_000, 1682, 18, None),
        ("ml-1m", (6040, 3706), 1_000_209, 3883, 18, None),
        ("ml-latest-small", (610, 9724), 100_836, 9742, 19, 3683),
        ("ml-20m-1000users", (1000, 9746), 150_629, 27_278, 19, 25_758),
        ("kaggle-20m", (200, 4923), 25_126, 27_278, 19, 4544),
    ],
)
def test_real(
    shared: Path, folder: str, shape: tuple[int, int], ratings: int, movies: int, genres: int, tags: int | None
) -> None:
    dataset = load(shared / folder)
    x, catalog = dataset.interactions, dataset.catalog
    assert catalog is not None
    assert (x.shape, x.nnz, len(catalog), len(catalog.genres)) == (shape, ratings, movies, genres)
    assert (None if catalog.tags is None else len(catalog.tags)) == tags
    assert dataset.report.skipped == dataset.report.merged == 0
    assert catalog.items["name"].null_count() == 0
    assert catalog.items["year"].null_count() < 20


def test_module_reduction(shared: Path) -> None:
    """1000 users, movies with more than 20 ratings: 1706 are left, 25038 of the full edition's 26744 fall away."""
    x = load(shared / "ml-20m-1000users").interactions
    reduced = x.filter(first_users=1000, min_item_ratings=21)
    assert reduced.n_items == 1706 == 26_744 - 25_038
    assert reduced.item_counts.min() == 21


def test_cut_off_genome(shared: Path) -> None:
    """The shared genome scores end inside movie 260, at tag 924."""
    catalog = load(shared / "ml-20m-1000users").catalog
    assert catalog is not None and catalog.genome is not None
    assert catalog.genome.shape == (27_278, 1128)
    given = np.isfinite(catalog.genome)
    assert given.any(axis=1).sum() == 246
    assert given[catalog.vocabulary.index(260)].tolist() == [True] * 924 + [False] * 204


def test_text_dates_are_the_same_instants(shared: Path) -> None:
    """Kaggle's dates as text are UTC: they are the official edition's seconds."""
    official = load(shared / "ml-20m-1000users").interactions.to_frame().filter(pl.col("user") <= 200)
    assert load(shared / "kaggle-20m").interactions.to_frame().equals(official)
