import json

from tbot_bot.reporting.audit_chain import hash_of
from tbot_bot.reporting.audit_verify import Level, verify
from tbot_bot.support.audit_anchors import anchor_file, known_anchors
from tests.unit.backup.conftest import Rig


def test_a_backup_anchors_the_audit_log_and_a_shorter_log_shows_against_it(rig: Rig) -> None:
    made = rig.back_up()

    kept = [anchor for anchor in known_anchors(rig.paths) if anchor.where == "a backup"]
    assert [(one.seq, one.line_hash) for one in kept] == [
        (made.manifest.anchors.audit_seq, made.manifest.anchors.audit_hash)
    ]
    rig.stop()
    assert verify(rig.paths, anchors=kept).problem is None

    lines = rig.paths.audit_log.read_bytes().splitlines(keepends=True)[: kept[0].seq - 1]
    rig.paths.audit_log.write_bytes(b"".join(lines))
    head = json.loads((rig.paths.audit_log.parent / "head.json").read_bytes())
    head |= {"seq": len(lines), "line_hash": hash_of(lines[-1][:-1]), "bytes": sum(map(len, lines))}
    text = json.dumps(head, sort_keys=True, separators=(",", ":"))
    (rig.paths.audit_log.parent / "head.json").write_text(text + "\n")
    assert verify(rig.paths, anchors=kept).problem is not None


def test_a_backup_is_made_where_no_anchor_can_be_kept(rig: Rig) -> None:
    anchor_file(rig.paths.backups).mkdir(parents=True)

    assert rig.back_up().size > 0


def test_once_the_recovery_key_is_confirmed_it_alone_checks_every_signature(rig: Rig) -> None:
    assert verify(rig.paths).level is Level.CHAIN
    assert verify(rig.paths, identity=rig.identity).level is Level.FULL
