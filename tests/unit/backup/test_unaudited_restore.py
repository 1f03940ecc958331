from collections.abc import Mapping
from typing import Any

from tbot_bot.domain.errors import AuditUnavailable
from tests.unit.backup.conftest import STEP_UP, Rig

PARTS = ["settings", "users", "ledger", "records", "audit"]


def test_a_restore_that_cannot_be_audited_changes_nothing(rig: Rig) -> None:
    made = rig.back_up()
    rig.book("PA2")
    seen = rig.ask("restore_preview", backup=made.name, identity=rig.identity, step_up=STEP_UP)
    assert seen.ok, seen
    before = (
        rig.paths.current_generation.readlink(),
        rig.paths.ledger_db.read_bytes(),
        rig.paths.users_db.read_bytes(),
    )
    wanted: list[str] = []
    real = rig._audit.record

    def record(event: str, actor: str, detail: Mapping[str, Any]) -> None:
        if event.startswith("step_up"):
            real(event, actor, detail)
            return
        wanted.append(event)
        raise AuditUnavailable(f"the event {event} could not be recorded: No space left on device")

    rig._audit.record = record  # type: ignore[method-assign]
    reply = rig.ask("restore", preview=seen.body["preview"], parts=PARTS, step_up=STEP_UP)
    rig._audit.record = real  # type: ignore[method-assign]

    assert wanted[0] == "restore_begun"
    assert not reply.ok
    after = (rig.paths.current_generation.readlink(), rig.paths.ledger_db.read_bytes(), rig.paths.users_db.read_bytes())
    assert after == before
