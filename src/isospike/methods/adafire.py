"""adafire: bursts and thresholds that each layer has for itself, chosen by what the output feels.

    s(t) = clip(floor(v / theta_l), 0, cap_l),   theta_l = r_l times the least squares through it
    cap_l in 1, 2, 4 and r_l in 1, 1.5, 2: least KL divergence of the outputs within a budget of
    spikes

then the biases of snnc-light. caps.budget is the share of the spikes that bursts of four would
send. The third part of the paper, early exit, belongs to the run and works with every synchronous
recipe that holds the image and reads all steps (`isospike evaluate --confidence 0.9`). The paper
walks a Pareto front where here a price of a spike is found by bisection; its divergence is
symmetric and from the source network, ours from the network with the longest bursts; its bursts
are up to 5, its ratios up to 10.

Source: Wang et al., AAAI 2025, and the authors' code. Class H2. Fitted for one T.
"""

from isospike.fit.bias import BiasMatch
from isospike.fit.burst_search import BurstSearch
from isospike.fit.neurons import Burst
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
from isospike.recipe import Recipe

RECIPES = {
    "adafire": Recipe(
        "adafire", threshold=MMSE(grain="channel"), potential=Constant(0.5), neuron=Burst(4),
        calibrators=(BiasMatch(passes=1),), caps=BurstSearch(),
    ),
}  # fmt: skip
CLAIMS = [
    {"data": "ImageNet", "steps": 8, "accuracy": "above 75", "known": "cited", "by": "a survey"}
] + [
    {"data": data, "energy": change, "known": "abstract"}
    for data, change in {"CIFAR-10": "-70%", "CIFAR-100": "-60%", "ImageNet": "-43%"}.items()
]
