"""Two processes that share calibration and evaluation hold, both, what one process holds."""

import json
import socket
from pathlib import Path

import pytest
import torch

from isospike import processes
from launch import launch, told

WORKER = Path(__file__).with_name("processes_worker.py")


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return str(door.getsockname()[1])


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """(processes, number) -> what it reports."""
    folder, port = tmp_path_factory.mktemp("runs"), free_port()
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    words = (str(WORKER), str(folder))
    runs = [launch(1, *words), *(launch(1, *words, **meet, RANK=str(rank)) for rank in range(2))]
    for run in runs:
        told(run)
    return {
        name: json.loads((folder / f"{name}.json").read_text()) for name in ("1-0", "2-0", "2-1")
    }


def test_two_processes_were_two_and_the_group_ended_with_the_block(reports):
    assert {name: found["world"] for name, found in reports.items()} == {
        "1-0": 1,
        "2-0": 2,
        "2-1": 2,
    }
    assert [found["grouped"] for found in reports.values()] == [False, True, True]
    assert not any(found["after"] for found in reports.values())
    assert [found["shares"] for found in reports.values()] == [[5, 5], [5, 3], [5, 2]]


@pytest.mark.parametrize("name", ["2-0", "2-1"])
def test_thresholds_and_weights_are_those_of_one_process(reports, name):
    one, two = (reports[n]["conversions"] for n in ("1-0", name))
    for recipe in one.keys() - {"from a model"}:
        assert two[recipe]["numbers"] == one[recipe]["numbers"], recipe


@pytest.mark.parametrize("name", ["2-0", "2-1"])
@pytest.mark.parametrize("data", ["many", "few", "batches"])
def test_rows_are_those_of_one_process(reports, name, data):
    one, two = (reports[n]["conversions"] for n in ("1-0", name))
    for recipe in one.keys() - {"from a model"}:
        assert one[recipe][data]["results"], recipe
        assert two[recipe][data] == one[recipe][data], recipe
    assert two["from a model"] == one["from a model"]


def test_every_image_is_counted_once(reports):
    for found in reports.values():
        for data, count in {"many": 513, "few": 25, "batches": 513}.items():
            assert found["conversions"]["iso"][data]["data"]["n"] == count


@pytest.mark.parametrize("name", ["2-0", "2-1"])
def test_statistics_merge_exactly(reports, name):
    assert reports[name]["statistics"] == reports["1-0"]["statistics"]


def test_what_goes_wrong_in_one_goes_wrong_in_both(reports):
    one, first, second = (reports[name]["failures"] for name in reports)
    assert first == second
    assert "DataError: label 7, but the network has 3 outputs" in first["label"]
    assert first["label"] == one["label"]
    assert first["a kind"] == one["a kind"] == "OverflowError: too much"


@pytest.mark.parametrize("what", ["other images", "other set", "other calibration"])
def test_processes_that_were_given_different_images_are_refused(reports, what):
    assert reports["1-0"]["failures"][what] == "nothing"
    assert "2 processes were given different" in reports["2-0"]["failures"][what]


def test_outside_of_the_block_a_process_works_alone(reports):
    assert reports["2-0"]["alone"] == reports["1-0"]["alone"]


def test_without_a_group_the_block_changes_nothing():
    numbers = torch.tensor([3, 1])
    with processes.sharded():
        assert (processes.rank(), processes.world()) == (0, 1)
        assert processes.total(numbers) is numbers
        assert processes.gathered(numbers).tolist() == [3, 1]
    with pytest.raises(ValueError, match="mine"), processes.together():
        raise ValueError("mine")
