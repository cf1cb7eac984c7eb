"""Lists made of some items alone: what models are asked, what is judged, what is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import coterie as ct
from coterie.evaluation import split_items
from coterie.evaluation.evaluate import Questions, ask
from coterie.evaluation.kept import KeptAnswers
from coterie.evaluation.linter.limits import _possible_lengths
from tests.contract.cases import catalog, world

PARTS = split_items(world(), 0.4, 1, candidates="cold")


def test_lists_have_candidates_alone_and_auc_is_over_them() -> None:
    questions = Questions(PARTS, 3.0, 4, False, catalog(), pairs=True)
    model = ct.GenreKNN(n_neighbors=5).fit(PARTS.train, catalog())
    answers = ask(model, questions)
    assert answers.ranking is not None and answers.ranking.pair_shares is not None
    assert PARTS.candidates is not None
    listed = answers.ranking.items[answers.ranking.items >= 0]
    assert len(listed) and PARTS.candidates[listed].all()
    scores = model.score(*questions.asked(questions.users))
    wanted = questions.relevant.to_scipy()[questions.users].toarray() > 0
    for row, share in enumerate(answers.ranking.pair_shares):
        own = np.nan_to_num(scores[row, PARTS.candidates], nan=-1e9)
        marks = wanted[row, PARTS.candidates]
        if 0 < marks.sum() < len(marks):
            assert share == pytest.approx(roc_auc_score(marks, own))


def test_sampled_candidates_are_drawn_from_candidates() -> None:
    questions = Questions(PARTS, 3.0, 4, False, catalog(), sampled=2)
    assert PARTS.candidates is not None
    for user in questions.users:
        assert PARTS.candidates[questions.candidates(int(user))].all()


def test_how_long_a_list_could_be_counts_candidates() -> None:
    assert PARTS.candidates is not None
    n = int(PARTS.candidates.sum())
    assert _possible_lengths(Questions(PARTS, 3.0, n + 5, False)).tolist() == [n] * len(
        Questions(PARTS, 3.0, 4, False).users
    )


def test_answers_about_other_candidates_are_not_taken(tmp_path: Path) -> None:
    everything = split_items(world(), 0.4, 1)
    one, other = (Questions(parts, 3.0, 4, False) for parts in (PARTS, everything))
    model = ct.Popularity().fit(PARTS.train)
    kept = KeptAnswers(tmp_path / "kept", one)
    kept.keep(model, ask(model, one))
    assert KeptAnswers(tmp_path / "kept", one).find(model) is not None
    assert KeptAnswers(tmp_path / "kept", other).find(model) is None
