"""dual-phase: a source quantised at random while it trains, then potentials and weights calibrated.

Phase I   ClipQuant whose rounding is left out of each value with probability p (`isospike train
          --activation dual-phase`), so that the weights see both the clip and its levels; the
          authors' class for it, NoisyQuantize, is not the noise of nq
Phase II  v(0) += T mean over images of (a - phi) / theta, for every channel; then weights and
          potentials by gradient through the spikes, on the KL divergence from the source's output

Ours: phase II tunes all layers at once on the logits, where the paper takes them one by one with a
softmax over each layer's neurons, a tanh surrogate and early stopping, and a potential for each
neuron; the potentials that it matches once more at the end are tuned with the weights.

Source: Wang et al., arXiv 2205.07473, and the authors' code. Class H0. Fitted for one T.
"""

from isospike.fit.potential_match import PotentialMatch
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.recipe import Recipe
from isospike.tune.settings import Tune

RECIPES = {
    "dual-phase": Recipe(
        "dual-phase", threshold=FromActivation(), potential=Constant(0.5),
        calibrators=(PotentialMatch("channel"),), tune=Tune(feature=0.0, lr=1e-4, iterations=300),
    ),
}  # fmt: skip
