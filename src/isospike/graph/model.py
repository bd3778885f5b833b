"""The user's model made ready: unwrapped, copied in eval mode, exported with a free batch size."""

from __future__ import annotations

import copy
import io
import logging
import traceback
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram, export
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[reportAttributeAccessIssue]

from isospike.errors import ConversionError, Finding

WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
ANY_BATCH = (
    "write the forward pass for any batch size and any values: no `if` on a tensor, no `len(x)`, "
    "no batch size in a shape, no fixed type (`x.float()`)"
)


def unwrap(model: nn.Module) -> nn.Module:
    """The module inside DataParallel, DistributedDataParallel or torch.compile."""
    while isinstance(model, WRAPPERS) or hasattr(model, "_orig_mod"):
        inner: Any = model.module if isinstance(model, WRAPPERS) else model._orig_mod
        model = inner
    return model


def private_copy(model: nn.Module) -> nn.Module:
    """An unwrapped copy in eval mode; ConversionError for what cannot be copied or has no data."""
    if not isinstance(model, nn.Module):
        raise ConversionError(f"expected a torch.nn.Module, got {type(model).__name__}")
    model = unwrap(model)
    if isinstance(model, torch.jit.ScriptModule):
        raise ConversionError("a ScriptModule has lost its source: pass the model it was made from")
    state = [*model.named_parameters(), *model.named_buffers()]
    empty = [name for name, t in state if isinstance(t, UninitializedTensorMixin) or t.is_meta]
    if empty:
        raise ConversionError(f"no data in {', '.join(empty[:5])}: load the weights first")
    # By their marks: torch.distributed need not be imported, or be there at all.
    if any(hasattr(t, "device_mesh") or getattr(t, "_is_flat_param", False) for _, t in state):
        raise ConversionError(
            "the parameters are shards of several processes (FSDP): load the full state dict into "
            "a model of one process, and convert that"
        )
    packed = [n for n, m in model.named_modules() if "nn.quantized" in type(m).__module__]
    if packed:
        raise ConversionError(f"int8 modules: {', '.join(packed[:5])}. Convert the float model")
    # A pruned or weight-normed layer holds its weight as a computed tensor, which deepcopy refuses.
    computed = [
        t for module in model.modules() for t in vars(module).values()
        if isinstance(t, Tensor) and not t.is_leaf
    ]  # fmt: skip
    return copy.deepcopy(model, {id(t): t.detach().clone() for t in computed}).eval()


def exported(model: nn.Module, example: Tensor) -> ExportedProgram:
    """The program of `model` for any batch of samples like those of `example` [B, ...]."""
    if example.dim() < 2:
        raise ConversionError(f"the example needs a batch dimension, got {list(example.shape)}")
    # Export takes a batch of 1 for a constant.
    example = example[:2] if len(example) > 1 else torch.cat([example, example])
    shapes = ({0: Dim("batch", min=1, max=1 << 20)},)
    try:
        with torch.no_grad(), quiet():
            return export(model, (example,), dynamic_shapes=shapes, strict=False)
    except Exception as first:
        try:
            traced = fx.symbolic_trace(model)
            with torch.no_grad(), quiet():
                return export(traced, (example,), dynamic_shapes=shapes, strict=False)
        except Exception:
            text = str(first).strip().splitlines()
            why = " ".join([f"{type(first).__name__}:", *text[:4]])
            finding = Finding("model", _frame(first), "capture stops here", why, ANY_BATCH)
            raise ConversionError("the model cannot be captured:", [finding]) from first


@contextmanager
def quiet():
    """Without the warnings, the log and the listings that torch's export gives of itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        nowhere = io.StringIO()
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
            warnings.filterwarnings("ignore", ".*assigned during export", UserWarning)
            yield
    finally:
        logging.disable(before)


def _frame(error: BaseException) -> str:
    """`net.py:12: x = self.relu(x)` of the innermost call that is not torch's own."""
    trace = traceback.extract_tb(error.__traceback__)
    own = [f for f in trace if "/torch/" not in f.filename and f.filename != __file__]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line}" if own else ""
