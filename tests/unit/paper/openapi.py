"""The broker's published documents as judges: is this answer one that they allow?"""

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FOLDER = Path(sys.prefix) / "judges" / "alpaca_mcp_server" / "specs"
REFUSALS_WITHOUT_WORD = frozenset({401, 404, 422, 429})
"""Statuses that the documents leave out at most endpoints although the broker answers them everywhere."""


@cache
def _document(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip("the judges are not installed (make setup in a development checkout)")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@cache
def _registry(name: str) -> Registry[Any]:
    return Registry().with_resource("urn:spec", Resource.from_contents(_document(name), DRAFT202012))


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("".join(r"[^/]+" if part.startswith("{") else re.escape(part) for part in _split(template)))


def _split(template: str) -> list[str]:
    return re.split(r"(\{[^}]+\})", template)


def _template(document: dict[str, Any], path: str) -> str | None:
    """A literal path before one with parameters."""
    fitting = [template for template in document["paths"] if _pattern(template).fullmatch(path)]
    return min(fitting, key=lambda template: template.count("{")) if fitting else None


def faults(name: str, method: str, path: str, status: int, body: object) -> list[str]:
    """What the document says against an answer: `where: what`, the place without list indexes."""
    document = _document(name)
    template = _template(document, path)
    assert template is not None, f"{path} is not documented"
    responses = document["paths"][template][method.lower()]["responses"]
    if str(status) not in responses:
        return [] if status in REFUSALS_WITHOUT_WORD else [f"status: {status} is not documented"]
    pointer = f"/paths/{_escaped(template)}/{method.lower()}/responses/{status}"
    found = responses[str(status)]
    if "$ref" in found:
        pointer = found["$ref"][1:]
        found = document["components"]["responses"][found["$ref"].rpartition("/")[2]]
    if "application/json" not in found.get("content", {}):
        return []
    schema = {"$ref": f"urn:spec#{pointer}/content/application~1json/schema"}
    judge = Draft202012Validator(schema, registry=_registry(name), format_checker=FormatChecker())
    return sorted(
        {
            f"{_place(error.absolute_path)}: {error.validator}: {error.message[:160]}"
            for error in judge.iter_errors(body)
        }
    )


def _place(path: Any) -> str:
    return ".".join(str(part) for part in path if not isinstance(part, int)) or "body"


def _escaped(template: str) -> str:
    return template.replace("~", "~0").replace("/", "~1")
