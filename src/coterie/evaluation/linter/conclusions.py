"""Whether there can be a verdict at all: on figures of one person, of no hits, or of choices taken for ratings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from coterie.data.wording import counted
from coterie.evaluation.evaluate import Answers, Questions
from coterie.evaluation.linter.finding import Finding
from coterie.evaluation.metrics import Measure
from coterie.evaluation.metrics.ranking import METRICS as RANKING

#: The check whose findings mean that there is no verdict.
NOTHING = "nothing can be concluded"
#: How these findings begin.
OPEN = "Nothing can be concluded about which model is better"


def check_conclusions(
    questions: Sequence[Questions], first: Measure, answers: Mapping[str, Sequence[Answers]]
) -> list[Finding]:
    """Why no model can be said to be better than another by the first metric, over all splits: errors; and a hint
    where what looks like ratings is none.

    Parameters
    ----------
    questions : sequence of Questions
        One for each split.
    first : Measure
        The one that decides the order.
    answers : mapping of str to sequence of Answers
        Of the models that were judged, by label, one for each split.
    """
    return [*_one_person(questions, first), *_all_equal(questions, first), *_no_hits(questions, first, answers)]


def _one_person(questions: Sequence[Questions], first: Measure) -> Iterator[Finding]:
    rates = first.metric.kind == "rating"
    judged = [np.flatnonzero(q.split.test.user_counts) if rates else q.users for q in questions]
    if len(np.unique(np.concatenate(judged))) == 1:
        what = "all test ratings are those of one user" if rates else "the lists of one user alone are judged"
        yield Finding(NOTHING, "error", f"{OPEN}: {what}, and another may turn the order. Judge on more users.", 1)


def _all_equal(questions: Sequence[Questions], first: Measure) -> Iterator[Finding]:
    """Ratings that are all the same: there is nothing to predict."""
    values = {bound for q in questions for part in (q.split.train, q.split.test) for bound in part.scale}
    if len(values) != 1:
        return
    n = questions[0].split.train.nnz + questions[0].split.test.nnz
    same = (
        f"All ratings are {values.pop():g}, so they are choices and not ratings: judge by metrics of lists, such as "
        "ndcg@10 and recall@10, and take models of choices, such as implicit-als, item-knn or ease."
    )
    if first.metric.kind == "rating":
        yield Finding(NOTHING, "error", f"Nothing can be concluded from {first.name}. {same}", n)
    elif questions[0].ratings:
        yield Finding("ratings that are all equal", "warning", f"Metrics of ratings say nothing here. {same}", n)


def _no_hits(
    questions: Sequence[Questions], first: Measure, answers: Mapping[str, Sequence[Answers]]
) -> Iterator[Finding]:
    """Nothing asked about that a model could know, or not one right item in any list of any model."""
    if first.metric not in RANKING:
        return  # what lists are like can be told of wrong ones too
    n_asked = n_unseen = 0
    for asked in questions:
        unseen = asked.split.train.item_counts[asked.relevant.indices] == 0
        n_asked, n_unseen = n_asked + len(unseen), n_unseen + int(unseen.sum())
    rankings = [a.ranking for found in answers.values() for a in found if a.ranking is not None]
    hopeless = bool(rankings) and not any(ranking.hits.any() or first.value(ranking) for ranking in rankings)
    if n_unseen == n_asked and (hopeless or questions[0].catalog is None):
        why = f"no training rating tells of any of {counted(n_asked, 'relevant test item')}, so that hits are chance"
        remedy = "Split in another way, or bring a catalog and models that read it."
    elif hopeless:
        why = (
            f"not one of {counted(n_asked, 'relevant test item')} is in any list of {counted(questions[0].k, 'place')}"
        )
        remedy = "Judge on more data, or by longer lists."
    else:
        return
    yield Finding(NOTHING, "error", f"{OPEN}: {why}. {remedy}", n_asked)
