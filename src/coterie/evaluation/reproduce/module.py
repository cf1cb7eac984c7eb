"""The figures that the module "Recommender Systems" prints: its reduction of MovieLens 20M, measures and examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from coterie import similarity
from coterie.data import builtin, readers
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.errors import DataError
from coterie.evaluation.reproduce.protocol import Entry, Figure, Options, Protocol, Result, Stopwatch
from coterie.models.item_knn import ItemKNN
from coterie.models.user_knn import UserKNN

N_USERS = 1000
MIN_ITEM_RATINGS = 21  # the module keeps movies with more than 20
#: Ratings of the whole edition, and of its first 1000 people.
OFFICIAL, OFFICIAL_PART = 20_000_263, 150_629
_DATA = (
    "MovieLens 20M (from https://grouplens.org/datasets/movielens/20m/, or with Kaggle's names) or a part of it with "
    "its first 1000 people, in a folder ml-20m or ml-20m-1000users, or the name movielens-20m, which fetches it"
)
_FOLDERS = ("", "ml-20m", "ml-20m-1000users", "kaggle-20m")


def load(location: str) -> Dataset:
    """The dataset at `location`: a name, or a folder with MovieLens 20M or with a folder of it."""
    if builtin.is_name(location) and not Path(location).exists():
        return builtin.load(location)
    names = ("ratings.csv", "rating.csv", "movielens_rating.csv")
    folder = next(
        (f for f in (Path(location, name) for name in _FOLDERS) if any((f / n).is_file() for n in names)), None
    )
    if folder is None:
        raise DataError(f"{location} has no ratings.csv or rating.csv; needed: {_DATA}")
    return readers.load(str(folder))


def counts(dataset: Dataset) -> dict[str, float]:
    """What the module counts: of the whole edition only where all of it is there."""
    x, catalog = dataset.interactions, dataset.catalog
    kept = reduced(x)
    found = {"movies kept": kept.n_items, "people kept": kept.n_users}
    if catalog is not None:
        found |= {"movies": len(catalog), "genres": len(catalog.genres), "genome tags": len(catalog.genome_tags)}
    if x.nnz == OFFICIAL:
        found |= {"people": x.n_users, "rated movies": x.n_items, "movies left out": x.n_items - kept.n_items}
        if catalog is not None and catalog.tags is not None:
            found |= {"people who tagged": catalog.tags["user"].n_unique(), "tags": catalog.tags["tag"].n_unique()}
    return {name: float(value) for name, value in found.items()}


def reduced(x: Interactions) -> Interactions:
    """The first 1000 people and the movies that more than 20 of them rated."""
    return x.filter(first_users=N_USERS, min_item_ratings=MIN_ITEM_RATINGS)


def measures(x: Interactions) -> dict[str, float]:
    """The six measures of the first two people, as the module's code computes them."""
    first, second = x.users.ids[:2].tolist()
    return {name: similarity.pair(x, first, second, name, "notebook") for name in similarity.MEASURES}


def user_based(x: Interactions) -> dict[str, float]:
    """Person 1's rating of movie 1, from the 50 nearest people who rated it, and how near the first three are."""
    model = UserKNN(aggregation="mean", absolute=True, n_neighbors=50).fit(x)
    user, movie = x.users.ids[0].item(), x.items.ids[0].item()
    why = model.explain(user, movie)
    nearest = why.contributions["similarity"].sort(descending=True)[:3].to_list()
    return {f"neighbour {place}": value for place, value in enumerate(nearest, 1)} | {"rating": why.score}


def item_based(x: Interactions) -> dict[str, float]:
    """The three movies nearest to the first one, and the mean that counts ratings never given as zeros."""
    model = ItemKNN(similarity="cosine", n_neighbors=50).fit(x)
    movie = x.items.ids[0].item()
    nearest = similarity.neighbors(x, "cosine", 3, axis="items").of(movie)["value"].to_list()
    found = {f"neighbour {place}": value for place, value in enumerate(nearest, 1)}
    return found | {"mean with zeros": model.mean_with_unrated_as_zero(movie)}


def _figures(printed: Mapping[str, float], tolerance: float) -> tuple[Figure, ...]:
    return tuple(Figure(name, value, tolerance) for name, value in printed.items())


_SOURCE = "module"
# Tolerances are half of the last printed digit; counts are exact, and single precision has seven digits.
_COUNTS = {
    "movies": 27_278, "people": 138_493, "rated movies": 26_744, "genome tags": 1128, "people who tagged": 7801,
    "tags": 38_644, "genres": 19, "movies left out": 25_038, "movies kept": 1706, "people kept": 1000,
}  # fmt: skip
_MEASURES = {
    "jaccard": 0.053, "cosine": 0.133, "pearson": -0.069, "manhattan": 1.167, "euclidean": 0.412, "chebyshev": 0.444,
}  # fmt: skip
_NEAR_USERS = {"neighbour 1": 0.40457195, "neighbour 2": 0.376088, "neighbour 3": 0.3636198}
_NEAR_MOVIES = {"neighbour 1": 0.5504396, "neighbour 2": 0.5502418, "neighbour 3": 0.5399177}
ENTRIES = (
    Entry("counts", _figures(_COUNTS, 0.0), _SOURCE),
    Entry("measures", _figures(_MEASURES, 0.0005), _SOURCE, note="of persons 1 and 2"),
    Entry(
        "user-knn",
        _figures(_NEAR_USERS, 1e-6) + _figures({"rating": 3.9}, 0.05),
        _SOURCE,
        {"aggregation": "mean", "absolute": True, "n_neighbors": 50},
        note="of person 1 and movie 1",
    ),
    Entry(
        "item-knn",
        _figures(_NEAR_MOVIES, 1e-6) + _figures({"mean with zeros": 1.8}, 0.05),
        _SOURCE,
        {"similarity": "cosine", "n_neighbors": 50},
        note="of movie 1; a pitfall, not a prediction",
    ),
)


def _run(location: str, options: Options) -> Iterator[Result]:
    dataset = load(location)
    x = dataset.interactions
    if x.n_users < N_USERS:
        raise DataError(
            f"{location} has {x.n_users:,} people, fewer than the {N_USERS:,} of the module; needed: {_DATA}"
        )
    small = reduced(x)
    part = x.filter(first_users=N_USERS).nnz
    foreign = "" if part == OFFICIAL_PART else f"not MovieLens 20M: {part:,} ratings of the first {N_USERS:,} people"
    steps = {
        "counts": lambda: counts(dataset),
        "measures": lambda: measures(small),
        "user-knn": lambda: user_based(small),
        "item-knn": lambda: item_based(small),
    }
    for entry in options.chosen(ENTRIES):
        options.announce(f"{entry.label}: {small.n_users:,} people, {small.n_items:,} movies")
        watch = Stopwatch()
        values = steps[entry.model]()
        for result in entry.results("ml-20m", values, watch.seconds, foreign):
            if result.ours is not None:  # what this part of the data says
                yield result


PROTOCOL = Protocol(
    name="module",
    title="What the module prints",
    sources={_SOURCE: 'the teaching module "Recommender Systems", cells 11 to 32'},
    data=_DATA,
    duration="seconds; with all of MovieLens 20M a minute or two",
    entries=ENTRIES,
    function=_run,
)
