"""What is answered over HTTP is what the library answers, and what cannot be is an error that says why."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.content.constraints import conditions, json_schema
from coterie.server import application, documents
from coterie.server.routes import _STATUS
from tests.content.films import FILMS, TAGS, catalog, ratings
from tests.server.asgi import Reply, request


@pytest.fixture(scope="module")
def model() -> ct.Recommender:
    return ct.ItemKNN().fit(ratings(), catalog())


@pytest.fixture(scope="module")
def app(model: ct.Recommender) -> Any:
    return application(model)


@pytest.fixture
def post(app: Any) -> Any:
    return partial(request, app, "POST")


def same(found: Any, expected: Any) -> None:
    """The rows of a table, as JSON has them."""
    rows = [{k: float(np.float32(v)) if isinstance(v, float) else v for k, v in row.items()} for row in found]
    wanted = [{k: float(np.float32(v)) if isinstance(v, float) else v for k, v in row.items()} for row in expected]
    assert rows == wanted


# ---- what can be asked ---------------------------------------------------------------------------------


def test_contents_say_what_answers_and_what_it_can_be_asked(app: Any, model: ct.Recommender) -> None:
    document = request(app, "GET", "/").document
    assert document["model"] == "item-knn"
    assert document["fitted_to"] == {"users": 4, "items": 6, "ratings": 8}
    assert document["scale"] == [1, 5]
    assert document["genome"]
    assert document["hyper_parameters"]["n_neighbors"] == model.n_neighbors  # type: ignore[attr-defined]
    described = request(app, "GET", "/openapi.json").document["paths"]
    assert {f"{m.upper()} {path}" for path, methods in described.items() for m in methods} == set(document["requests"])
    assert all(document["requests"].values())
    assert request(app, "GET", "/health").document == {"status": "ok"}


def test_the_description_has_every_constraint(app: Any) -> None:
    schemas = request(app, "GET", "/openapi.json").document["components"]["schemas"]
    assert set(schemas) >= {"Recommendations", "Error", "Relaxation", "Explanation"}
    assert "HTTPValidationError" not in schemas
    for body in ("Recommend", "Critique", "Ask"):
        described = schemas[body]["properties"]["constraints"]
        assert set(described["properties"]) == set(conditions())
        assert described["properties"] == json.loads(json.dumps(json_schema()["properties"]))
    assert "repeat" not in json.dumps(schemas)


def test_lists_of_known_users_and_of_strangers(post: Any, model: ct.Recommender) -> None:
    found = post("/recommend", {"user": 1, "k": 3}).document["recommendations"]
    same(found, model.recommend([1], 3).drop("user").to_dicts())
    found = post("/recommend", {"profile": {"10": 4, "20": 5.0}, "exclude_seen": False}).document["recommendations"]
    same(found, model.recommend_for({10: 4.0, 20: 5.0}, exclude_seen=False).to_dicts())
    assert post("/recommend", {"user": "1", "k": 3}) == post("/recommend", {"user": 1, "k": 3})
    documents.Recommendations.model_validate(post("/recommend", {"user": 1, "k": 3}).document)


def test_an_empty_list_says_why(post: Any) -> None:
    reply = post("/recommend", {"user": 1, "constraints": {"among": [10, "20"]}}).document
    assert reply["recommendations"] == []
    assert "was rated already" in reply["note"]
    assert "exclude_seen" in reply["note"]
    assert reply["constraints"] == {"among": [10, 20]}
    reply = post("/recommend", {"profile": {}}).document
    assert "no evidence" in reply["note"]
    assert "POST /ask" in reply["note"]
    documents.Recommendations.model_validate(reply)
    reply = post("/recommend", {"profile": {}, "constraints": {"min_ratings": 50}})
    assert reply.error["relaxations"] == []
    assert "nothing else could be recommended" in reply.error["message"]
    reply = post("/critique", {"item": 10, "profile": {"30": 4.0}, "constraints": {"genres": ["Sci-Fi"]}}).document
    assert reply["recommendations"] == []
    assert "no evidence" in reply["note"]
    documents.Critiqued.model_validate(reply)
    answers = [{"item": 30, "rating": 4.0}]
    reply = post("/ask", {"answers": answers, "constraints": {"genres": ["Sci-Fi"]}}).document
    assert reply["recommendations"] == []
    assert "no evidence" in reply["note"]
    documents.Asked.model_validate(reply)


@pytest.mark.parametrize(
    "said",
    [
        {"genres": ["Drama"]},
        {"any_genres": ["Horror", "Sci-Fi"], "not_genres": ["Comedy"]},
        {"years": [1990, None]},
        {"years": 1999},
        {"min_ratings": 2},
        {"tags": {"dark": 0.5}, "not_tags": {"funny": 0.6}},
        {"tagged": {"dark": 1}},
        {"among": [30, 40]},
    ],
)
def test_constraints_are_those_of_the_library(post: Any, model: ct.Recommender, said: Any) -> None:
    wanted = ct.Constraints.from_dict(said)
    body = {"profile": {"10": 4.0, "20": 1.0}, "exclude_seen": False, "constraints": said}
    reply = post("/recommend", body)
    expected = model.recommend_for({10: 4.0, 20: 1.0}, exclude_seen=False, candidates=wanted)
    assert len(expected)
    same(reply.document["recommendations"], expected.to_dicts())
    assert reply.document["constraints"] == wanted.to_dict()


def test_an_impossible_request_says_what_to_relax(post: Any, model: ct.Recommender) -> None:
    said = {"genres": ["Horror"], "years": [2005, 2010]}
    error = post("/recommend", {"user": 1, "constraints": said}).error
    with pytest.raises(ct.errors.NothingFitsError) as raised:
        model.recommend([1], candidates=ct.Constraints.from_dict(said))
    assert error["kind"] == "NothingFitsError"
    assert error["message"] == str(raised.value)
    assert error["relaxations"] == [relaxation.to_dict() for relaxation in raised.value.relaxations]
    documents.Error.model_validate({"error": error})
    assert post("/recommend", {"user": 1, "constraints": said}).status == 409


def test_what_a_relaxation_promises_is_what_the_person_gets(post: Any) -> None:
    tried = 0
    for who in [*({"user": user} for user in (1, 2, 3)), {"profile": {"10": 4.0}}, {"profile": {"30": 2.0}}]:
        for said in ({"genres": ["Horror"], "years": [2005, 2010]}, {"min_ratings": 9}, {"tags": {"dark": 1.0}}):
            reply = post("/recommend", {**who, "constraints": said})
            for relaxation in reply.error["relaxations"]:
                for name in ("constraints", "instead_constraints"):
                    if relaxation[name] is not None:
                        found = post("/recommend", {**who, "constraints": relaxation[name]}).document["recommendations"]
                        assert found
                        tried += 1
                if len(reply.error["relaxations"]) == 1:
                    found = post("/recommend", {**who, "constraints": relaxation["constraints"]}).document
                    assert len(found["recommendations"]) == relaxation["n_items"]
    assert tried > 20


def test_what_a_relaxation_of_a_critique_promises_is_what_the_person_gets(post: Any) -> None:
    tried = 0
    for start in (10, 20, 30, 40, 70):
        for who in ({}, {"user": 1}, {"user": 3}, {"profile": {"10": 4.0}}, {"profile": {"30": 2.0}}):
            for said in ({"tags": {"dark": 1.0}}, {"genres": ["Horror"], "years": [2005, 2010]}):
                body = {"item": start, **who, "steps": [{"more": "funny"}], "constraints": said}
                reply = post("/critique", body)
                for relaxation in reply.error["relaxations"] if reply.status == 409 else ():
                    part = {name: relaxation[name] for name in ("constraints", "steps") if name in relaxation}
                    found = post("/critique", body | part).document["recommendations"]
                    assert len(found) == relaxation["n_items"] > 0
                    tried += 1
    assert tried > 10


def test_rules_count_in_what_a_relaxation_promises() -> None:
    app = application(ct.Reranked(ct.Popularity(), never=["Drama"]).fit(ratings(), catalog()))
    body = {"user": 4, "constraints": {"min_ratings": 9}}
    [relaxation] = request(app, "POST", "/recommend", body).error["relaxations"]
    found = request(app, "POST", "/recommend", {"user": 4}).document["recommendations"]
    assert relaxation["n_items"] == len(found) > 0


def test_ratings_reasons_and_neighbors(post: Any, model: ct.Recommender) -> None:
    found = post("/predict", {"user": 1, "items": [30, "70"]}).document["predictions"]
    assert [row["item"] for row in found] == [30, 70]
    assert [row["rating"] for row in found] == pytest.approx(model.predict([1, 1], [30, 70]).tolist())
    found = post("/predict", {"profile": {"10": 3.0}, "items": [30]}).document["predictions"]
    assert found[0]["rating"] == pytest.approx(model.predict_for({10: 3.0}, [30])[0])
    reason = post("/explain", {"user": 2, "item": 20}).document
    assert reason["of"] == "rating"
    assert reason["title"] == "Beta (1995)"
    total = reason["base"] + reason["cut"] + sum(row["contribution"] for row in reason["contributions"])
    assert total == pytest.approx(reason["score"])
    documents.Explanation.model_validate(reason)
    documents.Predictions.model_validate(post("/predict", {"user": 1, "items": [30]}).document)
    documents.Neighbors.model_validate(post("/similar", {"items": [10, "10"], "k": 2}).document)
    same(post("/similar", {"items": [10], "k": 2}).document["similar"], model.similar_items([10], 2).to_dicts())


def test_a_conversation_about_the_genome(post: Any, model: ct.Recommender) -> None:
    steps = [{"less": "dark"}, {"more": "funny"}]
    reply = post("/critique", {"item": 10, "steps": steps, "k": 2}).document
    talk = ct.Critique(10, model=model).less("dark").more("funny")
    same(reply["recommendations"], talk.recommend(2).to_dicts())
    same(reply["offered"], talk.offered().to_dicts())
    assert reply["critiques"] == ["less dark", "more funny"]
    assert reply["title"] == "Alpha (1990)"
    picked = post("/critique", {"item": 10, "steps": [*steps, {"pick": 20}, {"more": "dark"}]}).document
    same(picked["recommendations"], talk.pick(20).more("dark").recommend().to_dicts())
    wanted = {"genres": ["Comedy"]}
    kept = post("/critique", {"item": 10, "steps": steps, "constraints": wanted}).document["recommendations"]
    same(kept, talk.recommend(candidates=ct.Constraints(genres=["Comedy"])).to_dicts())
    mine = post("/critique", {"item": 10, "user": 3}).document["recommendations"]
    same(mine, ct.Critique(10, model=model, user=3).recommend().to_dicts())
    assert 70 not in [row["item"] for row in mine]
    documents.Critiqued.model_validate(reply)
    nobody = post("/critique", {"item": 10, "profile": {}}).document
    assert nobody == post("/critique", {"item": 10}).document


def test_a_critique_that_leads_nowhere_says_which_step_to_leave_out(post: Any) -> None:
    steps = [{"more": " DARK"}, {"less": "Sci-Fi"}, {"more": "funny"}]
    error = post("/critique", {"item": 10, "steps": steps}).error
    documents.Error.model_validate({"error": error})
    for relaxation in error["relaxations"]:
        assert len(relaxation["steps"]) < len(steps)
        found = post("/critique", {"item": 10, "steps": relaxation["steps"]}).document["recommendations"]
        assert len(found) == relaxation["n_items"]
    said = {"constraints": {"tags": {"dark": 0.8}}, "steps": [{"less": "dark"}]}
    relaxed = post("/critique", {"item": 30, **said}).error["relaxations"]
    assert any(r["steps"] is None if "steps" in r else True for r in relaxed)
    for relaxation in relaxed:
        again = {"item": 30, **said, "constraints": relaxation["constraints"]}
        again |= {"steps": relaxation["steps"]} if "steps" in relaxation else {}
        assert post("/critique", again).status == 200


@pytest.mark.parametrize("strategy", ["popularity", "popularity_variance", "uncertainty", "random"])
def test_questions_go_on_from_the_answers(post: Any, model: ct.Recommender, strategy: Any) -> None:
    talk, answers = ct.Elicitation(model, strategy), []
    for rating in (4.0, None, 2.0):
        reply = post("/ask", {"answers": answers, "strategy": strategy}).document
        assert reply["question"]["item"] in set(model.train_.items.ids.tolist()) - {a["item"] for a in answers}
        if strategy != "random":
            assert reply["question"]["item"] == talk.ask()
        same(reply["recommendations"], talk.recommend().to_dicts())
        assert reply["by_popularity"] == talk.by_popularity
        documents.Asked.model_validate(reply)
        assert [line["item"] for line in reply["history"]] == [answer["item"] for answer in answers]
        item = reply["question"]["item"]
        talk.hear(item, rating)
        answers.append({"item": item, "rating": rating})
    wanted = {"genres": ["Drama"]}
    found = post("/ask", {"answers": answers, "strategy": strategy, "constraints": wanted}).document
    same(found["recommendations"], talk.recommend(candidates=ct.Constraints(genres=["Drama"])).to_dicts())
    everything = [{"item": int(item), "rating": None} for item in model.train_.items.ids]
    assert post("/ask", {"answers": everything, "strategy": strategy}).document["question"] is None


def test_items_by_title(app: Any) -> None:
    alpha = {"item": 10, "title": "Alpha (1990)", "ratings": 3}
    assert request(app, "GET", "/items", query="title=alpha").document == {"items": [alpha]}
    assert request(app, "GET", "/items", query="title=alpha+(1990)").document["items"][0] == alpha
    assert request(app, "GET", "/items", query="title=alhpa").document["items"][0] == alpha
    assert "Épsilon" in request(app, "GET", "/items", query="title=%C3%89psilon+(2001)").error["message"]
    assert request(app, "GET", "/items", query="title=Qwxzzz").status == 404
    assert request(app, "GET", "/items").error["message"] == "title is missing"
    assert "200 letters" in request(app, "GET", "/items", query=f"title={'a' * 300}").error["message"]
    names = request(app, "GET", "/names").document
    assert names["genres"] == sorted({g for _, _, genres, _ in FILMS for g in genres.split("|") if g})
    assert names["genome"] == list(TAGS)


# ---- what cannot be answered ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/recommend", {"user": 9}, 404, "unknown user 9"),
        ("/recommend", {"user": "x"}, 404, "'x'"),
        ("/recommend", {"profile": {"11": 4}}, 404, "unknown item 11"),
        ("/recommend", {"profile": {"10": 9}}, 422, "profile.10 must be from 1 to 5, not 9"),
        ("/recommend", {"profile": {"10": 4, " 10": 4}}, 422, "twice"),
        ("/recommend", {"user": 1, "k": "\ud800"}, 422, "k must be a whole number"),
        ("/recommend", {"user": "y" * 5000}, 404, "yyy..."),
        ("/recommend", b"[" * 5000, 400, "nested too deeply"),
        ("/recommend", {"profile": {"10": True}}, 422, "profile.10"),
        ("/recommend", {"profile": {"010": 4}}, 404, "'010' is not one"),
        ("/recommend", {"user": "1_0"}, 404, "'1_0' is not one"),
        ("/recommend", {"user": 10**30}, 404, "unknown user 1000"),
        ("/recommend", {"user": 1.5}, 422, "user must be an id, a whole number or a text, not 1.5"),
        ("/recommend", {"user": 1, "constraints": {"tagged": {"dark": 10**30}}}, 409, "no item satisfies"),
        ("/recommend", {"user": 1, "constraints": {"min_ratings": 10**30}}, 409, "no item satisfies"),
        ("/recommend", {"user": 1, "constraints": {"among": [10, 98]}}, 404, "98"),
        ("/recommend", {"user": 1, "profile": {"10": 4}}, 422, "not both"),
        ("/recommend", {}, 422, "give a user"),
        ("/recommend", {"user": 1, "k": 0}, 422, "k must be at least 1, not 0"),
        ("/recommend", {"user": 1, "k": "3"}, 422, 'k must be a whole number, not "3"'),
        ("/recommend", {"user": 1, "n": 3}, 422, "no field 'n'"),
        ("/recommend", {"user": 1, "constraint": {}}, 422, "did you mean 'constraints'?"),
        (
            "/recommend",
            {"user": 1, "constraints": {"genre": ["Drama"]}},
            422,
            "constraints have no field 'genre'; did you",
        ),
        ("/recommend", {"user": 1, "constraints": {"years": [2000, 1990]}}, 422, "years"),
        ("/recommend", {"user": 1, "constraints": ["Drama"]}, 422, "constraints are an object"),
        ("/recommend", {"user": 1, "constraints": {"genres": ["Dramma"]}}, 404, "Dramma"),
        ("/recommend", [1], 422, "must be a JSON object"),
        ("/recommend", b'{"user": 1,}', 422, "the body is not JSON: "),
        ("/recommend", b"", 422, "the body is missing"),
        ("/recommend", b'{"profile": {"10": NaN}}', 422, "profile.10"),
        ("/predict", {"user": 1, "items": []}, 422, "items"),
        ("/predict", {"user": 1, "items": [10], "at": "2018-01-01"}, 422, "does not depend on when"),
        *(
            ("/predict", {"user": 1, "items": [10], "at": at}, 422, "at must be Unix seconds or a time such as")
            for at in ("2018-13-01", -1, 1 << 40, 2.5, "12345", "-5", True, [1])
        ),
        ("/explain", {"user": 1, "item": 98}, 404, "unknown item 98"),
        ("/explain", {"user": 1, "item": 10, "of": "taste"}, 422, "of must be one of"),
        ("/similar", {"items": [10] * 101}, 422, "items must have at most 100 entries"),
        ("/critique", {"item": 99}, 404, "99"),
        ("/critique", {"item": 10, "steps": [{"less": "dark", "more": "funny"}]}, 422, "a step is one of"),
        ("/critique", {"item": 10, "steps": [{"less": "drak"}]}, 404, "dark"),
        ("/critique", {"item": 10, "user": 1, "profile": {"10": 4}}, 422, "not both"),
        ("/ask", {"answers": [{"item": 10}]}, 422, "answers.0.rating is missing"),
        ("/ask", {"answers": [{"item": 10, "rating": 7}]}, 422, "answers.0.rating must be from 1 to 5, or null where"),
        ("/ask", {"answers": [{"item": 10, "rating": 4}] * 2}, 422, "answered already"),
        ("/ask", {"strategy": "guess"}, 422, "strategy"),
        ("/nothing", {}, 404, "GET / lists"),
        ("/health", {}, 405, "GET / lists"),
    ],
)
def test_what_is_wrong_is_named(post: Any, path: str, body: Any, status: int, words: str) -> None:
    reply: Reply = post(path, body)
    documents.Error.model_validate(reply.document)
    assert words in reply.error["message"]
    assert reply.status == status


def test_what_a_model_does_not_do() -> None:
    app = application(ct.Popularity().fit(ratings()))
    assert request(app, "POST", "/predict", {"user": 1, "items": [10]}).status == 501
    assert request(app, "POST", "/critique", {"item": 10}).error["kind"] == "CapabilityError"
    assert request(app, "GET", "/items", query="title=alpha").status == 501
    found = request(app, "POST", "/recommend", {"user": 1, "k": 1}).document["recommendations"]
    assert set(found[0]) == {"rank", "item", "score"}
    app = application(ct.Popularity().fit(ratings(), catalog(genome=None, genome_tags=None)))
    assert request(app, "POST", "/critique", {"item": 10}).status == 501


def test_what_is_not_foreseen_is_told_without_its_inside(monkeypatch: pytest.MonkeyPatch, app: Any) -> None:
    def broken(*given: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(ct.ItemKNN, "similar_items", broken)
    with pytest.raises(ZeroDivisionError):  # for the server's log
        request(app, "POST", "/similar", {"items": [10]})
    assert set(_STATUS.values()) == {404, 409, 422, 501}


def test_questions_to_people_whose_data_are_choices(model: ct.Recommender) -> None:
    app = application(ct.Popularity().fit(ratings().binarized()))
    assert request(app, "POST", "/ask", {}).document["question"]["item"] == 10
    reply = request(app, "POST", "/ask", {"answers": [{"item": 10, "rating": 1}]}).document
    assert reply["uncertainty"] is None
    documents.Asked.model_validate(reply)


def test_times_of_ratings_for_a_model_that_asks() -> None:
    frame = ratings().to_frame().with_columns(timestamp=pl.Series([1_000_000_000 + 86_400 * 40 * n for n in range(8)]))
    x = ct.Interactions.from_frame(frame, user="user", item="item", rating="rating", timestamp="timestamp")
    model = ct.TimeBiasBaseline().fit(x)
    app = application(model)
    for at in (1_010_000_000, "2002-01-02T19:33:20Z", "2002-01-02 19:33:20"):
        found = request(app, "POST", "/predict", {"user": 1, "items": [30], "at": at}).document["predictions"]
        assert found[0]["rating"] == pytest.approx(model.predict([1], [30], [1_010_000_000])[0])
        reason = request(app, "POST", "/explain", {"user": 1, "item": 30, "at": at}).document
        assert reason["score"] == pytest.approx(model.explain(1, 30, timestamp=1_010_000_000).score)


def test_what_can_be_got_has_a_head(app: Any) -> None:
    assert request(app, "HEAD", "/health").status == 200
    refused = request(app, "DELETE", "/recommend")
    assert refused.status == 405
    assert refused.headers["allow"] == "POST"


def test_requests_side_by_side_do_not_disturb_one_another(post: Any) -> None:
    bodies = [{"user": 1 + n % 4, "k": 5, "constraints": {"min_ratings": n % 2}} for n in range(40)]
    alone = [post("/recommend", body) for body in bodies]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: post("/recommend", body), bodies)) == alone


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, model: ct.Recommender) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ct.errors.MissingExtraError, match=r"\[server\]"):
        application(model)


def test_a_model_has_to_be_fitted() -> None:
    with pytest.raises(ct.errors.NotFittedError):
        application(ct.EASE())
