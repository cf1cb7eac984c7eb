"""Nothing is forgotten: models have pages, public names stand in the reference, the drawing of the house is so."""

from __future__ import annotations

import importlib.util
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

import coterie
from coterie.models.registry import MODELS, WRAPPERS, model_class
from tests.docs.blocks import ROOT

DOCS = ROOT / "docs"
HEADINGS = ["What it does", "When to use it", "Cost", "On the leaderboard", "Equation and parameters"]
_LARGEST = 60_000  # bytes of a picture; they are committed


def script(name: str) -> ModuleType:
    """A script of the documentation, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> Path:
    return DOCS / "models" / f"{name.replace('+', 'p')}.md"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_page(name: str) -> None:
    assert page(name).is_file(), f"{name} has no page; copy one of docs/models/*.md and run docs/draw.py {name}"
    text = page(name).read_text("utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    cls = model_class(name)
    for said in (
        f"{{leaderboard-line}} {name}\n",
        f".. autoclass:: coterie.{cls.__name__}\n",
        f"`{name}` on the command",
    ):
        assert said in text
    stem = page(name).stem
    if re.search(r"<!-- no picture: \S.* -->", text) is None:  # as for what the sample has no data for
        pictures = [f"{stem}.svg", *([f"{stem}-sweeps.svg"] if cls.learns_in_sweeps else [])]
        assert re.findall(r"\{picture\} pictures/(\S+)", text) == pictures
    assert re.search(
        rf"^{cls.__name__} <{re.escape(stem)}>$", (DOCS / "models" / "index.md").read_text("utf-8"), re.MULTILINE
    )


def test_no_page_is_left_of_a_model_that_went() -> None:
    known = {page(name).name for name in MODELS} | {"index.md", "leaderboard.md"}
    assert {path.name for path in (DOCS / "models").glob("*.md")} == known


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.svg")), ids=lambda path: path.name)
def test_pictures_are_small_and_sound(path: Path) -> None:
    assert ET.parse(path).getroot().tag.endswith("svg")
    assert path.stat().st_size < _LARGEST
    pages = [*DOCS.rglob("*.md")]
    assert any(f"{path.name}" in one.read_text("utf-8") for one in pages), f"no page shows {path.name}"


def test_the_leaderboard_says_where_it_comes_from() -> None:
    board = json.loads((DOCS / "leaderboard.json").read_text("utf-8"))
    assert {"command", "data", "seed", "split", "machine", "versions", "made"} <= set(board)
    made_by = script("leaderboard")
    assert board["command"] == made_by.COMMAND.removesuffix(" --json")
    names = [row["model"] for row in board["rows"]]
    assert len(names) == len(set(names))
    missing = sorted(set(MODELS) - set(names))
    assert missing == [], f"not in the leaderboard: {', '.join(missing)}; run docs/leaderboard.py"
    values = [row["metrics"]["ndcg@10"]["value"] for row in board["rows"] if row["error"] is None]
    assert values == sorted(values, reverse=True)


def test_the_drawing_of_rooms_is_the_house() -> None:
    rooms = script("rooms")
    assert rooms.DRAWING.read_text("utf-8") == rooms.drawing(), "the house has changed; run docs/rooms.py"


def test_the_drawing_has_every_room_and_no_door_that_opens_upwards() -> None:
    rooms = script("rooms")
    order = rooms.rooms()
    there = {path.stem for path in (ROOT / "src" / "coterie").glob("*.py")} | {
        path.parent.name for path in (ROOT / "src" / "coterie").glob("*/__init__.py")
    }
    assert set(order) == there - {"__init__"}
    assert all(order.index(room) < order.index(other) for room, other in rooms.doors())
    assert ("models", "data") in rooms.doors()


def test_the_drawing_says_in_full_what_rooms_are_for() -> None:
    rooms = script("rooms")
    texts = ET.parse(rooms.DRAWING).getroot().iter("{http://www.w3.org/2000/svg}text")
    said = " ".join(str(text.text) for text in texts if text.get("class") == "quiet")
    for room in rooms.rooms():
        assert rooms.purpose(room) in said and "…" not in rooms.purpose(room)


def reference() -> str:
    return "\n".join(path.read_text("utf-8") for path in [*DOCS.glob("reference/*.md"), *DOCS.glob("models/*.md")])


@pytest.mark.parametrize("name", coterie.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"\.\. auto(class|function|module):: coterie\.{name}\s", reference()), (
        f"{name} is not in docs/reference"
    )


@pytest.mark.parametrize("room", [name for name in coterie.__all__ if hasattr(getattr(coterie, name), "__path__")])
def test_every_name_of_a_room_is_in_the_reference(room: str) -> None:
    """Either by itself or by an `automodule` with members, which shows what `dir` knows."""
    text, module = reference(), getattr(coterie, room)
    whole = re.search(rf"\.\. automodule:: coterie\.{room}\n   :members:\n(   :exclude-members: (.+)\n)?", text)
    for name in module.__all__:
        alone = rf"\.\. auto(class|function|module):: coterie\.({room}\.)?{name}\s"
        with_all = whole and name in dir(module) and name not in re.split(r",\s*", whole[2] or "")
        assert with_all or re.search(alone, text) or name.isupper(), f"coterie.{room}.{name} is not in docs/reference"


def test_wrappers_are_in_the_reference() -> None:
    assert all(f"coterie.{cls}\n" in reference() for _, cls in WRAPPERS.values())
