"""tsc: temporal switch coding, a value is the time between an event "on" and an event "off".

A synapse adds its weight at each step from on to off, so a pixel takes two events, however bright.
A neuron is integrate and fire with reset by subtraction; it sends events only where it starts or
stops to fire. Thresholds as in rmp: 0.8 times the largest drive of one step in the running network.
Fewer events than spikes, but as many additions in the synapses: SynOps here are events times
targets, as in the paper, and energy follows them. With tens of steps it is near chance, for the
reason that the card of rmp gives.

Source: Han and Roy, ECCV 2020; no code is public. The neuron is reconstructed. Class H3: synapses
with a state. Does not depend on T.
"""

from isospike.fit.neurons import Switched
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import SpikeMax
from isospike.methods import figures
from isospike.recipe import Recipe
from isospike.units.coders import OnOff

RECIPES = {
    "tsc": Recipe(
        "tsc", threshold=SpikeMax(alpha=0.8), potential=Constant(0.0), neuron=Switched(),
        coder=OnOff(),
    ),
}  # fmt: skip
CLAIMS = [
    *figures("recalled", "CIFAR-10", "VGG-16", {2048: 93.63}),
    *figures("cited", "CIFAR-10", "VGG-16", {64: 92.79, "512 or more": 93.63}, by="Bu et al. 2022"),
    *figures(
        "cited", "CIFAR-10", "ResNet-20", {64: 69.38, "512 or more": 91.42}, by="Bu et al. 2022"
    ),
    *figures("cited", "CIFAR-100", "VGG-16", {"512 or more": 70.97}, by="Bu et al. 2022"),
    *figures("cited", "CIFAR-100", "ResNet-20", {"512 or more": 68.18}, by="Bu et al. 2022"),
    *figures(
        "cited", "ImageNet", "VGG-16", {256: 69.71, 512: 72.59, 1024: 73.33, 2560: 73.46},
        by="Liu et al. 2022",
    ),
    *figures("cited", "ImageNet", "ResNet-34", {4096: 69.93}, by="Liu et al. 2022"),
]  # fmt: skip
