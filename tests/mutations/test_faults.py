"""The faults of the mutation gate fit the package as it is (`make mutations` runs the gate)."""

import ast
from pathlib import Path

import pytest

import isospike
from mutations.faults import FAULTS, Fault

SOURCE, TESTS = Path(isospike.__file__).parent, Path(__file__).parents[1]


def test_there_are_27_and_each_breaks_something_else():
    assert len(FAULTS) == 27
    assert len({fault.breaks for fault in FAULTS}) == 27


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.breaks)
def test_a_fault_has_one_place_and_leaves_a_program(fault):
    text = (SOURCE / fault.file).read_text(encoding="utf-8")
    changed = fault.applied(text)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.breaks)
def test_the_tests_that_must_fail_are_there(fault):
    for each in fault.tests:
        file, _, name = each.partition("::")
        assert f"def {name or 'test_'}" in (TESTS / file).read_text(encoding="utf-8")


def test_a_text_that_is_not_there_or_there_twice_is_told():
    fault = Fault("a.py", "x", "y", "nothing", ())
    assert fault.applied("1 x 2") == "1 y 2"
    for text in ("1 2", "x x"):
        with pytest.raises(ValueError, match=r"a\.py: 'x' stands there [02] times"):
            fault.applied(text)
