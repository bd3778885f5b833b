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
from isospike.recipe import Recipe

RECIPES = {
    "rts": Recipe("rts", threshold=Max(), potential=Constant(0.0), calibrators=(HalfShift(),)),
}
CLAIMS = [
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 16, "accuracy": 92.29, "known": "recalled"},
    {"data": "CIFAR-100", "network": "VGG-16", "steps": 64, "accuracy": 70.35, "known": "recalled"},
] + [
    {
        "data": data, "network": "VGG-16", "steps": t, "accuracy": a,
        "known": "cited", "by": "Bu et al. 2022",
    }
    for data, t, a in (("CIFAR-10", 32, 76.24), ("CIFAR-10", 64, 90.64), ("CIFAR-100", 64, 21.84))
]  # fmt: skip
