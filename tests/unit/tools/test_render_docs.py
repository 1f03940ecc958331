"""What is made from the code is as the code is."""

from pathlib import Path

import pytest

from tbot_bot.config.schema import KEYS
from tools import render_docs


def test_the_files_in_the_repository_are_up_to_date() -> None:
    assert render_docs.stale(render_docs.DOCS) == []


def test_every_key_is_on_the_page_once() -> None:
    page = render_docs.configuration()

    assert [spec.name for spec in KEYS if page.count(f"| `{spec.name}`") != 1] == []


def test_a_stale_file_is_reported_and_then_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render_docs.main([], tmp_path) == 0
    (tmp_path / "architecture.svg").write_text("<svg/>")

    assert render_docs.main(["--check"], tmp_path) == 1
    assert "architecture.svg is stale" in capsys.readouterr().err
    assert (tmp_path / "architecture.svg").read_text() == "<svg/>"
    assert render_docs.main([], tmp_path) == 0
    assert render_docs.main(["--check"], tmp_path) == 0
