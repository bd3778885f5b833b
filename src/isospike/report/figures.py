"""How the page writes figures. A missing one is a dash, never a zero."""

from __future__ import annotations

DASH = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def percent(value: object, digits: int = 2) -> str:
    """0.9342 as 93.42 (the column says %)."""
    return _written(value, lambda v: f"{100 * v:.{digits}f}")


def points(value: object) -> str:
    """A difference of two fractions in percentage points; never written -0.00."""
    return _written(value, lambda v: f"{round(100 * v, 2) + 0.0:.2f}")


def figure(value: object) -> str:
    """Three significant digits below a thousand, whole numbers with separators above."""
    return _written(value, _plain)


def amount(value: object) -> str:
    """A count with its scale: 40,813,184 as 40.8 M."""
    return _written(value, _scaled)


def _written(value: object, write) -> str:
    return DASH if not is_number(value) else write(value).replace("-", _MINUS)


def _plain(value: float) -> str:
    # From 999.5 on, three digits would be written 1e+03.
    if value == int(value) or abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _scaled(value: float) -> str:
    for size, name in _SCALES:
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g} {name}"
    return _plain(value)
