"""Small MovieLens copies in every published layout, with the same ratings, movies, tags and genome in each."""

from __future__ import annotations

import zipfile
from pathlib import Path

# user, movie, rating, Unix seconds; sorted by user, not by movie; user 7 was before user 3 in no edition.
RATINGS = [(1, 10, 4.0, 1112486027), (1, 2, 3.0, 1112484676), (3, 10, 5.0, 1112484819), (7, 900, 1.0, 1112485573)]
# Titles that break careless parsers: a comma, quotes, colons, an accent, a trailing space, no year.
MOVIES = [
    (2, "Fear, The (1995)", ["Drama", "Thriller"]),
    (10, 'Créateur: "Le" (1999) ', ["Comedy"]),
    (30, "Babylon 5", []),
    (900, "Mission: Impossible (1996)", ["Action"]),
]
TAGS = [(1, 10, "a:b", 1240597180), (3, 2, 'say "hi", you', 1240597181)]
GENOME_TAGS = ["007", "noir"]
GENOME_SCORES = [(2, 1, 0.25), (2, 2, 0.5), (10, 1, 0.75)]
NAMES_100K = ["unknown", "Action", "Comedy", "Drama", "Thriller"]


def _text(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(c in value for c in ',"') else value


def _csv(header: str, rows: list[tuple[object, ...]]) -> str:
    return "\n".join([header, *(",".join(_quoted(str(v)) for v in row) for row in rows)]) + "\n"


def _genres(genres: list[str]) -> str:
    return "|".join(genres) or "(no genres listed)"


def csv_tables(dates: bool = False) -> dict[str, str]:
    """The tables of the CSV editions by official stem."""

    def when(seconds: int) -> object:
        return _text(seconds) if dates else seconds

    return {
        "ratings": _csv("userId,movieId,rating,timestamp", [(u, i, r, when(t)) for u, i, r, t in RATINGS]),
        "movies": _csv("movieId,title,genres", [(i, title, _genres(g)) for i, title, g in MOVIES]),
        "tags": _csv("userId,movieId,tag,timestamp", [(u, i, tag, when(t)) for u, i, tag, t in TAGS]),
        "genome-tags": _csv("tagId,tag", list(enumerate(GENOME_TAGS, start=1))),
        "genome-scores": _csv("movieId,tagId,relevance", list(GENOME_SCORES)),
        "links": _csv("movieId,imdbId,tmdbId", [(2, "0114709", 862), (10, "0113497", "")]),
    }


def _files(layout: str) -> dict[str, bytes]:
    match layout:
        case "100k":
            flags = [
                "|".join(
                    [str(i), title, "01-Jan-1995", "", "http://x"]
                    + [str(int(name in g or (not g and name == "unknown"))) for name in NAMES_100K]
                )
                for i, title, g in MOVIES
            ]
            return {
                "u.data": "".join(f"{u}\t{i}\t{r:.0f}\t{t}\n" for u, i, r, t in RATINGS).encode(),
                "u.item": ("\n".join(flags) + "\n\n").encode("latin-1"),
                "u.genre": ("\n".join(f"{name}|{at}" for at, name in enumerate(NAMES_100K)) + "\n\n").encode(),
                "u.user": b"1|24|M|technician|85711\n",
                "u1.base": b"1\t2\t3\t1112484676\n",
            }
        case "1m" | "10m":
            encoding = "latin-1" if layout == "1m" else "utf-8"
            files = {
                "ratings.dat": "".join(f"{u}::{i}::{r:g}::{t}\n" for u, i, r, t in RATINGS).encode(),
                "movies.dat": "".join(f"{i}::{title}::{_genres(g)}\n" for i, title, g in MOVIES).encode(encoding),
            }
            if layout == "10m":
                files["tags.dat"] = "".join(f"{u}::{i}::{tag}::{t}\n" for u, i, tag, t in TAGS).encode()
            return files
        case "csv":
            return {f"{stem}.csv": text.encode() for stem, text in csv_tables().items()}
        case "csv-bom-crlf":
            tables = csv_tables().items()
            return {f"{stem}.csv": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for stem, text in tables}
        case "kaggle":
            singular = {"ratings": "rating", "movies": "movie", "tags": "tag", "links": "link"}
            tables = csv_tables(dates=True).items()
            return {f"{singular.get(stem, stem.replace('-', '_'))}.csv": text.encode() for stem, text in tables}
        case "module":
            return {f"movielens_{name}": content for name, content in _files("kaggle").items()}
    raise ValueError(layout)


LAYOUTS = ("100k", "1m", "10m", "csv", "csv-bom-crlf", "kaggle", "module")
TABLES_OF = {
    "100k": {"movies", "ratings"},
    "1m": {"movies", "ratings"},
    "10m": {"movies", "ratings", "tags"},
}


def write_folder(root: Path, layout: str) -> Path:
    """A folder in a layout."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in _files(layout).items():
        (root / name).write_bytes(content)
    return root


def write_zip(path: Path, layout: str, inner: str = "ml-x/") -> Path:
    """A zip in a layout, its files one folder down as in the official ones, with what macOS adds."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if inner:
            archive.writestr(inner, b"")
        for name, content in _files(layout).items():
            archive.writestr(f"{inner}{name}", content)
            archive.writestr(f"__MACOSX/{inner}._{name}", b"\0\1")
    return path
