"""Holds the source to the laws of the house: each law is one test that names its offenders."""

from pathlib import Path

import pytest

from tests.house.laws import LAWS, report, stale, unexcused
from tests.house.source import PACKAGES, read_source

ROOT = Path(__file__).parent.parent

# Written as `law: path name`. May only shrink, and is empty.
KNOWN_VIOLATIONS: frozenset[str] = frozenset()


@pytest.mark.parametrize("law", LAWS)
def test_law(law: str) -> None:
    offences = unexcused(law, read_source(ROOT), KNOWN_VIOLATIONS)
    if offences:
        pytest.fail(report(law, offences), pytrace=False)


def test_no_violation_is_known() -> None:
    assert not KNOWN_VIOLATIONS


def test_every_known_violation_is_a_real_one() -> None:
    assert not stale(read_source(ROOT), KNOWN_VIOLATIONS)


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_something_to_judge(package: str) -> None:
    assert any(file.path.startswith(f"{package}/") for file in read_source(ROOT).files)
