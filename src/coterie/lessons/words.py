"""What a measure's value says, by stated thresholds.

====================  ================================================================================
measure               thresholds
====================  ================================================================================
Jaccard               below 0.05 almost nothing, below 0.15 little, below 0.4 a good part, else most
cosine                below 0.1 hardly, below 0.3 a little, below 0.6 fairly, else very much alike
Pearson               within ±0.3 no clear pattern; beyond ±0.7 strongly, between them somewhat
Manhattan (notebook)  mean gap up to 0.15 of the rating range close, up to 0.3 some way, beyond it far apart
Chebyshev             worst gap up to 0.25 of the range small, up to 0.6 clear, beyond it nearly opposite
====================  ================================================================================

Manhattan and Euclid in the table's reading grow with what is shared, and Euclid's in the notebook's shrinks with
it: they have no thresholds, which the words say. Fewer than `FEW` co-rated ratings make every verdict about
agreement a weak one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from coterie.data.interactions import Axis
from coterie.measures import Reading

#: With fewer co-rated ratings than this, agreement may well be chance.
FEW = 10

_LITTLE = 0.15  # of Jaccard: below it, little in common
_CLOSE, _APART = 0.15, 0.3  # of the mean gap, as parts of the rating range
_OVERLAP = ((0.05, _LITTLE, 0.4), ("almost nothing", "little", "a good part", "most"))
_ALIKE = ((0.1, 0.3, 0.6), ("hardly alike", "a little alike", "fairly alike", "very much alike"))
_TOGETHER = (
    (-0.7, -0.3, 0.3, 0.7),
    (
        "they go against each other, strongly: what one likes better than usual the other likes less",
        "they go somewhat against each other",
        "no clear pattern: knowing one's ups and downs says little about the other's",
        "their ups and downs go together, somewhat",
        "their ups and downs go together, strongly",
    ),
)


def of_value(name: str, reading: Reading, value: float, n: int, spread: float, constant: bool = False) -> str:
    """A measure's value in words; `spread` is the range of the ratings, `constant` says that Pearson has no say."""
    if n == 0:
        return "they share nothing, so there is nothing to go by"
    shared = "one rating" if n == 1 else f"{n} ratings"
    few = f", but over only {shared}" if n < FEW and name not in ("jaccard", "cosine") else ""
    match name, reading:
        case "jaccard", _:
            return f"they share {_below(value, *_OVERLAP)} of what either has"
        case "cosine", _:
            if value < 0:
                return "they point in opposite directions"
            return f"as whole profiles, unrated counting as 0, they are {_below(value, *_ALIKE)}"
        case "pearson", _:
            if constant:
                return "one of them does not vary over what they share, so there is no correlation: 0 by definition"
            return _below(value, *_TOGETHER) + few
        case "manhattan", "notebook":
            far = ("close to each other", "some way apart", "far apart")
            return f"on average {_up_to(value, (_CLOSE * spread, _APART * spread), far)}{few}"
        case "manhattan", _:
            return f"the sum of {_counted(n)}: it grows with what they share, so it compares no two pairs"
        case "euclidean", "notebook":
            return "a root of a sum over a count: it shrinks as they share more, so compare equal counts only"
        case "euclidean", _:
            return f"a length over {_counted(n)}: it grows with what they share; large gaps weigh more"
        case _:
            limits = (0.25, 0.6) if reading == "notebook" else (0.25 * spread, 0.6 * spread)
            return "at worst " + _up_to(value, limits, ("a small gap", "a clear gap", "nearly opposite")) + few


def together(jaccard: float, mean_gap: float, pearson: float, n: int, spread: float, kind: str, axis: Axis) -> str:
    """The verdict of overlap, agreement and correlation in a sentence or two."""
    if n == 0:
        return "They share nothing: no measure can say anything about them."
    little = jaccard < _LITTLE
    few = f" {n} shared {'rating is' if n == 1 else 'ratings are'} few to judge by." if n < FEW else ""
    if kind == "unary":
        much = "little" if little else "much"
        return f"They have {much} in common; how much they like it, one value cannot say.{few}"
    gap = bisect_left((_CLOSE * spread, _APART * spread), mean_gap)
    turn = "but" if little == (gap == 0) else "and"
    if axis == "users":
        view = ("They agree on", "They half agree on", "They disagree on")[gap]
        said = f"{view} what they both rated, {turn} rated {'little' if little else 'much'} in common."
    else:
        view = ("much the same", "somewhat differently", "very differently")[gap]
        said = f"Those who rated both rate them {view}, {turn} {'few' if little else 'many'} of the raters rated both."
    if few:
        return said + few
    if gap == 0 and pearson <= _TOGETHER[0][1]:
        return f"{said} Within that small gap their ups and downs go against each other."
    if gap == 2 and pearson >= _TOGETHER[0][2]:
        return f"{said} Yet their ups and downs go together: one is the harsher judge."
    return said


def _below(value: float, limits: tuple[float, ...], names: tuple[str, ...]) -> str:
    return names[bisect_right(limits, value)]


def _up_to(value: float, limits: tuple[float, ...], names: tuple[str, ...]) -> str:
    return names[bisect_left(limits, value)]


def _counted(n: int) -> str:
    return "one gap" if n == 1 else f"{n} gaps"
