"""What every page of the package is made in: its template, style, scripts and policy.

A content security policy lets only the scripts run whose hash stands in it, so that even a string
which slipped through the escaping could not run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from isospike.report import figures
from isospike.report.text import setting


def read(name: str) -> str:
    return (files("isospike.report") / "page" / name).read_text(encoding="utf-8")


@cache
def template(name: str) -> Template:
    """A template of the folder, which escapes what it is given."""
    # StrictUndefined: a slip in the template must fail here, not print nothing where a figure was.
    environment = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (figures.percent, figures.points, figures.figure, figures.amount, setting):
        environment.filters[filter_.__name__] = filter_
    return environment.get_template(name)


@cache
def parts(*scripts: str) -> dict[str, Markup]:
    """The style sheet, plotly, the scripts as one, and the policy that lets only these run."""
    library = _inline(get_plotlyjs())
    charts = _inline("".join(read(name) for name in scripts))
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; "
        f"style-src 'unsafe-inline'; script-src {_source(library)} {_source(charts)}"
    )
    found = {"style": read("page.css"), "library": library, "charts": charts, "policy": policy}
    return {name: Markup(text) for name, text in found.items()}  # noqa: S704 all of it our own


def _inline(script: str) -> str:
    # A browser hashes the text as its parser sees it: line ends are all \n there.
    script = script.replace("\r\n", "\n").replace("\r", "\n")
    if re.search(r"</script|<!--|\0", script, re.IGNORECASE):
        raise ValueError("a script to be inlined holds text which ends or changes its element")
    return script


def _source(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
