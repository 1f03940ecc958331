import shutil
from pathlib import Path

import pytest

from tests.conftest import lacking
from tools.units import LIMITS, rendered, score, scores, too_exposed, verify

GOOD = "[Service]\nExecStart=/bin/true\n"


@pytest.fixture(autouse=True)
def analyzer() -> None:
    if shutil.which("systemd-analyze") is None:
        lacking("systemd is not installed (apt-get install systemd)")


def unit(folder: Path, text: str) -> Path:
    path = folder / "x.service"
    path.write_text(text)
    return path


def test_our_units_are_sound_and_no_more_exposed_than_noted(tmp_path: Path) -> None:
    units = rendered(tmp_path)
    assert verify(units) == ()
    assert tuple(too_exposed(scores(units), LIMITS)) == ()


def test_every_limit_is_that_of_a_unit_and_every_service_has_one(tmp_path: Path) -> None:
    assert {path.name for path in rendered(tmp_path) if path.suffix == ".service"} == set(LIMITS)


def test_a_limit_is_not_higher_than_it_must_be(tmp_path: Path) -> None:
    """Other releases of systemd weigh a little otherwise."""
    for path in rendered(tmp_path):
        if path.suffix == ".service":
            assert score(path).tenths >= LIMITS[path.name] - 3, path.name


@pytest.mark.parametrize("text", ["[Service]\nExecStart=/bin/true\nNoSuchSetting=yes\n", "[Service]\nType=notify\n"])
def test_a_unit_that_systemd_does_not_understand_is_refused(tmp_path: Path, text: str) -> None:
    assert verify((unit(tmp_path, text),))


def test_a_unit_without_hardening_is_refused(tmp_path: Path) -> None:
    found = scores((unit(tmp_path, GOOD),))
    assert ["more than the 3.0" in words for words in too_exposed(found, {"x.service": 30})] == [True]
