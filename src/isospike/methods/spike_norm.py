"""spike-norm: thresholds from the running spiking network, layer by layer.

theta = the largest drive of one step that a layer gets while the layers below, already fixed, spike
(threshold.steps long, default 32; the paper runs 2,500 steps on 512 images). Reset to zero,
v(0) = 0, the image as a Bernoulli train. The paper's networks have no bias and no batch norm.
With tens of steps it is near chance, for the reason that the card of rmp gives.

Source: Sengupta et al., Frontiers in Neuroscience 2019; its residual networks have ReLUs where the
branches meet. Class H0. Does not depend on T.
"""

from isospike.fit.neurons import Binary
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import SpikeMax
from isospike.methods import figures
from isospike.recipe import Recipe
from isospike.units.coders import Bernoulli

RECIPES = {
    "spike-norm": Recipe(
        "spike-norm", threshold=SpikeMax(alpha=1.0), potential=Constant(0.0),
        neuron=Binary("hard"), coder=Bernoulli(), pool="average",
    ),
}  # fmt: skip
CLAIMS = [
    *figures("recalled", "CIFAR-10", "VGG-16", {2500: 91.55}),
    *figures("cited", "ImageNet", "VGG-16", {2560: 69.96}, by="Liu et al. 2022"),
    *figures("cited", "ImageNet", "ResNet-34", {4096: 65.47}, by="Liu et al. 2022"),
]
