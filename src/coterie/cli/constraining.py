"""From options to `coterie.Constraints`: each of its fields is an option, as `conditions` has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field, make_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.content.constraints import Constraints, conditions

if TYPE_CHECKING:
    from coterie.data.vocabulary import Id

#: Over the options that say what may be recommended.
PANEL = "What may be recommended"


class SaidConstraints:
    """What may be recommended: the fields of `coterie.Constraints` that have an option."""

    def constraints(self, among: Sequence[Id] | None = None) -> Constraints | None:
        """What the options say, and which items alone; None where nothing is said."""
        said = replace(Constraints.from_options(vars(self)), among=among)
        return said or None


def _constraint_options() -> Iterator[tuple[str, Any, Any]]:
    """A field for each: its option as `conditions` has it."""
    for name, condition in conditions().items():
        if condition.option:
            kind: Any = list[str] | None if condition.many else str | None
            option = typer.Option(
                f"--{condition.option}", metavar=condition.metavar, help=condition.help, rich_help_panel=PANEL
            )
            yield name, Annotated[kind, option], field(default=None)


if TYPE_CHECKING:
    ConstraintOptions = SaidConstraints
else:
    ConstraintOptions = make_dataclass(
        "ConstraintOptions", list(_constraint_options()), bases=(SaidConstraints,), namespace={"__module__": __name__}
    )
