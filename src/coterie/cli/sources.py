"""From what a person typed to what the library takes: datasets, fitted models, items, profiles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import coterie as ct
from coterie.cli.options import DataOptions, HyperParameters, ListOptions, ModelOptions, flag, settings
from coterie.cli.output import complain, frame_table, stderr, working
from coterie.data.feedback import reading
from coterie.errors import AmbiguousTitleError, DataError, ParameterError, UnknownIdError
from coterie.models.registry import MODELS, model_class

if TYPE_CHECKING:
    from coterie.data.catalog import Catalog
    from coterie.data.dataset import Dataset
    from coterie.data.feedback import Towards
    from coterie.data.interactions import Interactions
    from coterie.data.vocabulary import Id
    from coterie.evaluation.splits import Split
    from coterie.models.base import Recommender


def load_dataset(options: DataOptions, model: Recommender | None = None) -> Dataset:
    """The dataset that the options name, reduced as they say, for a model that learns from it where that is known; what
    loading skipped is told on stderr."""
    dataset = _reduced(read_dataset(options), options)
    if options.half_life is None:
        return dataset
    x = dataset.interactions  # reduced already, so that ages are counted from the latest rating that is kept
    towards = decays_towards(options) or reading(x, model is None or model.predicts_ratings)
    return replace(dataset, ratings=x.decayed(options.half_life, towards=towards))


def decays_towards(options: DataOptions) -> Towards | None:
    """What values decay towards, whatever the model: weights of behaviours are no ratings, even where they differ."""
    return None if options.behavior is None else "zero"


def decayed_split(part: Split, options: DataOptions) -> Split:
    """A split whose models learn with old ratings weighing less, where the options ask for that."""
    return part if options.half_life is None else part.decayed(options.half_life, decays_towards(options))


def read_dataset(options: DataOptions) -> Dataset:
    """The same in whole."""
    dataset = ct.load(
        options.data,
        user=_column(options.user),
        item=_column(options.item),
        rating=_column(options.rating),
        timestamp=_column(options.timestamp),
        behavior=_column(options.behavior),
        weights=behavior_weights(options),
        separator=options.separator,
        duplicates=options.duplicates,
        implicit=threshold(options.implicit),
        catalog=options.catalog,
        on_error=options.on_error,
        cache=not options.no_cache,
    )
    for line in dataset.report.skipped_lines[1:]:  # the library's warning has shown the first
        complain("skipped", line)
    return dataset


def _column(text: str | None) -> str | int | None:
    """A column's name, or its position where it is a number."""
    return int(text) if text is not None and text.isdigit() else text


def behavior_weights(options: DataOptions) -> dict[str, float] | None:
    """Weights of behaviours from texts such as ``buy=5``."""
    if options.behavior is not None and not options.weight:
        raise ParameterError("--behavior needs the weight of each behavior, as in --weight view=1 --weight buy=5")
    weights: dict[str, float] = {}
    for text in options.weight or []:
        behavior, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not behavior or value != value:
            raise ParameterError(f"--weight takes a behavior and a number, such as buy=5, not {text!r}")
        if behavior in weights:
            raise ParameterError(f"--weight names behavior {behavior!r} twice, the second time as {text!r}")
        weights[behavior] = value
    return weights or None


def threshold(text: str | None) -> bool | float:
    """What ``--implicit`` says, for `coterie.load`."""
    if text is None or text == "all":
        return text is not None
    try:
        return float(text)
    except ValueError:
        raise ParameterError(f"--implicit takes the lowest rating that counts, or all, not {text!r}") from None


def _reduced(dataset: Dataset, options: DataOptions) -> Dataset:
    conditions = {
        "since": _seconds(options.since),
        "until": _seconds(options.until),
        "first_users": options.first_users,
        "min_user_ratings": options.min_user_ratings if options.min_user_ratings > 1 else None,
        "min_item_ratings": options.min_item_ratings if options.min_item_ratings > 1 else None,
    }
    conditions = {name: value for name, value in conditions.items() if value is not None}
    if conditions or options.genre or options.years:
        dataset = dataset.filter(genres=options.genre or None, years=_years(options.years), **conditions)
    if options.k_core is not None:
        dataset = replace(dataset, ratings=dataset.interactions.k_core(options.k_core))
    if dataset.ratings is not None and not dataset.ratings.nnz:
        raise DataError(f"no rating of {dataset.name} meets the conditions; ask for less")
    return dataset


def _seconds(date: datetime | None) -> int | None:
    return None if date is None else int(date.replace(tzinfo=UTC).timestamp())


def _years(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text.strip())
    if match is None:
        raise ParameterError(f"--years must be a year or two, such as 1995 or 1990-1999, not {text!r}")
    return int(match[1]), int(match[2] or match[1])


# ---- models ---------------------------------------------------------------------------------------------


def fit_model(name: str, hyper_parameters: HyperParameters, data: Dataset) -> Recommender:
    """A registered model fitted to a dataset."""
    model = model_class(name)(**settings(name, hyper_parameters))
    return fit_to(model, data)


def fit_to(model: Recommender, data: Dataset, checkpoint: Path | None = None) -> Recommender:
    """The model, fitted; one that learns in sweeps shows their progress itself."""
    if model.learns_in_sweeps:
        return model.fit(data.interactions, data.catalog, checkpoint=checkpoint)
    with working(f"Fitting {model.name} to {data.name}"):
        return model.fit(data.interactions, data.catalog, checkpoint=checkpoint)


def obtain_model(options: ModelOptions, data: DataOptions, lists: ListOptions = ListOptions()) -> Recommender:
    """The model that --model means, with lists as they are asked for: fitted now to --data, or opened from a folder."""
    from coterie.cli.reranking import reranked, with_lists

    if options.model in MODELS:
        model = model_class(options.model)(**settings(options.model, options.hyper_parameters))
        dataset = data.load(model)
        # The fit of what is wrapped begins by looking at the rules, so that a wrong one is refused at once.
        return fit_to(reranked(model, lists, dataset.interactions, dataset.catalog), dataset)
    if not Path(options.model).exists():
        raise ParameterError(
            f"--model {options.model!r} is neither a folder nor a model; there are {', '.join(MODELS)}"
        )
    changed = [name for name, value in vars(data).items() if value != vars(DataOptions())[name]]
    if changed:
        raise ParameterError(f"{options.model} is a fitted model and brings its data; leave out {flag(changed[0])}")
    with working(f"Opening {options.model}"):
        return with_lists(ct.load_model(options.model), lists)


# ---- items and profiles -----------------------------------------------------------------------------


def find_item(text: str, x: Interactions, catalog: Catalog | None) -> Id:
    """The rated item that `text` names: an id of the data, else a title of the catalog."""
    if catalog is None:
        return x.items.parse(text)
    try:
        if (id := x.items.parse(text)) in x.items:
            return id
    except UnknownIdError:  # not an id of this kind of data
        pass
    try:
        found = catalog.find(text)
    except AmbiguousTitleError as error:
        found = _only_rated(text, error.candidates, x, catalog)
    if found not in x.items:
        raise UnknownIdError(f"{catalog.titles([found])[0]} [{found}] is in the catalog, but nobody here rated it")
    return found


def _only_rated(text: str, candidates: Sequence[Id], x: Interactions, catalog: Catalog) -> Id:
    """The one candidate that has ratings; else an error, below a table of those that have, most rated first."""
    rated = [item for item in candidates if item in x.items]
    if len(rated) == 1:
        return rated[0]
    if not rated:
        raise UnknownIdError(f"{text!r} could be any of {len(candidates)} titles, and nobody here rated one of them")
    import polars as pl

    counts = x.item_counts[x.items.indices(rated)]
    shown = pl.DataFrame([pl.Series("item", rated), catalog.titles(rated), pl.Series("ratings", counts)])
    stderr().print(frame_table(shown.sort("ratings", descending=True, maintain_order=True)))
    raise UnknownIdError(f"{text!r} could be any of these {len(rated)} titles; give the year or the id")


def parse_profile(rated: list[str], model: Recommender) -> dict[Id, float]:
    """A stranger's profile from texts such as ``Toy Story (1995)=5``; an item given twice is an error."""
    profile: dict[Id, float] = {}
    for text in rated:
        title, equals, rating = text.rpartition("=")
        try:
            value = float(rating) if equals else float("nan")
        except ValueError:
            value = float("nan")
        if not title.strip() or value != value:
            raise ParameterError(f'--rated takes an item and a rating, such as "Toy Story (1995)=5", not {text!r}')
        item = find_item(title.strip(), model.train_, model.catalog_)
        if item in profile:
            raise ParameterError(f"--rated names item {item!r} twice, the second time as {title.strip()!r}")
        profile[item] = value
    return profile
