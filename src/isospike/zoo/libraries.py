"""Networks of other libraries by name: `timm:resnet18`, `hf:microsoft/resnet-18`.

Weights are those that the library has in its cache or can download; random ones are taken only when
asked for (`?pretrained=false`). Nothing that comes with a network is run: of Hugging Face only
safetensors files and the code of transformers itself, of timm no pickled objects (weights_only).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from isospike.errors import UsageError
from isospike.zoo.normalize import Normalize

FLAGS = {"pretrained=true": True, "pretrained=false": False}


class Logits(nn.Module):
    """A model of transformers, which returns a record, as one that returns logits [B, classes]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).logits


def from_timm(name: str, pretrained: bool = True) -> nn.Module:
    """A network of timm (pip install timm); with its weights comes their normalisation, in front.

    UsageError for an unknown name, for a network without published weights, and where they are not
    to be had.
    """
    timm = library("timm")
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name.split('.')[0]}*")[:5])
        raise UsageError(f"timm has no network {name!r}" + (f": perhaps {near}" if near else ""))
    if pretrained and not timm.is_model_pretrained(name):
        raise UsageError(f"timm publishes no weights of {name!r}: {ways('timm', name)}")
    model = fetched("timm", name, lambda: timm.create_model(name, pretrained=pretrained))
    known = getattr(model, "pretrained_cfg", None) or {}
    if not pretrained or not known.get("mean"):
        return model
    return nn.Sequential(Normalize(known["mean"], known["std"]), model)


def from_hf(name: str, pretrained: bool = True) -> nn.Module:
    """An image classifier of transformers (pip install transformers), by the name of its repository
    or the path of its folder; it sees pixels as they are (`--normalize` puts its own in front)."""
    transformers = library("transformers")
    kind, config = transformers.AutoModelForImageClassification, transformers.AutoConfig

    def make() -> nn.Module:
        if pretrained:
            return kind.from_pretrained(name, use_safetensors=True, trust_remote_code=False)
        known = config.from_pretrained(name, trust_remote_code=False)
        return kind.from_config(known, trust_remote_code=False)

    return Logits(fetched("hf", name, make))


MAKERS: dict[str, Callable[[str, bool], nn.Module]] = {"timm": from_timm, "hf": from_hf}
PREFIXES = tuple(f"{name}:" for name in MAKERS)


def from_spec(spec: str, pretrained: bool = True) -> nn.Module:
    """`timm:NAME` or `hf:NAME`, with `?pretrained=false` behind it for random weights."""
    source, _, rest = spec.partition(":")
    name, mark, flag = rest.partition("?")
    if source not in MAKERS or not name or (mark and flag not in FLAGS):
        raise UsageError(f"{spec!r}: expected {' or '.join(f'{s}NAME' for s in PREFIXES)}, "
                         f"with ?{' or ?'.join(FLAGS)} behind it")  # fmt: skip
    return MAKERS[source](name, FLAGS.get(flag, pretrained)).eval()


def weighted(model: nn.Module) -> nn.Module:
    """The part of such a network whose names stand in the library's own weight files."""
    return model.model if isinstance(model, Logits) else model


def library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} cannot be imported ({error}): pip install {name}") from error


def fetched(source: str, name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """What `make` gives; UsageError where the files are neither here nor can be had."""
    try:
        return make()
    except (OSError, ValueError, RuntimeError, KeyError) as error:  # each library has its own
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise UsageError(
            f"{source}:{name} cannot be had: {why} Download it on a machine that is online (into "
            f"HF_HOME, the cache); or {ways(source, name)}"
        ) from error


def ways(source: str, name: str) -> str:
    return f"give --weights FILE.safetensors, or take random ones: {source}:{name}?pretrained=false"
