"""A batch that is too large is refused with the number of images that fit."""

import pytest
import torch

import isospike as iso
from common.nets import images, network, program
from isospike import network as spiking
from isospike.engine import run


@pytest.mark.parametrize(("room", "told"), [(7, "5 fit"), (1, "1 fit"), (0, "not one fits")])
def test_a_batch_without_room_is_told_with_what_fits(monkeypatch, room, told):
    """A machine with memory for so many images."""
    asked = []

    def small(p, x, *args, **options):
        asked.append(len(x))
        if len(x) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(p, x, *args, **options)

    monkeypatch.setattr(spiking, "run", small)
    snn = iso.SpikingNetwork(program(network(["layer"])), 4)
    with pytest.raises(
        iso.UsageError, match=f"a batch of 20 images .* than cpu has: {told}"
    ) as stop:
        snn(images(20))
    assert asked == [n for n in (20, 10, 5, 2, 1) if n * 2 > room]
    assert stop.value.__context__ is None  # no traceback that holds what was allocated
    if room > 1:
        assert snn(images(5)).shape == (5, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_nothing_stays_allocated_on_a_gpu():
    p = program(network(["layer", "residual"])).map_tensors(lambda t: t.cuda())
    x, before = images(64).cuda(), torch.cuda.memory_allocated()
    torch.cuda.set_per_process_memory_fraction(1e-4)
    try:
        with pytest.raises(iso.UsageError, match="needs more memory than cuda"):
            iso.SpikingNetwork(p, 4096)(x.expand(2**14, *x.shape[1:]))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert torch.cuda.memory_allocated() <= before + x.nbytes
