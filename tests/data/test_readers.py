"""`load`: single files, frames and names; what is refused is refused by name, line and content."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import coterie as ct
from coterie.data import delimited
from coterie.errors import DataError, DataWarning, ParameterError

CSV = "userId,movieId,rating,timestamp\n1,10,4,100\n1,2,3.5,200\n3,10,5,300\n"
ROWS = [(1, 2, 3.5, 200), (1, 10, 4.0, 100), (3, 10, 5.0, 300)]


def load(source: Any, **options: Any) -> ct.Dataset:
    return ct.load(source, cache=False, **options)


def rows(source: Any, **options: Any) -> list[tuple[Any, ...]]:
    return load(source, **options).interactions.to_frame().rows()


def write(folder: Path, text: str | bytes, name: str = "some.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# ---- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", CSV),
        ("a.tsv", CSV.replace(",", "\t")),
        ("a.txt", CSV.replace(",", ";")),
        ("a.txt", CSV.replace(",", "|")),
        ("a.txt", CSV.replace(",", "::")),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("crlf.csv", CSV.replace("\n", "\r\n")),
        ("no-end.csv", CSV.removesuffix("\n")),
        ("blank-lines.csv", CSV.replace("\n1,2", "\n\n1,2") + "\n\n"),
        ("quoted.csv", CSV.replace("1,10,4", '"1","10","4"').replace("userId", '"userId"')),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("a.tsv.gz", gzip.compress(CSV.replace(",", "\t").encode(), mtime=0)),
        ("other-case.csv", CSV.replace("userId", "USER_ID").replace("movieId", "item")),
    ],
)
def test_file(name: str, text: str | bytes, tmp_path: Path) -> None:
    dataset = load(write(tmp_path, text, name))
    assert dataset.interactions.to_frame().rows() == ROWS
    assert dataset.interactions.users.kind == "int"
    assert dataset.catalog is None
    assert dataset.report.tables == {"ratings": 3}
    assert dataset.name == name.split(".")[0]


@pytest.mark.parametrize("member", ["my.csv", "folder/my.tsv", "ratings.csv"])
def test_a_zip_with_one_file_loads_as_that_file_does(member: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.zip"
    text = CSV.replace("userId", "who").replace(",", "\t" if member.endswith("tsv") else ",")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, text)
        archive.writestr(f"__MACOSX/._{member}", "x")
    for _ in range(2):  # the second time from the store
        dataset = ct.load(path, user="who", item="movieId")
        assert dataset.interactions.to_frame().rows() == ROWS and dataset.name == "mine"
    with pytest.raises(DataError, match=rf"which column holds the users\? mine\.zip/{member} has 'who'"):
        load(path)


def test_parquet(tmp_path: Path) -> None:
    pl.read_csv(CSV.encode()).write_parquet(tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == ROWS
    with pytest.raises(DataError, match=r"there is no column 'stars'; a\.parquet has 'userId', 'movieId'"):
        load(tmp_path / "a.parquet", rating="stars")
    write(tmp_path, "no parquet", "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet cannot be read as Parquet"):
        load(tmp_path / "b.parquet")


def test_columns_named_by_the_caller(tmp_path: Path) -> None:
    path = write(tmp_path, "when,who,what,how\n5,ann,tea,2\n6,bob,tea,1\n")
    named = {"user": "who", "item": "what", "rating": "how", "timestamp": "when"}
    assert rows(path, **named) == [("ann", "tea", 2.0, 5), ("bob", "tea", 1.0, 6)]
    with pytest.raises(DataError, match=r"which column holds the users.*'when', 'who', 'what', 'how'.*user="):
        load(path)
    with pytest.raises(DataError, match="there is no column 'whom'"):
        load(path, user="whom", item="what")
    with pytest.raises(ParameterError, match="one column cannot be two things"):
        load(path, user="who", item="who")


def test_without_ratings_every_value_is_one_and_what_was_not_used_is_said(tmp_path: Path) -> None:
    """A column of ratings with another name must not be lost in silence."""
    path = write(tmp_path, "user,item,stars\n1,2,5\n1,3,4\n")
    for _ in range(2):  # the second time from the store
        with pytest.warns(DataWarning, match="some: No column was taken for ratings, .* not used: 'stars'") as told:
            dataset = ct.load(path)
        assert len(told) == 1 and told[0].filename == __file__
    assert dataset.interactions.values.tolist() == [1.0, 1.0]
    assert dataset.interactions.timestamps is None


def test_no_header(tmp_path: Path) -> None:
    path = write(tmp_path, "1,10,4\n3,10,5\n")
    assert rows(path, user=0, item=1, rating=2) == [(1, 10, 4.0), (3, 10, 5.0)]
    with pytest.raises(DataError, match="looks like data and not like a header: 1,10,4; give the columns by position"):
        load(path)
    with pytest.raises(ParameterError, match="columns 0 to 2"):
        load(path, user=0, item=3)
    with pytest.raises(ParameterError, match="all by position"):
        load(path, user=0, item="movie")


@pytest.mark.parametrize(("name", "separator"), [("u1.base", "\t"), ("ratings.dat", "::")])
def test_one_file_of_movielens(name: str, separator: str, tmp_path: Path) -> None:
    path = write(tmp_path, CSV.split("\n", 1)[1].replace(",", separator), name)
    assert rows(path) == ROWS


def test_separator_of_the_caller(tmp_path: Path) -> None:
    path = write(tmp_path, "user-x;item-x\na b c~d\ne f~g\n".replace("-x;", "~").replace("-x", ""))
    assert rows(path, separator="~") == [("a b c", "d", 1.0), ("e f", "g", 1.0)]


# ---- ids and times ---------------------------------------------------------------------------------------------


def test_text_ids_are_kept_as_typed(tmp_path: Path) -> None:
    """Zeros in front are part of an id: "007" is not 7."""
    assert rows(write(tmp_path, "user,item\n007,1\n7,2\n")) == [("007", 1, 1.0), ("7", 2, 1.0)]


@pytest.mark.parametrize("other", ["007", "+7", " 7", "-0", "-07", "00"])
@pytest.mark.parametrize(("separator", "quote"), [(",", ""), (",", '"'), ("::", ""), ("\t", "")])
def test_ids_that_integers_would_lose_are_found_far_down(
    other: str, separator: str, quote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars reads 007, +7 and 7 as one integer, and only the first lines are looked at before it does."""
    other = quote + other + quote
    lines = [f"{n}{separator}{n % 7}" for n in range(300)]
    path = write(tmp_path, "\n".join([f"user{separator}item", *lines, f"{other}{separator}5", f"5{separator}{other}"]))
    for piece in (delimited._PIECE, 5):  # what is looked for may lie across pieces
        monkeypatch.setattr(delimited, "_PIECE", piece)
        with pytest.warns(DataWarning) as told:
            x = load(path, separator=separator).interactions
        shown = repr(other.strip('"'))
        assert all(f"first {shown} in line {line}" in str(w.message) for w, line in zip(told, (302, 303), strict=True))
        assert (x.users.kind, x.items.kind, x.n_users, x.n_items) == ("str", "str", 301, 8)
        assert other.strip('"') in x.users and other.strip('"') in x.items


def test_zeros_in_front_of_other_columns_leave_ids_integers(tmp_path: Path) -> None:
    lines = "".join(f"{n},5,-0.5,01/02/2003\n" for n in range(300))
    x = load(write(tmp_path, f"user,item,rating,day\n{lines}")).interactions
    assert (x.users.kind, x.items.kind, x.n_users) == ("int", "int", 300)


def test_one_odd_id_that_makes_all_ids_text_is_told(tmp_path: Path) -> None:
    lines = "".join(f"{n},5\n" for n in range(300))
    with pytest.warns(DataWarning, match=r"'user' mixes integers and text.* 1 of 301 ids .* first 'x9' in line 302"):
        dataset = load(write(tmp_path, f"user,item\n{lines}x9,5\n"))
    assert dataset.interactions.users.kind == "str" and dataset.interactions.items.kind == "int"


def test_integers_among_text_are_only_noted(tmp_path: Path) -> None:
    dataset = load(write(tmp_path, "user,item\na,1\nb,1\n7,1\n"))
    assert any("mixes integers and text" in note and "'a' in line 2" in note for note in dataset.report.notes)


def test_ids_with_spaces_around_them_are_told(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match=r"2 of 3 ids begin or end with spaces, the first 'ann ' in line 3"):
        dataset = load(write(tmp_path, "user,item\nann,1\nann ,2\n bob,2\n"))
    assert dataset.interactions.n_users == 3


@pytest.mark.parametrize("id", ["a\0b", "1\0"])
def test_a_nul_inside_an_id_is_refused(id: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"some\.csv line 3: user holds a NUL character '\w\\x00"):
        load(write(tmp_path, f"user,item\n5,1\n{id},2\n"))
    with pytest.raises(DataError, match="row 2: user id holds a NUL character"):
        load({"user": ["5", id], "item": [1, 2]})


@pytest.mark.parametrize("large", [2**31, 2**62, -(2**40)])
def test_large_ids(large: int, tmp_path: Path) -> None:
    lines = "".join(f"{n},5\n" for n in range(1, 300))
    x = load(write(tmp_path, f"user,item\n{lines}{large},5\n")).interactions
    assert large in x.users and x.n_users == 300


def test_ids_beyond_64_bits_are_text(tmp_path: Path) -> None:
    assert rows(write(tmp_path, f"user,item\n{2**70},5\n")) == [(str(2**70), 5, 1.0)]


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (("1112484676", "1112486027"), (1112484676, 1112486027)),
        (("1112484676.0", "1112486027.9"), (1112484676, 1112486027)),
        (("2005-04-02 23:31:16", "2005-04-02 23:53:47"), (1112484676, 1112486027)),
        (("2005-04-02T23:31:16Z", "2005-04-03T01:53:47+02:00"), (1112484676, 1112486027)),
        (("2005-04-02 23:31:16.5", "2005-04-02 23:53:47.25"), (1112484676, 1112486027)),
        (("2005-04-02", "2005-04-03"), (1112400000, 1112486400)),
    ],
)
def test_times(times: tuple[str, str], seconds: tuple[int, int], tmp_path: Path) -> None:
    dataset = load(write(tmp_path, f"user,item,timestamp\n1,1,{times[0]}\n2,1,{times[1]}\n"))
    assert dataset.interactions.timestamps is not None
    assert tuple(dataset.interactions.timestamps.tolist()) == seconds
    assert dataset.report.missing_times == 0


def test_missing_times_are_told(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match="some: 1 time is missing and became 0"):
        dataset = load(write(tmp_path, 'user,item,timestamp\n1,1,"1112484676"\n2,1,\n'))
    assert dataset.interactions.timestamps is not None
    assert dataset.interactions.timestamps.tolist() == [1112484676, 0]
    assert dataset.report.missing_times == 1


# ---- what is malformed -----------------------------------------------------------------------------------------

MALFORMED = [
    ("1,2,3", "3 fields instead of 4"),
    ("1,2,3,4,5", "5 fields instead of 4"),
    ("1,2,3,4,", "5 fields instead of 4"),
    (",2,3,4", "userId is missing"),
    ("1,,3,4", "movieId is missing"),
    ("1,2,,4", "rating is missing"),
    ("1,2,good,4", "rating is not a finite number 'good'"),
    ("1,2,nan,4", "rating is not a finite number 'nan'"),
    ("1,2,NaN,4", "rating is not a finite number 'NaN'"),
    ("1,2,-inf,4", "rating is not a finite number '-inf'"),
    ("1,2,1e39,4", "rating is not a finite number '1e39'"),
    ("1,2,3,noon", "timestamp cannot be read 'noon'"),
    ('1,"2,3,4', "quotes do not match"),
    ('1,"2"x,3,4', "quotes do not match"),
]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(("line", "reason"), MALFORMED)
@pytest.mark.parametrize("place", ["first", "last", "unfinished"])
def test_malformed_line(line: str, reason: str, place: str, end: bytes, tmp_path: Path) -> None:
    good = [f"{n},2,3.5,{n}".encode() for n in range(1, 51)]
    lines = [line.encode(), *good] if place == "first" else [*good, line.encode()]
    text = end.join([b"userId,movieId,rating,timestamp", *lines]) + (b"" if place == "unfinished" else end)
    path = write(tmp_path, text)
    number = 2 if place == "first" else 52
    with pytest.raises(DataError) as caught:
        load(path)
    assert f"some.csv line {number}: {reason}" in str(caught.value)
    assert line in str(caught.value) and 'on_error="skip"' in str(caught.value)
    with pytest.warns(DataWarning, match=f"1 line was skipped, the first: some.csv line {number}: "):
        dataset = load(path, on_error="skip")
    assert dataset.interactions.nnz == 50
    assert dataset.report.skipped == 1
    assert dataset.report.skipped_lines[0].endswith(line)


def test_every_skipped_line_is_counted_and_ten_are_kept(tmp_path: Path) -> None:
    """Over several blocks of reading, with the right line numbers."""
    n = 40_000
    lines = [f"{u},{u % 7},3.5,{u}" for u in range(1, n + 1)]
    broken = list(range(0, n, 1000))
    for at in broken:
        lines[at] = f"{at + 1},oops"
    path = write(tmp_path, "userId,movieId,rating,timestamp\n" + "\n".join(lines) + "\n")
    with pytest.warns(DataWarning, match="40 lines were skipped"):
        dataset = load(path, on_error="skip")
    assert dataset.interactions.nnz == n - 40
    assert dataset.report.skipped == 40 and len(dataset.report.skipped_lines) == 10
    assert dataset.report.skipped_reasons == {"2 fields instead of 4": 40}
    shown = [line.split(":")[0] for line in dataset.report.skipped_lines]
    assert shown == [f"some.csv line {at + 2:,}" for at in broken[:10]]


def test_not_utf8(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item\nann,1\ncaf\xe9,2\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"line 3: not UTF-8 text: café,2"):
        load(path)


def test_an_id_that_runs_over_the_end_of_a_line(tmp_path: Path) -> None:
    """Two stray quotes make one field of many lines; polars alone would lose them in silence."""
    path = write(tmp_path, 'user,item\n"ann,1\nbob,1\ncleo",1\ndora,1\n')
    with pytest.raises(DataError, match=r"some\.csv line 2: quotes do not match"):
        load(path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("\n1,2\n", "its first line is"),
        ("user,item\n", "has no rows of ratings"),
        ("user,item", "has no rows of ratings"),
        ("user,item\n\n\n", "has no rows of ratings"),
        ("user,item,user\n1,2,3\n", "more than one column 'user'"),
    ],
)
def test_hopeless_files(text: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=match):
        load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("user,item,rating\n" + "1,2,3,5\n" * 4, "4 fields instead of 3", "line 3: 4 fields instead of 3: 1,2,3,5"),
        ("user;item;rating\n" + "1;2;3,5\n" * 4, "rating is not a finite number", "finite number '3,5': 1;2;3,5"),
        ("user,item,time\n" + "1, 2, 2005-04-02\n" * 4, "time cannot be read", "cannot be read ' 2005-04-02': 1, 2,"),
        (b"user,item\n" + "é,2\n".encode("latin-1") * 4, "not UTF-8 text", "line 4: not UTF-8 text: é,2"),
    ],
)
def test_nothing_left(text: str | bytes, reason: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(write(tmp_path, text), on_error="skip")
    assert f"no rows of ratings that can be used: all 4 were skipped (4 {reason})" in str(caught.value)
    assert line in str(caught.value)


def test_nothing_left_of_a_frame() -> None:
    with pytest.raises(DataError, match=r"all 2 were skipped \(2 user id is missing\). The first: row 1: user"):
        load(pl.DataFrame({"user": [None, None], "item": [1, 2]}), on_error="skip")


def test_nothing_left_of_movielens(tmp_path: Path) -> None:
    write(tmp_path, "userId,movieId,rating\n1,2\n", "ratings.csv")
    with pytest.raises(DataError, match=r"all 1 were skipped .*ratings\.csv line 2: 2 fields"):
        load(tmp_path, on_error="skip")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(encoding: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"some\.csv is UTF-16 text; save it as UTF-8"):
        load(write(tmp_path, CSV.encode(encoding)))


@pytest.mark.parametrize("text", [CSV, "1,2,3\n" * 9999])
def test_line_ends_of_old_macs_are_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"some\.csv has lines that end as on old Macs") as caught:
        load(write(tmp_path, text.replace("\n", "\r")))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("first", ["1" * 9999 + ",2", "user,item\n1," + "2," * 9999, "x," * 9999, '"' + "x" * 9999])
def test_long_lines_are_shortened(first: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(write(tmp_path, first))
    assert "..." in str(caught.value) or "and 9,980 more" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_short_last_column_is_told_from_an_empty_one(tmp_path: Path) -> None:
    """An optional last column may be empty, but its separator must be there."""
    assert rows(write(tmp_path, "user,item,rating,note\n1,2,4,hi\n1,3,5,\n")) == [(1, 2, 4.0), (1, 3, 5.0)]
    with pytest.raises(DataError, match="line 3: 3 fields instead of 4: 1,3,5"):
        load(write(tmp_path, "user,item,rating,note\n1,2,4,hi\n1,3,5\n"))


def test_damaged_gzip(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(CSV.encode() * 100)[:-20], "a.csv.gz")
    with pytest.raises(DataError, match=r"a\.csv\.gz is damaged or cut off"):
        load(path)


# ---- duplicates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("last", (4.0, 300)), ("first", (2.0, 100)), ("mean", (11 / 3, 300)), ("max", (5.0, 300))],
)
def test_duplicates(policy: Any, expected: tuple[float, int], tmp_path: Path) -> None:
    path = write(tmp_path, "userId,movieId,rating,timestamp\n1,2,4,300\n1,2,5,200\n3,2,1,50\n1,2,2,100\n")
    with pytest.warns(DataWarning, match="2 rows repeat"):
        dataset = load(path, duplicates=policy)
    assert dataset.report.merged == 2 and dataset.report.duplicates == policy
    user, item, rating, time = dataset.interactions.to_frame().row(0)
    assert (user, item, time) == (1, 2, expected[1])
    assert rating == pytest.approx(expected[0])
    with pytest.raises(DataError, match=r"2 rows repeat a \(user, item\) pair \(the first: user 1, item 2\); choose"):
        load(path, duplicates="error")


# ---- where it comes from ---------------------------------------------------------------------------------------


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, CSV, "ratings.csv")
    with pytest.raises(DataError, match=r"is not there.*Did you mean \S*/ratings\.csv\?.*movielens-sample"):
        load(tmp_path / "rating.csv")
    with pytest.raises(DataError, match=r"nor is the folder"):
        load(tmp_path / "no" / "ratings.csv")
    with pytest.raises(DataError, match=r"Did you mean movielens-sample"):
        load("movielens-sampel")


def test_what_cannot_be_loaded() -> None:
    with pytest.raises(DataError, match="cannot load a int"):
        load(5)


def test_useless_options_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, CSV, "ratings.csv")
    for source in (path, pl.read_csv(CSV.encode())):
        with pytest.raises(ParameterError, match=r"seed=1 is no option for a (path|frame); there are user, item"):
            load(source, seed=1)
    for empty in ("", " "):
        with pytest.raises(ParameterError, match="name or path is empty"):
            load(empty)
    with pytest.raises(ParameterError, match="user cannot be given for MovieLens"):
        load(tmp_path, user="userId")
    with pytest.raises(ParameterError, match="separator cannot be given for a frame"):
        load(pl.read_csv(CSV.encode()), separator=",")
    with pytest.raises(ParameterError, match="on_error must be"):
        load(path, on_error="ignore")
    with pytest.raises(ParameterError, match="duplicates must be one of"):
        load(path, duplicates="median")


def test_the_cache_gives_the_same_and_the_same_warning(tmp_path: Path) -> None:
    path = write(tmp_path, CSV + "1,2,1,900\n1,2\n")
    loaded = []
    for _ in range(2):
        with pytest.warns(DataWarning) as caught:
            loaded.append(ct.load(path, on_error="skip"))
        assert len(caught) == 2
    first, second = loaded
    assert first.interactions.to_frame().equals(second.interactions.to_frame())
    assert first.report == second.report and second.report.source == str(path)
    assert not second.interactions.values.flags.writeable, "mapped from the store"
