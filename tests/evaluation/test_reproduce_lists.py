"""Published protocols that judge lists: splits and figures of miniature data worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import CoterieError, DataError
from coterie.evaluation.evaluate import Questions
from coterie.evaluation.metrics import Ranking, parse
from coterie.evaluation.reproduce import PROTOCOLS, Entry, Options, liang, lightgcn, ncf
from coterie.evaluation.splits import Split
from coterie.models.baselines import Popularity
from coterie.models.registry import model_class

Array = np.ndarray[Any, np.dtype[Any]]


# ---- Liang et al. --------------------------------------------------------------------------------------

# Seven people take part, of whom the published procedure (numpy.random.seed(98765), permutation(7) = 2 0 6 1 4 3 5)
# puts the third, first and seventh into training, two into validation, and the fourth and sixth into the test.
LIKES = {
    60: [10, 99, 9, 8, 7, 6, 5, 4, 3, 2, 1],
    10: [1, 2, 3, 4, 5],
    20: [1, 11, 12, 13, 14],
    30: [1, 2, 3, 6, 7],
    40: [9, 3, 8, 4, 2],
    50: [2, 11, 12, 13, 14],
    70: [1, 2, 8, 9, 10],
    80: [1, 2, 3, 4],
}


def liked(folder: Path, likes: dict[int, list[int]]) -> str:
    """The likes as a file, in this order, with ratings in between that are no likes."""
    lines = ["userId,movieId,rating,timestamp"]
    for user, items in likes.items():
        lines += [f"{user},{item},4.0,7" for item in items] + [f"{user},50,3.5,7"]
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n")
    return str(folder)


def by_user(x: Interactions) -> dict[int, list[int]]:
    return {user: x.to_frame().filter(pl.col("user") == user)["item"].to_list() for user in x.users.ids.tolist()}


def test_strong_generalisation_is_split_as_published(tmp_path: Path) -> None:
    parts = liang.split(*liang.likes(liked(tmp_path, LIKES)), n_held_out=2)
    assert parts.given is not None
    assert by_user(parts.train) == {10: [1, 2, 3, 4, 5], 30: [1, 2, 3, 6, 7], 70: [1, 2, 8, 9, 10]}
    # 40 comes first: of 5 the generator draws place 4, then of 60's 10 (99 is unknown in training) places 5 and 9
    assert by_user(parts.test) == {40: [2], 60: [1, 5]}
    assert by_user(parts.given) == {40: [3, 4, 8, 9], 60: [2, 3, 4, 6, 7, 8, 9, 10]}
    assert parts.train.items == parts.test.items == parts.given.items


def test_who_has_few_likes_left_is_told_but_not_tested(tmp_path: Path) -> None:
    likes = LIKES | {40: [9, 3, 8, 4, 99]}
    parts = liang.split(*liang.likes(liked(tmp_path, likes)), n_held_out=2)
    assert parts.given is not None
    assert by_user(parts.given)[40] == [3, 4, 8, 9]
    assert by_user(parts.test) == {40: [], 60: [2, 3]}  # now the first draw is of 10: places 8 and 7


def test_the_metrics_of_strangers_by_hand(tmp_path: Path) -> None:
    parts = liang.split(*liang.likes(liked(tmp_path, LIKES)), n_held_out=2)
    # by popularity 40 gets 1 2 5 6 7 10, which is all but what is told, and likes 2; 60 gets 1 5 and likes both
    found = liang.measure(Entry("popularity", (), "source"), parts)
    assert found == pytest.approx({"recall_capped@20": 1, "recall_capped@50": 1, "ndcg@100": (1 / np.log2(3) + 1) / 2})


def test_capped_recall_by_hand() -> None:
    relevant = np.array([[True, True, True, False, True], [False, False, True, False, False]])
    ranking = Ranking.of(np.array([[0, 3, 2], [3, 2, -1]]), relevant, 5)
    # of 4 and of 1 relevant items
    for k, expected in {1: (1, 0), 2: (1 / 2, 1), 3: (2 / 3, 1)}.items():
        assert parse(f"recall_capped@{k}").per_user(ranking).values.tolist() == pytest.approx(expected)


def test_too_few_people_to_hold_out_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"7 people have 5 likes .* too few to hold out 10,000 .*ml-20m|movielens/20m"):
        list(PROTOCOLS["liang"].run(liked(tmp_path, LIKES)))


def test_the_protocol_of_liang_on_other_data_compares_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liang, "N_HELD_OUT", 2)
    monkeypatch.setattr(liang.split, "__defaults__", (2,))
    monkeypatch.setattr(liang, "ENTRIES", (liang.ENTRIES[0], liang.ENTRIES[2]))
    results = list(PROTOCOLS["liang"].run(liked(tmp_path, LIKES)))
    assert [r.figure for r in results] == [*liang.MEASURES] * 2
    assert {r.note for r in results[:3]} == {"not ML-20M: 41 likes of 7 people"}
    assert all(r.ours is not None and r.published is None for r in results[:3])
    assert all(r.ours is None for r in results[3:])
    # without the note, were this ML-20M, all would be compared
    monkeypatch.setattr(liang, "OFFICIAL", (41, 7))
    assert [r.published for r in PROTOCOLS["liang"].run(str(tmp_path), Options(only=("ease",)))] == [0.391, 0.521, 0.42]


# ---- neural collaborative filtering --------------------------------------------------------------------


def left_out(folder: Path) -> str:
    """Four people; counts in training: item 0 once, 1 three times, 2 once, 5 once, all others never."""
    (folder / "ml-1m.train.rating").write_text(
        "0\t0\t5\t9\n0\t1\t1\t9\n1\t1\t4\t9\n1\t2\t4\t9\n2\t1\t3\t9\n3\t5\t3\t9\n"
    )
    (folder / "ml-1m.test.rating").write_text("0\t2\t5\t10\n1\t3\t5\t10\n2\t0\t5\t10\n3\t15\t5\t10\n")
    others = [[3, 4, 6], [0, 4], [2, 3, 1], [*range(16, 27)]]
    lines = [f"({user},0)\t" + "\t".join(map(str, some)) for user, some in enumerate(others)]
    (folder / "ml-1m.test.negative").write_text("\n".join(lines) + "\n")
    return str(folder)


def test_the_held_out_item_among_its_others_by_hand(tmp_path: Path) -> None:
    data = ncf.read(left_out(tmp_path))
    assert data.train.shape == (4, 27)
    model = Popularity().fit(data.train)
    # 2 leads; 3 stands behind 0 and, being equal, 4; 0 behind 1 and 2; 15 behind its eleven equals
    assert ncf.places(model, data).tolist() == [0, 2, 2, 11]
    found = ncf.measure(model, data)
    assert found == pytest.approx({"hit_rate@10": 3 / 4, "ndcg@10": (1 + 1 / 2 + 1 / 2 + 0) / 4})


def test_what_a_model_has_nothing_to_say_about_comes_last(tmp_path: Path) -> None:
    data = ncf.read(left_out(tmp_path))

    class Silent(Popularity):
        def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
            scores = np.zeros(profiles.shape, np.float32)
            scores[:, [0, 2, 3, 15]] = np.nan
            return scores

    assert ncf.places(Silent().fit(data.train), data).tolist() == [3, 2, 3, 11]


def test_the_protocol_of_ncf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = left_out(tmp_path)
    results = list(PROTOCOLS["ncf"].run(folder, Options(only=("popularity",))))
    assert [(r.figure, r.ours, r.published) for r in results] == [("hit_rate@10", 0.75, None), ("ndcg@10", 0.5, None)]
    monkeypatch.setattr(ncf, "OFFICIAL", (6, 4))
    results = list(PROTOCOLS["ncf"].run(folder, Options(only=("popularity",))))
    assert [(r.published, r.within) for r in results] == [(0.4531, False), (0.2542, False)]


def test_files_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    left_out(tmp_path)
    (tmp_path / "ml-1m.test.negative").write_text("(0,2)\t3\n")
    with pytest.raises(DataError, match=r"ml-1m.test.negative has 1 lines and ml-1m.test.rating 4; fetch both"):
        ncf.read(str(tmp_path))


# ---- LightGCN's Gowalla --------------------------------------------------------------------------------


def visits(folder: Path) -> str:
    (folder / "gowalla").mkdir()
    (folder / "gowalla" / "train.txt").write_text("0 0 1 2\n1 0 1 1\n2 0 3\n")
    (folder / "gowalla" / "test.txt").write_text("0 3 4\n1 2\n2 \n")
    return str(folder)


def test_gowalla_s_split_and_figures_by_hand(tmp_path: Path) -> None:
    parts = lightgcn.read(visits(tmp_path))
    assert by_user(parts.train) == {0: [0, 1, 2], 1: [0, 1], 2: [0, 3]}
    assert by_user(parts.test) == {0: [3, 4], 1: [2], 2: []}
    # by popularity 0 gets 3 4, and has been to both; 1 gets 2 3 4, and has been to 2
    found = lightgcn.measure(Entry("popularity", (), "source"), parts)
    assert found == pytest.approx({"recall@20": 1, "ndcg@20": 1})
    results = list(PROTOCOLS["lightgcn"].run(str(tmp_path), Options(only=("ease",))))
    assert {r.note for r in results} == {"not the published split: 7 and 3 visits"}


def test_lists_with_means_equal_their_slow_twin() -> None:
    """BARS' formula with dense matrices: similarities, the nearest, rows that sum to 1, means off and on again."""
    random = np.random.default_rng(3)
    dense = (random.random((40, 15)) < 0.3) * 1.0
    dense[:, 14] = 0  # nobody has been there: its mean, 0, is all that is known
    test = ((random.random((40, 15)) < 0.2) & (dense == 0)) * 1.0
    names = {"similarity": "cosine", "n_neighbors": 4, "model_size": 4, "normalize": True}
    parts = Split(interactions(dense), interactions(test), "by hand", {})
    questions = Questions(parts, relevant_from=1.0, k=3, ratings=False)
    lists = lightgcn.lists_with_means(model_class("item-knn")(**names).fit(parts.train), questions)

    norms = np.maximum(np.linalg.norm(dense, axis=0), 1e-12)
    likeness = dense.T @ dense / np.outer(norms, norms)
    np.fill_diagonal(likeness, 0)
    for row in likeness:
        row[np.argsort(-row, kind="stable")[4:]] = 0
    likeness /= np.maximum(likeness.sum(axis=1, keepdims=True), 1e-12)
    means = dense.mean(axis=0)
    scores = (dense - means) @ likeness.T + means
    scores[dense > 0] = -np.inf
    best = np.sort(scores, axis=1)[:, ::-1][questions.users, :3]
    np.testing.assert_allclose(np.take_along_axis(scores[questions.users], lists, axis=1), best, rtol=1e-5)


def interactions(dense: Array) -> Interactions:
    users, items = (Vocabulary(np.arange(n), what) for n, what in zip(dense.shape, ("user", "item"), strict=True))
    return Interactions.from_arrays(users, items, *np.nonzero(dense))


@pytest.mark.parametrize(("text", "said"), [("", "no line with a user"), ("0\n1 \n", "no line with a user")])
def test_an_empty_file_of_visits_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    visits(tmp_path)
    (tmp_path / "gowalla" / "train.txt").write_text(text)
    with pytest.raises(CoterieError, match=said):
        lightgcn.read(str(tmp_path))
