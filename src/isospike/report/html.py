"""The evaluation as one HTML page that opens offline.

Nothing in the evaluation is trusted: every string is made visible, then escaped by the template;
the charts read their data from a JSON block; and a content security policy lets only the scripts
run whose hash stands in it, so that even a string which slipped through could not run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from isospike.errors import FormatError
from isospike.files import atomic_write
from isospike.report import figures
from isospike.report.text import clean, script_json, setting
from isospike.report.view import page

_SCHEMA = 1
_SCRIPTS = ("theme.js", "curves.js", "rates.js", "start.js")


def render(evaluation: dict[str, Any]) -> str:
    """The page for the JSON of `isospike evaluate`; FormatError for another schema."""
    if evaluation.get("schema") != _SCHEMA:
        raise FormatError(
            f"the report reads schema {_SCHEMA} of the evaluation, "
            f"not {str(evaluation.get('schema'))[:40]!r}; evaluate again with this version"
        )
    view = page(cast("dict[str, Any]", clean(evaluation)))
    script = Markup(script_json(view.pop("script")))  # noqa: S704 it holds no < > & any more
    return _template().render(**view, **_parts(), script=script)


def write(evaluation: dict[str, Any], path: Path) -> None:
    """Render to a file, which is whole or stays as it was."""
    atomic_write(Path(path), render(evaluation).encode("utf-8"))


def _read(name: str) -> str:
    return (files("isospike.report") / "page" / name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    # StrictUndefined: a slip in the template must fail here, not print nothing where a figure was.
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (figures.percent, figures.points, figures.figure, figures.amount, setting):
        environment.filters[filter_.__name__] = filter_
    return environment.get_template("page.html.j2")


@cache
def _parts() -> dict[str, Markup]:
    """The style sheet, the two scripts and the policy that names them: the same for every page."""
    library = _inline(get_plotlyjs())
    charts = _inline("".join(_read(name) for name in _SCRIPTS))
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; "
        f"style-src 'unsafe-inline'; script-src {_source(library)} {_source(charts)}"
    )
    parts = {"style": _read("page.css"), "library": library, "charts": charts, "policy": policy}
    return {name: Markup(text) for name, text in parts.items()}  # noqa: S704 all of it our own


def _inline(script: str) -> str:
    # A browser hashes the text as its parser sees it: line ends are all \n there.
    script = script.replace("\r\n", "\n").replace("\r", "\n")
    if re.search(r"</script|<!--|\0", script, re.IGNORECASE):
        raise ValueError("a script to be inlined holds text which ends or changes its element")
    return script


def _source(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
