from pathlib import Path

from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.doorbell import Doorbell


def test_it_rings_for_a_file_and_only_once(tmp_path: Path) -> None:
    bell = Doorbell([tmp_path])
    try:
        write_bytes(tmp_path / "a", b"x", durable=False)

        assert bell.wait(5)
        assert not bell.wait(0.1)
        bell.ring()
        assert bell.wait(0)
    finally:
        bell.close()


def test_without_a_folder_to_watch_it_still_keeps_time(tmp_path: Path) -> None:
    bell = Doorbell([tmp_path / "none"])
    try:
        assert not bell.wait(0.01)
    finally:
        bell.close()
