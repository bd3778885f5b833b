"""The evaluation as one HTML page that opens offline.

Nothing in the evaluation is trusted: every string is made visible, then escaped by the template;
the charts read their data from a JSON block; and a content security policy lets only the scripts
run whose hash stands in it, so that even a string which slipped through could not run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from markupsafe import Markup

from isospike.errors import FormatError
from isospike.files import atomic_write
from isospike.report.shell import parts, template
from isospike.report.text import clean, script_json
from isospike.report.view import page

_SCHEMA = 1
SCRIPTS = ("theme.js", "curves.js", "rates.js", "draw.js", "start.js")


def render(evaluation: dict[str, Any]) -> str:
    """The page for the JSON of `isospike evaluate`; FormatError for another schema."""
    if evaluation.get("schema") != _SCHEMA:
        raise FormatError(
            f"the report reads schema {_SCHEMA} of the evaluation, "
            f"not {str(evaluation.get('schema'))[:40]!r}; evaluate again with this version"
        )
    view = page(cast("dict[str, Any]", clean(evaluation)))
    script = Markup(script_json(view.pop("script")))  # noqa: S704 it holds no < > & any more
    return template("page.html.j2").render(**view, **parts(*SCRIPTS), script=script)


def write(evaluation: dict[str, Any], path: Path) -> None:
    """Render to a file, which is whole or stays as it was."""
    atomic_write(Path(path), render(evaluation).encode("utf-8"))
