"""The memory budget and the error past it."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from coterie.errors import MemoryBudgetError, ParameterError
from coterie.kernels.memory import memory_budget, require_memory


def test_the_budget_is_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "1.5")
    assert memory_budget() == 3 << 29


def test_without_a_setting_it_is_part_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTERIE_MEMORY", raising=False)
    assert 1 << 20 < memory_budget() < 1 << 50

    def no_proc(*args: Any, **kwargs: Any) -> Any:
        raise FileNotFoundError(args[0])

    monkeypatch.setattr(builtins, "open", no_proc)
    assert 1 << 20 < memory_budget() < 1 << 50


@pytest.mark.parametrize("setting", ["much", "nan", "inf", "-1", "0"])
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", setting)
    with pytest.raises(ParameterError, match=f"COTERIE_MEMORY.*'{setting}'"):
        memory_budget()


def test_the_error_says_how_much_of_what_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "1")
    require_memory(1 << 30, "the table", "ask for less")
    with pytest.raises(MemoryBudgetError, match=r"the table would take 2\.0 GiB, and 1\.0 GiB .*; ask for less"):
        require_memory(2 << 30, "the table", "ask for less")
    with pytest.raises(MemoryError):
        require_memory((1 << 30) + 1, "the table", "ask for less")
    monkeypatch.setenv("COTERIE_MEMORY", "0.01")
    with pytest.raises(MemoryBudgetError, match=r"would take 24 MiB, and 10 MiB may be used"):
        require_memory(24 << 20, "the table", "ask for less")
