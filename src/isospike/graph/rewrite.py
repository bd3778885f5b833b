"""Capture, folding, and the gate: the rewritten graph must be the same function as the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from isospike.errors import ConversionError, Finding
from isospike.graph.capture import capture
from isospike.graph.fold import fold
from isospike.graph.graph import Graph, execute
from isospike.graph.imported import Imported
from isospike.graph.model import private_copy, quiet
from isospike.graph.pack import Packed

LIMIT_64, LIMIT_32 = 1e-12, 1e-5
PROBE = 4  # samples


@dataclass(frozen=True)
class Gate:
    """max |graph - model| / max |model| on a probe batch, in float64 copies and in float32.

    `limit` holds for `float64`: see `_limit`. An imported network has a runtime in float32 alone:
    `float64` is then the graph in float64 against that, within LIMIT_32."""

    float64: float
    float32: float
    samples: int
    against: str = "model"
    limit: float = LIMIT_64

    @property
    def passed(self) -> bool:
        return self.float64 <= self.limit  # NaN does not

    def __str__(self) -> str:
        return (
            f"graph against {self.against} on {self.samples} samples: {self.float64:.1e} in "
            f"float64 (limit {self.limit:.0e}), {self.float32:.1e} in float32"
        )


@quiet()
def rewrite(
    model: nn.Module | ExportedProgram | Imported, example: Tensor, keep: Sequence[str] = ()
) -> tuple[Graph, Gate, tuple]:
    """(graph in the model's dtype, gate, notes); ConversionError when the function is not kept.

    Capture and folding run in float64, so that folding costs no accuracy.
    """
    single_probe = example[:PROBE].detach() * 1.0  # whole numbers become floats
    if len(single_probe) == 1:  # two samples show whether the model mixes them
        single_probe = torch.cat([single_probe, single_probe / 2])
    probe = single_probe.double()
    if isinstance(model, Imported):
        return _rewrite_imported(model, single_probe)
    source: nn.Module
    if isinstance(model, ExportedProgram):
        graph = fold(capture(model, probe, keep))
        source = model.module()
    else:
        source = private_copy(model)
        graph = fold(capture(_to_double(source), probe, keep))
    dtype = single_probe.dtype
    single = graph.map_tensors(lambda t: t.to(dtype) if t.is_floating_point() else t)
    notes = tuple(_notes(model))
    double = _difference(graph, _to_double(source), probe)
    float_ = _difference(single, source, single_probe)
    gate = Gate(double, float_, len(probe), limit=_limit(float_))
    if not gate.passed:
        raise ConversionError(f"the rewritten graph is not the model's function: {gate}")
    _check_samples_apart(graph, probe)
    return single, gate, notes


def _rewrite_imported(model: Imported, probe: Tensor) -> tuple[Graph, Gate, tuple]:
    """The same for a network with a runtime of its own, on the probe and on random inputs."""
    if tuple(probe.shape[1:]) != model.input_shape:
        expected, got = list(model.input_shape), list(probe.shape[1:])
        raise ConversionError(f"the network takes samples of the shape {expected}, got {got}")
    noise = torch.randn(probe.shape, generator=torch.Generator().manual_seed(0))
    x = torch.cat([probe.float(), noise])
    graph, expected = fold(model.graph), model.reference(x).double()
    single = graph.map_tensors(lambda t: t.float())
    scale = float(expected.abs().max()) or 1.0
    found = [execute(graph, x.double()), execute(single, x).double()]
    if any(y.shape != expected.shape for y in found):
        shapes = f"{list(found[0].shape)}, {model.runtime} {list(expected.shape)}"
        raise ConversionError(f"the rewritten graph answers {shapes}")
    double, float_ = (float((y - expected).abs().max()) / scale for y in found)
    gate = Gate(double, float_, len(x), model.runtime, LIMIT_32)
    if not gate.passed:
        raise ConversionError(f"the rewritten graph is not the file's function: {gate}")
    _check_samples_apart(graph, x.double())
    return single, gate, ()


def _limit(float32: float) -> float:
    """LIMIT_64, or as much as ten times that where a deep network makes rounding large.

    Rounding shrinks with the machine epsilon, by 2^-29 from float32 to float64; another function
    differs as much in both. Four times what the difference in float32 shrinks to is allowed.
    """
    return max(LIMIT_64, min(4 * 2**-29 * float32, 10 * LIMIT_64))


def _to_double(model: nn.Module) -> nn.Module:
    return private_copy(model).double()


@torch.no_grad()
def _difference(graph: Graph, model: nn.Module, x: Tensor) -> float:
    try:
        with torch.random.fork_rng(devices=[]):
            expected = model(x)
    except RuntimeError as error:
        raise ConversionError(
            f"the model does not run in {x.dtype}, in which it is compared with its graph: "
            f"{error}. Make its constants buffers, and cast nothing to a fixed type."
        ) from error
    if not isinstance(expected, Tensor):
        raise ConversionError(
            f"the model returns a {type(expected).__name__}: "
            "wrap it in isospike.Packed(model, example), or so that it returns its logits alone"
        )
    # Each output by its own size: a small one must not hide behind a large one.
    apart = model.pieces if isinstance(model, Packed) else lambda y: [y]
    errors = [
        (found - wanted).abs().max() / (float(wanted.abs().max()) or 1.0)
        for found, wanted in zip(apart(execute(graph, x)), apart(expected), strict=True)
    ]
    return float(torch.stack(errors).max())  # NaN stays NaN


def change(before: Graph, after: Graph, x: Tensor) -> float:
    """Relative RMS change of the outputs by a pass that changes the function."""
    old, new = execute(before, x), execute(after, x)
    return float((new - old).norm() / old.norm())


def _check_samples_apart(graph: Graph, probe: Tensor) -> None:
    """n samples at once against n of one: an operator that mixes them would show."""
    together = execute(graph, probe)
    alone = torch.cat([execute(graph, probe[i : i + 1]) for i in range(len(probe))])
    scale = float(together.abs().max()) or 1.0
    if float((together - alone).abs().max()) / scale > 1e-9:
        raise ConversionError("the model mixes the samples of a batch", [Finding(
            "output", "", "a sample's answer depends on its neighbours",
            "Time is folded into the batch.", "remove what computes over the batch",
        )])  # fmt: skip


def _notes(model: nn.Module | ExportedProgram):
    """What the user should know, though nothing stands against converting."""
    if not isinstance(model, nn.Module):
        return
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
            where = name or "model"
            yield f"{where}: batch norm was in train mode; its running statistics are used"
        if module._forward_hooks or module._forward_pre_hooks:
            yield f"{name or 'model'}: what its forward hooks compute is part of the graph"
