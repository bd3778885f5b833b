"""`isospike recipes`: the list, or the card of one."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from isospike import methods


def command(name: Annotated[str | None, typer.Argument()] = None) -> None:
    """List the recipes, or show the card, the knobs and the published figures of one."""
    if name is None:
        for each in methods.names():
            title = methods.card(each).splitlines()[0].partition(": ")[2]
            line = f"{each:18}{methods.recipe(each).hardware_class:4}{title}"
            print(textwrap.fill(line, 80, subsequent_indent=" " * 22))
        return
    print(methods.card(name))
    print("\nknobs (--set):")
    for key, value in methods.recipe(name).settings().items():
        print(f"  {key} = {value}")
    if methods.claims(name):
        print("\npublished (paper: seen there; cited: as others report it; recalled: not checked):")
        for claim in methods.claims(name):
            print("  " + ", ".join(f"{key} {value}" for key, value in claim.items()))
