"""Steps, orders and sabotages on recordings written by hand."""

from collections import Counter
from pathlib import Path

import pytest

from tests.unit.tools.faults.test_law import (
    ANSWER,
    APPENDED,
    MOVED,
    REPLACED,
    ROOT,
    SWAPPED,
    TRANSACTION,
    create,
    rename,
    sync,
    write,
)
from tools.faults.calls import Call, read_calls
from tools.faults.exhibit import Exhibit
from tools.faults.orders import broken_order
from tools.faults.scenarios import SCENARIOS
from tools.faults.selftest import Verdict, forget, swap_calls, swap_steps, unlawful
from tools.faults.steps import neighbours, steps_of, syncs

AUDIT, CONTROL = "tbot_bot/storage/audit", "control"
RECORD = (
    write(f"{AUDIT}/audit.jsonl", 5),
    sync(f"{AUDIT}/audit.jsonl", 5),
    create(f"{AUDIT}/.head.json.1.tmp"),
    write(f"{AUDIT}/.head.json.1.tmp"),
    sync(f"{AUDIT}/.head.json.1.tmp"),
    rename(f"{AUDIT}/.head.json.1.tmp", f"{AUDIT}/head.json"),
    sync(AUDIT, 4),
)


@pytest.fixture
def exhibit(tmp_path: Path) -> Exhibit:
    """A root with a few files, whose recording lies under ROOT."""
    for name in (
        "a",
        "b",
        "g",
        "d",
        AUDIT,
        "tbot_bot/storage/runner",
        "tbot_bot/storage/recovery",
        "control/published",
    ):
        (tmp_path / "before" / name).mkdir(parents=True)
    for name in ("b/log", "d/U.db", f"{AUDIT}/audit.jsonl", f"{AUDIT}/head.json"):
        (tmp_path / "before" / name).write_bytes(b"old")
    return _Placed(SCENARIOS["config_save"], tmp_path, {}, {}, 0, (), (), ())


class _Placed(Exhibit):
    @property
    def recorded_root(self) -> Path:
        return Path(ROOT)


def calls_of(*rows: str) -> tuple[Call, ...]:
    return read_calls("\n".join(rows), ROOT)


def test_a_step_is_what_becomes_durable_together(exhibit: Exhibit) -> None:
    steps = steps_of(exhibit, calls_of(*APPENDED, *REPLACED, *SWAPPED, ANSWER))

    assert [step.what for step in steps] == ["b/log", "a/x", "g/2", "the answer"]
    assert [step.answers for step in steps] == [False, False, False, True]


def test_a_sync_that_is_repeated_at_once_counts_as_one_and_an_empty_one_as_none(exhibit: Exhibit) -> None:
    calls = calls_of(sync("a", 4), *APPENDED, APPENDED[1], sync("b", 4), *REPLACED)

    assert syncs(exhibit, calls) == ((2, 3), (8,), (10,))


def test_every_sync_of_a_lawful_recording_is_missed(exhibit: Exhibit) -> None:
    calls = calls_of(*REPLACED, *APPENDED, *SWAPPED, *MOVED, *TRANSACTION, ANSWER)

    assert unlawful(exhibit, calls) == ()
    found = [forget(exhibit, calls, group) for group in syncs(exhibit, calls)]
    assert len(found) == 12
    assert {each.verdict for each in found} == {Verdict.LAW}


def test_a_spare_sync_is_told(exhibit: Exhibit) -> None:
    calls = calls_of(create("a/.x.1.tmp"), sync("a", 4), *APPENDED, ANSWER)

    assert forget(exhibit, calls, (1,)).verdict is Verdict.SPARE


def test_calls_swapped_around_a_sync_are_reported(exhibit: Exhibit, tmp_path: Path) -> None:
    calls = calls_of(*REPLACED, ANSWER)

    found = [swap_calls(exhibit, calls, *pair, tmp_path / "root") for pair in neighbours(exhibit, calls)]
    assert Counter(each.verdict for each in found) == {Verdict.LAW: 3}


def test_a_record_comes_with_its_head_before_anything_else(exhibit: Exhibit, tmp_path: Path) -> None:
    calls = calls_of(*RECORD, *APPENDED, ANSWER)
    steps = steps_of(exhibit, calls)

    assert broken_order(exhibit, calls) == ""
    for first, second in ((0, 1), (1, 2)):
        found = swap_steps(exhibit, calls, steps[first], steps[second], tmp_path / "root")
        assert found.verdict is Verdict.ORDER
    assert broken_order(exhibit, calls_of(*RECORD[:2], ANSWER)) == f"the answer before {AUDIT}/head.json"


def test_a_step_that_needs_the_one_before_cannot_be_swapped_with_it(exhibit: Exhibit, tmp_path: Path) -> None:
    calls = calls_of(*REPLACED, *MOVED, ANSWER)
    first, second, _ = steps_of(exhibit, calls)

    assert swap_steps(exhibit, calls, first, second, tmp_path / "root").verdict is Verdict.BUILT_ON


def test_what_is_begun_is_ended_before_the_answer(exhibit: Exhibit) -> None:
    begun = "tbot_bot/storage/runner/provisioning.json"
    temp = begun.replace("runner/", "runner/.") + ".1.tmp"
    calls = calls_of(create(temp), sync(temp), rename(temp, begun), sync("tbot_bot/storage/runner", 4), ANSWER)

    assert broken_order(exhibit, calls) == f"{begun} is left when the answer leaves"


def test_a_record_names_only_what_is_there(exhibit: Exhibit) -> None:
    folder = "tbot_bot/storage/recovery"
    temp = f"{folder}/.recovery.json.1.tmp"
    calls = calls_of(create(temp), sync(temp), rename(temp, f"{folder}/recovery.json"), sync(folder, 4))

    assert broken_order(exhibit, calls) == f"{folder}/recovery.json before its *.mac.key"


def test_the_link_leads_to_a_generation_that_is_there(exhibit: Exhibit) -> None:
    temp, link = "tbot_bot/storage/.current.1.tmp", "tbot_bot/storage/current"
    made = f'7 symlink("gen/00000002", "{ROOT}/{temp}") = 0'
    calls = calls_of(made, rename(temp, link), sync("tbot_bot/storage", 4))

    assert broken_order(exhibit, calls) == f"{link} leads to gen/00000002, which is not there"
