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
from isospike.recipe import Recipe
from isospike.schedule import Separated

RECIPES = {
    "parallel": Recipe(
        "parallel", threshold=MMSE(grain="channel"), potential=Constant(0.5),
        calibrators=(BiasMatch(passes=1),), schedule=Separated(k=1.0), pool="exact",
    ),
}  # fmt: skip
CLAIMS = [
    {
        "data": "ImageNet",
        "network": "ResNet-34",
        "steps": 4,
        "accuracy": 72.90,
        "known": "abstract",
    },
    {
        "data": "CIFAR-10",
        "network": "VGG-16",
        "steps": 4,
        "accuracy": 95.50,
        "known": "cited",
        "by": "a note on the paper",
    },
    {
        "data": "ImageNet",
        "network": "VGG-16",
        "steps": 8,
        "accuracy": 73.92,
        "known": "cited",
        "by": "a note on the paper",
    },
]
