"""What several splits may not have in common: folds their test ratings, a search its validation and the test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coterie.data.interactions import Interactions
from coterie.data.wording import counted
from coterie.evaluation.linter.finding import Finding, by_severity, chosen
from coterie.evaluation.splits.base import Split, pair_in_words, pair_numbers, shared_pairs


def check_folds(folds: Sequence[Split]) -> list[Finding]:
    """Ratings that are test ratings of several folds, and count several times in the mean over folds: an error."""
    if not folds:
        return []
    first = folds[0].test
    if any(fold.test.users != first.users or fold.test.items != first.items for fold in folds):
        message = "The folds have different ids. Cut all of them from the same Interactions, as k_folds does."
        return [Finding("ids of the folds", "error", message, len(folds))]
    numbers, counts = np.unique(np.concatenate([pair_numbers(fold.test) for fold in folds]), return_counts=True)
    repeated = numbers[counts > 1]
    if not (n := len(repeated)):
        return []
    user, item = divmod(int(repeated[0]), first.n_items)
    return [
        Finding(
            "ratings tested twice",
            "error",
            f"{counted(n, 'rating')} {chosen(n, 'is a test rating', 'are test ratings')} of more than one fold, the "
            f"first of {first.users.name(user)} and {first.items.name(item)}, so that the mean over folds counts "
            f"{chosen(n, 'it', 'them')} more than once. Make the folds with k_folds.",
            n,
        )
    ]


def check_validation(outer: Split | Interactions, validation: Split) -> list[Finding]:
    """Whether a search sees only what it may: everything that it learns from and is judged by comes from training.

    Parameters
    ----------
    outer : Split or Interactions
        The split whose test is to judge the winner, or only its training part.
    validation : Split
        What the search fits and compares settings on, such as ``split(outer.train)``.

    Returns
    -------
    list of Finding
        Errors; none where the search is sound.
    """
    train = outer.train if isinstance(outer, Split) else outer
    parts = {"learns from": validation.train, "is judged by": validation.test}
    if validation.given is not None:
        parts["is told"] = validation.given
    if any(train.users != part.users or train.items != part.items for part in parts.values()):
        message = "The validation split has other ids than training. Carve it from training: split(outer.train)."
        return [Finding("tuning on the test set", "error", message, validation.test.nnz)]
    found = []
    for verb, part in parts.items():
        if isinstance(outer, Split):
            found += [_tested(verb, part, secret) for secret in _secrets(outer) if len(shared_pairs(secret, part))]
        if n := part.nnz - len(shared_pairs(train, part)):
            message = (
                f"{counted(n, 'rating')} that the search {verb} {chosen(n, 'is', 'are')} not in training. Carve the "
                "validation split from training: split(outer.train)."
            )
            found.append(Finding("validation outside training", "error", message, n))
    return by_severity(found)


def _secrets(outer: Split) -> list[Interactions]:
    """What a search must not see."""
    return [outer.test] if outer.given is None else [outer.test, outer.given]


def _tested(verb: str, part: Interactions, secret: Interactions) -> Finding:
    both = shared_pairs(secret, part)
    n = len(both)
    return Finding(
        "tuning on the test set",
        "error",
        f"{counted(n, 'rating')} that the search {verb} {chosen(n, 'belongs', 'belong')} to the test, the first of "
        f"{pair_in_words(part, both[0])}: the winner would be judged by what it was chosen for. Carve the validation "
        "split from training: split(outer.train).",
        n,
    )
