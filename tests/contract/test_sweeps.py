"""What holds of every model that learns in sweeps: its trace, Ctrl-C, checkpoints."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.errors import ArtifactError, CapabilityError, FitInterrupted, UnknownIdError
from coterie.models.registry import MODELS, model_class
from coterie.models.training import KIND, Sweep, Training
from coterie.storage import write_folder
from tests.contract.cases import CASES, Case, catalog, label, make, state, world

SWEEPING = [case for case in CASES if model_class(case[0]).learns_in_sweeps]
each_sweeping = pytest.mark.parametrize("case", SWEEPING, ids=label)


def stop_after(monkeypatch: pytest.MonkeyPatch, sweeps: int, how: Any) -> None:
    """Have `how()` called in the middle of the sweep with this number."""
    plain = Training.sweeps

    def stopping(self: Training, *args: Any, **more: Any) -> Iterator[Sweep]:
        for sweep in plain(self, *args, **more):
            if sweep.number == sweeps:
                how()
            yield sweep

    monkeypatch.setattr(Training, "sweeps", stopping)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def crash() -> None:
    raise RuntimeError("the power went")


@each_sweeping
def test_the_objective_is_traced(case: Case) -> None:
    model = make(case).fit(world(), catalog())
    trace = model.objective_  # type: ignore[attr-defined]
    assert trace.dtype == np.float64
    assert len(trace) >= 2
    assert np.isfinite(trace).all()
    assert not hasattr(model, "held_out_rmse_")


@each_sweeping
def test_held_out_ratings_are_watched_and_teach_nothing(case: Case) -> None:
    x = world()
    chance = np.random.default_rng(0).random(x.nnz) < 0.2
    train, rest = x.select(~chance, keep_vocabularies=True), x.select(chance)  # of fewer users and items
    if not make(case).predicts_ratings:
        with pytest.raises(CapabilityError, match="without validation"):
            make(case).fit(train, catalog(), validation=rest)
        return
    elsewhere = x.select(x.indices % 2 == 0)
    with pytest.raises(UnknownIdError, match=r"validation has what train lacks .*keep_vocabularies=True"):
        make(case).fit(x.select(x.indices % 2 == 1), catalog(), validation=elsewhere)
    watched, alone = make(case).fit(train, catalog(), validation=rest), make(case).fit(train, catalog())
    trace = watched.held_out_rmse_  # type: ignore[attr-defined]
    assert trace.shape == alone.objective_.shape  # type: ignore[attr-defined]
    learned = state(watched)
    del learned["held_out_rmse_"]
    assert learned == state(alone)
    pairs = rest.users.ids[rest.user_index], rest.items.ids[rest.indices]
    last = np.sqrt(((alone.predict(*pairs, rest.timestamps) - rest.values) ** 2).mean())
    assert trace[-1] == pytest.approx(last, rel=0.1)  # before what is done once, after the sweeps


@pytest.mark.parametrize("case", [case for case in SWEEPING if make(case).predicts_ratings], ids=label)
def test_the_trace_counts_items_that_nobody_rated_as_predict_does(case: Case) -> None:
    """On these, what is done once after the sweeps changes little, so the last error is that of `predict`."""
    x = world()
    cold = np.isin(x.indices, np.argsort(x.item_counts, kind="stable")[-5:])
    model = make(case).fit(x.select(~cold, keep_vocabularies=True), catalog(), validation=x.select(cold))
    rest = x.select(cold)
    predicted = model.predict(rest.users.ids[rest.user_index], rest.items.ids[rest.indices], rest.timestamps)
    error = np.sqrt(((predicted.astype(np.float64) - rest.values) ** 2).mean())
    near = 0.01 if "n_epochs" in model.parameters() else 1e-3  # descent ends near the users' best, not at it
    assert model.held_out_rmse_[-1] == pytest.approx(error, abs=near)  # type: ignore[attr-defined]


@each_sweeping
def test_ctrl_c_leaves_the_model_of_the_sweeps_done(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = signal.getsignal(signal.SIGINT)
    whole = len(make(case).fit(world(), catalog()).objective_)  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        stop_after(patch, 1, interrupt)
        model = make(case)
        with pytest.raises(FitInterrupted, match=f"{type(model).__name__} was interrupted; it is fitted with 2 of "):
            model.fit(world(), catalog())
    assert len(model.objective_) == 2 < whole  # type: ignore[attr-defined]
    assert len(model.recommend(world().users.ids.tolist()))
    assert signal.getsignal(signal.SIGINT) is earlier


@each_sweeping
def test_a_fit_cut_off_goes_on_to_the_same_bytes(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "checkpoint"
    with monkeypatch.context() as patch:
        stop_after(patch, 1, crash)
        with pytest.raises(RuntimeError, match="the power went"):
            make(case).fit(world(), catalog(), checkpoint=folder)
    started: list[int] = []
    with monkeypatch.context() as patch:
        plain = Training.sweeps

        def counting(self: Training, *args: Any, **more: Any) -> Iterator[Sweep]:
            for sweep in plain(self, *args, **more):
                started.append(sweep.number)
                yield sweep

        patch.setattr(Training, "sweeps", counting)
        resumed = make(case).fit(world(), catalog(), checkpoint=folder)
    assert started[0] == 1
    assert state(resumed) == state(make(case).fit(world(), catalog()))
    assert state(make(case).fit(world(), catalog(), checkpoint=folder)) == state(resumed)  # nothing was left to do


@each_sweeping
def test_the_model_can_be_watched_and_ended_between_sweeps(case: Case) -> None:
    seen: dict[int, Any] = {}

    def look(done: int, total: int, so_far: Any) -> bool:
        assert done <= total
        if done in (1, 3):
            seen[done] = so_far()
        return False

    watched = make(case).fit(world(), catalog(), watch=look)
    assert state(watched) == state(make(case).fit(world(), catalog()))
    ended = make(case).fit(world(), catalog(), watch=lambda done, total, so_far: done == 3)
    assert state(seen[3]) == state(ended) != state(seen[1])
    assert len(seen[1].recommend(world().users.ids.tolist()))
    counted = ended.parameters().get("n_iterations")
    if counted is not None and counted.range.search:  # which is to say that fewer sweeps are a shorter fit
        short = make(case)
        short.n_iterations = 3  # type: ignore[attr-defined]
        assert state(short.fit(world(), catalog())) == state(ended)


def test_what_a_killed_writer_left_is_no_checkpoint_and_foreign_files_are_refused_at_once(tmp_path: Path) -> None:
    left = tmp_path / "left" / "g-1-abcdef12"
    left.mkdir(parents=True)
    (left / "x.npy").touch()
    model = make(SWEEPING[0]).fit(world(), catalog(), checkpoint=tmp_path / "left")
    assert state(model) == state(make(SWEEPING[0]).fit(world(), catalog()))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(ArtifactError, match=r"thesis\.txt"):
        make(SWEEPING[0]).fit(world(), catalog(), checkpoint=tmp_path / "mine")


@each_sweeping
def test_a_checkpoint_of_something_else_is_refused(case: Case, tmp_path: Path) -> None:
    make(case).fit(world(), catalog(), checkpoint=tmp_path / "checkpoint")
    with pytest.raises(ArtifactError, match="is of other data"):
        make(case).fit(world(seed=1), catalog(), checkpoint=tmp_path / "checkpoint")
    changed = make(case)
    name = next(name for name in ("random_state", "n_iterations") if name in changed.parameters())
    setattr(changed, name, 5)
    with pytest.raises(ArtifactError, match=name):
        changed.fit(world(), catalog(), checkpoint=tmp_path / "checkpoint")


@each_sweeping
def test_a_checkpoint_with_other_arrays_is_refused(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another version may have kept them."""
    model, folder = make(case), tmp_path / "checkpoint"
    with monkeypatch.context() as patch:
        about = Training._about
        patch.setattr(Training, "_write", lambda self, path, model, done, arrays: write_folder(
            path, KIND, about(self, model, done), {name: np.zeros((2, 3, 4)) for name in arrays}
        ))  # fmt: skip
        model.fit(world(), catalog(), checkpoint=folder)
    with pytest.raises(ArtifactError, match="of another version of Coterie, which kept other arrays"):
        make(case).fit(world(), catalog(), checkpoint=folder)


@pytest.mark.parametrize("name", [name for name in MODELS if not model_class(name).learns_in_sweeps])
def test_models_that_learn_at_once_have_no_sweeps_to_watch(name: str, tmp_path: Path) -> None:
    model = model_class(name)()
    for more in ({"validation": world()}, {"checkpoint": tmp_path / "checkpoint"}, {"watch": lambda *_: False}):
        with pytest.raises(CapabilityError, match=f"{type(model).__name__} does not learn in sweeps"):
            model.fit(world(), catalog(), **more)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
