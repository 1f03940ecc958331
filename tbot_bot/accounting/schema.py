"""The ledger's tables, triggers and views.

One row is one whole transaction: its postings are a JSON array inside the row, `[[account, micro-dollars], …]`,
positive = debit. SQLite writes a row or it does not, so no program, however it dies or whatever it sends, can leave
a transaction half written, unbalanced or orphaned; `entry_whole` refuses what does not balance, is numbered out of
turn or repeats an execution. It runs before any conflict handling, so INSERT OR REPLACE and upserts cannot replace
a row either.

No trigger can stop a program that may write the file from dropping the trigger first: the entries are chained by
digest and `store.verify` compares schema, chart, chain and every recomputed posting."""

from tbot_bot.accounting.booking import LARGEST_MICROS
from tbot_bot.accounting.chart import CHART

APPLICATION_ID = 0x74624C31
SCHEMA_VERSION = 1
GENESIS = "genesis"

_ACCOUNTS = """
CREATE TABLE account (
  code TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('asset', 'liability', 'equity', 'income', 'expense')),
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""

_ENTRIES = """
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('opening', 'fill', 'reversal')),
  at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*+00:00'),
  session TEXT NOT NULL CHECK (session GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
  narration TEXT NOT NULL,
  postings TEXT NOT NULL CHECK (json_valid(postings)),
  account_id TEXT,
  reverses INTEGER REFERENCES entry (id),
  execution_id TEXT,
  order_id TEXT,
  client_id TEXT,
  trade_id TEXT,
  strategy TEXT,
  purpose TEXT,
  direction TEXT,
  symbol TEXT,
  signal_symbol TEXT,
  side TEXT CHECK (side IN ('buy', 'sell')),
  quantity_nano INTEGER CHECK (quantity_nano > 0),
  price_nano INTEGER CHECK (price_nano > 0),
  fee_micro INTEGER,
  reference_nano INTEGER CHECK (reference_nano > 0),
  config_version TEXT NOT NULL,
  previous TEXT NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 64),
  CHECK ((kind = 'opening') = (account_id IS NOT NULL)),
  CHECK ((kind = 'reversal') = (reverses IS NOT NULL)),
  CHECK ((kind = 'fill') = (execution_id IS NOT NULL)),
  CHECK (kind != 'fill' OR (order_id IS NOT NULL AND symbol IS NOT NULL AND side IS NOT NULL
    AND quantity_nano IS NOT NULL AND price_nano IS NOT NULL AND fee_micro IS NOT NULL))
) STRICT
"""

_INDEXES = (
    "CREATE UNIQUE INDEX entry_execution ON entry (execution_id) WHERE execution_id IS NOT NULL",
    "CREATE UNIQUE INDEX entry_opening ON entry (account_id) WHERE account_id IS NOT NULL",
    "CREATE UNIQUE INDEX entry_reverses ON entry (reverses) WHERE reverses IS NOT NULL",
    "CREATE INDEX entry_session ON entry (session)",
)

_WHOLE = """
CREATE TRIGGER entry_whole BEFORE INSERT ON entry BEGIN
  SELECT RAISE(ABORT, 'entries are numbered from 1 without a gap')
    WHERE NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM entry);
  SELECT RAISE(ABORT, 'the entry does not follow the one before it')
    WHERE NEW.previous IS NOT coalesce((SELECT digest FROM entry WHERE id = NEW.id - 1), '@GENESIS');
  SELECT RAISE(ABORT, 'this execution is booked already')
    WHERE EXISTS (SELECT 1 FROM entry WHERE execution_id = NEW.execution_id);
  SELECT RAISE(ABORT, 'this account has its opening balance already')
    WHERE EXISTS (SELECT 1 FROM entry WHERE account_id = NEW.account_id);
  SELECT RAISE(ABORT, 'this entry is reversed already')
    WHERE EXISTS (SELECT 1 FROM entry WHERE reverses = NEW.reverses);
  SELECT RAISE(ABORT, 'an entry has 2 to 20 postings')
    WHERE json_type(NEW.postings) IS NOT 'array' OR json_array_length(NEW.postings) NOT BETWEEN 2 AND 20;
  SELECT RAISE(ABORT, 'a posting is an account of the chart and whole micro-dollars')
    WHERE EXISTS (
      SELECT 1 FROM json_each(NEW.postings) AS line
      WHERE line.type != 'array' OR json_array_length(line.value) != 2
        OR json_type(line.value, '$[0]') IS NOT 'text' OR json_type(line.value, '$[1]') IS NOT 'integer'
        OR json_extract(line.value, '$[1]') NOT BETWEEN -@LARGEST AND @LARGEST
        OR NOT EXISTS (SELECT 1 FROM account WHERE code = json_extract(line.value, '$[0]')));
  SELECT RAISE(ABORT, 'debits and credits differ')
    WHERE (SELECT sum(json_extract(value, '$[1]')) FROM json_each(NEW.postings)) IS NOT 0;
  SELECT RAISE(ABORT, 'a reversal negates a fill, posting by posting')
    WHERE NEW.reverses IS NOT NULL AND (
      SELECT count(*) FROM entry AS past, json_each(past.postings) AS was, json_each(NEW.postings) AS now
      WHERE past.id = NEW.reverses AND past.kind = 'fill' AND was.key = now.key
        AND json_extract(was.value, '$[0]') = json_extract(now.value, '$[0]')
        AND json_extract(was.value, '$[1]') = -json_extract(now.value, '$[1]')
    ) IS NOT max(json_array_length(NEW.postings),
                 coalesce((SELECT json_array_length(postings) FROM entry WHERE id = NEW.reverses), 0));
END
""".replace("@GENESIS", GENESIS).replace("@LARGEST", str(LARGEST_MICROS))

_FIXED = tuple(
    f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} BEGIN SELECT RAISE(ABORT, '{words}'); END"
    for table, act, words in (
        ("entry", "UPDATE", "the ledger is append-only: reverse the entry instead"),
        ("entry", "DELETE", "the ledger is append-only: reverse the entry instead"),
        ("account", "INSERT", "the chart of accounts changes only with a new version of it"),
        ("account", "UPDATE", "the chart of accounts changes only with a new version of it"),
        ("account", "DELETE", "the chart of accounts changes only with a new version of it"),
    )
)

_POSTINGS = """
CREATE VIEW posting AS
  SELECT entry.id AS entry_id, entry.at, entry.session, entry.symbol, line.key AS line,
    json_extract(line.value, '$[0]') AS account, json_extract(line.value, '$[1]') AS amount_micro
  FROM entry, json_each(entry.postings) AS line
"""

_BALANCES = """
CREATE VIEW trial_balance AS
  SELECT account.name, sum(max(amount_micro, 0)) AS debit_micro, -sum(min(amount_micro, 0)) AS credit_micro
  FROM posting JOIN account ON account.code = posting.account GROUP BY account.code ORDER BY account.code
"""

_CHART_ROWS = tuple(
    f"INSERT INTO account VALUES ('{a.code}', '{a.name}', '{a.kind.value}', {a.since})"  # noqa: S608 (our constants)
    for a in CHART
)

STATEMENTS = (_ACCOUNTS, *_CHART_ROWS, _ENTRIES, *_INDEXES, _WHOLE, *_FIXED, _POSTINGS, _BALANCES)
"""What a new ledger file is made of, in order; the chart's rows go in before the trigger that fixes them."""

COLUMNS = (
    "id", "kind", "at", "session", "narration", "postings", "account_id", "reverses", "execution_id", "order_id",
    "client_id", "trade_id", "strategy", "purpose", "direction", "symbol", "signal_symbol", "side", "quantity_nano",
    "price_nano", "fee_micro", "reference_nano", "config_version", "previous", "digest",
)  # fmt: skip
