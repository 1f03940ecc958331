"""The broker's published documents as judges: is this answer one that they allow?"""

import json
import re
import sys
from collections.abc import Iterator
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


def undocumented(name: str, method: str, path: str, status: int, body: object) -> set[str]:
    """Fields of an answer that the document does not know."""
    document = _document(name)
    responses = document["paths"][_template(document, path)][method.lower()]["responses"]
    found = _resolved(document, responses.get(str(status), {}))
    schema = found.get("content", {}).get("application/json", {}).get("schema")
    return set() if schema is None else set(_strangers(document, schema, body))


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"][2:].split("/"):
            found = found[part]
        schema = found
    return schema


def _parts(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema with everything that it is made of or may be."""
    schema = _resolved(document, schema)
    more = [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())]
    return [schema, *(found for part in more for found in _parts(document, part))]


def _strangers(document: dict[str, Any], schema: dict[str, Any], value: object) -> Iterator[str]:
    parts = _parts(document, schema)
    if isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        for item in value[:3] if items else ():
            yield from _strangers(document, {"anyOf": items}, item)
    elif isinstance(value, dict):
        known = {key: inner for part in parts for key, inner in part.get("properties", {}).items()}
        rest = [part["additionalProperties"] for part in parts if isinstance(part.get("additionalProperties"), dict)]
        for key, inner in value.items():
            if key in known:
                yield from _strangers(document, known[key], inner)
            elif rest:
                yield from _strangers(document, {"anyOf": rest}, inner)
            elif known:
                yield key


def _place(path: Any) -> str:
    return ".".join(str(part) for part in path if not isinstance(part, int)) or "body"


def _escaped(template: str) -> str:
    return template.replace("~", "~0").replace("/", "~1")
