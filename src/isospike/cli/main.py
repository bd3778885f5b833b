"""The command line: parse, call, print, exit code (0 done, 1 refused, 2 wrong usage)."""

from __future__ import annotations

import sys
import traceback
import warnings

import typer

from isospike.cli import audit, compare, convert, demo, evaluate, inspect, recipes, train
from isospike.cli.options import show, speaks
from isospike.errors import ConversionError, IsospikeError, UsageError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Trained networks become spiking ones that keep their accuracy in few steps. "
    "Add --debug to any command for a traceback.",
)  # fmt: skip
for module in (demo, convert, evaluate, compare, inspect, recipes, audit, train):
    app.command(module.__name__.rpartition(".")[2])(module.command)

SCREEN = 20  # findings shown before the rest is counted


def run() -> None:
    """The console script."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = warn
            app()
    except KeyboardInterrupt:
        fail("interrupted", 1)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, IsospikeError):
            fail(one_screen(error), 2 if isinstance(error, UsageError) else 1)
        fail(f"{type(error).__name__}: {error} (--debug shows where)", 1)


def one_screen(error: IsospikeError) -> str:
    lines = str(error).splitlines()
    if isinstance(error, ConversionError) and len(lines) > SCREEN + 1:
        more = len(lines) - SCREEN - 1
        lines = [*lines[: SCREEN + 1], f"  and {more} more: isospike inspect lists them all"]
    return "\n".join(lines)


def warn(message: Warning | str, *_: object) -> None:
    """In place of warnings.showwarning: without its place, and once for all processes."""
    if speaks():
        show(f"warning: {message}", sys.stderr)


def fail(message: str, code: int) -> None:
    show(f"error: {message}", sys.stderr)
    sys.exit(code)
