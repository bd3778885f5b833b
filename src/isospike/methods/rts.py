"""rts: threshold ReLU and a shift of theta / (2 T) added to the drive at every step.

The source is meant to be trained with min(max(x, 0), theta) (ClipQuant without levels); its clip is
then the threshold (set threshold=activation). On a plain ReLU network the threshold is the largest
activation. The shift equals v(0) = theta / 2 at step T and not before, so it is fitted for one T.
It is all there at step T only, so spikes come late, and deep layers have not sent all of theirs by
then: on fashion-qcfs at T = 16 `isospike audit` (64 images) finds twice the unevenness of opi in
the middle layers (0.13 against 0.06) and a last rate of 0.079 against 0.115.
The paper's own figures and the re-runs by the QCFS paper (Bu et al. 2022) disagree widely.

Source: Deng & Gu, ICLR 2021 ("optimal conversion"). Class H0.
"""

from isospike.fit.bias import HalfShift
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Max
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {
    "rts": Recipe("rts", threshold=Max(), potential=Constant(0.0), calibrators=(HalfShift(),)),
}
_CITED = (
    ("CIFAR-10", "VGG-16", {32: 76.24, 64: 90.64, "512 or more": 95.73}),
    ("CIFAR-10", "ResNet-18", {32: 84.06, 64: 92.48, "512 or more": 94.42}),
    ("CIFAR-100", "VGG-16", {32: 7.64, 64: 21.84, "512 or more": 77.71}),
    ("CIFAR-100", "ResNet-18", {32: 51.27, 64: 70.12, "512 or more": 77.19}),
)
CLAIMS = [
    *figures("recalled", "CIFAR-10", "VGG-16", {16: 92.29}),
    *figures("recalled", "CIFAR-100", "VGG-16", {64: 70.35}),
    *figures("recalled", "ImageNet", "VGG-16", {16: 55.80, 32: 67.73, 128: 71.89}),
    *figures("cited", "ImageNet", "VGG-16", {64: 70.97}, by="H-MT (AAAI 2026)"),
    *figures("cited", "ImageNet", "VGG-16", {128: 71.06}, by="Liu et al. 2022"),
    *(claim for row in _CITED for claim in figures("cited", *row, by="Bu et al. 2022")),
]
