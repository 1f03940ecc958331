"""A small browser without a screen: pages, cookies, forms with their CSRF fields, as a person's browser sends them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin

import requests


@dataclass(slots=True)
class Form:
    """One form of a page: where it goes and what it would send as it stands."""

    action: str
    method: str
    fields: dict[str, str | list[str]] = field(default_factory=dict)


class _FormReader(HTMLParser):
    """Collects forms with the values a browser would submit; unticked boxes are left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.text: list[str] = []
        self._select = ""
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        names = {name for name, _ in attrs}
        if tag == "form":
            self.forms.append(Form(at.get("action", ""), at.get("method", "get").lower()))
        if not self.forms:
            return
        fields = self.forms[-1].fields
        if tag == "input" and "name" in at and "disabled" not in names:
            self._input(at, names, fields)
        elif tag == "select" and "name" in at:
            self._select = at["name"]
        elif tag == "option" and self._select and (self._select not in fields or "selected" in names):
            fields[self._select] = at.get("value", "")
        elif tag == "textarea" and "name" in at:
            self._area = at["name"]
            fields[self._area] = ""

    @staticmethod
    def _input(at: dict[str, str], names: set[str], fields: dict[str, str | list[str]]) -> None:
        kind = at.get("type", "text")
        if kind in ("submit", "button", "reset", "image"):
            return
        if kind in ("checkbox", "radio"):
            if "checked" in names:
                _add(fields, at["name"], at.get("value", "on"))
            return
        fields[at["name"]] = at.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area and self.forms:
            typed = self.forms[-1].fields
            typed[self._area] = f"{typed[self._area]}{data}"
        elif data.strip():
            self.text.append(data.strip())


def _add(fields: dict[str, str | list[str]], name: str, value: str) -> None:
    """A ticked box is sent beside everything else of its name, in the order of the page."""
    before = fields.get(name, [])
    fields[name] = [*(before if isinstance(before, list) else [before]), value]


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it came: where it was, its forms, its visible text."""

    url: str
    status: int
    forms: tuple[Form, ...]
    text: str

    def form(self, part_of_action: str) -> Form:
        """The first form whose action holds `part_of_action`. Raises LookupError naming the page."""
        for form in self.forms:
            if part_of_action in urljoin(self.url, form.action):
                return form
        raise LookupError(f"{self.url} has no form for {part_of_action}")


class Browser:
    """Keeps cookies; follows redirects."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def open(self, path: str) -> Page:
        return self._page(self._session.get(urljoin(self._address, path), timeout=30))

    def raw(self, path: str) -> bytes:
        """What came, byte for byte, headers first."""
        answer = self._session.get(urljoin(self._address, path), timeout=30)
        return "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode() + answer.content

    def send(self, page: Page, form: Form, changes: dict[str, str] | None = None) -> Page:
        """Submit `form` with `changes` typed into it."""
        url = urljoin(page.url, form.action)
        values = {**form.fields, **(changes or {})}
        answer = self._session.post(url, data=values, headers={"Referer": page.url}, timeout=60)
        return self._page(answer)

    def take_cookie(self, name: str, value: str) -> None:
        """Hold a cookie as if the site had set it."""
        self._session.cookies.set(name, value)

    def cookie(self, name: str) -> str:
        """A cookie's value; empty when the site has set none."""
        return self._session.cookies.get(name) or ""

    def json(self, path: str) -> dict[str, object]:
        """A JSON answer's object; empty when the page gave something else."""
        answer = self._session.get(urljoin(self._address, path), timeout=30)
        try:
            value = answer.json()
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @staticmethod
    def _page(answer: requests.Response) -> Page:
        reader = _FormReader()
        reader.feed(answer.text)
        return Page(answer.url, answer.status_code, tuple(reader.forms), " ".join(reader.text))
