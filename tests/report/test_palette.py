"""The page's colours: each stands out from the card, and from each other to colour-blind eyes.

Colour blindness is simulated by the matrices of Machado, Oliveira and Fernandes 2009 (severity 1,
linear RGB); distance is the CIE 1976 difference in Lab.
"""

from __future__ import annotations

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest

from isospike.report.view import COLOURS

STYLE = (files("isospike.report") / "page" / "page.css").read_text()
THEMES = dict(zip(("light", "dark"), STYLE.split("@media screen"), strict=True))
EYES = {
    "typical": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def _linear(theme: str, name: str) -> np.ndarray:
    found = re.search(rf"--{name}: #(\w{{6}});", THEMES[theme])
    assert found
    srgb = np.array([int(found[1][k : k + 2], 16) for k in (0, 2, 4)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    ratio = TO_XYZ @ np.clip(linear, 0, 1) / TO_XYZ.sum(1)
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", THEMES)
def test_every_colour_stands_out_from_the_card(theme: str):
    card = TO_XYZ[1] @ _linear(theme, "card")
    for name, least in [*((f"c{k}", 3.0) for k in range(COLOURS)), ("soft", 4.5), ("ink", 7.0)]:
        low, high = sorted([card, TO_XYZ[1] @ _linear(theme, name)])
        assert (high + 0.05) / (low + 0.05) >= least, name


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eye", EYES)
def test_any_two_colours_differ(theme: str, eye: str):
    seen = [_lab(np.array(EYES[eye]) @ _linear(theme, f"c{k}")) for k in range(COLOURS)]
    for first, second in itertools.combinations(range(COLOURS), 2):
        least = 25 if second < 5 else 14  # markers tell the later ones apart too
        assert np.linalg.norm(seen[first] - seen[second]) >= least, (first, second)
