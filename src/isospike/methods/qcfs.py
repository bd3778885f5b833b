"""qcfs: a source trained with the quantisation clip-floor-shift activation, converted as it is.

    a = lambda * clip(floor(z L / lambda + 1/2) / L, 0, 1),     theta = lambda,  v(0) = theta / 2

Under constant drive the IF neuron computes this activation exactly when T = L; what is left is
unevenness. The source must carry ClipQuant(levels=L); max-pooling should have been trained as
average-pooling.

The authors choose their checkpoint on the test set; `isospike train` does it on images held from
training. Our cutout comes before normalisation and its hole is black, theirs is the mean colour;
our cosine runs by the step, theirs by the epoch. Their newer code clips before it floors, and its
README tells of an "unreproducible bug" in the older one. The da / dlambda that the paper prints is
wrong, as the authors say themselves; that of automatic differentiation is right.

Source: Bu et al., ICLR 2022, eq. 16 and theorem 2. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import figures, table
from isospike.recipe import Recipe

RECIPES = {"qcfs": Recipe("qcfs", threshold=FromActivation(), potential=Constant(0.5))}
_T = (2, 4, 8, 16, 32, 64, "512 or more")
# The row of ResNet-18 on CIFAR-10 has the digits of opi at longer T: one table may be a slip.
_PAPER = (
    ("CIFAR-10", "VGG-16", (91.18, 93.96, 94.95, 95.40, 95.54, 95.55, 95.59)),
    ("CIFAR-10", "ResNet-18", (75.44, 90.43, 94.82, 95.92, 96.08, 96.06, 96.06)),
    ("CIFAR-10", "ResNet-20", (73.20, 83.75, 89.55, 91.62, 92.24, 92.35, 92.41)),
    ("CIFAR-100", "VGG-16", (63.79, 69.62, 73.96, 76.24, 77.01, 77.10, 77.08)),
    ("CIFAR-100", "ResNet-18", (70.79, 75.67, 78.48, 79.48, 79.62, 79.54, 79.61)),
    ("CIFAR-100", "ResNet-20", (19.96, 34.14, 55.37, 67.33, 69.82, 70.49, 70.50)),
)
_IMAGENET = (
    ("recalled", "VGG-16", {32: 68.47, "128 or more": 73.97}, {}),
    ("cited", "VGG-16", {16: 50.97}, {"by": "a note on parallel conversion"}),
    ("cited", "VGG-16", {64: 72.85}, {"by": "H-MT (AAAI 2026)"}),
    ("recalled", "ResNet-34", {16: 59.35, "128 or more": 73.15}, {}),
    ("cited", "ResNet-34", {32: 69.37}, {"by": "a summary"}),
    ("cited", "ResNet-34", {64: 72.35}, {"by": "H-MT (AAAI 2026)"}),
    ("cited", "ResNet-34", {32: 64.43, 64: 71.51, "128 or more": 73.25}, {"by": "Bu et al. 2025"}),
)
CLAIMS = [
    *table("paper", _T, _PAPER),
    *figures("paper", "CIFAR-10", "CIFARNet", {4: 94.73}),
    *figures("abstract", "CIFAR-10", "VGG-16 (newer code)", {2: 90.94, 4: 94.01, 8: 95.01}),
    *figures(
        "abstract", "CIFAR-100", "VGG-16 (newer code)", {2: 64.89, 4: 70.42, 8: 74.63, 64: 77.70}
    ),
    *(c for known, net, row, by in _IMAGENET for c in figures(known, "ImageNet", net, row, **by)),
]
