"""parallel: all steps of a neuron at once.

    s(t) = H((T / t) mean(z) + v0 / t - theta):   clip(floor((sum z + v0) / theta), 0, T) spikes

The count is that of the summed drive whatever its order, so nothing is uneven: this is temporal
separation with k = 1, and runs as such. The spikes come first in the train. Thresholds by least
squares per channel, then one pass of mean matching in place of the paper's running calibration.
A neuron needs its whole input before it fires: latency (D + 1) T, whatever the authors' T says.

Source: Hao et al., ICML 2025. Class H3 as two phases. Fitted for one T.
"""

from isospike.fit.bias import BiasMatch
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
from isospike.methods import figures
from isospike.recipe import Recipe
from isospike.schedule import Separated

RECIPES = {
    "parallel": Recipe(
        "parallel", threshold=MMSE(grain="channel"), potential=Constant(0.5),
        calibrators=(BiasMatch(passes=1),), schedule=Separated(k=1.0), pool="exact",
    ),
}  # fmt: skip
_FREE = (
    ("ResNet-34 (training-free)", {16: 68.04, 32: 72.46, 64: 73.03}),
    ("ResNet-101 (training-free)", {16: 73.86, 32: 76.42, 64: 77.01}),
)
CLAIMS = [
    *figures("abstract", "ImageNet", "ResNet-34", {4: 72.90}),
    {"speed": "simulated 19 to 38 times as fast", "known": "abstract"},
    *figures("cited", "CIFAR-10", "VGG-16", {4: 95.50}, by="a note on the paper"),
    *figures("cited", "CIFAR-100", "ResNet-20", {8: 69.62}, by="a note on the paper"),
    *figures("cited", "ImageNet", "VGG-16", {8: 73.92}, by="a note on the paper"),
    *(
        claim for net, row in _FREE
        for claim in figures("cited", "ImageNet", net, row, by="a note on the paper")
    ),
]  # fmt: skip
