"""What can go wrong, and how it is told: every finding names a place, a reason and a way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One problem at one place of a model.

    site    path of the module and call (`layer1.0.relu@1`)
    line    source line, `file.py:12: y = f(x)`; empty where capture knows none
    what    what stands there
    why     why that cannot go on
    fix     what the user can do
    """

    site: str
    line: str
    what: str
    why: str
    fix: str

    def __str__(self) -> str:
        where = f" ({self.line})" if self.line else ""
        return f"{self.site}{where}: {self.what}. {self.why} Fix: {self.fix}"


class IsospikeError(Exception):
    """Base of every error this package raises on purpose."""


class ConversionError(IsospikeError):
    """A model cannot be converted; `findings` lists every reason at once."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        self.findings = tuple(findings)
        lines = [f"  {n}. {finding}" for n, finding in enumerate(self.findings, 1)]
        super().__init__("\n".join([message, *lines]))

    @classmethod
    def of(cls, findings: Sequence[Finding], what: str = "the model") -> ConversionError:
        noun = "problem" if len(findings) == 1 else "problems"
        return cls(f"{what} cannot be converted, {len(findings)} {noun}:", findings)


class DataError(IsospikeError):
    """Images or labels that cannot be used."""


class FormatError(IsospikeError):
    """A file that is not what it should be; nothing was loaded from it."""


class UsageError(IsospikeError):
    """A call with an unknown name or a value out of range."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a measurement, which leaves with what there is by then.

    found: of `evaluate` the Evaluation, of `measure` the rows of the images so far.
    """

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.found = found
