"""fast-snn: a quantised source, signed neurons, and layer-wise fine-tuning of what is left.

    +1 at v >= theta;   -1 at v < -0.001 theta while the count is above 0;   v(0) = theta / 2

The source has b bits, T = 2^b - 1 steps carry its activations without quantisation error. Spikes
that come late still leave an error; each layer's weights are tuned to the source activations on the
spikes that it really gets, with the network's own values in the forward pass.
Ours: Adam and 200 batches a layer where the authors take SGD and epochs; the forward value is the
neuron's static transfer of the mean spikes.

Source: Hu et al., TPAMI 2023, and the authors' code. Class H2. Fitted for one T.
"""

from isospike.fit.layer_gradient import LayerGradient
from isospike.fit.neurons import Signed
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.recipe import Recipe

RECIPES = {
    "fast-snn": Recipe(
        "fast-snn", threshold=FromActivation(), potential=Constant(0.5), neuron=Signed(1e-3),
        calibrators=(LayerGradient(lr=1e-4, iterations=200),),
    ),
}  # fmt: skip
CLAIMS = [{"data": "ImageNet", "steps": 3, "accuracy": 71.31, "known": "cited", "by": "a survey"}]
