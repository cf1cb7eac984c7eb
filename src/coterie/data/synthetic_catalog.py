"""The items of a generated world: titles, genres, years, free tags and a tag genome, all linked to tastes."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.synthetic_ratings import N_TRAITS, TASTES, World
from coterie.kernels.parallel import run_blocks
from coterie.kernels.sampling import bells, permutation, subkey, units, words
from coterie.kernels.world import fill_genome

Array = np.ndarray[Any, np.dtype[Any]]


def _split(text: str) -> list[str]:
    return text.split()


# Words of titles and tags by genre.
_NOUNS = {
    "Action": "Fist Bullet Chase Hunter Strike Fury Blade Vengeance",
    "Adventure": "Voyage Island Treasure Compass Jungle Expedition Summit River",
    "Animation": "Pencil Puppet Clay Doodle Paintbox Rabbit Robin Mouse",
    "Children": "Kitten Playground Puppy Birthday Teddy School Balloon Holiday",
    "Comedy": "Wedding Uncle Neighbour Party Mistake Waiter Roommate Honeymoon",
    "Crime": "Heist Gangster Detective Witness Alibi Prison Robbery Informer",
    "Documentary": "Harvest Ocean Archive Orchestra Factory Election Glacier Kitchen",
    "Drama": "Mother Winter Letter House Promise Silence Daughter Harbour",
    "Fantasy": "Dragon Wizard Crown Spell Kingdom Unicorn Prophecy Mirror",
    "Film-Noir": "Shadow Alley Cigarette Nightclub Blackmail Stranger Rain Pistol",
    "Horror": "Ghost Vampire Scream Cemetery Demon Cellar Witch Zombie",
    "IMAX": "Canyon Orbit Whale Volcano Horizon Reef Savanna Storm",
    "Musical": "Song Dancer Melody Chorus Piano Cabaret Rhythm Serenade",
    "Mystery": "Secret Riddle Clue Mansion Disappearance Cipher Fog Portrait",
    "Romance": "Kiss Heart Summer Rose Lover Moonlight Valentine Waltz",
    "Sci-Fi": "Robot Galaxy Planet Android Spaceship Laboratory Clone Comet",
    "Thriller": "Hostage Conspiracy Deadline Spy Fugitive Poison Elevator Witness",
    "War": "Soldier Battle Trench Regiment Front Submarine Armistice Bomber",
    "Western": "Sheriff Saloon Cowboy Stagecoach Desert Outlaw Railroad Ranch",
}
_MOODS = _split(
    "Dark Quiet Golden Broken Hidden Last Strange Lonely Wild Crimson Silent Burning Frozen Distant Gentle Bitter "
    "Hollow Restless Forgotten Crooked Pale Electric Hungry Velvet Secondhand Midnight Reckless Tender Iron Paper"
)
_ONSETS = _split("b br c d dr f g gr h j k l m n p r s t tr v w z")
_VOWELS = _split("a e i o u ai ea")
_CODAS = ["", "", "", "n", "r", "l", "s", "th"]

_YEARLESS, _GENRELESS = 0.01, 0.012  # shares of items
_FIRST_YEAR, _LAST_YEAR = 1915, 2015
_MAX_GENOME_TAGS = 1_128
_GENOME_ITEMS = 0.4  # share of items, the most popular ones, that have a genome
_TAGGERS = 0.06  # share of users
_TAGGINGS_PER_RATING, _MAX_TAGGINGS = 0.023, 2_000_000
_BLOCK_ITEMS = 512


def make_catalog(world: World, ratings: Interactions, folder: Path | None = None) -> Catalog:
    """The catalog of a world, with its genome in a memory-mapped file of `folder` (None: in memory)."""
    names, tag_tastes = _genome_tags(world)
    genome = _make_genome(world, tag_tastes, folder)
    frame = pl.DataFrame({"item": world.item_ids, "title": _make_titles(world), "genres": _make_genres(world)})
    return Catalog.from_titles(
        frame, tags=_make_tags(world, ratings, names, tag_tastes), genome_tags=tuple(names), genome=genome
    )


def _make_genres(world: World) -> list[str]:
    """Genres of each item, joined by ``|`` in alphabetical order: those of its main and often its second taste."""
    genre = [name for name, _ in TASTES]
    luck = units(subkey(world.key, 30), world.shape.n_items)
    both = [
        "|".join(sorted({genre[a], genre[b]} if u > 0.3 else {genre[a]}))
        for a, b, u in zip(world.main_taste.tolist(), world.second_taste.tolist(), luck.tolist(), strict=True)
    ]
    return ["(no genres listed)" if u < _GENRELESS else text for u, text in zip(luck.tolist(), both, strict=True)]


def _make_titles(world: World) -> list[str]:
    """Titles of made-up places and people with words of the item's genre; unique, most with a year."""
    n = world.shape.n_items
    age = units(subkey(world.key, 31), n)
    years = _LAST_YEAR - np.floor(age * age * age * (_LAST_YEAR + 1 - _FIRST_YEAR)).astype(int)
    yearless = units(subkey(world.key, 32), n) < _YEARLESS
    dice = words(subkey(world.key, 33), n).tolist()
    nouns = [_NOUNS[name].split() for name, _ in TASTES]
    times_used: dict[str, int] = {}
    titles = []
    for taste, die, year, bare in zip(world.main_taste.tolist(), dice, years.tolist(), yearless.tolist(), strict=True):
        title = _title(nouns[taste], die)
        times = times_used[title] = times_used.get(title, 0) + 1
        if times > 1:
            stem, comma, article = title.partition(", ")
            title = f"{stem} {times}{comma}{article}"
        titles.append(title if bare else f"{title} ({year})")
    return titles


def _title(nouns: list[str], die: int) -> str:
    """One title, chosen by the digits of a number."""
    die, form = divmod(die, 8)
    die, noun = divmod(die, len(nouns))
    die, mood = divmod(die, len(_MOODS))
    name = _name(die)
    return (
        f"{_MOODS[mood]} {nouns[noun]}",
        f"{_MOODS[mood]} {nouns[noun]}, The",
        f"{nouns[noun]} of {name}, The",
        f"{name}",
        f"{name} and the {nouns[noun]}",
        f"{name}'s {_MOODS[mood]} {nouns[noun]}",
        f"{_MOODS[mood]} {nouns[noun]} in {name}, A",
        f"{name}: {_MOODS[mood]} {nouns[noun]}",
    )[form]


def _name(die: int) -> str:
    """A pronounceable name of two or three syllables."""
    die, more = divmod(die, 2)
    text = ""
    for _ in range(2 + more):
        die, onset = divmod(die, len(_ONSETS))
        die, vowel = divmod(die, len(_VOWELS))
        text += _ONSETS[onset] + _VOWELS[vowel]
    return (text + _CODAS[die % len(_CODAS)]).capitalize()


def _genome_tags(world: World) -> tuple[list[str], Array]:
    """Names of the genome's tags in alphabetical order, and the taste that each belongs to."""
    n = min(_MAX_GENOME_TAGS, max(len(TASTES), world.shape.n_items // 20))
    stock: dict[str, list[str]] = {}
    for genre, text in _NOUNS.items():
        plain = text.lower().split()
        stock[genre] = plain + [f"{mood.lower()} {noun}" for noun, mood in product(plain, _MOODS)]
    tastes: dict[str, int] = {}
    place = 0
    while len(tastes) < n:
        taste = place % len(TASTES)
        place += 1
        left = stock[TASTES[taste][0]]
        tag = left.pop(0)
        tastes.setdefault(tag, taste)
    names = sorted(tastes)
    return names, np.array([tastes[name] for name in names], np.int64)


def _make_genome(world: World, tag_tastes: Array, folder: Path | None) -> Array:
    """Relevance float32 (n_items, n_tags) for the popular items, NaN for the rest."""
    shape = (world.shape.n_items, len(tag_tastes))
    genome: Array
    if folder is None:
        genome = np.empty(shape, np.float32)
    else:
        genome = np.asarray(np.lib.format.open_memmap(folder / "genome.npy", mode="w+", dtype=np.float32, shape=shape))
    popular = np.argsort(-world.popularity, kind="stable")[: max(1, int(_GENOME_ITEMS * shape[0]))]
    absent = np.ones(shape[0], bool)
    absent[popular] = False
    directions = bells(subkey(world.key, 34), len(tag_tastes) * N_TRAITS).reshape(-1, N_TRAITS).astype(np.float32)
    key = np.uint64(subkey(world.key, 35))

    def fill(first: int, last: int) -> None:
        genome[first:last] = np.where(absent[first:last, None], np.float32(np.nan), np.float32(0))
        with np.errstate(over="ignore"):  # as in World.fill
            fill_genome(first, key, tag_tastes, directions, world.items, genome[first:last])

    run_blocks(fill, shape[0], _BLOCK_ITEMS)
    return genome


def _make_tags(world: World, ratings: Interactions, names: list[str], tag_tastes: Array) -> pl.DataFrame:
    """Free tags: some users tag some of what they rate with words of the item's tastes, in their own spelling."""
    users, rows = _tagged_ratings(world)
    n = len(rows)
    items = np.asarray(ratings.indices[rows], np.int64)
    second = units(subkey(world.key, 36), n) < 0.25
    taste = np.where(second, world.second_taste[items], world.main_taste[items])
    order = np.argsort(tag_tastes, kind="stable")
    start = np.searchsorted(tag_tastes[order], np.arange(len(TASTES) + 1))
    size = np.maximum(start[taste + 1] - start[taste], 1)
    lean = units(subkey(world.key, 37), n)  # the first tags of a taste are used most
    tag = order[np.minimum(start[taste] + np.floor(lean * lean * size).astype(np.int64), len(order) - 1)]
    spelling = words(subkey(world.key, 38), n) % np.uint64(12)
    plain = pl.Series(names, dtype=pl.String).gather(tag)
    frame = pl.DataFrame(
        {
            "user": ratings.users.ids[users],
            "item": ratings.items.ids[items],
            "tag": plain,
            "timestamp": np.asarray(ratings.timestamps)[rows] + 20 if ratings.timestamps is not None else None,
            "spelling": spelling,
        }
    )
    tag_text = (
        pl.when(pl.col("spelling") == 0)
        .then(pl.col("tag").str.to_titlecase())
        .when(pl.col("spelling") == 1)
        .then(pl.col("tag").str.to_uppercase())
        .otherwise(pl.col("tag"))
    )
    return frame.select("user", "item", tag_text.alias("tag"), "timestamp").unique(
        ["user", "item", "tag"], keep="first", maintain_order=True
    )


def _tagged_ratings(world: World) -> tuple[Array, Array]:
    """User row and place in the ratings of every tagging, laid evenly along the ratings of all taggers."""
    n_users = world.shape.n_users
    wanted = max(1, int(min(_TAGGINGS_PER_RATING * world.shape.n_ratings, _MAX_TAGGINGS)))
    taggers = np.sort(permutation(subkey(world.key, 39), n_users)[: max(1, int(_TAGGERS * n_users))])
    sizes = np.diff(world.indptr)[taggers]
    ends = np.cumsum(sizes)
    slots = np.arange(wanted, dtype=np.int64) * int(ends[-1]) // wanted
    owner = np.searchsorted(ends, slots, side="right")
    users = taggers[owner]
    return users, world.indptr[users] + slots - (ends - sizes)[owner]
