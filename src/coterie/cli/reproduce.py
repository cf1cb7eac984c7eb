"""Published protocols, run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.output import Output, UsageError, cell, heading, stderr, stdout, table

if TYPE_CHECKING:
    from coterie.evaluation.reproduce import Protocol, Result


def reproduce(
    out: Output,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The protocol; without one, all are listed.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", metavar="FOLDER", help="Where the data lies that the protocol needs."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="MODEL", help="Only this model of the protocol. Repeat.")
    ] = None,
) -> int:
    """Run a published protocol: our figures beside the published ones, in and out of tolerance.

    It fails where a figure is worse than published by more than the tolerance. One that is better by more than that is
    told apart, as the sign of another method of the same kind.
    """
    from coterie.evaluation.reproduce import PROTOCOLS, Options, protocol

    if name is None:
        if data is not None or only:
            raise UsageError(f"which protocol? There are {', '.join(PROTOCOLS)}")
        out.show(*_listed(list(PROTOCOLS.values())))
        return 0
    chosen = protocol(name)
    if data is None:
        raise UsageError(f"where is the data? {name} needs {chosen.data}; give --data FOLDER")
    live = Options(tuple(only or ()), _announce)
    results = []
    for result in chosen.run(data, live):
        results.append(result)
        if not out.as_json:
            stdout().print(_line(result), soft_wrap=True)
    failed = [result for result in results if result.verdict == "worse"]
    document = {
        "protocol": chosen.name,
        "title": chosen.title,
        "sources": chosen.sources,
        "results": [result.to_dict() for result in results],
        "within": all(result.verdict in ("within", None) for result in results),
        "verdicts": {verdict: _counted(results, verdict) for verdict in ("within", "better", "worse")},
    }
    out.show(document, heading(chosen.title), _results_table(results), *_notes(chosen, results))
    return 1 if failed else 0


def _counted(results: list[Result], verdict: str) -> int:
    return sum(result.verdict == verdict for result in results)


def _announce(text: str) -> None:
    """What is begun, on a terminal only: it is no answer."""
    console = stderr()
    if console.is_terminal:
        console.print(cell(f"... {text}"))


def _line(result: Result) -> str:
    """A result as it comes."""
    theirs = f", published {_published(result)}" if result.published is not None else ""
    ours = "no figure of ours" if result.ours is None else _number(result.ours, result)
    return cell(f"{result.dataset}, {result.model}: {result.figure} {ours}{theirs}{_spelled(result)}")


def _spelled(result: Result) -> str:
    if result.verdict == "better":
        return f": better by {_apart(result)}"
    return {"within": ": in tolerance", "worse": ": OUT OF TOLERANCE", None: ""}[result.verdict]


def _apart(result: Result) -> str:
    """How far ours is from the published figure."""
    return f"{abs((result.ours or 0) - (result.published or 0)):.2g}"


def _results_table(results: list[Result]) -> Any:
    made = table(
        {"model": "left", "figure": "left", "ours": "right", "published": "right", "tolerance": "left",
         "within": "left", "source": "left"}
    )  # fmt: skip
    made.last_goes_first = True
    before = ""
    for result in results:
        model = f"{result.dataset}: {result.model.partition('(')[0]}"
        made.add_row(
            cell(model if model != before else ""), result.figure, _number(result.ours, result),
            _published(result), _tolerance(result), _within(result), cell(result.source),
        )  # fmt: skip
        before = model
    return made


def _within(result: Result) -> str:
    if result.verdict == "better":
        return f"better by {_apart(result)}"
    return {"within": "yes", "worse": "[bold]NO[/bold]", None: "-"}[result.verdict]


def _tolerance(result: Result) -> str:
    """How far from the published figure ours may be."""
    if result.published is None or result.ours is None or result.tolerance is None:
        return "-"
    return f"± {result.tolerance:.10f}".rstrip("0").rstrip(".")


def _number(value: float | None, result: Result) -> str:
    """Counts in full, other figures with as many digits as their tolerance asks for."""
    if value is None:
        return "-"
    if result.tolerance == 0 and float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.{8 if result.tolerance and result.tolerance < 1e-4 else 4}f}"


def _published(result: Result) -> str:
    """With the digits that were published."""
    value = result.published
    if value is None:
        return "-"
    return f"{value:,.0f}" if result.tolerance == 0 and float(value).is_integer() else f"{value:.12g}"


def _notes(chosen: Protocol, results: list[Result]) -> list[str]:
    """Settings, notes and sources, each once, below the table."""
    notes = dict.fromkeys(f"{r.model}: {r.note}" if r.note else r.model for r in results if r.note or "(" in r.model)
    cited = {result.source for result in results}
    sources = [f"{short}: {full}" for short, full in chosen.sources.items() if short in cited]
    compared = [result for result in results if result.verdict is not None]
    better = _counted(compared, "better")
    verdict = f"{_counted(compared, 'within')} of {len(compared)} figures are in tolerance."
    if better:
        verdict += (
            f" {better} {'is' if better == 1 else 'are'} better than published by more than that, which is no failure "
            "and no reproduction either: protocol and kind of method are the same; where the gap is wide, the method "
            "is another."
        )
    if not compared:
        verdict = "Nothing here can be compared with a published figure."
    return [cell(text) for text in [verdict, *notes, *sources]]


def _listed(protocols: list[Protocol]) -> list[Any]:
    """The document and the pictures of what there is."""
    document = [
        {"name": p.name, "title": p.title, "models": p.models, "data": p.data, "duration": p.duration,
         "sources": p.sources}
        for p in protocols
    ]  # fmt: skip
    pictures = []
    for p in protocols:
        lines = [f"needs: {p.data}", f"takes: {p.duration}", f"models: {', '.join(p.models)}", *p.sources.values()]
        pictures += [heading(f"{p.name}: {p.title}"), *(f"  {cell(line)}" for line in lines)]
    return [document, *pictures, "coterie reproduce NAME --data FOLDER runs one."]
