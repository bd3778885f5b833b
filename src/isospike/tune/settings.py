"""The knobs of tuning: a part of a recipe."""

from __future__ import annotations

from dataclasses import dataclass

from isospike.tune.surrogate import Surrogate


@dataclass(frozen=True)
class Tune:
    """Adam on weights, biases, thresholds and potentials through all T steps, after the sweep.

    loss        "distill" (tune/loss.py), or "class": cross-entropy to the class of the source
    tau, feature of the distillation loss
    iterations  at most, and at most `passes` over the calibration images
    lr          largest learning rate of weights; biases, log thresholds and potentials `fast` times
                as much; it rises over a twentieth of the run and falls along a cosine to zero
    weights     False: the layers stay as they are, read-out included
    drift       True: a bias for each step and channel too (class H1)
    learn_leak  True: the leak of each layer too, from the one that the neuron has (below 1)
    backward    "exact": through every step; "mean": on means over time (tune/forward.py)
    surrogate, width: tune/surrogate.py
    precision   "bf16": products of the layers in bfloat16, forward and backward, which is faster on
                processors and GPUs that have it; membranes, weights, what is held out and the
                tuned network stay float32. "no": all of it in float32
    pad, flip   random crop and flip of the images
    folder      where the run is kept so that it can go on after a break; empty: nowhere
    """

    loss: str = "distill"
    tau: float = 2.0
    feature: float = 0.1
    iterations: int = 600
    passes: int = 50
    batch: int = 64
    lr: float = 1e-3
    fast: float = 3.0
    weights: bool = True
    drift: bool = False
    learn_leak: bool = False
    backward: str = "exact"
    surrogate: str = "triangle"
    width: float = 1.0
    precision: str = "no"
    pad: int = 2
    flip: bool = True
    seed: int = 0
    folder: str = ""
    depends_on_steps = True

    @property
    def hardware_class(self) -> str:
        return "H1" if self.drift else "H0"

    @property
    def slope(self) -> Surrogate:
        return Surrogate(self.surrogate, self.width)

    def total(self, images: int) -> int:
        """Iterations of a run on so many images."""
        return min(self.iterations, self.passes * max(1, images // min(self.batch, images)))
