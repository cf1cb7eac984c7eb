"""What holds of every model from its constructor to its file: parameters, fitting, keeping."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from polars.testing import assert_frame_equal

import coterie as ct
from coterie.data.interactions import Interactions
from coterie.errors import DataError, NotFittedError, ParameterError
from coterie.models.registry import load_model, model_class
from tests.contract.cases import (
    Case,
    assert_same,
    catalog,
    each_case,
    each_model,
    fitted,
    learn,
    make,
    profile_of,
    state,
    wide_world,
    world,
)


@each_case
def test_the_constructor_only_stores(case: Case) -> None:
    model = make(case)
    assert not [name for name in vars(model) if name.endswith("_")]
    for name, value in case[1]:
        assert getattr(model, name) is value
    assert repr(model).startswith(type(model).__name__ + "(")
    for name in model.parameters():
        assert f"{name}={getattr(model, name)!r}" in repr(model)
    assert type(model) is model_class(model.name)
    assert (type(model).__doc__ or "").strip()


@each_model
def test_every_parameter_says_what_it_is_and_refuses_what_it_is_not(case: Case) -> None:
    cls = model_class(case[0])
    for name, parameter in cls.parameters().items():
        assert parameter.range.help, name
        bad: list[Any] = [object(), float("nan")]
        if parameter.choices is not None or parameter.type is bool:
            bad += ["nonsense", 3]
        else:
            bad += ["1", True, float("inf")]
            bad += [1e19] if parameter.type is float else []
            bad += [parameter.range.low - 1] if parameter.range.low is not None else []
            bad += [parameter.range.high + 1] if parameter.range.high is not None else []
            bad += [1.5, 2.0] if parameter.type is int else []
        for value in bad:
            with pytest.raises(ParameterError) as error:
                cls(**{name: value}).fit(world())
            for part in (cls.__name__, name, repr(value)):
                assert part in str(error.value)


@each_model
def test_before_fit_every_question_says_so(case: Case, tmp_path: Path) -> None:
    model = make(case)
    questions = [
        lambda: model.recommend([1]),
        lambda: model.recommend_for({}),
        lambda: model.predict([1], [1]),
        lambda: model.predict_for({}, [1]),
        lambda: model.score(world().to_scipy()),
        lambda: model.similar_items([1]),
        lambda: model.explain(1, 1),
        lambda: model.save(tmp_path / "model"),
    ]
    for question in questions:
        with pytest.raises(NotFittedError, match=rf"{type(model).__name__} is not fitted; call fit"):
            question()
    assert not list(tmp_path.iterdir())


@each_model
def test_fit_takes_interactions_and_nothing_bare(case: Case) -> None:
    with pytest.raises(TypeError, match="Interactions, not csr_matrix"):
        make(case).fit(world().to_scipy())  # type: ignore[arg-type]


@each_case
def test_fitting_again_starts_afresh(case: Case) -> None:
    model = learn(case, world(seed=1))
    model.recommend(world(seed=1).users.ids.tolist())
    model.recommend_for(profile_of(world(seed=1), 0))
    model.explain(int(world(seed=1).users.ids[0]), int(world(seed=1).items.ids[0]))
    again, once = model.fit(world(), catalog()), fitted(case)
    assert again is model
    assert state(again) == state(once)
    users = world().users.ids.tolist()
    assert_frame_equal(again.recommend(users), once.recommend(users), check_exact=True)
    profile = profile_of(world(), 0)
    assert_frame_equal(again.recommend_for(profile), once.recommend_for(profile), check_exact=True)


@each_case
def test_a_fit_that_fails_leaves_the_model_as_it_was(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    model, expected = learn(case, world(seed=1)), state(learn(case, world(seed=1)))
    learning = type(model)._fit

    def fail(self: Any, *arguments: Any) -> None:
        learning(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(model), "_fit", fail)
    with pytest.raises(KeyboardInterrupt):
        model.fit(world(), catalog())
    assert state(model) == expected
    assert model.recommend(world(seed=1).users.ids.tolist()[:1]).height


@each_model
def test_ratings_too_large_for_single_precision_are_refused(case: Case) -> None:
    x, model = world(), make(case)
    for value in (3e38, -2e15, np.nan):
        values = x.values.copy()
        values[7] = value
        with pytest.raises(DataError, match=rf"{type(model).__name__}: the largest rating in size is .*divide all"):
            model.fit(replace(x, values=values), catalog())


@each_case
def test_a_model_that_could_not_be_fitted_is_not_fitted(case: Case) -> None:
    model = learn(case, world())
    with pytest.raises(TypeError):
        model.fit(None)  # type: ignore[arg-type]
    model.recommend(world().users.ids.tolist()[:1])  # a refused call leaves it as it was
    for name in list(model.parameters())[:1]:
        setattr(model, name, object())
        with pytest.raises(ParameterError):
            model.fit(world())


@each_case
def test_any_number_of_threads_gives_the_same_bytes(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("COTERIE_THREADS", threads)
        model = make(case).fit(world(), catalog())
        scores = model.score(world().to_scipy(), np.arange(world().n_users))
        found.add((scores.tobytes(), tuple(sorted(state(model).items()))))
    assert len(found) == 1


@each_model
def test_threads_make_no_difference_where_there_is_work_for_several(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("COTERIE_THREADS", threads)
        model = learn(case, wide_world())
        table = model.recommend(wide_world().users.ids[::3], k=5)
        found.add((table.write_ipc(None).getvalue(), tuple(sorted(state(model).items()))))
    assert len(found) == 1


@each_case
def test_several_callers_at_once_get_what_one_gets(case: Case) -> None:
    model = learn(case, world())
    profiles = [profile_of(world(), user) for user in (0, 1, 2, 3)] * 4
    with ThreadPoolExecutor(4) as pool:  # the first calls, so that whatever is made lazily is made in a crowd
        tables = list(pool.map(model.recommend_for, profiles))
    for table, profile in zip(tables, profiles, strict=True):
        assert_same(case, table.drop("title", strict=False), fitted(case).recommend_for(profile).drop("title"))


@pytest.mark.parametrize("text", [False, True], ids=["int", "str"])
@each_case
def test_a_loaded_model_is_the_saved_one(case: Case, text: bool, tmp_path: Path) -> None:
    model = fitted(case, text)
    model.save(tmp_path / "model")
    loaded = ct.load_model(tmp_path / "model")
    assert type(loaded) is type(model)
    assert {n: getattr(loaded, n) for n in loaded.parameters()} == {n: getattr(model, n) for n in model.parameters()}
    assert state(loaded) == state(model)
    x = world(text)
    users, items, profile = x.users.ids.tolist(), x.items.ids.tolist(), profile_of(x, 0)
    rows = np.arange(x.n_users)
    assert loaded.score(x.to_scipy(), rows).tobytes() == model.score(x.to_scipy(), rows).tobytes()
    assert_frame_equal(loaded.recommend(users), model.recommend(users), check_exact=True)
    assert_frame_equal(loaded.recommend_for(profile), model.recommend_for(profile), check_exact=True)
    assert loaded.explain(profile, items[0]).score == model.explain(profile, items[0]).score
    if model.predicts_ratings:
        pairs = users[:3] * len(items), items * 3
        assert loaded.predict(*pairs).tobytes() == model.predict(*pairs).tobytes()
    load_model(tmp_path / "model", verify=False).save(tmp_path / "again")  # and it can be kept once more
    assert state(ct.load_model(tmp_path / "again")) == state(model)


@each_case
def test_mapped_arrays_are_as_good_as_any(case: Case, tmp_path: Path) -> None:
    x = world()
    mapped = []
    for name in ("indptr", "indices", "values", "timestamps"):
        np.save(tmp_path / f"{name}.npy", getattr(x, name))
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    model = make(case).fit(Interactions(x.users, x.items, *mapped), catalog())
    users = x.users.ids.tolist()
    assert_frame_equal(model.recommend(users), fitted(case).recommend(users), check_exact=True)
