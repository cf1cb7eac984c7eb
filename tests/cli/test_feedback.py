"""Behaviours, half-lives and implicit ratings on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import coterie as ct
from coterie.data.interactions import Interactions
from tests.cli.conftest import Run

WEIGHTS = ("--behavior", "event", "--weight", "view=1", "--weight", "buy=5")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log.csv"
    rows = ["1,a,view,0", "1,b,buy,86400", "2,a,buy,86400", "2,b,view,172800", "3,b,view,172800"]
    file.write_text("\n".join(["user,item,event,time", *rows]) + "\n")
    return file


def fitted(run: Run, data: Path, *options: object) -> Interactions:
    folder = data.parent / "model"
    answer = run("fit", "popularity", data, "-o", folder, *options)
    assert (answer.status, answer.err) == (0, "")
    return ct.load_model(folder).train_


def test_behaviours_and_half_lives_are_those_of_load(run: Run, log: Path) -> None:
    weights = {"view": 1.0, "buy": 5.0}
    plain = ct.load(log, behavior="event", weights=weights).interactions
    assert fitted(run, log, *WEIGHTS).fingerprint == plain.fingerprint
    assert fitted(run, log, *WEIGHTS, "--half-life", "2").fingerprint == plain.decayed(2).fingerprint
    assert fitted(run, log, *WEIGHTS, "--implicit", "5").fingerprint == plain.binarized(5).fingerprint
    assert fitted(run, log, *WEIGHTS, "--implicit", "all").fingerprint == plain.binarized().fingerprint


def test_ages_are_counted_from_the_latest_rating_that_is_kept(run: Run, log: Path) -> None:
    x = fitted(run, log, *WEIGHTS, "--half-life", "1", "--until", "1970-01-03")
    assert x.to_frame()["rating"].to_list() == [0.5, 5.0, 5.0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--behavior", "event"), "--behavior needs the weight of each behavior, as in --weight view=1"),
        (("--weight", "view=1"), "name it with --behavior ..."),
        ((*WEIGHTS, "--weight", "buy=2"), "--weight names behavior 'buy' twice, the second time as 'buy=2'"),
        ((*WEIGHTS, "--weight", "cart"), "--weight takes a behavior and a number, such as buy=5, not 'cart'"),
        ((*WEIGHTS, "--weight", "cart=much"), "--weight takes a behavior and a number, such as buy=5, not 'cart=much'"),
        (("--behavior", "event", "--weight", "view=1"), "behavior is none of view: "),
        ((*WEIGHTS, "--half-life", "0"), "half_life must be a number of days above 0, not 0.0"),
        ((*WEIGHTS, "--implicit", "some"), "--implicit takes the lowest rating that counts, or all, not 'some'"),
        ((*WEIGHTS, "--implicit", "6"), "no rating of log meets the conditions"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(run: Run, log: Path, options: tuple[str, ...], words: str) -> None:
    answer = run("data", "describe", log, *options)
    assert (answer.status, answer.out) == (1, "")
    assert words in answer.err and answer.err.count("\n") == 1
