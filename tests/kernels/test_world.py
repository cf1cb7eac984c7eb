"""Worlds have the same bytes with and without the compiler: the digests are pinned here."""

from __future__ import annotations

import pytest

from coterie.data.synthetic_catalog import make_catalog
from coterie.data.synthetic_ratings import generate, parse_shape
from tests.reference.sampling import digest


@pytest.mark.parametrize(
    ("shape", "seed", "ratings", "genome"),
    [
        ("40x60x900", 0, "28223742ff0483b3", "7a9e2893adc296cd"),
        ("40x60x900", 1, "c0257ba6a903b4c1", "6f004285767e01fc"),
        ("3x50x150", 0, "410ad5cc16cde385", "ad5fe0acc1b80f20"),
    ],
)
def test_bytes_of_a_world(shape: str, seed: int, ratings: str, genome: str) -> None:
    world, x = generate(parse_shape(shape), seed)
    catalog = make_catalog(world, x)
    assert digest(x.indptr, x.indices, x.values, x.timestamps, x.items.ids) == ratings
    assert digest(catalog.genome) == genome
