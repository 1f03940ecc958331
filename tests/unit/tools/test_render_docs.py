"""The reference page is the table."""

from pathlib import Path

import pytest

from tbot_bot.config.schema import KEYS
from tools import render_docs


def test_the_page_in_the_repository_is_up_to_date() -> None:
    assert render_docs.main(["--check"]) == 0


def test_every_key_is_on_the_page_once() -> None:
    page = render_docs.render()

    assert [spec.name for spec in KEYS if page.count(f"| `{spec.name}`") != 1] == []


def test_a_stale_page_is_reported_and_then_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "configuration.md"
    monkeypatch.setattr(render_docs, "TARGET", target)

    assert render_docs.main(["--check"]) == 1
    assert not target.exists()
    assert render_docs.main([]) == 0
    assert render_docs.main(["--check"]) == 0
