"""spiking-yolo: thresholds channel by channel, and leaky ReLUs by an imbalanced negative threshold.

    theta_c: the 99.9th percentile of channel c
    leaky ReLU of slope alpha:  +1 at v >= theta;  -1 at v < -theta / alpha, v += theta / alpha

Channel-wise thresholds lift the rates of quiet channels, which a layer's maximum would starve. One
neuron stands for a leaky ReLU, and its rate is that to one spike within -theta and theta; at
exactly -theta / alpha, where the paper's neuron spikes, it waits. The percentile is that of the
positive activations: those below -theta are clipped. A slope by channel, or not below 1, is two
plain neurons of opposite sign, as for other recipes. The authors' public code takes the percentile
99.999 and has no signed neuron. v(0) = 0. The paper converts a detector (Tiny YOLO); the recipe is
for any network.

Source: Kim et al., AAAI 2020. Class H2, by the neurons of leaky ReLUs: plain ones alone are the
least class. Does not depend on T.
"""

from isospike.fit.neurons import Imbalanced
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.recipe import Recipe

RECIPES = {
    "spiking-yolo": Recipe(
        "spiking-yolo", threshold=Percentile(99.9, grain="channel"), potential=Constant(0.0),
        neuron=Imbalanced(),
    ),
}  # fmt: skip
# Mean average precision.
CLAIMS = [
    {"data": "PASCAL VOC", "network": "Tiny YOLO", "accuracy": 51.83, "known": "recalled"},
    {"data": "COCO", "network": "Tiny YOLO", "accuracy": 25.66, "known": "recalled"},
]
