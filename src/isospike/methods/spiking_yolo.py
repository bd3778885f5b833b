"""spiking-yolo: thresholds channel by channel, and leaky ReLUs by an imbalanced negative threshold.

    theta_c: the 99.9th percentile of channel c
    leaky ReLU of slope alpha:  +1 at v >= theta;  -1 at v <= -theta / alpha, v += theta / alpha

Channel-wise thresholds lift the rates of quiet channels, which a layer's maximum would starve. A
leaky ReLU is captured here as relu(x) - alpha relu(-x), two plain neurons whose spikes have
opposite sign, for every recipe alike; the neuron of the paper is units/signed.py without a guard,
and its rate is the same to one spike. v(0) = 0. The paper converts a detector (Tiny YOLO); the
recipe is for any network.

Source: Kim et al., AAAI 2020. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.recipe import Recipe

RECIPES = {
    "spiking-yolo": Recipe(
        "spiking-yolo", threshold=Percentile(99.9, grain="channel"), potential=Constant(0.0)
    ),
}
# Mean average precision.
CLAIMS = [
    {"data": "PASCAL VOC", "network": "Tiny YOLO", "accuracy": 51.83, "known": "recalled"},
    {"data": "COCO", "network": "Tiny YOLO", "accuracy": 25.66, "known": "recalled"},
]
