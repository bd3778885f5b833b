"""The table of what goes wrong names tests that are there."""

from pathlib import Path

import pytest

from cases import CASES

TESTS = Path(__file__).parent


def test_there_are_72_and_what_has_no_test_is_open():
    assert list(CASES) == list(range(1, 73))
    assert [n for n, case in CASES.items() if not case.tests] == [30, 61, 62]
    assert all(case.open for case in CASES.values() if not case.tests)


@pytest.mark.parametrize("number", CASES)
def test_the_tests_of_a_case_are_there(number):
    for each in CASES[number].tests:
        file, _, name = each.partition("::")
        assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8"), each
