"""The losses: zero at the source, and against their equations."""

import pytest
import torch

from common.nets import images, network
from isospike.graph.graph import execute
from isospike.tune.loss import LOSSES, classes, distill, teacher
from isospike.tune.settings import Tune


def test_the_teacher_is_the_source_network():
    graph, x = network(["layer", "residual"]), images(5)
    logits, activations = teacher(graph, x)
    assert torch.equal(logits, execute(graph, x))
    assert list(activations) == [node.name for node in graph.sites]


def test_the_source_itself_has_no_distance():
    logits, activations = teacher(network(["layer"]), images(5))
    assert float(distill((logits, activations), logits, activations, Tune())) == pytest.approx(0)


def test_the_distance_by_its_equation():
    y, target = torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 0.0]])
    p, q = (torch.softmax(z / 4, 1) for z in (target, y))
    expected = 16 * (p * (p / q).log()).sum() + 0.5 * 5 / 10
    rates, activations = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 1.0]])
    found = distill(
        (y, {"a": rates}), target, {"a": activations, "b": target}, Tune(tau=4.0, feature=0.5)
    )
    torch.testing.assert_close(found, expected)


def test_the_class_is_that_of_the_source():
    y = torch.tensor([[0.0, 1.0, 2.0]])
    found = classes((y, {}), torch.tensor([[0.0, 5.0, 1.0]]), {}, Tune())
    torch.testing.assert_close(found, -torch.log_softmax(y, 1)[0, 1])


@pytest.mark.parametrize("name", LOSSES)
def test_silent_sites_and_dense_outputs(name):
    y = torch.zeros(2, 3, 4, requires_grad=True)
    rates = {"a": torch.zeros(2, 3, requires_grad=True)}
    loss = LOSSES[name]((y, rates), torch.randn(2, 3, 4), {"a": torch.zeros(2, 3)}, Tune())
    loss.backward()
    assert y.grad is not None
    assert y.grad.isfinite().all()
