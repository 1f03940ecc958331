"""That the campaign would notice a verifier, or a writer, that does not do its work."""

from pathlib import Path

import pytest

from tools import campaign_audit
from tools.audit_mutations import MUTATIONS, Wields
from tools.campaign_audit import MUST_NOTICE, Bench, Forgery, Setting, forgeries


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_every_kind_of_forgery_is_made_and_none_is_the_true_log(bench: Bench) -> None:
    made = list(forgeries(bench.material, 300, 7))

    assert {forgery.name for forgery in made} == {
        "every_cut",
        *(mutation.__name__ for mutations in MUTATIONS.values() for mutation in mutations),
    }
    assert all(forgery.files != bench.material.true for forgery in made)
    assert len(made) == 300


def test_a_verifier_that_checks_nothing_misses_everything(bench: Bench) -> None:
    for forgery in forgeries(bench.material, 150, 7):
        assert bench.unnoticed(forgery, campaign_audit.checks_nothing) == [
            how.name for how in MUST_NOTICE[forgery.wields]
        ]


def test_the_self_test_is_silent_and_speaks_when_a_blind_verifier_passes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert campaign_audit.self_test(bench, 1) == []

    harmless = [Forgery("none", Wields.LOG, bench.material.true)]
    monkeypatch.setattr(campaign_audit, "MUST_NOTICE", {Wields.LOG: ()})
    monkeypatch.setattr(campaign_audit, "forgeries", lambda *_: harmless)
    assert len(campaign_audit.self_test(bench, 1)) == 5


def test_true_logs_raise_no_alarm_and_a_forged_one_among_them_does(bench: Bench) -> None:
    assert bench.false_alarms() == []

    states = list(bench.material.states)
    states[3] = type(states[3])(states[3].log, states[5].head, states[3].sealed)
    object.__setattr__(bench.material, "states", states)
    assert any(f"at {Setting.CHAIN.name}" in words for words in bench.false_alarms())
