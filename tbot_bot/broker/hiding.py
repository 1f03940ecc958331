"""Replaces given values wherever they occur in what goes to a log, however a broker wrote them when it echoed them."""

import base64
import html
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from tbot_bot.support.logs import REDACTED, redact, redact_tree

_LEAST = 4
"""Shorter values occur everywhere by chance."""
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")


class Hiding:
    """`values`: an account's number, keys, names. What looks like a secret, or is known as one, is replaced too."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values if len(value) >= _LEAST for form in _forms(value)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None
        self._longest = max(map(len, forms), default=0)

    def text(self, text: str) -> str:
        return redact(self._values(text))

    def cut(self, text: str, length: int) -> str:
        """The beginning of `text`; a value that the cut would halve is hidden before."""
        return self.text(text[: length + self.margin])[:length] + "…"

    @property
    def margin(self) -> int:
        """How much more than it keeps a cut must see. A character may be escaped by six."""
        return 6 * self._longest + 200

    def tree(self, value: Any) -> Any:
        """A JSON value of the same shape."""
        return redact_tree(self._tree(value))

    def _tree(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._values(str(key)): self._tree(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._tree(inner) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        told = str(value)
        hidden = self._values(told)
        return value if isinstance(value, int | float) and hidden == told else hidden

    def _values(self, text: str) -> str:
        if self._pattern is None:
            return text
        hidden = self._pattern.sub(REDACTED, text)
        plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), hidden)
        # Only where an escape hid something; else the text stays as the broker wrote it.
        return self._pattern.sub(REDACTED, plain) if self._pattern.search(plain) else hidden


def _forms(value: str) -> Iterable[str]:
    """As JSON, addresses, forms, HTML and Base64 write it."""
    yield value
    as_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    yield from as_json
    yield from (form.replace("/", "\\/") for form in as_json)
    yield from (quote(value, safe=""), quote(value), quote_plus(value))
    yield from (html.escape(value), html.escape(value, quote=False))
    yield base64.b64encode(value.encode()).decode().rstrip("=")
