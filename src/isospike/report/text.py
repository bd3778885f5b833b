"""Foreign strings and numbers on their way into a page.

Site names, notes, data-set names and model names come from files which nobody vouches for. Each is
made visible here once, on entry; the template and the script then only escape for their own syntax.
"""

from __future__ import annotations

import json
import math
import unicodedata

# Control, format (bidi overrides, zero width, BOM), surrogate, private, line and paragraph marks.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_LONGEST = 2000
_MARKUP = {
    ord("<"): "\\u003c",
    ord(">"): "\\u003e",
    ord("&"): "\\u0026",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def visible(text: str) -> str:
    """The text with every hidden character as its escape, its middle cut above 2,000 characters."""
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"
    return "".join(_escape(c) if unicodedata.category(c) in _HIDDEN else c for c in text)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean(value: object) -> object:
    """A JSON value with visible strings, keys too, and None for what JSON cannot say (NaN)."""
    if isinstance(value, dict):
        return {visible(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int)):
        return value
    return visible(str(value))


def setting(value: object) -> str:
    """A setting of any type as one line: a string as it is, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def script_json(value: object) -> str:
    """JSON for the inside of a <script> element: no text in it can end the element."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).translate(_MARKUP)
