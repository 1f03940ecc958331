"""The end of a session: what the broker still holds, the books' balance, the summary, the trade history."""

from decimal import Decimal

from tbot_bot.domain.errors import BrokerError
from tbot_bot.domain.orders import FINAL_STATUSES
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.reporting import summaries, trade_history
from tbot_bot.reporting.summaries import DayFacts, OrderRecord
from tbot_bot.risk.defense import causes
from tbot_bot.runtime.day import Day
from tbot_bot.runtime.journal import JournalledOrder
from tbot_bot.runtime.reconciler import status_of
from tbot_bot.runtime.records import anchor_audit_log, record_fact
from tbot_bot.runtime.services import Services
from tbot_bot.support.logs import get_logger

log = get_logger("closing")


def close_books(services: Services, day: Day) -> None:
    """Write summary and trade history, say what is wrong, and close the journal when nothing is left open."""
    account, positions = _ask(services)
    facts = _facts(services, day, account, positions)
    path = summaries.write(services.paths, facts)
    trade_history.write(services.paths, facts.session, facts.trades, services.settings.general.log_format)
    faults = _faults(services, day, facts)
    for fault in faults:
        services.notifier.notify("critical", "the day did not end clean", fault)
    told = {"session": facts.session.isoformat(), "realised": str(facts.realised), "faults": list(faults)}
    record_fact(services.audit, "session_closed", told)
    anchor_audit_log(services.paths, services.wall)
    log.info("session closed", extra={"fields": {"summary": path.name, "faults": list(faults)}})
    day.finish_journal()


def _ask(services: Services) -> tuple[Account | None, tuple[Position, ...] | None]:
    try:
        return services.broker.get_account_info(), services.broker.get_positions()
    except BrokerError as error:
        log.error("the broker did not tell its account", extra={"fields": {"why": str(error)}})
        return None, None


def _facts(services: Services, day: Day, account: Account | None, positions: tuple[Position, ...] | None) -> DayFacts:
    context, view = day.context, day.engine.view()
    session = context.plan.hours.day
    paths = services.paths
    return DayFacts(
        session=session,
        mode="LIVE" if services.live else "PAPER",
        broker=services.settings.routing.broker_name.value,
        plan=context.plan,
        opening_equity=context.opening_equity,
        closing_equity=account.equity if account is not None else None,
        realised=services.ledger.realised(session),
        trades=services.ledger.trades(session),
        fills=services.ledger.fills(session),
        orders=[_record(order) for order in day.orders.values()],
        decisions=day.decided,
        trial_balance=services.ledger.trial_balance(),
        positions_left=positions,
        limits=view.limits,
        tripped=view.tripped,
        defense=view.defense,
        defense_causes=causes(context.defense, context.settings.defense),
        files={
            "summary": str(paths.session_folder(session) / "summary.json"),
            "trades": str(paths.session_folder(session)),
            "decisions": str(paths.session_folder(session) / "decisions.jsonl"),
            "order journal": str(paths.journal(session)),
            "ledger": str(paths.ledger_db),
            "logs": str(paths.output / "logs"),
        },
    )


def _record(order: JournalledOrder) -> OrderRecord:
    report = order.report
    if report is None:
        return OrderRecord(order.intent, status_of(order))
    return OrderRecord(order.intent, report.status, report.filled_quantity, report.average_price, report.reason)


def _faults(services: Services, day: Day, facts: DayFacts) -> tuple[str, ...]:
    """What must not be at the end of a day, in sentences."""
    found = [f"{shares} shares of order {cid} are not in the ledger" for cid, shares in day.missing_fills().items()]
    found += [f"order {o.intent.client_id} is {o.status}" for o in facts.orders if o.status not in FINAL_STATUSES]
    if facts.positions_left is None:
        found.append("the broker did not say whether the account is flat")
    else:
        found += [f"{p.quantity} {p.symbol} is still held" for p in facts.positions_left]
    debits = sum((debit for debit, _ in facts.trial_balance.values()), Decimal(0))
    credit_sum = sum((credit for _, credit in facts.trial_balance.values()), Decimal(0))
    if debits != credit_sum:
        found.append(f"the ledger does not balance: {debits} debits, {credit_sum} credits")
    return tuple(found)
