"""The ASGI application: which request is which answer, and which error is which status."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import coterie
from coterie.data.plain import plain
from coterie.errors import CapabilityError, CoterieError, DataError, NothingFitsError, ParameterError, UnknownIdError
from coterie.models.base import Recommender
from coterie.server import documents
from coterie.server.answers import Answers

# The first that fits; DataError is raised here only for what the model's own data lack.
_STATUS: dict[type[CoterieError], int] = {
    NothingFitsError: 409,
    UnknownIdError: 404,
    ParameterError: 422,
    CapabilityError: 501,
    DataError: 501,
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": documents.Error, "description": "The body cannot be read."},
    404: {"model": documents.Error, "description": "Something named is not known."},
    409: {"model": documents.Error, "description": "No item is what was asked for; what to relax."},
    422: {"model": documents.Error, "description": "The body is not as described, or a value cannot be meant."},
    501: {"model": documents.Error, "description": "The model does not do that."},
}
# Letters of what was sent, and of a whole message.
_ECHOED, _LONGEST = 100, 2000


class Route(NamedTuple):
    """A request, its answer, and what that is like."""

    method: str
    path: str
    answer: Callable[..., Any]
    document: type[documents.Document]

    @property
    def summary(self) -> str:
        """The first line of the answer's docstring."""
        return (self.answer.__doc__ or "").splitlines()[0]


def application(model: Recommender) -> FastAPI:
    """See `coterie.server.application`."""
    answers = Answers(model)
    app = FastAPI(title=f"Coterie: {model.label}", version=coterie.__version__, docs_url=None, redoc_url=None)

    def contents() -> dict[str, Any]:
        """What answers, from what, and what it can be asked."""
        return {**answers.about(), "requests": {f"{r.method} {r.path}": r.summary for r in routes}}

    routes = [
        Route("GET", "/", contents, documents.Contents),
        Route("GET", "/health", health, documents.Health),
        Route("GET", "/items", answers.items, documents.Items),
        Route("GET", "/names", answers.names, documents.Names),
        Route("POST", "/recommend", answers.recommend, documents.Recommendations),
        Route("POST", "/predict", answers.predict, documents.Predictions),
        Route("POST", "/explain", answers.explain, documents.Explanation),
        Route("POST", "/similar", answers.similar, documents.Neighbors),
        Route("POST", "/critique", answers.critique, documents.Critiqued),
        Route("POST", "/ask", answers.ask, documents.Asked),
    ]
    for route in routes:
        _add(app, route)
    app.add_exception_handler(CoterieError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _no_such_request)
    app.add_exception_handler(Exception, _unforeseen)
    return app


def health() -> dict[str, str]:
    """Whether requests are answered."""
    return {"status": "ok"}


def _add(app: FastAPI, route: Route) -> None:
    """FastAPI reads the body's type from the answer's signature, and gives each request a thread."""

    @wraps(route.answer)
    def answered(**given: Any) -> JSONResponse:
        return JSONResponse(plain(route.answer(**given)))

    answered.__signature__ = inspect.signature(route.answer, eval_str=True)  # type: ignore[attr-defined]
    errors = _ERRORS if route.method == "POST" else {status: _ERRORS[status] for status in (400, 404, 422, 501)}
    told: Any = {"summary": route.summary, "response_model": route.document, "responses": errors}
    app.add_api_route(route.path, answered, methods=[route.method], operation_id=route.answer.__name__, **told)
    if route.method == "GET":  # HTTP has it for whatever can be got
        app.add_api_route(route.path, answered, methods=["HEAD"], include_in_schema=False)


# ---- errors ---------------------------------------------------------------------------------------------


def _error(status: int, kind: str, message: str, **rest: Any) -> JSONResponse:
    message = message.encode("utf-8", "backslashreplace").decode()  # half of a pair of surrogates is no text
    message = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."
    return JSONResponse({"error": {"kind": kind, "message": message, **rest}}, status)


def _refused(request: Request, error: Exception) -> JSONResponse:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    if not isinstance(error, NothingFitsError):
        return _error(status, type(error).__name__, str(error))
    relaxed = [r if isinstance(r, dict) else r.to_dict() for r in error.relaxations]
    return _error(status, type(error).__name__, str(error), relaxations=plain(relaxed))


def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    told = dict.fromkeys(_worded(problem) for problem in error.errors())
    return _error(422, "ParameterError", "; ".join(told))


# What is wrong with a value, by how pydantic calls it.
_WORDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_too_long": "must have at most {max_length} letters",
    "literal_error": "must be one of {expected}",
}
#: Parts of a place that say which of several types was tried.
_TRIED = {"int", "str"}
_IDS = "must be an id, a whole number or a text"


def _worded(problem: dict[str, Any]) -> str:
    """Where something is wrong with a body, what it must be, and what it is."""
    first, *places = problem["loc"]
    kind, given, context = problem["type"], problem.get("input"), problem.get("ctx", {})
    tried = any(str(place).split("[")[0] in _TRIED for place in places[-1:])
    where = ".".join(str(place) for place in (places[:-1] if tried else places))
    if kind == "json_invalid":
        return f"the body is not JSON: {context.get('error')} at character {places[0] if places else 0}"
    if first == "body" and not places and kind != "value_error":
        sent = "must be a JSON object; is it sent with the header content-type: application/json?"
        return f"the body {'is missing; it ' if kind == 'missing' else ''}{sent}"
    if kind == "value_error":
        words = problem["msg"].removeprefix("Value error, ")
    elif kind == "missing":
        words = "is missing"
    else:
        named = _WORDS.get(kind, problem["msg"]).format(**context)
        words = f"{_IDS if tried else named}, not {_short(given)}"
    return f"{where}{'' if words.split()[0] in ('must', 'is', 'are', 'have') else ':'} {words}" if where else words


def _short(given: Any) -> str:
    """What was sent, as JSON, if it is not long."""
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= _ECHOED else f"{text[:_ECHOED]}..."


def _no_such_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path[:_ECHOED]}: {error.detail}; GET / lists what can be asked"
    if error.status_code == 400:
        message = "the body cannot be read: it is nested too deeply, or a number in it has too many digits"
    reply = _error(error.status_code, "RequestError", message)
    reply.headers.update(error.headers or {})
    return reply


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    return _error(500, type(error).__name__, "not foreseen; the server's log shows where")
