"""Group, bundle, cohorts: more than one person, and more than one item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coterie.cli.constraining import ConstraintOptions
from coterie.cli.models import K, Rated, _label, _name, _title_early, _whom
from coterie.cli.options import DataOptions, ModelOptions, WholeDataArgument, WholeDataOptions
from coterie.cli.output import Output, UsageError, cell, frame_table, heading
from coterie.data.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from coterie.data.vocabulary import Id
    from coterie.models.base import Recommender

_Strategy = Literal["average", "least_misery", "most_pleasure", "fair"]


def group(
    model: ModelOptions,
    data: WholeDataOptions,
    out: Output,
    users: Annotated[list[str] | None, typer.Argument(metavar="[USER]...", help="Ids of known users.")] = None,
    stranger: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ITEM=RATING;...",
            help='A stranger and what they rated, such as "Toy Story=5; Heat (1995)=2"; repeat.',
        ),
    ] = None,
    k: K = 10,
    strategy: Annotated[_Strategy, typer.Option(help="How the members' opinions become one list.")] = "fair",
    seen: Annotated[
        Literal["anybody", "everybody", "nobody"],
        typer.Option(help="Leave out what anybody has rated, only what everybody has, or nothing."),
    ] = "anybody",
    of: Annotated[
        Literal["rating", "score"] | None,
        typer.Option(help="Opinions by predicted rating or by score; by default ratings where lists are by rating."),
    ] = None,
    wanted: ConstraintOptions = ConstraintOptions(),
) -> None:
    """One list for several people, with what each of them would think of it.

    Example: coterie group 1 15 --stranger "Toy Story (1995)=5; Heat (1995)=2" --strategy least_misery
    """
    from coterie.cli.sources import obtain_model, parse_profile
    from coterie.scenarios import compare_strategies, recommend_to_group

    if not users and not stranger:
        raise UsageError(
            'a group of whom? Give user ids, or strangers such as --stranger "Toy Story (1995)=5; Heat (1995)=2"'
        )
    fitted = obtain_model(model, data)
    members: dict[str, Id | dict[Id, float]] = {}
    for text in users or []:
        user = fitted.train_.users.parse(text)
        if f"user {user}" in members:
            raise UsageError(f"user {user} is in the group twice; name everybody once")
        members[f"user {user}"] = user
    for place, text in enumerate(stranger or [], 1):
        members[f"stranger {place}"] = parse_profile([part for part in text.split(";") if part.strip()], fitted)
    among = wanted.constraints()
    found = recommend_to_group(fitted, members, k, strategy, seen, of, among)
    compared = compare_strategies(fitted, members, k, seen, of, among)
    document = {
        **fitted.about, "members": members, "strategy": strategy, "of": found.of, "recommendations": found.items,
        "opinions": found.opinions, "satisfaction": found.members, "strategies": compared, "summary": found.summary,
        **({} if among is None else {"constraints": among.to_dict()}),
    }  # fmt: skip
    what = "predicted ratings" if found.of == "rating" else "utilities, from 0 (their lowest score) to 1 (their best)"
    pictures: list[Any] = [heading(f"For {_listed(list(members))}, {_words(strategy)}, by {_label(fitted)}")]
    if len(found.items):
        pictures += [
            frame_table(found.items.drop("score"), 2), f"Under each name: {what}.", cell(found.summary), "",
            heading("What other strategies would mean: utility over the list of the average member, and so on"),
            frame_table(_spoken(compared), 3),
        ]  # fmt: skip
    else:
        pictures.append(cell(found.summary))
    out.show(document, *pictures)


def bundle(
    model: ModelOptions,
    data: DataOptions,
    out: Output,
    known: Annotated[str | None, typer.Argument(metavar="[USER]", help="Id of a known user.")] = None,
    rated: Rated = None,
    complete: Annotated[
        list[str] | None,
        typer.Option(metavar="ITEM", help="Already in the bundle, which is to be completed; repeat."),
    ] = None,
    value: Annotated[
        bool, typer.Option("--value", metavar="", help="Only say what the items of --complete are worth together.")
    ] = False,
    size: Annotated[int, typer.Option(min=1, metavar="N", help="Items of the bundle, all in all.")] = 5,
    relevance: Annotated[float, typer.Option(min=0, metavar="NUMBER", help="Weight of what the person likes.")] = 1.0,
    complementarity: Annotated[
        float, typer.Option(min=0, metavar="NUMBER", help="Weight of pairs that the same people like.")
    ] = 0.5,
    diversity: Annotated[float, typer.Option(min=0, metavar="NUMBER", help="Weight of covering topics.")] = 0.5,
    topics: Annotated[
        Literal["genres", "neighbors"] | None,
        typer.Option(help="What is to be covered; by default genres, where they are known."),
    ] = None,
    pool: Annotated[int, typer.Option(min=1, metavar="N", help="Best items among which the bundle is chosen.")] = 50,
    method: Annotated[
        Literal["exact", "greedy"], typer.Option(help="Search until the best is proven, or one item after another.")
    ] = "exact",
) -> None:
    """A set of items that goes well together, or what completes one; with a bound on how good another could be.

    Example: coterie bundle --complete "Star Wars: Episode IV" --complete "Alien (1979)" --size 5
    """
    from coterie.cli.sources import find_item, obtain_model, parse_profile
    from coterie.scenarios import bundle as best_bundle
    from coterie.scenarios import complete as completed
    from coterie.scenarios import score_bundle

    if known and rated:
        raise UsageError("a bundle for a known user or for a stranger: give a user id or --rated, not both")
    if not (known or rated or complete):
        raise UsageError('a bundle for whom? Give a user id, --rated "Toy Story (1995)=5", or --complete ITEM')
    if value and not complete:
        raise UsageError("--value says what the items of --complete are worth; name them")
    fitted = obtain_model(model, data)
    who = parse_profile(rated, fitted) if rated else fitted.train_.users.parse(known) if known else None
    items = [find_item(text, fitted.train_, fitted.catalog_) for text in complete or []]
    weights = (relevance, complementarity, diversity)
    if value:
        found = score_bundle(fitted, items, who, weights, topics)
    elif items:
        if size <= len(set(items)):
            raise UsageError(f"{counted(len(set(items)), 'item')} to complete to --size {size}; make it larger")
        found = completed(fitted, items, size - len(set(items)), who, weights, topics, pool, method)
    else:
        assert who is not None
        found = best_bundle(fitted, who, size, weights, topics, pool, method)
    document = {
        **fitted.about, **({} if who is None else _whom(who)), "given": items, "bundle": found.items,
        "pairs": found.pairs, "value": found.value, "relevance": found.relevance,
        "complementarity": found.complementarity, "diversity": found.diversity, "bound": found.bound, "gap": found.gap,
        "proven": found.proven, "greedy_value": found.greedy_value, "guarantee": found.guarantee,
        "candidates": found.n_candidates, "summary": found.summary,
    }  # fmt: skip
    whom = "somebody who likes what is in it" if who is None else "a stranger" if rated else f"user {who}"
    title = "The value of a bundle" if value else "A bundle completed" if items else "A bundle"
    shown = found.items if items and not value else found.items.drop("given")
    parts = f"relevance {found.relevance:.3f}, complementarity {found.complementarity:.3f}, diversity " + (
        f"{found.diversity:.3f}"
    )
    out.show(
        document, heading(f"{title} for {whom}, by {_label(fitted)}"), frame_table(_given_in_words(shown), 3),
        f"Worth {found.value:.3f}: {parts}. A row says what would be lost without the item.", cell(found.summary),
        *_pairs(fitted, found.pairs),
    )  # fmt: skip


def cohorts(
    model: ModelOptions,
    data: WholeDataArgument,
    out: Output,
    n_cohorts: Annotated[int, typer.Option("-n", "--cohorts", min=2, metavar="N", help="How many.")] = 6,
    cohort: Annotated[
        int | None, typer.Option(min=1, metavar="NUMBER", help="Also what this one likes, and recommendations for it.")
    ] = None,
    member: Annotated[
        str | None, typer.Option("--of", metavar="USER", help="The same of the cohort of a user.")
    ] = None,
    of: Annotated[
        Literal["items", "genres", "tags"], typer.Option("--by", help="What it likes more than others do, told by.")
    ] = "items",
    k: K = 10,
    seed: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="Seed of the first centres.")] = 0,
    wanted: ConstraintOptions = ConstraintOptions(),
) -> None:
    """Users clustered by taste: how many, what each cohort likes more than all others do, recommendations for one.

    Tastes are the factors of --model where it has any, else those of an SVD of 16 factors; --model recommends.

    Example: coterie cohorts --model svd --cohort 2
    """
    from coterie.cli.sources import obtain_model
    from coterie.scenarios import find_cohorts

    if cohort is not None and member is not None:
        raise UsageError("one cohort: give --cohort or --of, not both")
    among = wanted.constraints()
    if among is not None and cohort is None and member is None:
        raise UsageError("what may be recommended, and to which cohort? Give --cohort or --of")
    fitted = obtain_model(model, data)
    found = find_cohorts(fitted, n_cohorts, random_state=seed)
    table = found.table(3)
    document = {**fitted.about, "source": found.source, "cohorts": table}
    pictures: list[Any] = [
        heading(f"{len(found)} cohorts of {counted(int(found.sizes.sum()), 'user')}, by {found.source}"),
        frame_table(_brief(table), 2),
    ]
    if member is not None:
        cohort = found.of(fitted.train_.users.parse(member))
        if not cohort:
            raise UsageError(f"user {member} is in no cohort: nothing is known of their taste")
    if cohort is not None:
        liked, list_ = found.over_liked(cohort, k, of), found.recommend(cohort, k, candidates=among)
        document |= {"cohort": cohort, "over_liked": liked, "recommendations": list_}
        document |= {} if among is None else {"constraints": among.to_dict()}
        pictures += [
            heading(f"What cohort {cohort} likes more than the others do"), frame_table(liked, 3),
            heading(f"For cohort {cohort}, by {_label(fitted)}: the best by the mean score of who has not rated it"),
            frame_table(_title_early(list_), 2),
        ]  # fmt: skip
    out.show(document, *pictures)


# ---- words ----------------------------------------------------------------------------------------------


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _words(strategy: str) -> str:
    return strategy.replace("_", " ")


def _spoken(compared: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return compared.with_columns(pl.col("strategy").str.replace_all("_", " "))


def _given_in_words(items: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    if "given" not in items.columns:
        return items
    words = pl.when(pl.col("given")).then(pl.lit("given")).otherwise(pl.lit("added")).alias("how")
    first = ["item", *(["title"] if "title" in items.columns else [])]
    return items.select(*first, words, pl.exclude(*first, "given"))


def _pairs(model: Recommender, pairs: pl.DataFrame) -> list[str]:
    """The strongest pairs in words."""
    if not len(pairs):
        return ["No pair of it is liked together more often than by chance."]
    strongest = [
        f"  {_name(model, one)} and {_name(model, other)}: liked together by {counted(together, 'person')}, "
        f"{expected:.1f} by chance"
        for one, other, together, expected in pairs.select("item", "other", "together", "expected").head(3).iter_rows()
    ]
    return ["Strongest pairs:", *(cell(line).replace("persons", "people") for line in strongest)]


def _brief(table: pl.DataFrame) -> pl.DataFrame:
    """Lists as lines, and of items no more than fit."""
    import polars as pl

    lists = [name for name in ("genres", "items") if name in table.columns]
    return table.drop("share", "closeness").with_columns(
        pl.col("ratings").round(0).cast(pl.Int64),
        *(
            pl.col(name).list.head(3 if name == "genres" else 2).list.join("; " if name == "items" else ", ")
            for name in lists
        ),
    )
