"""Answer over HTTP."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from coterie.cli.models import _label
from coterie.cli.options import ListOptions, ModelOptions, WholeDataOptions
from coterie.cli.output import Output, UsageError, cell


def serve(
    model: ModelOptions,
    data: WholeDataOptions,
    out: Output,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 for whoever can reach this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: any that is free.")] = 8000,
    lists: ListOptions = ListOptions(),
) -> None:
    """Recommend, explain and ask over HTTP, in JSON, until Ctrl-C.

    GET / lists what can be asked, GET /openapi.json describes it. Example: coterie serve --model my-model
    """
    from coterie.cli.sources import obtain_model
    from coterie.server import application, require_installed

    require_installed()
    from coterie.server.running import address_of, listen, run

    try:
        listening = listen(host, port)  # before a fit, not after it
    except OSError as error:
        raise UsageError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
    with listening:
        fitted = obtain_model(model, data, lists)
        app, address = application(fitted), address_of(listening)
        text = f"{_label(fitted)} answers at {address} (GET / lists what can be asked; Ctrl-C ends it)"
        out.show({**fitted.about, "address": address}, cell(text))
        sys.stdout.flush()
        run(app, listening)
