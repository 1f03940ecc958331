"""New keys from a shell: `python -m tools.rotate_keys [--user NAME] [--category NAME ...]`.

It touches no key: it logs in, files the same authorised, audited request as the page Keys, waits for the answer and
logs out. The password is typed at the terminal, never an argument; where a second factor is enrolled, two codes are
asked for, since each works once."""

import argparse
import getpass
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tbot_bot.interface.requests import Courier, Reply
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.encrypt_secrets import CATEGORIES
from tbot_bot.support.path_resolver import Paths, root_from_environment

_WHERE = "shell"
_PATIENCE = 120.0
"""Seconds for the answer: a rotation waits for what is under way."""

Ask = Callable[[str], str]


class Carrier(Protocol):
    """Whatever takes a request to the runner and its answer back."""

    def ask(self, kind: str, body: Mapping[str, Any], *, token: str | None, ip: str, timeout: float = ...) -> Reply: ...


def main(argv: Sequence[str] | None = None, ask_hidden: Ask = getpass.getpass, ask_shown: Ask = input) -> int:
    options = _parser().parse_args(argv)
    try:
        user = options.user or ask_shown("User name: ")
        password = ask_hidden("Password: ")
        courier = Courier(Paths(root_from_environment()), SystemClock())
        problem = rotate(courier, user, password, options.category or ["all"], ask_shown)
    except (EOFError, KeyboardInterrupt):
        problem = "Nothing was asked for: the entry was broken off."
    print(problem or "The new keys are in use.")
    return 1 if problem else 0


def rotate(courier: Carrier, user: str, password: str, categories: Sequence[str], ask_code: Ask) -> str | None:
    """What went wrong, in words; None when the new keys are in use."""
    reply = _log_in(courier, user, password, ask_code)
    if not reply.ok:
        return _words(reply)
    token = str(reply.body["token"])
    try:
        return _rotate(courier, token, password, categories, ask_code)
    finally:
        courier.ask("logout", {}, token=token, ip=_WHERE)


def _log_in(courier: Carrier, user: str, password: str, ask_code: Ask) -> Reply:
    body = {"username": user, "password": password, "device": ""}
    reply = courier.ask("login", body, token=None, ip=_WHERE, timeout=_PATIENCE)
    while reply.code == "code_needed":
        code = ask_code(f"{reply.message} Code: ")
        body = {"challenge": str(reply.body.get("challenge", "")), "code": code.strip(), "device": ""}
        reply = courier.ask("login_code", body, token=None, ip=_WHERE, timeout=_PATIENCE)
    return reply


def _rotate(courier: Carrier, token: str, password: str, categories: Sequence[str], ask_code: Ask) -> str | None:
    """The password is right already; the runner says whether a code is needed, and each code works once."""
    step_up: dict[str, Any] = {"password": password}
    body = {"categories": list(categories), "step_up": step_up}
    reply = courier.ask("rotate", body, token=token, ip=_WHERE, timeout=_PATIENCE)
    if reply.code == "step_up" and reply.body.get("totp"):
        step_up["code"] = ask_code("Wait for your authenticator's next code. Code: ").strip()
        reply = courier.ask("rotate", body, token=token, ip=_WHERE, timeout=_PATIENCE)
    return None if reply.ok else _words(reply)


def _words(reply: Reply) -> str:
    return "\n".join([reply.message, *(f"- {fault['key']}: {fault['message']}" for fault in reply.faults)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Replace encryption keys, as the page Keys does. Needs an admin.")
    parser.add_argument("--user", help="the admin's name; asked for when left out")
    parser.add_argument(
        "--category", action="append", choices=CATEGORIES, help="only this category; may be repeated (default: all)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
