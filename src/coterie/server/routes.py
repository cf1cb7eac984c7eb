"""The ASGI application: which request is which answer, and which error is which status."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import coterie
from coterie.content.parts import Relaxation
from coterie.data.plain import plain
from coterie.errors import (
    CapabilityError,
    CoterieError,
    DataError,
    NothingFitsError,
    ParameterError,
    UnknownIdError,
)
from coterie.models.base import Recommender
from coterie.server.answers import Answers

# The first that fits; DataError is raised here only for what the model's own data lack.
_STATUS: dict[type[CoterieError], int] = {
    NothingFitsError: 409,
    UnknownIdError: 404,
    ParameterError: 422,
    CapabilityError: 501,
    DataError: 501,
}


def application(model: Recommender) -> FastAPI:
    """See `coterie.server.application`."""
    answers = Answers(model)
    app = FastAPI(title=f"Coterie: {model.label}", version=coterie.__version__, docs_url=None, redoc_url=None)

    def contents() -> dict[str, Any]:
        """What answers, from what, and what it can be asked."""
        return {**answers.about(), "requests": {f"{m} {path}": _summary(answer) for m, path, answer in asked}}

    asked: list[tuple[str, str, Callable[..., Any]]] = [
        ("GET", "/", contents),
        ("GET", "/health", health),
        ("GET", "/items", answers.items),
        ("POST", "/recommend", answers.recommend),
        ("POST", "/predict", answers.predict),
        ("POST", "/explain", answers.explain),
        ("POST", "/similar", answers.similar),
        ("POST", "/critique", answers.critique),
        ("POST", "/ask", answers.ask),
    ]
    for method, path, answer in asked:
        app.add_api_route(
            path, _in_json(answer), methods=[method], summary=_summary(answer), response_class=JSONResponse
        )
    app.add_exception_handler(CoterieError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _no_such_request)
    app.add_exception_handler(Exception, _unforeseen)
    return app


def health() -> dict[str, str]:
    """Whether requests are answered."""
    return {"status": "ok"}


def _summary(answer: Callable[..., Any]) -> str:
    return (answer.__doc__ or "").splitlines()[0]


def _in_json(answer: Callable[..., Any]) -> Callable[..., Any]:
    """The same with its answer in JSON; FastAPI reads the body's type from its signature and gives it a thread."""

    @wraps(answer)
    def answered(**given: Any) -> JSONResponse:
        return JSONResponse(plain(answer(**given)))

    answered.__signature__ = inspect.signature(answer, eval_str=True)  # type: ignore[attr-defined]
    return answered


def _error(status: int, kind: str, message: str, **rest: Any) -> JSONResponse:
    return JSONResponse({"error": {"kind": kind, "message": message, **rest}}, status)


def _refused(request: Request, error: Exception) -> JSONResponse:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    rest = {}
    if isinstance(error, NothingFitsError):
        rest["relaxations"] = [_looser(relaxation) for relaxation in error.relaxations]
    return _error(status, type(error).__name__, str(error), **rest)


def _looser(relaxation: Relaxation) -> dict[str, Any]:
    """What to give up, as JSON has it."""
    said = vars(relaxation)
    return {
        name: value.to_dict() if name.endswith("constraints") and value is not None else plain(value)
        for name, value in said.items()
    }


def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = []
    for problem in error.errors():
        where = ".".join(str(place) for place in problem["loc"][1:])
        if problem["loc"][:1] == ("body",) and (not where or problem["type"] == "json_invalid"):
            where = "the body"
            if problem["type"] in ("json_invalid", "missing", "model_attributes_type"):
                problem["msg"] = "must be a JSON object, sent as application/json"
        found.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}")
    return _error(422, "ParameterError", "; ".join(found))


def _no_such_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}; GET / lists what can be asked"
    return _error(error.status_code, "RequestError", message)


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    return _error(500, type(error).__name__, "not foreseen; the server's log shows where")
