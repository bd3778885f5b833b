"""Random damage to a saved network: it loads as a whole network or it is a FormatError."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import isospike as iso
from abuse.files import content, pooled, written
from zoo.tiny import converted, images

IMAGES = images(2)
SHARE = st.floats(0, 1, exclude_max=True)  # where in the file
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
HOSTILE = [
    None, True, False, 0, 1, -1, 2, 7, 10**9, 10**30, -(10**30), 0.5, float("nan"), float("inf"),
    "", "act", ".0", ".1", "conv", "relu", "input", "../../x", "\0", [], [0], [-1, 10**9], [1, 1, 1],
    {}, {"tensor": "graph/.1.weight"}, {"class": "IF", "fields": {}}, [[[]]],
]  # fmt: skip


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A function, because hypothesis would print a list of it with every example."""
    folder = tmp_path_factory.mktemp("whole")
    both = [content(network, folder) for network in (pooled(), converted("spikeconverter"))]

    def part(which):
        return both[which]

    return part


def loads_or_refuses(path):
    """True when it loaded, and then as a network that runs or refuses its images."""
    try:
        network = iso.load(path)
    except iso.FormatError:
        return False
    try:
        out = network(IMAGES)
    except iso.DataError:  # a header that is a network for other images
        return True
    assert isinstance(out, torch.Tensor)
    str(network)
    return True


@settings(max_examples=120, suppress_health_check=CHECKS)
@given(
    which=st.integers(0, 1),
    edits=st.lists(st.tuples(SHARE, st.integers(0, 255)), max_size=4),
    cut=st.sampled_from([0, 0, 0, 1, 8, 100]),
)
def test_bytes(parts, tmp_path, which, edits, cut):
    whole = bytearray(parts(which)[2])
    for where, value in edits:
        whole[int(where * len(whole))] = value
    path = tmp_path / "a.iso"
    path.write_bytes(whole[: len(whole) - cut])
    loads_or_refuses(path)


def places(value, path=()):
    """Every place of a nested value."""
    yield path
    inside = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else inside:
        yield from places(item, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = changed(value[path[0]], path[1:], new)
    return value


@settings(max_examples=200, suppress_health_check=CHECKS)
@given(
    which=st.integers(0, 1),
    edits=st.lists(st.tuples(SHARE, st.integers(0, len(HOSTILE) - 1)), min_size=1, max_size=2),
)
def test_values_of_the_header(parts, tmp_path, which, edits):
    header, tensors, _ = parts(which)
    known = list(places(header))
    for where, new in edits:
        try:
            header = changed(header, known[int(where * len(known))], HOSTILE[new])
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # the first change removed this place
    loads_or_refuses(written(tmp_path / "a.iso", header, tensors))
