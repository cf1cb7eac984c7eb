"""Run as a process of its own: jobs that are killed, each in a fork so that only the first start costs time.

The parent starts no threads between forks, and polars is used by the children alone.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from coterie.artifact import read_model
from coterie.data import store
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.models.baselines import Random

SIZE = 50_000


def model(mark: int) -> Random:
    """A model whose every array says `mark`."""
    users, items = Vocabulary.trusted(np.arange(1), "user"), Vocabulary.trusted(np.arange(SIZE), "item")
    values = np.full(SIZE, mark, np.float32)
    x = Interactions(users, items, np.array([0, SIZE]), np.arange(SIZE, dtype=np.int32), values)
    made = Random(random_state=mark)
    made.train_, made.catalog_, made.n_items_ = x, None, SIZE
    made.mark_ = np.full(SIZE, mark)  # type: ignore[attr-defined]
    return made


def mark_of(path: Path) -> int:
    """The mark of a stored model, whole."""
    stored = read_model(path)
    marks = {stored.parameters["random_state"], *np.unique(stored.state["mark_"]).tolist()}
    marks |= set(np.unique(stored.state["train_"].values).astype(int).tolist())
    assert len(marks) == 1, f"old and new are mixed: {marks}"
    return int(marks.pop())


def dataset() -> Dataset:
    return Dataset(model(1).train_, None, "killed")


def kill_at(step: int) -> None:
    """Let this process die before its `step`-th call that changes the disk."""
    calls = 0

    def fatal(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapped

    for name in ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir"):
        setattr(os, name, fatal(getattr(os, name)))


def fork(job: Callable[[], Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        job()
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def at_every_step(folder: Path, prepare: Callable[[Path], Any], job: Callable[[Path], Any]) -> None:
    """Folders 1, 2, ... under `folder`, in each of which `job` died one step later, until it lived."""
    for step in range(1, 200):
        place = folder / str(step)
        place.mkdir(parents=True)
        prepare(place)

        def doomed(place: Path = place, step: int = step) -> None:
            kill_at(step)
            job(place)

        status = os.waitpid(fork(doomed), 0)[1]
        if status == 0:
            return
        assert os.WIFSIGNALED(status), "the job failed by itself"
    raise AssertionError("the job never came to its end")


def at_random(folder: Path, rounds: int) -> None:
    """Folders 0, 1, ... in each of which a process that saved again and again was killed."""
    for turn in range(rounds):
        place = folder / str(turn)
        place.mkdir(parents=True)
        model(1).save(place / "model")

        def save_for_ever(place: Path = place) -> None:
            while True:
                for mark in (2, 1):
                    model(mark).save(place / "model")

        pid = fork(save_for_ever)
        time.sleep(random.Random(turn).uniform(0.002, 0.08))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def build(place: Path) -> None:
    warnings.simplefilter("error")
    os.environ["COTERIE_CACHE"] = str(place / "cache")
    store.cached([place.parent / "ratings.csv"], {"a": 1}, dataset)


def together(*jobs: Callable[[], Any]) -> None:
    pids = [fork(job) for job in jobs]
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    assert not any(statuses), statuses


def save_often(place: Path, mark: int) -> None:
    made = model(mark)
    for _ in range(25):
        made.save(place)


def read_often(place: Path) -> None:
    seen = {mark_of(place) for _ in range(60)}
    assert seen <= {1, 2}


def main(scenario: str, folder: Path) -> None:
    match scenario:
        case "fresh":
            at_every_step(folder, lambda place: None, lambda place: model(2).save(place / "model"))
        case "replace":
            at_every_step(folder, lambda p: model(1).save(p / "model"), lambda p: model(2).save(p / "model"))
        case "random":
            at_random(folder, 12)
        case "store":
            at_every_step(folder, lambda place: None, build)
        case "savers":
            model(1).save(folder)
            together(lambda: save_often(folder, 1), lambda: save_often(folder, 2), lambda: read_often(folder))
        case "builders":
            together(*[lambda: build(folder / "place")] * 4)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
