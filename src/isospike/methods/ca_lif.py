"""ca-lif: neurons whose calcium says how many spikes may be taken back.

    +1 at v >= theta;   -1 at v < 0 while calcium, the sum of all spikes so far, is positive

The count after T steps and some steps of silence is the quantised ReLU of the whole drive: the
network is the quantised source. That source comes from any quantisation-aware training; here it
carries ClipQuant. schedule=settled adds the silent steps (schedule.settle of them, counted in the
latency); without them a few late spikes are still on their way.

Source: Gao et al., Frontiers in Neuroscience 2023, from its abstract; v(0) = theta / 2 rounds, as
the source does. Class H2. Does not depend on T.
"""

from isospike.fit.neurons import Signed
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.recipe import Recipe

RECIPES = {
    "ca-lif": Recipe(
        "ca-lif", threshold=FromActivation(), potential=Constant(0.5), neuron=Signed(0.0)
    ),
}  # fmt: skip
CLAIMS = [{"steps": "8 to 128", "known": "abstract"}]
