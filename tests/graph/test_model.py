"""The user's model is copied out of whatever wraps it, or it is told why that cannot be."""

import warnings

import pytest
import torch
from torch import nn

from graph.small import X, layers
from isospike.errors import ConversionError
from isospike.graph.capture import capture
from isospike.graph.model import unwrap
from isospike.graph.rewrite import rewrite


def test_wrappers_come_off_in_any_order():
    inner = layers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert unwrap(nn.DataParallel(torch.compile(nn.DataParallel(inner)))) is inner


def lazy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU())


@pytest.mark.parametrize("model", [layers().to("meta"), lazy()])
def test_models_without_data_are_refused(model):
    with pytest.raises(ConversionError, match=r"no data in 0.weight, 0.bias"):
        rewrite(model, X)


def test_shards_of_several_processes_are_refused(tmp_path):
    from torch.distributed.fsdp import fully_shard

    door = f"file://{tmp_path / 'door'}"
    torch.distributed.init_process_group("gloo", init_method=door, rank=0, world_size=1)
    try:
        mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (1,))
        with pytest.raises(ConversionError, match=r"shards of several processes \(FSDP\): load"):
            rewrite(fully_shard(layers(), mesh=mesh), X)
    finally:
        torch.distributed.destroy_process_group()


def test_a_script_module_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(layers())
        with pytest.raises(ConversionError, match="pass the model it was made from"):
            rewrite(script, X)


def test_int8_modules_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(layers(), {nn.Linear})
    with pytest.raises(ConversionError, match="int8 modules: 3"):
        rewrite(model, X)


def test_what_is_no_model_and_no_batch():
    with pytest.raises(ConversionError, match=r"expected a torch\.nn\.Module, got function"):
        rewrite(lambda x: x, X)
    with pytest.raises(ConversionError, match="batch dimension"):
        capture(layers(), X[0, 0, 0])
