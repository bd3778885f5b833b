"""The tables are whole, and impossible ones are refused with every reason."""

from collections import Counter

import pytest

from isospike.errors import UsageError
from isospike.train.policies import CIFAR10, OPERATIONS, magnitudes, policy_of


def test_the_policy_has_25_pairs_of_known_operations():
    assert len(CIFAR10) == 25
    assert policy_of(list(CIFAR10)) == list(CIFAR10)  # passes the checks
    for name, _, level in (step for sub in CIFAR10 for step in sub):
        assert (level is not None) == OPERATIONS[name].graded


def test_the_policy_is_mostly_of_colour_operations():
    """The paper's remark on CIFAR-10: Equalize, AutoContrast, Color and Brightness prevail."""
    often = Counter(step[0] for sub in CIFAR10 for step in sub).most_common(4)
    assert {name for name, _ in often[:2]} == {"Equalize", "AutoContrast"}


@pytest.mark.parametrize(
    ("name", "level", "value"),
    [
        ("ShearX", 9, 0.3),
        ("TranslateX", 9, 150 / 331 * 32),
        ("TranslateY", 3, 50 / 331 * 28),
        ("Rotate", 3, 10.0),
        ("Brightness", 7, 0.7),
        ("Posterize", 9, 4.0),
        ("Posterize", 0, 8.0),
        ("Solarize", 3, 170.0),
        ("Invert", 0, 0.0),
    ],
)
def test_magnitudes(name, level, value):
    assert float(magnitudes(name, height=28, width=32)[level]) == pytest.approx(value, rel=1e-6)


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="unknown policy 'svhn': one of cifar10, or a table"):
        policy_of("svhn")


def test_every_flaw_of_a_table_is_told():
    table = [
        (("Invert", 1.5, None), ("Swirl", 0.5, 1)),
        (("Rotate", 0.5, None),),
        (("Rotate", 0.5, 10), ("Equalize", float("nan"), None)),
    ]
    with pytest.raises(UsageError) as caught:
        policy_of(table)  # type: ignore[arg-type]
    for part in [
        "sub-policy 0: Invert: probability 1.5",
        "sub-policy 0: unknown operation 'Swirl'",
        "sub-policy 1: 1 operations instead of 2",
        "sub-policy 1: Rotate: level None",
        "sub-policy 2: Rotate: level 10",
        "sub-policy 2: Equalize: probability nan",
    ]:
        assert part in str(caught.value)
    with pytest.raises(UsageError, match="no sub-policies"):
        policy_of([])
