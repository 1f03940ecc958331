"""Laws of the configuration: any text is a value or a fault, and what is written reads back."""

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tbot_bot.config.env_bot import load
from tbot_bot.config.env_file import parse_env_text
from tbot_bot.config.keys import KeySpec, Kind, Store, choice_name
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.schema import BY_NAME, KEYS
from tbot_bot.config.template import render_env, render_env_bot, stored_values

VERSION = "v1.0.0"
NASTY = [
    "NaN",
    "-Infinity",
    "sNaN",
    "1e999",
    "0x10",
    "١٢",
    "\x00",
    "a\nB=c",
    "\ud800",
    "9" * 700,
    "1_000",
    " ",
    "'",
    '"#',
]
ANYTHING = st.text(max_size=40) | st.sampled_from(NASTY) | st.from_regex(r"[+-]?[0-9.,e:]{0,12}", fullmatch=True)
KEY_NAMES = st.sampled_from(list(BY_NAME)) | st.text(max_size=20)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(st.dictionaries(KEY_NAMES, ANYTHING, max_size=12))
def test_any_values_give_settings_or_printable_faults(values: dict[str, str]) -> None:
    result = parse(values, VERSION)

    if isinstance(result, ParsedConfig):
        assert parse(result.raw, VERSION) == result
    else:
        assert result
        for fault in result:
            assert str(fault).isprintable()
            str(fault).encode("utf-8")


@QUICK
@given(st.sampled_from([spec for spec in KEYS if spec.secret]), st.text(min_size=8, max_size=30))
def test_no_fault_ever_shows_a_secret(spec: KeySpec, secret: str) -> None:
    result = parse({spec.name: secret + "\x07"}, VERSION)

    assert not isinstance(result, ParsedConfig)
    assert [fault.value for fault in result] == ["(hidden)"]


@QUICK
@given(
    st.text(max_size=300) | st.lists(st.tuples(KEY_NAMES, ANYTHING)).map(lambda p: "\n".join(f"{k}={v}" for k, v in p))
)
def test_any_text_is_read_or_refused_and_never_raises(text: str) -> None:
    read = parse_env_text(text)

    assert set(read.values) <= set(BY_NAME)
    assert all(str(fault).isprintable() for fault in read.faults)
    load(text, VERSION)


def valid_text(spec: KeySpec) -> st.SearchStrategy[str]:
    """Texts that are right for `spec` by themselves; the rules between keys may still refuse them."""
    low, high = spec.low or Decimal(0), spec.high or Decimal(0)
    match spec.kind:
        case Kind.BOOL:
            return st.sampled_from(["true", "false"])
        case Kind.INT:
            return st.integers(int(low), int(high)).map(str)
        case Kind.DECIMAL:
            return st.decimals(low + Decimal("0.0001"), high, places=4).map(lambda value: f"{value:f}")
        case Kind.ENUM if spec.choices is not None:
            refused = {name for name, _ in spec.refused}
            return st.sampled_from([choice_name(item) for item in spec.choices if choice_name(item) not in refused])
        case _:
            return st.just(spec.default)


# Keys that a rule ties to others keep their default, so that most examples are whole configurations.
FREE = [
    "API_RETRY_LIMIT", "API_TIMEOUT", "FRACTIONAL", "DAILY_LOSS_LIMIT", "MAX_OPEN_POSITIONS", "MIN_VOLUME_THRESHOLD",
    "MAX_PE_RATIO", "REBALANCE_THRESHOLD", "STRAT_OPEN_BUFFER", "TRAIL_PCT_MID", "LOG_FORMAT", "BUILD_MODE",
    "DEFENSE_MODE_TRADE_LIMIT_PCT", "LEDGER_EXPORT_MODE", "SLIPPAGE_MEAN_PCT", "RISK_FREE_RATE", "NOTIFY_ON_EXIT",
    "LOGIN_ATTEMPT_LIMIT", "ENVIRONMENT", "CRITICAL_ALERT_CHANNEL", "OPTIMIZER_ALGORITHM", "ADX_MAX",
]  # fmt: skip


@QUICK
@given(st.fixed_dictionaries({name: valid_text(BY_NAME[name]) for name in FREE}))
def test_what_is_rendered_reads_back_the_same(values: dict[str, str]) -> None:
    config = parse(values, VERSION)
    assert isinstance(config, ParsedConfig)

    bot = parse_env_text(render_env_bot(config.raw))
    env = parse_env_text(render_env(config.raw))

    assert bot.faults == env.faults == ()
    assert bot.values == stored_values(config.raw, Store.ENV_BOT)
    assert env.values == stored_values(config.raw, Store.ENV)
    assert load(render_env_bot(config.raw), VERSION, stored_values(config.raw, Store.ENV)) == config


@QUICK
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_weights_are_accepted_exactly_when_they_fit(parts: list[int]) -> None:
    weights = [Decimal(part) / 100 for part in parts]
    result = parse({"MAX_TRADES": str(len(parts)), "WEIGHTS": ",".join(f"{w:f}" for w in weights)}, VERSION)

    assert isinstance(result, ParsedConfig) == (sum(weights) <= 1)
