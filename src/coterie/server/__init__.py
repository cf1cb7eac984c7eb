"""HTTP: what a fitted model answers, asked in JSON. Needs the extra ``server``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from coterie.errors import MissingExtraError, how_to_install

if TYPE_CHECKING:
    from fastapi import FastAPI

    from coterie.models.base import Recommender

__all__ = ["application", "require_installed", "serve"]


def application(model: Recommender) -> FastAPI:
    """The ASGI application that answers for a fitted model; any ASGI server runs it.

    ``GET /`` lists what can be asked and ``GET /openapi.json`` describes it in full, constraints included. Bodies and
    answers are JSON; people are the ids of known users or the profiles of strangers, items are ids, which
    ``GET /items`` finds by title. What cannot be answered is an error that names what is wrong and how to mend it:

    ======  ===========================================================================================================
    status  meaning
    ======  ===========================================================================================================
    404     an unknown user, item, genre or tag, or a title that is none or may be several
    409     no item is what was asked for; ``relaxations`` say what to give up, and what that would give
    422     the body is not as described, or a value cannot be meant
    501     the model does not do that, such as predict ratings
    ======  ===========================================================================================================

    Requests are answered side by side and change nothing, so several processes can serve one saved model, whose arrays
    they share.

    Parameters
    ----------
    model : Recommender
        Fitted.

    Raises
    ------
    NotFittedError
    MissingExtraError
        FastAPI is not installed.
    """
    require_installed()
    from coterie.server.routes import application as made

    return made(model)


def serve(
    model: Recommender, host: str = "127.0.0.1", port: int = 8000, ready: Callable[[str], object] = print
) -> None:
    """Answer for a fitted model until interrupted.

    Parameters
    ----------
    model : Recommender
        Fitted.
    host : str
        Where to listen: this machine alone, or ``"0.0.0.0"`` for whoever can reach it. There is no password and no
        encryption; behind a proxy that has them it is safe.
    port : int
        0 takes any that is free.
    ready : callable
        Told the address when it listens.

    Raises
    ------
    OSError
        The port cannot be taken.
    MissingExtraError
        FastAPI or uvicorn are not installed.
    """
    require_installed()
    from coterie.server.running import address_of, listen, run

    with listen(host, port) as listening:
        app = application(model)
        ready(address_of(listening))
        run(app, listening)


def require_installed() -> None:
    """`MissingExtraError` unless the extra ``server`` is installed."""
    try:
        import fastapi
        import uvicorn
    except ImportError as error:
        raise MissingExtraError(f"serving needs its packages ({error}): {how_to_install('server')}") from error
    del fastapi, uvicorn
