"""`isospike recipes`: the list, or the card of one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any

import typer

from isospike import methods

LISTED = ("steps", "phase", "accuracy")


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
        known = "; ".join(f"{word}: {meaning}" for word, meaning in methods.KNOWN.items())
        print("\n" + textwrap.fill(f"published ({known}):", 80))
        for line in _published(methods.claims(name)):
            print(textwrap.fill(line, 80, initial_indent="  ", subsequent_indent="    "))


def _published(claims: list[dict[str, Any]]) -> Iterator[str]:
    """One line for figures that differ in steps and accuracy alone: "steps 1/2, accuracy 70/80"."""

    def rest(claim: dict[str, Any]) -> dict[str, Any]:
        return {key: None if key in LISTED else value for key, value in claim.items()}

    for facts, group in groupby(claims, rest):
        rows = list(group)
        listed = {key: "/".join(str(row[key]) for row in rows) for key in LISTED if key in facts}
        yield ", ".join(f"{key} {value}" for key, value in {**facts, **listed}.items())
