"""A spiking network is an nn.Module like any other, and keeps nothing between two calls."""

import copy
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import isospike as iso
from common.threads import with_threads
from isospike.engine.native.trains import enabled
from isospike.network import SpikingNetwork
from zoo.tiny import converted, images, plan_for

IMAGES = images()
KINDS = ("iso", "ic-snn", "spikeconverter")


@pytest.mark.parametrize("recipe", KINDS)
def test_it_is_a_module_that_gives_logits(recipe):
    snn = converted(recipe)
    assert isinstance(snn, nn.Module)
    out = snn(IMAGES)
    assert out.shape == (24, 3)
    assert out.dtype == torch.float32
    assert not out.requires_grad
    assert torch.equal(out, snn.run(IMAGES, 8).outputs[8])
    assert snn.recipe == recipe
    assert str(snn) == f"SpikingNetwork(recipe={recipe}, steps=8, latency={snn.latency}, sites=2)"


def test_latency_counts_every_phase():
    assert converted("iso").latency == 8
    assert converted("spikeconverter").latency == (2 + 1) * 8
    extra = iso.convert(plan_for(iso.recipe("spikeconverter", {"schedule.extra": 2})), IMAGES, 8)
    assert extra.latency == (2 + 1) * (8 + 2)


@pytest.mark.parametrize("recipe", KINDS)
def test_two_batches_in_a_row_are_independent(recipe):
    snn = converted(recipe)
    first = snn(IMAGES)
    other = snn(images(5, seed=1))
    assert torch.equal(snn(IMAGES), first)
    assert torch.equal(snn(images(5, seed=1)), other)


def test_an_interrupted_batch_leaves_nothing_behind():
    snn, seen = converted("iso"), []

    class Stop:
        def spikes(self, site, *rest):
            seen.append(site)
            if site == "act2":
                raise KeyboardInterrupt

    first = snn(IMAGES)
    with pytest.raises(KeyboardInterrupt):
        snn.run(IMAGES, 8, [Stop()])
    assert seen == ["act1", "act2"]
    assert torch.equal(snn(IMAGES), first)


@pytest.mark.parametrize("recipe", KINDS)
def test_an_image_does_not_depend_on_its_neighbours(recipe):
    snn = converted(recipe)
    whole = snn(IMAGES)
    alone = torch.cat([snn(IMAGES[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(alone, whole[:8], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(snn(IMAGES.flip(0)), whole.flip(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("recipe", KINDS)
def test_steps_in_any_order_and_twice(recipe):
    run = converted(recipe).run(IMAGES, [8, 2, 8, 4])
    assert sorted(run.outputs) == [2, 4, 8]
    if recipe == "iso":  # one pass, read on the way
        alone = converted(recipe).run(IMAGES, 2).outputs[2]
        torch.testing.assert_close(run.outputs[2], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("steps", [0, -3, 2.0, False, [], [4, True], 10**7 + 1])
def test_steps_that_are_no_steps(steps):
    with pytest.raises(iso.UsageError, match="steps"):
        converted().run(IMAGES, steps)


def test_ten_million_steps_are_steps():
    assert SpikingNetwork(converted().program, 10**7).latency == 10**7


@pytest.mark.parametrize("recipe", KINDS)
def test_double_reaches_every_tensor(recipe):
    snn = copy.deepcopy(converted(recipe)).double()
    out = snn(IMAGES.double())
    assert out.dtype == torch.float64
    torch.testing.assert_close(out.float(), converted(recipe)(IMAGES), rtol=0.05, atol=0.1)
    program = snn.program
    for graph in (program.graph, program.source):
        assert {t.dtype for t in graph.tensors.values()} == {torch.float64}
    back = snn.to(torch.float32)
    assert back is snn
    assert torch.equal(back(IMAGES), converted(recipe)(IMAGES))


def test_half_keeps_its_membrane_in_float32():
    snn, kinds = copy.deepcopy(converted("opi")).half(), []

    class Watch:
        def spikes(self, site, start, drive, spikes, state):
            kinds.append(state.dtype)

    out = snn.run(IMAGES.half(), 4, [Watch()]).outputs[4]
    assert out.dtype == torch.float16
    assert set(kinds) == {torch.float32}


def test_a_move_reaches_every_tensor():
    snn = copy.deepcopy(converted("ic-snn")).to("meta")
    program = snn.program
    found = [*program.graph.tensors.values(), *program.source.tensors.values()]
    for unit in program.units.values():
        found += [value for value in vars(unit).values() if isinstance(value, torch.Tensor)]
    assert {tensor.device.type for tensor in found} == {"meta"}
    assert converted("ic-snn").program.graph.tensors[".1.weight"].device.type == "cpu"


def test_a_copy_is_a_network_of_its_own():
    snn = converted("iso")
    before = snn(IMAGES)
    other = copy.deepcopy(snn)
    for tensor in other.program.graph.tensors.values():
        tensor.zero_()
    assert torch.equal(snn(IMAGES), before)
    assert not torch.equal(other(IMAGES), before)


def test_two_threads_do_not_meet():
    snn = converted("iso")
    inputs = [images(24, seed) for seed in range(4)]
    expected = [snn(x) for x in inputs]
    barrier = threading.Barrier(4)

    def work(x):
        barrier.wait()
        return [snn(x) for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        for answers, one in zip(pool.map(work, inputs), expected, strict=True):
            assert all(torch.equal(answer, one) for answer in answers)


@pytest.mark.parametrize("engine", ["steploop", "dense", "events"])
def test_threads_change_no_bit(engine):
    program = converted("iso").program
    if engine == "events" and not enabled():
        pytest.skip("no native kernels")

    def answer():
        return SpikingNetwork(program, 8, engine)(IMAGES)

    answers = [with_threads(threads, answer) for threads in (1, 2, 3)]
    assert all(torch.equal(answer, answers[0]) for answer in answers)


class Answers(Dataset):
    """Computed where they are asked for: in the worker of a DataLoader."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return os.getpid(), converted("iso")(IMAGES[6 * index : 6 * index + 6])


def test_a_process_that_was_forked_after_a_run_answers_the_same():
    here = torch.cat([converted("iso")(part) for part in IMAGES.split(6)])
    loader = DataLoader(Answers(), 4, num_workers=1, multiprocessing_context="fork", timeout=60)
    ((processes, there),) = loader
    assert os.getpid() not in processes.tolist()
    assert torch.equal(there.flatten(0, 1), here)


WRONG = {
    "channels": IMAGES[:, :1],
    "no batch": IMAGES[0],
    "size": IMAGES[..., :4],
    "bytes": IMAGES.byte(),
    "no tensor": [IMAGES],
}


@pytest.mark.parametrize("x", WRONG.values(), ids=WRONG)
def test_images_of_another_shape_are_refused(x):
    with pytest.raises(iso.DataError, match="expected images"):
        converted()(x)


def test_images_elsewhere_than_the_network_are_refused_naming_both():
    with pytest.raises(iso.DataError, match="images on meta, the network on cpu"):
        converted()(IMAGES.to("meta"))
    with pytest.raises(iso.DataError, match=r"the example: .* meta device, which holds no pixels"):
        iso.plan(torch.nn.Sequential(torch.nn.Conv2d(2, 2, 3)), "iso", IMAGES.to("meta"))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("recipe", ["opi", "spikeconverter"])
def test_images_that_are_not_finite_are_refused_with_their_place(recipe, value):
    x = IMAGES.clone()
    x[2, 1, 3, 4] = value
    with pytest.raises(iso.DataError, match=r"NaN or infinite values, the first at \[2, 1, 3, 4\]"):
        converted(recipe)(x)


@pytest.mark.parametrize("recipe", ["opi", "spikeconverter"])
def test_a_number_that_overflows_on_the_way_is_told_with_its_place(recipe):
    snn = copy.deepcopy(converted(recipe))
    weight = next(node for node in snn.program.graph.nodes if node.op == "linear").tensors["weight"]
    snn.program.graph.tensors[weight].mul_(1e38)
    with pytest.raises(iso.DataError, match=r"become NaN or infinite, first at fc"):
        snn(IMAGES)
    assert converted(recipe)(IMAGES).isfinite().all()


def overflowing():
    """A program whose second site gets a drive beyond all floats."""
    program = copy.deepcopy(converted("opi").program)
    _, conv = (node for node in program.graph.nodes if node.op == "conv")
    program.graph.tensors[conv.tensors["weight"]].mul_(3e38)
    return program


@pytest.mark.parametrize("engine", ["steploop", "dense", "events"])
def test_a_potential_that_overflows_is_told_though_the_outputs_look_sound(engine):
    if engine == "events" and not enabled():
        pytest.skip("no native kernels")
    with pytest.raises(iso.DataError, match=r"potentials become NaN or infinite, first at act2 \("):
        SpikingNetwork(overflowing(), 8, engine)(IMAGES)


def test_a_stream_tells_of_it_too():
    with pytest.raises(iso.DataError, match="first at act2"):
        SpikingNetwork(overflowing(), 8).stream().hold(IMAGES, 8)


def test_pixels_outside_the_coder_are_refused():
    with pytest.raises(iso.DataError, match=r"pixels in \[0, 1\], got \[0, 2\]"):
        converted("ic-snn")(IMAGES * 2)


def test_no_images_give_no_logits():
    assert converted("iso")(IMAGES[:0]).shape == (0, 3)


def test_unspike_is_the_network_of_static_transfers():
    snn = converted("spikeconverter")
    # On the separated schedule nothing but the transfer happens.
    torch.testing.assert_close(snn.unspike()(IMAGES), snn(IMAGES), rtol=1e-5, atol=1e-5)


def test_an_unknown_engine_is_told():
    snn = SpikingNetwork(converted().program, 4, "quantum")
    with pytest.raises(iso.UsageError, match="quantum"):
        snn(IMAGES)
