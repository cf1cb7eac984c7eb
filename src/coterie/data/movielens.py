"""Every MovieLens edition and layout -> Dataset: folders and zips, 100K to 32M, official and Kaggle names."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from coterie.data.catalog import Array, Catalog
from coterie.data.dataset import TABLES, Dataset
from coterie.data.delimited import Delimited, Kind, header_of
from coterie.data.findings import Findings
from coterie.data.frames import Columns, build
from coterie.data.interactions import Duplicates
from coterie.data.sources import Source
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError

# A file's name without its endings, "movielens_" and hyphens -> the table in it.
_STEMS = {
    "ratings": "ratings", "rating": "ratings", "u.data": "ratings",
    "movies": "movies", "movie": "movies", "u.item": "movies",
    "tags": "tags", "tag": "tags",
    "genome_tags": "genome_tags", "genome_scores": "genome_scores",
    "links": "links", "link": "links",
    "u.genre": "genres",
}  # fmt: skip
# A copy of the ratings without their times; read where the ratings themselves are absent.
_SECOND_CHOICE = "ratings_no_timestamps"
_ENDINGS = (".csv", ".csv.gz", ".dat", ".dat.gz")

_COLUMNS: dict[str, dict[str, Kind]] = {
    "ratings": {"userId": "integer", "movieId": "integer", "rating": "number", "timestamp": "time"},
    "movies": {"movieId": "integer", "title": "text", "genres": "text"},
    "tags": {"userId": "integer", "movieId": "integer", "tag": "text", "timestamp": "time"},
    "genome_tags": {"tagId": "integer", "tag": "text"},
    "genome_scores": {"movieId": "integer", "tagId": "integer", "relevance": "number"},
    "links": {"movieId": "integer", "imdbId": "text", "tmdbId": "text"},
}
_OPTIONAL = ("timestamp", "title", "genres", "imdbId", "tmdbId")
# 100K: id, title, release date, video release date, address, then a flag a genre.
_FLAGS_FROM = 5
# What 100K says where it knows no genre.
_NO_GENRE = "unknown"


@dataclass
class Layout:
    """Where the tables of one copy of MovieLens are."""

    root: Path
    tables: dict[str, Source] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """Every file that is read, in a fixed order."""
        return sorted({source.path for source in self.tables.values()})


def find_layout(root: Path) -> Layout:
    """The tables in a folder or zip, at its top or one folder down.

    Raises
    ------
    DataError
        None are there, or one table is there twice.
    """
    files = _zip_members(root) if root.is_file() else _folder_files(root)
    layout = Layout(root)
    second = None
    for source in files:
        table = _table_of(source.file_name)
        if table == _SECOND_CHOICE:
            second = source
        elif table in layout.tables:
            raise DataError(
                f"{root.name} has the {table} table twice, in {layout.tables[table].name} and {source.name}; remove one"
            )
        elif table:
            layout.tables[table] = source
    if second is not None:
        layout.tables.setdefault("ratings", second)
    if not any(table in layout.tables for table in TABLES):
        there = ", ".join(sorted(source.file_name for source in files)[:12]) or "nothing"
        raise DataError(
            f"{root} has none of MovieLens' tables (ratings.csv, ratings.dat or u.data, movies.csv, ...); "
            f"it has {there}. Give one file and name its columns: load(file, user=..., item=..., rating=...)"
        )
    return layout


def only_file(path: Path) -> Source | None:
    """The one file of ratings in a zip that has nothing else; None where it is a copy of MovieLens."""
    members = _zip_members(path)
    if len(members) > 1 or not members or not members[0].file_name.lower().endswith((".csv", ".tsv", ".txt")):
        return None
    return members[0] if _table_of(members[0].file_name) in (None, "ratings") else None


def read_movielens(layout: Layout, name: str, duplicates: Duplicates, findings: Findings) -> Dataset:
    """The dataset of a layout; tables that are not there are reported as absent."""
    tables = layout.tables
    plain = [table for table in tables if table not in ("genres", "movies")]
    frames = {table: _read_table(table, tables[table], findings) for table in plain}
    if "movies" in tables:
        frames["movies"] = _read_movies(tables, findings)
    if "genome_scores" in frames:
        frames["genome_scores"] = _within_scale(frames["genome_scores"], tables["genome_scores"].name, findings)
    rows: dict[str, int | None] = {table: len(frames[table]) if table in frames else None for table in TABLES}
    catalog = _catalog(frames, findings)
    ratings = None
    if "ratings" in frames:
        table = frames.pop("ratings")
        time = "timestamp" if "timestamp" in table.columns else None
        ratings = build(table, Columns("userId", "movieId", "rating", time), duplicates, findings)
    return Dataset(ratings, catalog, name, findings.report(str(layout.root), rows))


# ---- finding files ---------------------------------------------------------------------------------------


def _table_of(file_name: str) -> str | None:
    """The table that a file of this name holds, or None."""
    name = file_name.lower().replace("-", "_")
    ending = next((e for e in sorted(_ENDINGS, key=len, reverse=True) if name.endswith(e)), "")
    if not ending and not name.startswith("u."):
        return None
    stem = name.removesuffix(ending).removeprefix("movielens_")
    return _SECOND_CHOICE if stem == _SECOND_CHOICE else _STEMS.get(stem)


def _folder_files(root: Path) -> list[Source]:
    """The files of a folder, or where it holds no table, of the one folder in it that does."""
    here = [Source(file) for file in sorted(root.iterdir()) if file.is_file()]
    if any(_table_of(source.file_name) for source in here):
        return here
    below = {}
    for folder in sorted(f for f in root.iterdir() if f.is_dir() and not f.name.startswith((".", "__"))):
        files = [Source(file) for file in sorted(folder.iterdir()) if file.is_file()]
        if any(_table_of(source.file_name) for source in files):
            below[folder.name] = files
    if len(below) > 1:
        raise DataError(f"{root} holds several copies of MovieLens: {', '.join(below)}; give one of these folders")
    return next(iter(below.values()), here)


def _zip_members(path: Path) -> list[Source]:
    """The members of a zip that are files, from the one folder in it that holds tables."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path.name} is not a whole zip file: {error}; fetch it again") from error
    members = [Source(path, name) for name in names if not name.startswith("__MACOSX/")]
    folders = {source.member.rpartition("/")[0] for source in members if source.member and _table_of(source.file_name)}
    if len(folders) > 1:
        raise DataError(
            f"{path.name} holds several copies of MovieLens: {', '.join(sorted(folders))}; unpack it, give one folder"
        )
    return [s for s in members if not folders or (s.member or "").rpartition("/")[0] in folders]


# ---- reading tables --------------------------------------------------------------------------------------


def _read_table(table: str, source: Source, findings: Findings) -> pl.DataFrame:
    """One table with the column names of `_COLUMNS`."""
    columns = _COLUMNS[table]
    ending = source.file_name.lower()
    if table == "ratings" and ending == "u.data":
        return Delimited(source, "\t", columns, list(columns)).read(findings)
    if ".dat" in ending:
        if table in ("movies", "tags"):  # free text, in which the separator may occur
            return _read_free_text(table, source, findings)
        return Delimited(source, "::", columns, list(columns)).read(findings)
    given = {name.strip().lower(): name for name in header_of(source, ",")}
    wanted = {given.get(n.lower(), n): k for n, k in columns.items() if n.lower() in given or n not in _OPTIONAL}
    frame = Delimited(source, ",", wanted).read(findings)
    return frame.rename({given[name.lower()]: name for name in columns if name.lower() in given})


def _read_free_text(table: str, source: Source, findings: Findings) -> pl.DataFrame:
    """``movies.dat`` (id::title::genres) and ``tags.dat`` (user::movie::tag::time), whose text may hold colons."""
    columns = _COLUMNS[table]
    before = 1 if table == "movies" else 2
    rows = []
    for number, line in enumerate(source.text().split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        first = line.split("::", before)
        fields = [*first[:-1], *first[-1].rsplit("::", 1)]
        numbers = [value for value, kind in zip(fields, columns.values(), strict=False) if kind != "text"]
        if len(fields) != len(columns):
            reason = f"{len(fields)} fields instead of {len(columns)}"
            findings.fault(f"{source.name} line {number:,}", reason, None, line)
        elif not all(value.isascii() and value.isdigit() for value in numbers):
            findings.fault(f"{source.name} line {number:,}", "an id or time is not an integer", None, line)
        else:
            rows.append(fields)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    return frame.with_columns(pl.col(name).cast(pl.Int64) for name, kind in columns.items() if kind != "text")


def _read_movies(tables: Mapping[str, Source], findings: Findings) -> pl.DataFrame:
    source = tables["movies"]
    if source.file_name.lower() != "u.item":
        return _read_table("movies", source, findings)
    genres = []
    if "genres" in tables:
        genres = _read_genres(tables["genres"])
    else:
        findings.notes.append("u.genre is absent, so the genres of u.item have no names and were left out.")
    movies = []
    for number, line in enumerate(source.text().split("\n"), start=1):
        fields = line.rstrip("\r").split("|")
        if not line.strip():
            continue
        flags = fields[_FLAGS_FROM:]
        if not fields[0].isdecimal() or (genres and len(flags) != len(genres)) or len(flags) < 1:
            reason = f"not an id, four fields and {len(genres) or 'some'} genre flags"
            findings.fault(f"{source.name} line {number:,}", reason, None, line)
            continue
        own = [name for name, flag in zip(genres, flags, strict=False) if flag == "1" and name != _NO_GENRE]
        movies.append((int(fields[0]), fields[1], own))
    return pl.DataFrame(movies, {"movieId": pl.Int64, "title": pl.String, "genres": pl.List(pl.String)}, orient="row")


def _read_genres(source: Source) -> list[str]:
    """The names of the genre flags of ``u.item``, in their order, from lines such as ``Action|1``."""
    places: dict[int, str] = {}
    for number, line in enumerate(source.text().split("\n"), start=1):
        name, bar, place = line.strip().rpartition("|")
        if bar and place.isdecimal():
            places[int(place)] = name
        elif line.strip():
            raise DataError(f"{source.name} line {number:,}: not a genre and its number, such as Action|1: {line}")
    if sorted(places) != list(range(len(places))):
        raise DataError(f"{source.name} numbers its genres {sorted(places)}; they must be 0, 1, 2 and so on")
    return [places[at] for at in sorted(places)]


# ---- the catalog -----------------------------------------------------------------------------------------


def _catalog(frames: Mapping[str, pl.DataFrame], findings: Findings) -> Catalog | None:
    """Titles, tags and genome; None where nothing but ratings is there."""
    if "movies" in frames:
        items = frames["movies"].rename({"movieId": "item"})
    else:
        ids = [frames[t]["movieId"].cast(pl.Int64) for t in ("tags", "genome_scores", "links") if t in frames]
        if not ids:
            return None
        items = pl.DataFrame({"item": pl.concat(ids).unique().sort()})
        findings.notes.append("The movies table is absent, so items have no titles.")
    items = items.with_columns(pl.col("item").cast(pl.Int64))
    if "links" in frames:
        links = frames["links"].with_columns(pl.col("movieId").cast(pl.Int64))
        links = links.rename({"movieId": "item", "imdbId": "imdb", "tmdbId": "tmdb"}, strict=False)
        items = items.join(links.unique("item", keep="last"), on="item", how="left", maintain_order="left")
    tags = None
    if "tags" in frames:
        tags = frames["tags"].rename({"userId": "user", "movieId": "item"})
        tags = tags.with_columns(pl.col("user", "item").cast(pl.Int64))
        if empty := tags["tag"].null_count():
            findings.notes.append(f"{empty:,} rows of the tags table have an empty tag.")
            tags = tags.with_columns(pl.col("tag").fill_null(""))
    bare = Catalog.from_titles(items)
    names, genome = _genome(frames, bare, findings)
    return Catalog(bare.items, tags, names, genome)


def _within_scale(scores: pl.DataFrame, place: str, findings: Findings) -> pl.DataFrame:
    """Genome scores whose relevance lies within [0, 1]; the others are faults."""
    within = scores["relevance"].is_between(0, 1)
    for movie, tag, relevance in scores.filter(~within).select("movieId", "tagId", "relevance").iter_rows():
        findings.fault(place, "relevance is not within [0, 1]", f"{relevance:g}", f"{movie},{tag},{relevance:g}")
    return scores.filter(within)


def _genome(
    frames: Mapping[str, pl.DataFrame], catalog: Catalog, findings: Findings
) -> tuple[tuple[str, ...], Array | None]:
    """Names of the genome's tags, and relevance (n_items, n_tags) in the order of the catalog; NaN where not given."""
    scores = frames.get("genome_scores")
    if "genome_tags" in frames:
        tags = frames["genome_tags"].sort("tagId")
        tag_ids, names = tags["tagId"], tuple(tags["tag"].fill_null("").to_list())
    elif scores is not None:
        tag_ids = scores["tagId"].unique().sort()
        names = tuple(str(tag) for tag in tag_ids.to_list())
        findings.notes.append("The genome_tags table is absent, so the genome's tags are named by their numbers.")
    else:
        return (), None
    if scores is None:
        return names, None
    if (repeated := tag_ids.is_duplicated()).any():
        raise DataError(f"tag {tag_ids.filter(repeated)[0]} stands more than once in the genome_tags table; remove one")
    rows = catalog.vocabulary.indices(scores["movieId"], missing="skip")
    places = Vocabulary(tag_ids.to_numpy(), "tag").indices(scores["tagId"], missing="skip")
    for what, found in (("movies that are not in the catalog", rows), ("unknown tags", places)):
        if lost := int(np.count_nonzero(found < 0)):
            findings.notes.append(f"{lost:,} genome scores are of {what} and were left out.")
    genome = np.full((len(catalog), len(names)), np.nan, np.float32)
    usable = (rows >= 0) & (places >= 0)
    genome[rows[usable], places[usable]] = scores["relevance"].to_numpy()[usable]
    if again := int(np.count_nonzero(usable)) - int(np.count_nonzero(np.isfinite(genome))):
        findings.notes.append(f"{again:,} genome scores are of a movie and tag that a later line has too: it counts.")
    return names, genome
