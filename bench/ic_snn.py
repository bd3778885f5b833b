"""Claim: initial potentials and coding compensation shorten the wait for the first spikes and the
way to the ANN's outputs; the more, the fewer the steps.

    python bench/ic_snn.py                       (about 15 minutes, 9 GB of memory at T=256)
    python bench/ic_snn.py --images 2000 --frames 1000000        (all images at every T: hours)

IC-SNN's own study (Li et al. 2023: accuracy, fire time, output), whose figures are not public: the
three algorithms are reconstructed, see `isospike recipes ic-snn`. Every algorithm alone and all
together, each with the image held (direct, which has no coding error), as Bernoulli spikes and by
an IF neuron.

    baseline   theta = 99.9th percentile, v(0) = 0
    + Alg 1    v(0) from the ANN's activations            potential=ann
    + Alg 2    v(0) from simulating training images       potential=training-set, from 0
    + Alg 3    the coder's remainder to layer 1           coder.compensate

fire time: mean step of the first spike over the neurons that fired in T steps, by layer; in the
table the mean over layers, the first and the last. output error: |y - ANN| / |ANN|. Few images at
large T (--frames bounds images x T, --fewest the images): n is in every row. Fire times are over
the first --fire-images: each gives many thousands of neurons.

Not run here, as no CIFAR data is bundled:
    python bench/ic_snn.py --model vgg16.py:build --weights vgg16.safetensors \\
        --normalize 0.4914,0.4822,0.4465:0.2470,0.2435,0.2616 --data npz:cifar10.npz --images 10000
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from common import Bench, Table, model_arguments, parser, percent, start, whole_numbers, write
from isospike.measure.evaluate import Score
from isospike.measure.first_spike import FirstSpike
from isospike.network import SpikingNetwork

CLAIM = "accuracy, fire time and output error of IC-SNN's algorithms, alone and together"
ROWS = 128  # images x steps of one time chunk: what the dense engine is fastest with
ZERO, FIRST = {"potential": "zero"}, {"potential": "ann"}
SECOND = {"potential": "training-set", "potential.start": 0.0}
VARIANTS: dict[str, tuple[dict[str, Any], bool]] = {  # overrides, compensated
    "baseline": (ZERO, False),
    "+ Alg 1": (FIRST, False),
    "+ Alg 2": (SECOND, False),
    "+ Alg 3": (ZERO, True),
    "all": ({"potential": "both"}, True),
}
CODERS = ["direct", "bernoulli", "if"]


def settings(coder: str, potential: dict[str, Any], compensated: bool, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {**potential, "coder": coder}
    if coder != "direct":
        found["coder.compensate"] = compensated
    if coder == "bernoulli":
        found["coder.seed"] = seed
    return found


def networks(
    bench: Bench, coder: str, variant: str, steps: list[int], seed: int
) -> Iterator[tuple[int, SpikingNetwork]]:
    """One network for each T where the variant depends on it, else the same one."""
    chosen = settings(coder, *VARIANTS[variant], seed)
    snn = None
    for each in steps:
        if snn is None or snn.provenance["converted_for"] is not None:
            snn = bench.convert("ic-snn", each, chosen)
        yield each, snn


def outputs(bench: Bench, snn: SpikingNetwork, steps: int, n: int) -> dict[str, Any]:
    score = Score()
    for x, labels in bench.test.take(n).batches(250):
        y = snn.run(x, [steps], tally=False).outputs[steps]
        score.add(y, bench.ann(x), labels)
    return {
        "accuracy": score.accuracy, "agreement": score.agreement,
        "output_error": score.output_error, "n": score.n,
    }  # fmt: skip


def layers(bench: Bench, snn: SpikingNetwork, steps: int, n: int) -> list[dict[str, Any]]:
    """Fire time and share of the neurons that fired, layer by layer."""
    names = {node.name: node.path for node in snn.program.graph.sites}
    times = dict.fromkeys(names, 0)  # sums over the neurons and images that fired
    fired, neurons = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    # With an observer a batch is not split: this keeps it in the cache.
    for x, _ in bench.test.take(n).batches(max(1, ROWS // min(steps, 16))):
        first = FirstSpike()
        snn.run(x, [steps], [first], tally=False)
        for site, step in first.times.items():
            times[site] += int(step.sum())  # 0 where none came
            fired[site] += int((step > 0).sum())
            neurons[site] += step.numel()
    return [
        {
            "layer": path,
            "fire_time": times[site] / fired[site] if fired[site] else None,
            "fired": fired[site] / neurons[site],
        }
        for site, path in names.items()
    ]


def fire_times(found: list[dict[str, Any]]) -> tuple[float | None, float | None, float | None]:
    """Mean over the layers that fired, first, last."""
    known = [layer["fire_time"] for layer in found if layer["fire_time"] is not None]
    mean = sum(known) / len(known) if known else None
    return mean, found[0]["fire_time"], found[-1]["fire_time"]


def main() -> None:
    arguments = model_arguments(parser(__doc__, images=500, calibration=128))
    arguments.add_argument(
        "--steps", type=whole_numbers, default=[4, 8, 16, 32, 64, 128, 256], metavar="4,8,..."
    )
    arguments.add_argument("--frames", type=int, default=5000, help="images x T at most, in a row")
    arguments.add_argument("--fewest", type=int, default=64, help="images at least, in a row")
    arguments.add_argument("--fire-images", type=int, default=16, help="images of the fire times")
    args = arguments.parse_args()
    start(args)
    bench = Bench.of(args)
    table = Table(
        "coder    ", "variant", "T", "n", "accuracy %", "agree %", "output error",
        "fire time", "first layer", "last layer",
    )  # fmt: skip
    results = []
    for coder in CODERS:
        for variant, (_, compensated) in VARIANTS.items():
            if coder == "direct" and compensated and variant != "all":
                continue  # nothing to compensate: this is the baseline
            for steps, snn in networks(bench, coder, variant, args.steps, args.seed):
                n = min(bench.test.n, max(args.fewest, args.frames // steps))
                row = outputs(bench, snn, steps, n)
                row["layers"] = layers(bench, snn, steps, args.fire_images)
                results.append({"coder": coder, "variant": variant, "steps": steps, **row})
                table.add(
                    coder, variant, steps, row["n"], percent(row["accuracy"]),
                    percent(row["agreement"]), row["output_error"], *fire_times(row["layers"]),
                )  # fmt: skip
    write("ic_snn", args, CLAIM, results)


if __name__ == "__main__":
    main()
