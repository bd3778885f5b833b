"""Claim: separated in time, a plain IF network (k = 1) loses its unevenness error; inflated at each
step (k > 1), T steps say exponentially more. Both need far fewer additions than `rmp`.

    python bench/spikeconverter.py               (about 5 minutes)

SpikeConverter's own study (Liu et al. 2022): accuracy, spike rate and additions against T
    base         k in 1 .. 2; the authors' k is not known
    extra        further generation steps that refine the remainder
    ablation     hard reset, soft reset, + separation (k = 1), + inverse leak (k = 2), one part
                 changed at a time: thresholds by least squares and v(0) = 1/2 in all four
    rmp          beside it, at the many steps that it needs

T is the length of a phase where the network is separated: the answer of D layers is out after
(D + 1) (T + extra) steps (column latency). rate: spikes per neuron and step of its own firing
phase. additions: synaptic operations of one image, exact fan-out.

Not run here, as no CIFAR data is bundled (the networks of the paper):
    python bench/spikeconverter.py --model vgg16.py:build --weights vgg16.safetensors \\
        --normalize 0.4914,0.4822,0.4465:0.2470,0.2435,0.2616 --data npz:cifar10.npz --images 10000
    python bench/spikeconverter.py --model resnet20.py:build --weights resnet20.safetensors \\
        --normalize 0.4914,0.4822,0.4465:0.2470,0.2435,0.2616 --data folder:cifar10 --images 10000
    isospike evaluate vgg16.py:build --weights vgg16.safetensors --data npz:cifar10.npz \\
        --normalize 0.4914,0.4822,0.4465:0.2470,0.2435,0.2616 \\
        --recipe spikeconverter --recipe rmp --steps 4,8,12,16,32
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from common import Bench, Table, model_arguments, parser, percent, start, whole_numbers, write
from isospike.measure.evaluate import Row, measure
from isospike.methods import recipe as find_recipe

CLAIM = "accuracy, spike rate and additions of temporal separation against k, T and extra steps"
BASES = [1.0, 1.1, 1.25, 1.5, 2.0]
EXTRA = [0, 1, 2]
EXTRA_BASES = [1.0, 1.5, 2.0]
ABLATION: dict[str, dict[str, Any]] = {
    "hard reset": {"schedule": "synchronous", "neuron.reset": "hard"},
    "soft reset": {"schedule": "synchronous"},
    "+ separation (k=1)": {"schedule.k": 1.0},
    "+ inverse leak (k=2)": {"schedule.k": 2.0},
}

Found = tuple[str, str, int, Row]  # study, variant, n, reading


def readings(
    bench: Bench, recipe: str, steps: list[int], chosen: dict[str, Any], n: int
) -> Iterator[Row]:
    """One row per T, converted for that T where it matters, else all in one pass."""
    batches = list(bench.test.take(n).batches(250))
    logits = [bench.ann(x) for x, _ in batches]
    depends = find_recipe(recipe, chosen).depends_on_steps
    for group in [[t] for t in steps] if depends else [steps]:
        known = iter(logits)
        snn = bench.convert(recipe, group[-1], chosen)
        yield from measure(snn, batches, group, lambda x, known=known: next(known))


def studies(bench: Bench, steps: list[int], rmp_steps: list[int], rmp_n: int) -> Iterator[Found]:
    n, name = bench.test.n, "spikeconverter"
    for k in BASES:
        for row in readings(bench, name, steps, {"schedule.k": k}, n):
            yield "base", f"k={k:g}", n, row
    for k in EXTRA_BASES:
        for extra in EXTRA:
            chosen = {"schedule.k": k, "schedule.extra": extra}
            for row in readings(bench, name, [t for t in steps if t <= 8], chosen, n):
                yield "extra", f"k={k:g}, {extra} extra", n, row
    for variant, chosen in ABLATION.items():
        for row in readings(bench, name, steps, chosen, n):
            yield "ablation", variant, n, row
    for row in readings(bench, "rmp", rmp_steps, {}, rmp_n):
        yield "rmp", "rmp", rmp_n, row


def main() -> None:
    arguments = model_arguments(parser(__doc__, images=500, calibration=512))
    arguments.add_argument("--steps", type=whole_numbers, default=[2, 4, 8, 16, 32])
    arguments.add_argument("--rmp-steps", type=whole_numbers, default=[32, 64, 128, 256, 512])
    arguments.add_argument("--rmp-images", type=int, default=200, help="fewer: its runs are long")
    args = arguments.parse_args()
    start(args)
    bench = Bench.of(args)
    table = Table(
        "study   ", "variant             ", "T", "n", "latency", "accuracy %", "agree %", "rate",
        "additions M",
    )  # fmt: skip
    results = []
    rmp_n = min(bench.test.n, args.rmp_images)
    for study, variant, n, row in studies(bench, args.steps, args.rmp_steps, rmp_n):
        rate = row.spikes_per_neuron / (row.steps + row.extra_steps)
        results.append({
            "study": study, "variant": variant, "steps": row.steps, "extra": row.extra_steps,
            "latency": row.latency, "accuracy": row.accuracy, "agreement": row.agreement,
            "spike_rate": rate, "additions": row.synops, "n": n, "notes": row.notes,
        })  # fmt: skip
        table.add(
            study, variant, row.steps, n, row.latency, percent(row.accuracy),
            percent(row.agreement), f"{rate:.4f}", f"{row.synops / 1e6:.2f}",
        )  # fmt: skip
    write("spikeconverter", args, CLAIM, results)


if __name__ == "__main__":
    main()
