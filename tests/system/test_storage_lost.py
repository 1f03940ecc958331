"""The drill: the storage is deleted, a backup is restored from the page with the offline key, trading goes on."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.paper.store import Store
from tbot_bot.reporting.audit_verify import Level, verify
from tests.system.harness import LiveBot
from tools.patience import calmly, press, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PASSWORD = "a battery of horses"
PERSON = {"username": "trader-jo", "email": "jo@example.org", "password": PASSWORD, "again": PASSWORD}
SPEED = 300
GROUPS = 11
"""The key's fixed beginning and ten groups."""


def recovery_key(bot: LiveBot) -> str:
    """Made, written down from the page, and confirmed by its last group."""
    page = bot.browser.open("/recovery")
    shown = bot.browser.send(page, page.form("/recovery"), {})
    groups = shown.text[shown.text.index("AGE-SECRET-KEY-1") :].split()[:GROUPS]
    confirmed = bot.browser.send(shown, shown.form("/recovery/confirm"), {"last_group": groups[-1]})
    assert confirmed.status == 200, confirmed.text
    return "".join(groups)


def newest_backup(bot: LiveBot) -> str:
    def name() -> str | None:
        rows: list[dict[str, Any]] = calmly(lambda: bot.part("backups"), {}).get("backups", [])
        return max((str(row["name"]) for row in rows), default=None)

    return until("a backup", 60, name)


def fills(bot: LiveBot) -> int:
    store = Store(bot.paths.paper)
    try:
        return len(tuple(store.fills()))
    finally:
        store.close()


def test_with_the_storage_gone_a_backup_and_the_offline_key_bring_everything_back(tmp_path: Path) -> None:
    before = LiveBot(tmp_path, SPEED)
    try:
        before.set_up(PERSON)
        identity = recovery_key(before)
        first = newest_backup(before)
        press(before.browser, "/backups", "/backups/now", {}, lambda: False)
        name = until("a second backup", 60, lambda: newest_backup(before) if newest_backup(before) != first else None)
        elsewhere = tmp_path / name
        shutil.copy(before.paths.backups / name, elsewhere)
    finally:
        before.stop()
    shutil.rmtree(before.paths.storage)
    shutil.rmtree(before.paths.users_db.parent)

    after = LiveBot(tmp_path, SPEED, before.paper)
    try:
        until("the web", 60, lambda: after.browser.open("/health").status == 200)
        until("the folder for backups", 30, after.paths.backups.is_dir)
        shutil.copy(elsewhere, after.paths.backups / name)
        page = until("the restore page", 30, lambda: _with_form(after, "/restore", "/restore/preview"))
        preview = after.browser.send(page, page.form("/restore/preview"), {"backup": name, "identity": identity})
        assert preview.status == 200, preview.text
        restored = after.browser.send(preview, preview.form("/restore"), {})
        assert restored.status == 200, restored.text
        press(after.browser, "/login", "/login", PERSON, lambda: after.shows("/", "/logout"))
        had = fills(after)
        after.admin("/clock/pause")
        after.start()
        until("trading as before", 120, lambda: fills(after) > had or None)
    finally:
        after.stop()
    found = verify(after.paths, identity=identity)
    assert (found.problem, found.level) == (None, Level.FULL)


def _with_form(bot: LiveBot, path: str, action: str) -> Any:
    page = bot.browser.open(path)
    return page if any(form.action.endswith(action) for form in page.forms) else None
