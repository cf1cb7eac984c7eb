"""A small folder of ratings in the layout of MovieLens, and a way to run commands on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.cli import main

TITLES = (
    "Toy Story (1995)",
    "Heat (1995)",
    "Sabrina (1954)",
    "Sabrina (1995)",
    "Fear, The (1995)",
    "[REC] (2007)",
    "1984 (1956)",
    '"Great Performances" Cats (1998)',
)
N_USERS, N_ITEMS = 30, 24


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON, which it must be from the first character to the last."""
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def run_it(*arguments: object) -> Answer:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Answer(status, out, err)

    return run_it


@pytest.fixture(scope="session")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ratings of 30 users and 24 items; user 1 has not rated Heat (item 2)."""
    folder = tmp_path_factory.mktemp("data") / "movies"
    folder.mkdir()
    titles = [*TITLES, *(f"Film {n} (2000)" for n in range(len(TITLES), N_ITEMS))]
    lines = ["movieId,title,genres"]
    for item, title in enumerate(titles, 1):
        quoted = title.replace('"', '""')
        lines.append(f'{item},"{quoted}",{"Comedy|Drama" if item % 2 else "Drama"}')
    (folder / "movies.csv").write_text("\n".join(lines) + "\n")
    random = np.random.default_rng(5)
    lines = ["userId,movieId,rating,timestamp"]
    for user in range(1, N_USERS + 1):
        rated = np.flatnonzero(random.random(N_ITEMS) < 0.5) + 1
        for item in sorted({1, *rated.tolist()} - ({2} if user == 1 else set())):
            lines.append(f"{user},{item},{random.integers(1, 11) / 2},{1_000_000_000 + user * 1000 + item}")
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n")
    return folder
