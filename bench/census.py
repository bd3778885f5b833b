"""Claim: a network of torchvision, timm or the zoo converts, or is refused with every reason.

    python bench/census.py --only 'torchvision:*'      (4 to 15 seconds a network, one thread)
    python bench/census.py --table docs/coverage.md    (writes the page from the results, runs none)

Every network is built with random weights and random batch-norm statistics and planned on two
random inputs, in a process of its own with a time limit. `converted`: the gate passed, the output
depends on the input. `refused`: findings, with the place of each. Two checks know nothing of the
graph: hooks count the calls of activation modules in a forward pass of the model; a converted one
must have a site for each ReLU and its like, and none of another kind (else `silent`), a refused one
must name every other kind (else `incomplete`). Results are kept after each network; a second call
goes on.
"""

from __future__ import annotations

import fnmatch
import json
import multiprocessing
import resource
import time
import warnings
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import nn

from census_models import Made, build, families, listed
from common import RESULTS, Table, hardware, parser
from isospike.convert import plan
from isospike.evaluation import versions
from isospike.files import atomic_write

STATES = ("converted", "refused", "not captured", "gate", "incomplete", "silent", "not built")
SITES = (nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Hardsigmoid, nn.LeakyReLU, nn.PReLU)
OTHERS = (
    nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.ELU, nn.Mish, nn.Softmax, nn.LayerNorm,
    nn.GroupNorm, nn.Softplus, nn.MultiheadAttention,
)  # fmt: skip


def calls(made: Made) -> tuple[int, set[str]]:
    """(calls of modules that are sites, paths of the other activations that were called)"""
    relus, others = [0], set()

    def count(module, args, out):
        relus[0] += 1

    hooks = []
    for path, module in made.model.named_modules():
        if type(module) in SITES:
            hooks.append(module.register_forward_hook(count))
        elif type(module) in OTHERS:
            hooks.append(module.register_forward_hook(lambda m, a, o, p=path: others.add(p)))
    with torch.no_grad():
        made.model(made.example)
    for hook in hooks:
        hook.remove()
    return relus[0], others


def judge(made: Made) -> dict[str, Any]:
    """Plan one network, and hold what it says against what the hooks saw."""
    relus, others = calls(made)
    began = time.perf_counter()
    found = plan(made.model, "rueckauer", made.example, {"pool": "gated"})
    record = {
        "seconds": round(time.perf_counter() - began, 1), "input": list(made.example.shape[1:]),
        "parameters": sum(p.numel() for p in made.model.parameters()), "relu_calls": relus,
        "other_activations": len(others),
    }  # fmt: skip
    if found.ok:
        sites = [node for node in found.graph.sites if node.op != "max_pool"]
        gate = found.gate
        record.update(sites=len(sites), gate64=gate.float64, gate32=gate.float32)
        honest = len(sites) >= relus and not others and alive(made)
        return {"state": "converted" if honest else "silent", **record}
    record["findings"] = Counter(f.what for f in found.problems) or {found.message: 1}
    if "capture stops here" in record["findings"] or not found.problems:
        state = "not captured" if found.problems else "gate"
        return {"state": state, **record, "why": str(found)[:2000]}
    named = {finding.site.split("@")[0] for finding in found.problems}
    missing = sorted(path for path in others if not any(within(site, path) for site in named))
    if missing:  # what is computed and thrown away is in no graph
        missing = sorted(needed(made).intersection(missing))
    record["missing"] = missing
    return {"state": "incomplete" if missing else "refused", **record}


def needed(made: Made) -> set[str]:
    """Modules that compute with the input for the output: those that the gradient passes."""
    kept: dict[str, torch.Tensor] = {}
    made.model.requires_grad_(False)

    def keep(path, out):
        first = out[0] if isinstance(out, tuple) else out
        if isinstance(first, torch.Tensor) and first.requires_grad:
            first.retain_grad()
            kept[path] = first

    hooks = [
        module.register_forward_hook(lambda m, a, out, p=path: keep(p, out))
        for path, module in made.model.named_modules()
    ]
    with torch.enable_grad():
        made.model(made.example.clone().requires_grad_()).sum().backward()
    for hook in hooks:
        hook.remove()
    return {path for path, out in kept.items() if out.grad is not None}


def within(site: str, path: str) -> bool:
    return f"{site}.".startswith(f"{path}.")


def alive(made: Made) -> bool:
    """True where two inputs have two answers; a constant would pass any comparison."""
    with torch.no_grad():
        one, other = made.model(made.example)[:2]
    return bool((one - other).abs().max() > 1e-6 * one.abs().max())


def child(name: str, seed: int, memory: int, pipe) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory << 30, memory << 30))
    torch.manual_seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipe.send(judge(build(name)))
    except Exception as error:  # one network that cannot be built must not end the census
        pipe.send({"state": "not built", "why": f"{type(error).__name__}: {str(error)[:500]}"})


def one(name: str, args: Namespace) -> dict[str, Any]:
    """The record of one network, from a process that ends within the limit."""
    fork = multiprocessing.get_context("fork")
    mine, theirs = fork.Pipe(duplex=False)
    process = fork.Process(target=child, args=(name, args.seed, args.memory, theirs))
    process.start()
    theirs.close()
    try:
        return mine.recv() if mine.poll(args.limit) else _late(args)
    except EOFError:
        return {"state": "not built", "why": "the process ended without an answer (memory?)"}
    finally:
        process.kill()
        process.join()


def _late(args: Namespace) -> dict[str, Any]:
    return {"state": "not built", "why": f"not ready in {args.limit} s"}


def counts(networks: dict[str, dict[str, Any]]) -> dict[str, Counter]:
    """Family -> state -> networks."""
    found: dict[str, Counter] = {}
    for name, record in networks.items():
        found.setdefault(families(name), Counter())[record["state"]] += 1
    return dict(sorted(found.items()))


def cells(states: Counter) -> str:
    return " | ".join(str(states[s] or "") for s in STATES)


def page(results: dict[str, Any]) -> str:
    """docs/coverage.md"""
    networks = results["networks"]
    lines = [HEAD.format(**results["versions"])]
    lines += ["| family | tried | " + " | ".join(STATES) + " |", "|---" * (len(STATES) + 2) + "|"]
    total: dict[str, Counter] = {}
    for family, states in counts(networks).items():
        total.setdefault(family.split(":")[0], Counter()).update(states)
    for source, states in total.items():
        tried = f"{states.total()} of {results['listed'].get(source, states.total())}"
        lines.append(f"| **{source}** | {tried} | " + cells(states) + " |")
    for family, states in counts(networks).items():
        lines.append(f"| {family} | {states.total()} | " + cells(states) + " |")
    refused = [record for record in networks.values() if record["state"] == "refused"]
    reasons = Counter(what for record in refused for what in record["findings"])
    lines += ["", "Why networks are refused (networks that have such a site):", ""]
    lines += [f"- {count}: {what}" for what, count in reasons.most_common(25)]
    return "\n".join(lines) + "\n"


HEAD = """# Which networks convert

Written by `python bench/census.py --table docs/coverage.md` from `bench/results/census.json`.
Random weights (transformers: image classifiers with two layers), random batch-norm statistics, two
random inputs, torch {torch}. *Converted*: the rewritten graph equals the model to 1e-12 in float64
(to 1e-11 where rounding in the network is as large) and every activation is a site. *Refused*: with
every reason and its place. *Not captured*: torch.export stops, and its place is told. *Gate*: the
graph and the model differ by more, and no conversion is made. *Not built*: the model did not run
here, or not in 16 to 19 GiB of addresses and 45 to 300 seconds on one core, as most with a
billion parameters. A family is a name up to its first digit or sign.
*Incomplete* and *silent* are what must not be: a refusal that misses a site, a conversion that
misses one.
"""


def main() -> None:
    arguments = parser(__doc__, images=2)
    arguments.add_argument("--only", default="*", help="names like torchvision:res*, comma between")
    arguments.add_argument("--limit", type=int, default=180, help="seconds a network")
    arguments.add_argument("--memory", type=int, default=16, help="GiB of addresses a network")
    arguments.add_argument("--again", help="states to run again, comma between")
    arguments.add_argument("--table", type=Path, help="write the page and run nothing")
    args = arguments.parse_args()
    torch.set_num_threads(args.threads or 1)
    path = args.out or RESULTS / "census.json"
    networks = json.loads(path.read_text())["networks"] if path.is_file() else {}
    if args.table:
        args.table.write_text(page(json.loads(path.read_text())))
        return
    again = (args.again or "").split(",")
    patterns = args.only.split(",")
    known = listed()
    names = dict.fromkeys(n for p in patterns for n in known if fnmatch.fnmatch(n, p))
    table = Table(f"{'network':44}", f"{'state':12}", "sites", "float64", "seconds")
    for name in names:
        if name in networks and networks[name]["state"] not in again:
            continue
        record = networks[name] = one(name, args)
        table.add(
            name, record["state"], record.get("sites", sum(record.get("findings", {}).values())),
            record.get("gate64"), record.get("seconds"),
        )  # fmt: skip
        whole = {
            "claim": __doc__.splitlines()[0], "command": "python bench/census.py",
            "hardware": hardware(), "versions": versions(), "seed": args.seed,
            "listed": Counter(n.partition(":")[0] for n in known),
            "networks": dict(sorted(networks.items())),
        }  # fmt: skip
        atomic_write(path, json.dumps(whole, indent=0).encode())
    print(json.dumps(counts(networks), indent=1))


if __name__ == "__main__":
    main()
