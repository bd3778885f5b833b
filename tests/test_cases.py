"""The table of what goes wrong names tests that are there."""

from pathlib import Path

import pytest

from cases import CASES

TESTS = Path(__file__).parent


def test_there_are_72_and_each_has_a_test():
    assert list(CASES) == list(range(1, 73))
    assert all(case.tests for case in CASES.values())
    assert [n for n, case in CASES.items() if case.open] == [30, 61, 62, 72]


@pytest.mark.parametrize("number", CASES)
def test_the_tests_of_a_case_are_there(number):
    for each in CASES[number].tests:
        file, _, name = each.partition("::")
        assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8"), each
