"""hunsberger: leaky neurons, of a source trained with their smoothed rate and with noise.

    r(j) = 1 / (tau_ref + tau_rc log(1 + 1 / rho(j - 1))),   rho(x) = gamma log(1 + exp(x / gamma))

The source must carry SoftLIF (`isospike train --activation soft-lif`): tau_rc = 20 ms, tau_ref = 4
ms, gamma 0.02, Gaussian noise of 10 spikes a second, a step is 1 ms. The spiking network has the
same numbers, its synapses filter with 5 ms (the paper's is an alpha function or a first-order
filter, here the latter). One spike in four steps is the fastest, so hundreds of steps are needed.
Adapted: theta, what a neuron saturates at, is learned (the paper's gains are fixed), and the
read-out is the mean over all steps, the first ones included.

Measured: fashion-relu trained on with soft-lif for one epoch (`isospike train --model zoo:resnet20
--activation soft-lif --epochs 1 --init` its weights `--set lr=0.02 --precision bf16`, ANN 92.5%) is
right for 8.5, 88.0 and 92.5% of 200 test images at T = 64, 128 and 256 (`isospike compare`).

Source: Hunsberger and Eliasmith 2016 (arXiv:1611.05141). Class H0, but for the leak and the rest,
which the neurons of most chips have. Does not depend on T.
"""

from isospike.fit.neurons import LIF
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromSoftLIF
from isospike.recipe import Recipe

RECIPES = {
    "hunsberger": Recipe(
        "hunsberger", threshold=FromSoftLIF(), potential=Constant(0.0), neuron=LIF()
    ),
}
CLAIMS = [
    {
        "data": "CIFAR-10", "network": "AlexNet (Krizhevsky 2009)", "accuracy": 83.54,
        "known": "recalled",
    }
]  # fmt: skip
